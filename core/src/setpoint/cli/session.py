"""An engine as `run` and `apply` run it: signals, a time limit, graph files that are saved meanwhile.

Signals come in three steps: the first ^C or TERM lets what runs finish, the second cancels it, the third kills all
children and is the end, whatever the loop does.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import NamedTuple, NoReturn

from setpoint import graphfile
from setpoint.cli.installed import installed
from setpoint.cli.report import Report
from setpoint.cli.unhandled import told_without
from setpoint.engine import Engine, Options
from setpoint.errors import PluginError, SetpointError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.knowing import AT_ALL, AT_FIRST, Knowing

INTERRUPTED = 128  # plus the number of the signal, as shells have it
QUIET = 0.05  # seconds without a change after which a saved file is taken as whole

EXIT_CODES = """\b
Exit code:
  0         all is as declared
  1         something failed, is blocked or unfinished; --max-runtime was reached
  2         the command line is wrong
  130, 143  ended by ^C or TERM before all was as declared
"""

_Stamps = list[tuple[int, ...] | None]


class Settings(NamedTuple):
    """What a command line asks of a session.

    prefix: the state directory; None is the usual one.
    follow: load the graph files again when they are saved, or on HUP.
    max_runtime: seconds after which it is the end; 0 is no limit.
    automatic: whether to add automatic edges.
    color: whether to use colours; None: on a terminal.
    """

    files: tuple[str, ...]
    options: Options
    prefix: str | None = None
    follow: bool = False
    max_runtime: float = 0.0
    automatic: bool = True
    as_json: bool = False
    color: bool | None = None


def run(settings: Settings) -> int:
    """Run an engine to its end; return the exit code of the command.

    Raises:
        GraphError: with all that is wrong in the files.
        JournalError: the state directory cannot be used.

    """
    return asyncio.run(Session(settings).run())


class Session:
    """One run of an engine for somebody at the command line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._report = Report(
            settings.as_json, settings.color, stays=settings.options.converged_timeout != 0
        )
        self._host = Host(state=settings.prefix)
        self._host.watcher.degraded = self._report.warn
        self._stamps = _stamps(settings.files)
        self._live = self._load()
        self._knowing = Knowing(self._host, self._report.warn, self._take)
        self._engine: Engine | None = None
        self._signals, self._is_leaving = 0, False
        self._code = 1  # if not all is as declared in the end
        self._is_over = False
        self._saved = asyncio.Event()

    async def run(self) -> int:
        """Run the engine to its end; return the exit code of the command.

        Raises:
            JournalError: the state directory cannot be used.

        """
        began = time.monotonic()
        options = self._settings.options
        graph = await self._knowing.graph(self._live, AT_FIRST if options.watch else AT_ALL)
        engine = Engine(graph, plugins=installed(), host=self._host, options=options)
        self._engine = engine
        asyncio.get_running_loop().set_exception_handler(told_without(engine.without_secrets))
        with self._report.about(engine), self._signalled(engine), self._limited(engine):
            following = self._follow() if self._settings.follow else None
            try:
                result = await engine.run()
            finally:
                if following is not None:
                    following.cancel()
                await self._knowing.close()
                self._host.close()
        self._report.end(result, time.monotonic() - began)
        if not result.ok or self._is_over:
            return self._code
        return result.exit_code or 0

    # -- how it ends

    @contextmanager
    def _signalled(self, engine: Engine) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        leave = partial(self._leave, engine)
        at_hup = self._asked if self._settings.follow else leave
        handlers = ((signal.SIGINT, leave), (signal.SIGTERM, leave), (signal.SIGHUP, at_hup))
        for number, handler in handlers:
            loop.add_signal_handler(number, handler, number)
            if handler is leave:
                signal.signal(number, self._arrived)  # beside the loop, which is told all the same
        try:
            yield
        finally:
            for number, _ in handlers:
                loop.remove_signal_handler(number)

    def _arrived(self, number: int, _: FrameType | None) -> None:
        """Count a signal as it arrives: the third is the end even if a plugin blocks the loop."""
        self._signals += 1
        self._code = INTERRUPTED + number
        if self._signals > 2:
            self._kill()

    def _leave(self, engine: Engine, number: signal.Signals) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self._report.stopping()
            engine.stop()
        else:
            self._report.tell("cancelling what runs; once more kills it")
            engine.cancel()

    def _kill(self) -> NoReturn:
        try:
            self._host.processes.kill()
            os.write(2, b"killed\n")  # a signal may come in the middle of writing to sys.stderr
        finally:
            os._exit(self._code)

    @contextmanager
    def _limited(self, engine: Engine) -> Iterator[None]:
        limit, loop = self._settings.max_runtime, asyncio.get_running_loop()
        timer = loop.call_later(limit, self._expire, engine) if limit else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _expire(self, engine: Engine) -> None:
        self._is_over = True
        self._report.error(f"--max-runtime of {self._settings.max_runtime:g} s reached, ending")
        engine.cancel()

    # -- graph files that are saved

    def _load(self) -> Live:
        """Read the files."""
        settings, clock = self._settings, self._host.clock
        live = graphfile.live(
            settings.files, installed(), automatic=settings.automatic, clock=clock
        )
        for warning in live.graph.warnings:
            self._report.warn(str(warning))
        return live

    def _take(self, graph: Graph) -> None:
        """Run `graph` from now on."""
        assert self._engine is not None
        self._engine.swap(graph)

    def _asked(self, number: signal.Signals) -> None:
        self._stamps = []
        self._saved.set()

    def _follow(self) -> asyncio.Task[None]:
        """Begin to watch the files; one that was saved since it was loaded counts too."""
        for path in self._settings.files:
            try:
                self._host.watcher.path(path).start(self._saved.set)
            except OSError as error:
                self._report.warn(f"{path}: cannot be watched, {error}; send HUP to load it again")
        self._saved.set()
        return asyncio.create_task(self._load_when_saved())

    async def _load_when_saved(self) -> None:
        while await self._saved.wait():
            while self._saved.is_set():  # an editor writes in several steps
                self._saved.clear()
                await asyncio.sleep(QUIET)
            stamps = _stamps(self._settings.files)
            if stamps != self._stamps:
                self._stamps = stamps
                await self._swap()

    async def _swap(self) -> None:
        """Load the files; what runs goes on as it is if something is wrong with them."""
        try:
            live = await asyncio.to_thread(self._load)
            self._take(await self._knowing.graph(live, AT_FIRST))
        except (SetpointError, PluginError) as error:
            self._report.error(f"the graph stays as it was, the new one is wrong:\n{error}")


def _stamps(files: tuple[str, ...]) -> _Stamps:
    """Return what changes with each file when it is saved; None for one that cannot be read."""
    found: _Stamps = []
    for path in files:
        try:
            status = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return found
