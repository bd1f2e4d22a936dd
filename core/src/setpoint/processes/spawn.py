"""Start a program with `posix_spawn`, as somebody and somewhere else if need be."""

import asyncio
import errno
import grp
import os
import pwd
import signal
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, TypedDict

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PER_TURN = 8  # spawns in one turn of the loop: each blocks it for 0.2 ms
CHANGE_FOLDER = 'cd -- "$1" && shift && unset OLDPWD && exec "$@"'
IGNORABLE = "HUP INT QUIT TERM PIPE XFSZ USR1 USR2 CHLD TSTP TTIN TTOU"  # by Python, nohup, shells
DEFAULT_SIGNALS = tuple(signal.Signals[f"SIG{name}"] for name in IGNORABLE.split())
LOADING = (
    "LD_",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "LOCPATH",
)  # variables that bring code into a program


class Options(TypedDict, total=False):
    """How a program is started and stopped; what is not given is as said here.

    cwd: the folder it starts in; empty: ours. With one its environment has PWD too.
    env: its variables beside PATH, which it may replace; empty: none. Nothing of ours is inherited.
    user: name or number whose rights it gets, with all groups of that user; empty: ours.
    group: name or number of its group; empty: the primary one of `user`.
    stdin: what it reads; empty: nothing.
    stop_signal: what asks it to end; SIGTERM.
    grace: seconds it then has before SIGKILL; 5.
    """

    cwd: str | None
    env: Mapping[str, str] | None
    user: str | int | None
    group: str | int | None
    stdin: bytes
    stop_signal: signal.Signals
    grace: float


class ReapedElsewhere(ChildProcessError):  # noqa: N818 - what happened to the child
    """A child is gone before it was waited for here, and its exit code with it."""

    def __init__(self) -> None:
        why = "its exit code was lost: SIGCHLD is ignored, or something waits for all children"
        super().__init__(errno.ECHILD, f"{why}; let only this wait for it")


class Spawned(NamedTuple):
    """A child that was just started, and our ends of the pipes it writes to."""

    pid: int
    pidfd: int
    pipes: tuple[int, ...]


class Launch(NamedTuple):
    """What to execute: `words`, the first of which is a path, and its whole environment."""

    words: list[str]
    env: dict[str, str]


def launch(argv: Sequence[str], options: Options) -> Launch:
    """Return what to execute so that `argv` runs as `options` say.

    Raises:
        FileNotFoundError: there is no such program, or no such folder to start in.
        PermissionError: it may not be executed, or we may not run it as that user.
        LookupError: there is no such user or group.

    """
    env = {"PATH": PATH, **(options.get("env") or {})}
    cwd = options.get("cwd")
    folder = os.path.abspath(cwd) if cwd else ""
    if folder and not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder to start in", folder)
    words = [_find(argv[0], env["PATH"], folder), *argv[1:]]
    if folder:
        words = ["/bin/sh", "-c", CHANGE_FOLDER, "sh", folder, *words]
    rights = _rights(options.get("user"), options.get("group"))
    return _with_rights(rights, words, env) if rights else Launch(words, env)


def spawn(launch: Launch, stdin: bytes, piped: bool, closed: Iterable[int]) -> Spawned:
    """Start `launch` as the leader of a new session.

    It reads `stdin`; what it prints goes into two pipes if it is `piped`, else to /dev/null. Of our
    descriptors it inherits none that Python made and none of those to be `closed`.

    Raises:
        OSError: it cannot be started; nothing is left of the attempt.

    """
    with ExitStack() as ours, ExitStack() as theirs:
        pipes = [_pipe(ours, theirs) for _ in ("stdout", "stderr") if piped]
        sources = [_memory(stdin, theirs), *(write for _, write in pipes)]
        files = [*map(_standard, range(3), [*sources, -1, -1])]
        pid = os.posix_spawn(
            launch.words[0],
            launch.words,
            launch.env,
            file_actions=[*files, *((os.POSIX_SPAWN_CLOSE, fd) for fd in closed)],
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )
        pidfd = _pidfd(pid)
        ours.pop_all()
        return Spawned(pid, pidfd, tuple(read for read, _ in pipes))


def inherited() -> list[int]:
    """Return the descriptors that children would get: those that whoever started us left open."""
    found = [int(name) for name in os.listdir("/proc/self/fd")]
    return [fd for fd in found if fd > 2 and _is_inheritable(fd)]


class Turns:
    """Lets a few spawns pass in each turn of a loop, in the order they came."""

    def __init__(self) -> None:
        self.left = PER_TURN
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait until one more spawn may block the loop."""
        loop = asyncio.get_running_loop()
        if self.left == PER_TURN:
            loop.call_soon(self._begin, loop)
        if self.left:
            self.left -= 1
            return
        self.waiting.append(loop.create_future())
        await self.waiting[-1]

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.left = PER_TURN
        while self.waiting and self.left:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(None)
                self.left -= 1
        if self.left < PER_TURN:
            loop.call_soon(self._begin, loop)


def _find(program: str, path: str, folder: str) -> str:
    places = [folder] if "/" in program else path.split(":")
    files = [file for place in places if os.path.isfile(file := os.path.join(place, program))]
    for file in files:
        if os.access(file, os.X_OK):
            return file
    if files:
        raise PermissionError(errno.EACCES, "this file must be executable to be run", files[0])
    where = "" if "/" in program else f" in {path}"
    raise FileNotFoundError(errno.ENOENT, f"no such program{where}", program)


def _rights(user: str | int | None, group: str | int | None) -> list[str]:
    """Return what stands before a command to give it the rights of `user` and `group`."""
    if user in (None, "") and group in (None, ""):
        return []
    uid, gid, groups = os.geteuid(), os.getegid(), "--clear-groups"
    if user not in (None, ""):
        account = _known("user", pwd.getpwnam, pwd.getpwuid, user)
        uid, gid, groups = account.pw_uid, account.pw_gid, "--init-groups"
    if group not in (None, ""):
        gid = _known("group", grp.getgrnam, grp.getgrgid, group).gr_gid
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return []
    if os.geteuid() != 0:
        raise PermissionError(
            errno.EPERM, "only root may run a program as someone else", user or group
        )
    return [_find("setpriv", PATH, ""), f"--reuid={uid}", f"--regid={gid}", groups, "--"]


def _with_rights(rights: list[str], words: list[str], env: dict[str, str]) -> Launch:
    """Return `words` after `rights`, which runs as root: no code of the user may get into it."""
    later = {name: value for name, value in env.items() if name.startswith(LOADING)}
    safe = {name: value for name, value in env.items() if name not in later}
    setting = (
        ["/usr/bin/env", *(f"{name}={value}" for name, value in later.items())] if later else []
    )
    return Launch([*rights, *setting, *words], safe)


def _known(what: str, by_name: Any, by_number: Any, which: Any) -> Any:
    try:
        return by_number(int(which)) if str(which).isdecimal() else by_name(which)
    except KeyError:
        raise LookupError(
            f"{what} must be one of this host, not {which!r}; create it first"
        ) from None


def _standard(target: int, source: int) -> tuple[Any, ...]:
    if source < 0:
        return (os.POSIX_SPAWN_OPEN, target, "/dev/null", os.O_RDWR, 0)
    return (os.POSIX_SPAWN_DUP2, source, target)


def _memory(content: bytes, closing: ExitStack) -> int:
    """Return a file in memory with `content`, which needs nobody to write it piece by piece."""
    if not content:
        return -1
    fd = os.memfd_create("stdin")
    closing.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    os.set_blocking(read, False)  # the other end stays as programs expect it
    return read, write


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise ReapedElsewhere from None
    except OSError:  # out of descriptors; without one nobody would reap it
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:  # the one that listed the folder
        return False
