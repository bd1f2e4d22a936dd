"""The `exec` resource: runs a command when it is needed.

What "needed" means is written in the class. To know it, an instance remembers the *occasion* of its
last run: what was run, and how many events its watch had seen when it began. An event or another
command is another occasion. What a restart has to know, the last output and the times of files, is
in the state directory.
"""

import os
import shlex
import signal
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

import msgspec

from setpoint import REWATCH, Change, Need, ParamError, Resource, Thing, Values, hookimpl
from setpoint.errors import suggest
from setpoint.processes import Completed, OnLine, Options, ProcessEnded
from setpoint.watching import Many, Subscription
from setpoint_exec import relations, words
from setpoint_exec.events import events
from setpoint_exec.last import Last, keep, recall

SHELL = "/bin/sh"
LOGGED = 1000  # lines of one run; a flood would bury what else is logged
COMMANDS = ("onlyif", "unless", "donecmd", "watchcmd")

ExitCode = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Exec(Resource):
    """A command that runs when it is needed.

    Without a guard it runs once after each start, again when it or what it gets has become another one, and again
    after each event of what it watches. With `onlyif`, `unless` or `creates` it runs whenever all of them agree, and
    not otherwise. Guards are run in dry runs too, so they must change nothing. A notification runs it again, if its
    guards agree. With `meta.poll` and without a guard it runs at every poll.

    It has failed if its exit code is not in `returns`. It is stopped with all its descendants when its time is over
    or the engine stops; those that made themselves a session of their own, as daemons do, go on.

    Its environment has a PATH of the usual folders, what `env` says, and nothing else. Everybody can see the
    arguments of a process: give it secrets by `stdin`, which may hold what others send.

    name: any; the command, if there is no `cmd`.
    cmd: what to run. Without `shell` it is split into words as a shell does it, but nothing in it is expanded; with
        `args` it is the program. Empty takes the name.
    args: arguments of the program, as they are. Not together with `shell`.
    shell: run `cmd`, the guards, `donecmd` and `watchcmd` by a shell: true for /bin/sh, or another one that
        understands -c. False runs them without.
    cwd: absolute path of the folder in which they start; empty is that of the engine.
    env: their environment beside PATH, which it may replace; empty adds nothing.
    stdin: text that the command reads; empty is nothing.
    user: name or number of the user they run as; only root may choose. Empty is that of the engine.
    group: the same of their group; empty is the primary one of `user`.
    timeout: seconds that each of them may take, `watchcmd` excepted; 0 is no limit.
    stop_signal: what asks them to end, "SIGTERM" by default; 5 seconds later they are killed.
    returns: the exit codes that are success, each from 0 to 255; [0] by default.
    creates: absolute path of what the command makes: if it is there, the command is not run. Empty is no such guard.
    onlyif: run only if this command exits with 0; empty is no such guard.
    unless: do not run if this command exits with 0; empty is no such guard.
    mtimes: absolute paths that must exist: run if one was modified since the last run that succeeded, whatever the
        guards say; and without a guard only then. Empty looks at none.
    donecmd: what to run after a success; if it fails, the run has failed. Empty runs nothing.
    watchcmd: a command that goes on running; each line it prints is an event. It should print one when it has begun
        to watch. If it ends, watching has failed. Empty watches by none.
    refresh_only: run it when it is notified and at no other time. False: also as said above.
    watchfiles: absolute paths; a change of one is an event. `creates` and `mtimes` are watched too. Empty watches no
        others.

    Sends `stdout`, `stderr`, `output` (both as they came) and `code` of the last run that succeeded. Of each text the
    first and the last 512 KiB are kept. If it has a guard they outlast a restart, readable by their owner only.
    """

    kind = "exec"

    cmd: str = ""
    args: tuple[str, ...] = ()
    shell: Annotated[bool | str, REWATCH] = False
    cwd: Annotated[str, REWATCH] = ""
    env: Annotated[dict[str, str], REWATCH] = msgspec.field(default_factory=dict)
    stdin: str = ""
    user: Annotated[str, REWATCH] = ""
    group: Annotated[str, REWATCH] = ""
    timeout: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    stop_signal: str = "SIGTERM"
    returns: tuple[ExitCode, ...] = (0,)
    creates: Annotated[str, REWATCH] = ""
    onlyif: str = ""
    unless: str = ""
    mtimes: Annotated[tuple[str, ...], REWATCH] = ()
    donecmd: str = ""
    watchcmd: Annotated[str, REWATCH] = ""
    refresh_only: bool = False
    watchfiles: Annotated[tuple[str, ...], REWATCH] = ()

    class Sends(Values):
        """What the last run that succeeded printed, and its exit code."""

        stdout: str
        stderr: str
        output: str
        code: int

    def __post_init__(self) -> None:
        if self.shell and self.args:
            raise ParamError("args", "must be empty with a shell", "write them into cmd")
        if not self.returns:
            raise ParamError("returns", "must have at least one exit code, found none")
        if self.stop_signal not in signal.Signals.__members__:
            cure = suggest(self.stop_signal, signal.Signals.__members__)
            raise ParamError("stop_signal", f"must be a signal, not {self.stop_signal!r}", cure)
        for param in ("cwd", "creates", "mtimes", "watchfiles"):
            value = getattr(self, param)
            for path in (value,) if isinstance(value, str) else value:
                if path and not os.path.isabs(path):
                    raise ParamError(param, f"must be absolute, not {path!r}")
        if not self.shell:
            commands = {param: getattr(self, param) for param in COMMANDS}
            for param, text in {**commands, "cmd": "" if self.args else self._cmd}.items():
                if text:
                    words.check(param, text)

    def needs(self) -> Iterable[Need]:
        """Return what it waits for: the programs that it runs, the files it follows, where, and as whom."""
        lines = [self._argv(self._cmd, *self.args)] if isinstance(self._cmd, str) else []
        texts = (getattr(self, name) for name in COMMANDS)
        lines += [self._argv(text) for text in texts if isinstance(text, str)]
        programs = dict.fromkeys(line[0] for line in lines if line and line[0])
        files = (*self.mtimes, *self.watchfiles)
        return relations.needed(programs, files, self.cwd, self.user, self.group)

    def touches(self) -> Iterable[Thing]:
        """Return that nobody knows what a command changes."""
        return relations.touched()

    def reads(self) -> Iterable[Thing]:
        """Return what its guards look at; without any it runs whatever is there."""
        return relations.read(self)

    @hookimpl
    def watch(self) -> Subscription | AsyncIterator[None]:
        """Look again after each line of `watchcmd`, and when one of the files changes."""
        paths = dict.fromkeys(filter(None, (*self.watchfiles, *self.mtimes, self.creates)))
        files = Many(*map(self.host.files.changes, paths))
        if not self.watchcmd and (self._is_guarded or not self.watchfiles):
            return files  # an event is only a reason to look
        lines = None
        if self.watchcmd:
            lines = self.host.processes.lines(self._argv(self.watchcmd), **self._options)
        return events(files, lines, self._note_event)

    async def check(self) -> list[Change]:
        """Say whether the command has to be run; this runs the guards."""
        self.memory["just_ran"] = False
        return [Change("run", None, f"cmd {self._shown}")] if await self._is_needed() else []

    async def apply(self, changes: list[Change]) -> None:
        """Run the command."""
        await self._run()

    @hookimpl
    async def refresh(self) -> None:
        """Run the command again if its guards agree, unless `apply` has just done so."""
        if not self.memory.pop("just_ran", False) and await self._guards_agree():
            await self._run()

    @hookimpl
    async def send(self) -> Sends | None:
        """Hand out what the last run that succeeded printed; None if there was none."""
        last = recall(self)
        if last is None:
            return None
        return self.Sends(
            stdout=last.stdout, stderr=last.stderr, output=last.output, code=last.code
        )

    # When it is needed.

    async def _is_needed(self) -> bool:
        if self.refresh_only:
            return False
        if self.mtimes and self._is_modified():
            return True
        if self.creates or self.onlyif or self.unless:
            return await self._guards_agree()
        return not self.mtimes and not self._ran_on_this_occasion()

    @property
    def _is_guarded(self) -> bool:
        """Whether more than its occasion tells when to run it."""
        return bool(self.creates or self.onlyif or self.unless or self.mtimes)

    def _is_modified(self) -> bool:
        """Whether one of `mtimes` differs from what it was at the last run, or there was none."""
        last = recall(self)
        return last is None or last.mtimes != self._read_mtimes()

    def _read_mtimes(self) -> dict[str, int]:
        return {path: os.stat(path).st_mtime_ns for path in self.mtimes}

    async def _guards_agree(self) -> bool:
        if self.creates and os.path.exists(self.creates):
            return False
        if self.onlyif and not await self._succeeds(self.onlyif):
            return False
        return not (self.unless and await self._succeeds(self.unless))

    async def _succeeds(self, guard: str) -> bool:
        argv = self._argv(guard)
        done = await self.host.processes.run(
            argv, timeout=self.timeout, capture=False, **self._options
        )
        return done.code == 0

    def _ran_on_this_occasion(self) -> bool:
        occasion, when = self.memory.get("ran", (None, 0.0))
        # A poll may come a little early, but not by half.
        polled = self.meta.poll and self.host.clock.monotonic() - when >= self.meta.poll / 2
        return occasion == self._occasion and not polled

    @property
    def _occasion(self) -> tuple[Any, ...]:
        what = (self._cmd, tuple(self.args), self.shell, self.cwd, dict(self.env), self.stdin)
        return (*what, self.user, self.group, self.memory.get("events", 0))

    def _note_event(self) -> None:
        self.memory["events"] = self.memory.get("events", 0) + 1

    # Running it.

    async def _run(self) -> None:
        occasion, mtimes = self._occasion, self._read_mtimes()
        began = self.host.clock.monotonic()
        done = await self._command(self._argv(self._cmd, *self.args), self.returns, self.stdin)
        if self.donecmd:
            await self._command(self._argv(self.donecmd), (0,))
        last = Last(done.stdout, done.stderr, done.output, done.code, mtimes)
        await keep(self, last, on_disk=self._is_guarded)  # others run at each start
        self.memory["ran"] = occasion, began
        self.memory["just_ran"] = True

    async def _command(
        self, argv: list[str], returns: tuple[int, ...], stdin: str = ""
    ) -> Completed:
        """Run `argv` and tell what it prints.

        Raises:
            ProcessEnded: its exit code is not one of `returns`.
            TimeoutError: it took too long.

        """
        options = Options(**self._options, stdin=stdin.encode())
        done = await self.host.processes.run(
            argv, timeout=self.timeout, on_line=self._teller(), **options
        )
        if done.code not in returns:
            wanted = " or ".join(map(str, returns))
            raise ProcessEnded(argv[0], f"must exit with {wanted}", done)
        return done

    def _teller(self) -> OnLine:
        """Return what shows the lines of one run, and logs the first ones."""
        log, host, left = self.host.log(self), self.host, LOGGED

        def tell(_: str, line: str) -> bool:
            nonlocal left
            host.progress(self, line)
            left -= 1
            if left >= 0:
                log.info("%s", line)
            elif left == -1:
                log.info("it says more than %d lines; the others are not logged", LOGGED)
            return left >= 0

        return tell

    @property
    def _cmd(self) -> str:
        return self.cmd or self.name

    @property
    def _shown(self) -> str:
        return " ".join((self._cmd, *map(shlex.quote, self.args)))

    def _argv(self, command: str, *args: str) -> list[str]:
        if self.shell:
            return [SHELL if self.shell is True else self.shell, "-c", command]
        return [command, *args] if args else shlex.split(command)

    @property
    def _options(self) -> Options:
        return Options(
            cwd=self.cwd,
            env=self.env,
            user=self.user,
            group=self.group,
            stop_signal=signal.Signals[self.stop_signal],
        )
