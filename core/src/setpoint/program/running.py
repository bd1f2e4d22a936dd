"""A graph of a Python program while it runs: in the program's own event loop, with typed events."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from setpoint.comparing import compare
from setpoint.engine import Engine, Options, Result
from setpoint.engine.events import Event, Warned
from setpoint.engine.redaction import Redaction
from setpoint.graph import Graph as Built
from setpoint.host import Host
from setpoint.knowing import AT_ALL, AT_FIRST, Evaluable, Knowing, known_graph
from setpoint.plan import Plan, plan
from setpoint.plan.reasons import causes
from setpoint.plugins import Plugins

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
        self.plugins, self.automatic = plugins or Plugins(), automatic
        self._listeners: list[Listener] = []
        self._ended: list[asyncio.Queue[Event | None]] = []
        self._engine: Engine | None = None
        self._knowing: Knowing | None = None
        self._host: Host | None = None
        self._graph = Built()
        self._is_stopping = False
        self._redaction = Redaction()  # of what is told before there is an engine, and after

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
        options = options or Options()
        self._host = host or Host()
        self._knowing, self._is_stopping = Knowing(self._host, self._warn, self._take), False
        try:
            self._graph = await self._evaluated(self, AT_FIRST if options.watch else AT_ALL)
            self._engine = Engine(
                self._graph, plugins=self.plugins, host=self._host, options=options, durable=durable
            )
            self._engine.listen(self._tell)
            if not options.noop:
                self._knowing.share()
            if self._is_stopping:  # as soon as it runs
                asyncio.get_running_loop().call_soon(self._engine.stop)
            return await self._engine.run()
        finally:
            await self._end(is_own=host is None)

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
        try:
            live = await asyncio.to_thread(self.live, own.clock)
            graph = await known_graph(live, own, self._warn)
            redaction = self._redaction
            return await plan(
                graph, plugins=self.plugins, host=own, redaction=redaction, because=live.because
            )
        finally:
            if host is None:
                own.close()

    async def swap(self, other: "Runnable") -> None:
        """Run what `other` declares from now on; what is the same in both goes on undisturbed.

        Raises:
            GraphError: it is wrong; then the one that runs goes on.
            RuntimeError: this one does not run, or its end came first.

        """
        if self._knowing is None or self._engine is None:
            raise RuntimeError("it does not run; start it with `run` first")
        graph = await self._evaluated(other, AT_FIRST)
        ids = compare(self._graph, graph).ids
        self._swap(graph, dict.fromkeys(ids, "the program gave another graph"))

    def stop(self) -> None:
        """Finish what runs, start nothing, then let `run` return."""
        self._is_stopping = True
        if self._engine is not None:
            self._engine.stop()

    def cancel(self) -> None:
        """Cancel what runs, then let `run` return."""
        self._is_stopping = True
        if self._engine is not None:
            self._engine.cancel()

    async def _evaluated(self, declared: "Runnable", patience: float) -> Built:
        """Return the graph that is `declared`, which is followed from now on."""
        knowing, host = self._knowing, self._host
        assert knowing is not None
        assert host is not None
        live = await asyncio.to_thread(declared.live, host.clock)
        return await knowing.graph(live, patience)  # says so if the run has ended meanwhile

    async def _end(self, *, is_own: bool) -> None:
        assert self._knowing is not None
        assert self._host is not None
        self._engine = None  # what facts tell from now on comes too late
        await self._knowing.close()
        self._knowing = None
        if is_own:
            self._host.close()
        for queue in self._ended:
            queue.put_nowait(None)

    def _take(self, graph: Built) -> None:
        """Run `graph`, which is another one because of facts."""
        if self._knowing is not None and self._knowing.live is not None:
            because = self._knowing.live.because
            self._swap(graph, causes(compare(self._graph, graph), because, graph))

    def _swap(self, graph: Built, because: Mapping[str, str]) -> None:
        if self._engine is not None:
            self._engine.swap(graph, because=because)
            self._graph = graph

    def _tell(self, event: Event) -> None:
        """Tell `event` to all who listen; one that raises is taken off, and the rest goes on."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._listeners.remove(listener)
                context = {"message": "a listener of the graph raised", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def _warn(self, text: str) -> None:
        hide = self._redaction.text if self._engine is None else self._engine.without_secrets
        self._tell(Warned("", hide(text)))
