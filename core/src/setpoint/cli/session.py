"""An engine as `run` and `apply` run it: signals, a time limit, graph files that are saved meanwhile.

Signals come in three steps: the first ^C or TERM lets what runs finish, the second cancels it, the third kills all
children and is the end, whatever the loop does.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from setpoint.cli.installed import installed
from setpoint.cli.logged import OURS
from setpoint.cli.question import refuse_without_terminal
from setpoint.cli.report import Report
from setpoint.cli.taking import Taking
from setpoint.cli.unhandled import told_without
from setpoint.engine import Engine, Options, Result
from setpoint.graph import Graph
from setpoint.host import Host

if TYPE_CHECKING:
    from setpoint.graphfile.live import Live

INTERRUPTED = 128  # plus the number of the signal, as shells have it

EXIT_CODES = """\b
Exit code:
  0         all is as declared
  1         something failed, is blocked, unfinished or waits for facts
  2         the command line is wrong
  130, 143  ended by ^C or TERM before all was as declared
"""


class Settings(NamedTuple):
    """What a command line asks of a session.

    prefix: the state directory; None is the usual one.
    follow: load the graph files again when they are saved, or on HUP.
    confirm: ask at the terminal before a graph is taken over.
    only: references to the resources to run, with all that belongs to them; empty runs all.
    max_runtime: seconds after which it is the end; 0 is no limit.
    automatic: whether to add automatic edges.
    color: whether to use colours; None: on a terminal.
    accept: looks at the graph before it runs, and raises if it is not to; no other one is run after it.
    """

    files: tuple[str, ...]
    options: Options
    prefix: str | None = None
    follow: bool = False
    confirm: bool = False
    only: tuple[str, ...] = ()
    max_runtime: float = 0.0
    automatic: bool = True
    as_json: bool = False
    color: bool | None = None
    accept: "Callable[[Live, Graph, Host], Awaitable[None]] | None" = None


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
        if settings.confirm:
            refuse_without_terminal()
        self._settings = settings
        self._report = Report(
            settings.as_json, settings.color, stays=settings.options.converged_timeout != 0
        )
        self._host = Host(state=settings.prefix)
        self._host.watcher.degraded = self._report.warn
        self._taking = Taking(settings, self._host, self._report)
        self._engine: Engine | None = None
        self._starting: asyncio.Task[Any] | None = None
        self._signals, self._is_leaving = 0, False
        self._code = 1  # if not all is as declared in the end
        self._is_over = False

    async def run(self) -> int:
        """Run the engine to its end; return the exit code of the command.

        Raises:
            JournalError: the state directory cannot be used.

        """
        with self._signalled():
            try:
                graph = await self._first()
                result = None if graph is None else await self._run(graph)
            finally:
                await self._taking.close()
                self._host.close()
        return self._code if result is None else self._exit_code(result)

    async def _first(self) -> Graph | None:
        """Return the graph to begin with; None if there is to be none, because somebody said so."""
        self._starting = task = asyncio.current_task()
        try:
            with self._report.logged(OURS):
                return await self._taking.first()
        except asyncio.CancelledError:
            if task is None or not self._signals:
                raise
            task.uncancel()
            return None
        finally:
            self._starting = None

    async def _run(self, graph: Graph) -> Result:
        began, options = time.monotonic(), self._settings.options
        engine = Engine(graph, plugins=installed(), host=self._host, options=options)
        self._engine = engine
        asyncio.get_running_loop().set_exception_handler(told_without(engine.without_secrets))
        with self._report.about(engine), self._limited(engine):
            self._taking.begin(engine)
            result = await engine.run()
            seconds = time.monotonic() - began
            await self._taking.end()
        self._report.end(result, seconds)
        return result

    def _exit_code(self, result: Result) -> int:
        if not result.ok or self._is_over:
            return self._code
        return result.exit_code or 0

    # -- how it ends

    @contextmanager
    def _signalled(self) -> Iterator[None]:
        loop, leave = asyncio.get_running_loop(), self._leave
        at_hup = self._taking.ask if self._settings.follow else leave
        handlers = ((signal.SIGINT, leave), (signal.SIGTERM, leave), (signal.SIGHUP, at_hup))
        for number, handler in handlers:
            loop.add_signal_handler(number, handler)
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

    def _leave(self) -> None:
        if self._engine is None:
            if self._starting is not None:
                self._starting.cancel()
        elif not self._is_leaving:
            self._is_leaving = True
            self._report.stopping()
            self._engine.stop()
        else:
            self._report.tell("cancelling what runs; once more kills it")
            self._engine.cancel()

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
