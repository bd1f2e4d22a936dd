"""The parts of one engine, which its modules share: made by `Engine`, and by nobody else."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.engine.brakes import Fights, Limits, Semaphores
from setpoint.engine.causes import Causes
from setpoint.engine.events import Event
from setpoint.engine.exchange import Exchange
from setpoint.engine.lasting import Lasting
from setpoint.engine.ledger import Ledger
from setpoint.engine.redaction import Redaction
from setpoint.engine.scheduler import Scheduler
from setpoint.engine.threads import Threads
from setpoint.engine.timers import Timers
from setpoint.engine.tracing import Tracing
from setpoint.engine.vertices import Vertices
from setpoint.host import Host
from setpoint.journal import Journal
from setpoint.reversals import Reversals

if TYPE_CHECKING:
    from setpoint.plugins import Plugins


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine runs.

    noop: look only, whatever the resources say.
    watch: watch for drift; False for a run that ends when all is as declared.
    sema: how many resources run at once; 0 is as many as can.
    converged_timeout: end when nothing has happened for so many seconds; negative: stay.
    """

    noop: bool = False
    watch: bool = True
    sema: int = 0
    converged_timeout: float = -1.0


class Parts:
    """What the modules of an engine work on."""

    def __init__(
        self,
        *,
        plugins: "Plugins",
        host: Host,
        journal: Journal | None,
        options: Options,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.plugins, self.host, self.journal, self.options = plugins, host, journal, options
        self.loop = loop
        self.vertices = Vertices()
        self.scheduler = Scheduler(self.vertices, loop)
        self.timers = Timers(loop, host.clock.monotonic)
        self.threads = Threads(loop)
        self.exchange = Exchange(self.vertices)
        self.ledger = Ledger(self.vertices, journal)
        trace = journal.trace if journal is not None else None
        self.causes = Causes(self.scheduler, host.clock, trace is not None)
        self.tracing = Tracing(self.scheduler, self.causes, host.clock, trace)
        self.semaphores, self.limits, self.fights = Semaphores(), Limits(), Fights()
        self.lasting = Lasting(self.scheduler, self.causes, self.tracing, self.semaphores)
        self.redaction = Redaction()
        self.reversals = Reversals(host, plugins)
        self.listeners: list[Callable[[Event], None]] = []
        self.last_change = host.clock.monotonic()
        self.repairs = 0  # runs that changed something
        self.exit_code: int | None = None  # with which a resource has ended the run
        self.stop: Callable[[], None]  # what it calls for that
        # id() of resources whose call outlived its run
        self.busy: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def key(self, v: int) -> str:
        """Return the id of the resource of `v`."""
        return self.vertices.resource[v].id

    def now(self) -> float:
        """Return the time in seconds, monotonic."""
        return self.host.clock.monotonic()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside all else; what it raises goes to the loop's exception handler."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def emit(self, event: Event) -> None:
        """Tell `event` to all who listen; one that raises is taken off, and the rest goes on."""
        for listener in tuple(self.listeners):
            try:
                listener(event)
            except Exception as error:
                self.listeners.remove(listener)
                context = {"message": "a listener of the engine raised", "exception": error}
                self.loop.call_exception_handler(context)
