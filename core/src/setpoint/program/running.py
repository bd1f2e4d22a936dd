"""A graph of a Python program while it runs: in the program's own event loop, with typed events."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from setpoint.engine import Engine, Options, Result
from setpoint.engine.events import Event, Warned
from setpoint.engine.redaction import Redaction
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.knowing import AT_ALL, AT_FIRST, Evaluable, Knowing
from setpoint.plan import Plan, plan
from setpoint.plugins import Plugins, cache_file

if TYPE_CHECKING:
    from setpoint.clock import Clock

Listener = Callable[[Event], None]


class Runnable(ABC):
    """What can be run, applied and planned: what a program declares.

    It takes no signal, sets no logging, and keeps nothing global. One runs once at a time; several may run side by
    side, each with a host of its own.

    Args:
        plugins: what is installed, if something else than what Python finds.
        automatic: whether to add the edges too that follow from what resources are.

    """

    def __init__(self, plugins: Plugins | None, automatic: bool) -> None:
        self.plugins, self.automatic = plugins or Plugins(cache=cache_file()), automatic
        self._listeners: list[Listener] = []
        self._ended: list[asyncio.Queue[Event | None]] = []
        self._engine: Engine | None = None
        self._knowing: Knowing | None = None

    @abstractmethod
    def live(self, clock: "Clock | None" = None) -> Evaluable:
        """Return what is declared by now, to be evaluated with what is known.

        Raises:
            GraphError: with all that is wrong whatever the facts are.

        """

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event, on the loop; it is to return quickly."""
        self._listeners.append(listener)

    def events(self) -> AsyncIterator[Event]:
        """Return the events from now on, until the run ends."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.append(queue.put_nowait)
        self._ended.append(queue)
        return self._following(queue)

    async def _following(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue.put_nowait)
            self._ended.remove(queue)

    async def run(
        self, *, host: Host | None = None, options: Options | None = None, durable: bool = True
    ) -> Result:
        """Converge, then keep it so and follow facts, until it is stopped or `converged_timeout` has passed.

        Args:
            host: this machine; gives the state directory too.
            options: how to run.
            durable: keep a journal in the state directory, so that notifications survive a crash.

        Raises:
            GraphError: with all that is wrong in the graph, and where.
            JournalError: the journal is another engine's, damaged, or cannot be written.
            RuntimeError: it runs already.

        """
        if self._knowing is not None:
            raise RuntimeError("it runs already; make another graph to run one beside it")
        options, own = options or Options(), host or Host()
        knowing = self._knowing = Knowing(own, self._warn, self._take)
        try:
            graph = await knowing.graph(self.live(own.clock), AT_FIRST if options.watch else AT_ALL)
            self._engine = Engine(
                graph, plugins=self.plugins, host=own, options=options, durable=durable
            )
            self._engine.listen(self._tell)
            return await self._engine.run()
        finally:
            await self._end(None if host else own)

    async def apply(self, *, host: Host | None = None, noop: bool = False) -> Result:
        """Converge once, without watching; with `noop` only look. The rest is as for `run`."""
        options = Options(noop=noop, watch=False, converged_timeout=0)
        return await self.run(host=host, options=options)

    async def plan(self, *, host: Host | None = None) -> Plan:
        """Return what a run would change, without changing anything.

        Raises:
            GraphError: with all that is wrong in the graph, and where.

        """
        own = host or Host()
        redaction = Redaction()
        knowing = Knowing(own, self._warn, lambda _: None)
        try:
            graph = await knowing.graph(self.live(own.clock), AT_ALL)
            return await plan(graph, plugins=self.plugins, host=own, redaction=redaction)
        finally:
            await knowing.close()
            if host is None:
                own.close()

    async def swap(self, other: "Runnable") -> None:
        """Run what `other` declares from now on; what is the same in both goes on undisturbed.

        Raises:
            GraphError: it is wrong; then the one that runs goes on.
            RuntimeError: this one does not run.

        """
        if self._knowing is None or self._engine is None:
            raise RuntimeError("it does not run; start it with `run` first")
        self._take(await self._knowing.graph(other.live(), AT_FIRST))

    def stop(self) -> None:
        """Finish what runs, start nothing, then let `run` return."""
        if self._engine is not None:
            self._engine.stop()

    def cancel(self) -> None:
        """Cancel what runs, then let `run` return."""
        if self._engine is not None:
            self._engine.cancel()

    async def _end(self, host: Host | None) -> None:
        assert self._knowing is not None
        await self._knowing.close()
        self._knowing = self._engine = None
        if host is not None:
            host.close()
        for queue in self._ended:
            queue.put_nowait(None)

    def _take(self, graph: Graph) -> None:
        if self._engine is not None:
            self._engine.swap(graph)

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _warn(self, text: str) -> None:
        text = self._engine.without_secrets(text) if self._engine is not None else text
        self._tell(Warned("", text))
