"""Let a forked process run, and kill it at its n-th step or at its n-th system call that changes something.

Steps are those that a journal tells of. System calls are stopped by a seccomp filter with a listener: the kernel asks
us before each, about the process and all its children, and we let it go on or kill. That costs 30 us a call, where
strace costs a start of Python for every kill. Needs Linux 5.9 and no privilege. Source: seccomp_unotify(2).
"""

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

# What changes something that outlives the process, or tells another to do so: numbers for x86_64 and aarch64, -1 has
# none. sendmsg would be one of them, but it hands over what asks.
CALLS = {
    "open": (2, -1),
    "openat": (257, 56),
    "write": (1, 64),
    "pwrite64": (18, 68),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "rename": (82, -1),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlink": (87, -1),
    "unlinkat": (263, 35),
    "mkdir": (83, -1),
    "mkdirat": (258, 34),
    "link": (86, -1),
    "linkat": (265, 37),
    "symlink": (88, -1),
    "symlinkat": (266, 36),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, -1),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "fsetxattr": (190, 7),
    "utimensat": (280, 88),
    "mknodat": (259, 33),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "sethostname": (170, 161),
    "kill": (62, 129),
    "pidfd_send_signal": (424, 424),
    "sendto": (44, 206),
    "execve": (59, 221),
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINE = platform.machine()
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
LOAD, EQUALS, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SECCOMP = {"x86_64": 317, "aarch64": 277}
BE_SUBREAPER, NO_NEW_PRIVILEGES, SET_FILTER, WITH_LISTENER = 36, 38, 1, 8
RECEIVE, SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
QUESTION, ANSWER = 80, struct.Struct("=QqiI")
PATIENCE = 30  # seconds without a system call, or for a whole life, after which something hangs

Step = Callable[[str], None]


class LifeError(Exception):
    """A life neither ended well nor was killed by us."""


def adopt_orphans() -> None:
    """Let what killed lives have started become children of this process, which waits for them."""
    ctypes.CDLL(None).prctl(BE_SUBREAPER, 1, 0, 0, 0)


def run_and_kill_at_step(work: Callable[[Step], None], at: int) -> tuple[bool, int]:
    """Run `work(step)` in a child that dies at its step number `at`; return whether it did, and -1 or the steps."""
    counted, counts = os.pipe()
    pid = os.fork()
    if pid == 0:
        numbers = iter(range(1 << 30))

        def step(_: str) -> None:
            if next(numbers) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        _work(lambda: work(step), lambda: os.write(counts, str(next(numbers)).encode()))
    os.close(counts)
    killed = _ended(pid)
    with os.fdopen(counted) as file:
        return killed, int(file.read() or -1)


def run_and_kill_at_call(work: Callable[[], object], at: int) -> tuple[bool, int]:
    """Run `work` in a child that dies before its call number `at`; return whether it did, and the calls.

    What it has started itself goes on, and is waited for.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:

            def asking() -> None:
                listener = _ask_first()
                socket.send_fds(theirs, [b"."], [listener])
                for held in (listener, ours.detach(), theirs.detach()):
                    os.close(held)
                work()

            _work(asking, lambda: None)
        theirs.close()
        found = socket.recv_fds(ours, 1, 1)[1]
    if not found:
        _ended(pid)
    listener = found[0]
    try:
        calls = _answer(listener, pid, at)
    finally:
        os.close(listener)
    return _ended(pid), calls


def _work(work: Callable[[], object], then: Callable[[], object]) -> None:
    """Do `work` and end this process."""
    code = 1
    sys.setswitchinterval(1e-6)  # two threads are hardly ever between two steps else
    try:
        work()
        then()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _kill(pid: int) -> None:
    """Kill `pid`, and return when it runs no more: a call of its own must not go on after all."""
    process = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        select.select([process], [], [])
    finally:
        os.close(process)


def _ended(pid: int) -> bool:
    """Return whether `pid` was killed.

    Raises:
        LifeError: it ended badly all by itself, or does not end.

    """
    process = os.pidfd_open(pid)
    hangs = not select.select([process], [], [], PATIENCE)[0]
    os.close(process)
    if hangs:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(ChildProcessError):
        while True:  # what it has started, and left to us
            os.waitpid(-1, 0)
    if hangs or code not in (0, -signal.SIGKILL):
        raise LifeError(f"a life hangs after {PATIENCE} s" if hangs else f"it ended with {code}")
    return code != 0


def _ask_first() -> int:
    """Have the kernel ask before each of `CALLS`; return the descriptor on which it does."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = b"".join(_program(ARCHITECTURES[MACHINE], tuple(ARCHITECTURES).index(MACHINE)))
    kept = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept))
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = libc.syscall(SECCOMP[MACHINE], SET_FILTER, WITH_LISTENER, header)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp with a listener is refused")
    return int(listener)


def _program(architecture: int, column: int) -> list[bytes]:
    """Return the filter: ask for each of `CALLS`, but for opening a file only if that may change it."""
    numbers = {name: both[column] for name, both in CALLS.items() if both[column] >= 0}
    opening = numbers.pop("openat"), numbers.pop("open", -1)
    code = [(LOAD, 0, 0, 4), (EQUALS, 1, 0, architecture), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for number in numbers.values():
        code += [(EQUALS, 0, 1, number), (RETURN, 0, 0, ASK)]
    for number, flags in zip(opening, (32, 24), strict=True):  # where its flags lie
        if number >= 0:
            code += [(EQUALS, 0, 4, number), (LOAD, 0, 0, flags), (ANY_BIT, 0, 1, CHANGING)]
            code += [(RETURN, 0, 0, ASK), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ALLOW))
    return [struct.pack("HBBI", *line) for line in code]


def _answer(listener: int, pid: int, at: int) -> int:
    """Let all calls go on but number `at`, where `pid` dies; return how many there were."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    calls = 0
    while True:
        happened = poll.poll(PATIENCE * 1000)
        if not happened:
            _kill(pid)
            raise LifeError(f"it hangs after {calls} calls")
        if not happened[0][1] & select.POLLIN:
            return calls
        question = bytearray(QUESTION)
        try:
            fcntl.ioctl(listener, RECEIVE, question)
            if calls == at:
                _kill(pid)
            calls += 1
            number = struct.unpack_from("=Q", question)[0]
            fcntl.ioctl(listener, SEND, bytearray(ANSWER.pack(number, 0, 0, CONTINUE)))
        except FileNotFoundError:
            continue  # whoever asked is no more
