"""An engine for a test: run resources in the loop of this test, hear what happens, and stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from setpoint.engine import Engine, Options, Result
from setpoint.engine.events import Converged, Event
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint.plugins import Plugins
from setpoint.resource import Resource

E = TypeVar("E", bound=Event)
PATIENCE = 10.0  # seconds in which what a test waits for has to happen


class Engines:
    """Makes engines over one host, with a journal in its state directory.

    Kinds are taken from the resources of all its graphs: nothing needs to be installed, and nothing that is installed
    stands around them.

    events: all that was told, by any of the engines.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.events: list[Event] = []
        self._kinds: set[type[Resource]] = set()

    def graph(self, *resources: Resource, edges: str = "") -> Graph:
        """Return a graph of `resources`.

        Args:
            resources: any; they are the engine's once it runs.
            edges: "file /a -> file /b; file /b ~> noop told": order, and with ~ a notification too.

        """
        graph = Graph()
        graph.add(*resources)
        for text in filter(None, map(str.strip, edges.split(";"))):
            arrow = " ~> " if " ~> " in text else " -> "
            first, _, then = text.partition(arrow)
            graph.connect(Edge(first, then, "hold" if "~" in arrow else None))
        return graph

    def make(self, graph: Graph, **options: Any) -> Engine:
        """Return an engine that is to run `graph`, with `setpoint.engine.Options`."""
        self._kinds.update(type(resource) for resource in graph.resources.values())
        plugins = Plugins(path=[])
        plugins.add(*self._kinds)
        engine = Engine(graph, plugins=plugins, host=self.host, options=Options(**options))
        engine.listen(self.events.append)
        return engine

    async def converge(self, *resources: Resource, edges: str = "", **options: Any) -> Result:
        """Run `resources` until nothing is left to do; return how that ended."""
        graph = self.graph(*resources, edges=edges)
        async with asyncio.timeout(PATIENCE):
            return await self.make(graph, converged_timeout=0, **options).run()

    @asynccontextmanager
    async def keeping(
        self, *resources: Resource, edges: str = "", **options: Any
    ) -> AsyncIterator["Kept"]:
        """Keep `resources` while the block runs, which begins when they have converged."""
        kept = Kept(self.make(self.graph(*resources, edges=edges), **options))
        try:
            await kept.told(Converged)
            yield kept
        finally:
            await kept.end()


class Kept:
    """An engine that runs beside a test.

    result: how it ended, once it has.
    """

    result: Result

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        engine.listen(self._queue.put_nowait)
        self._task = asyncio.ensure_future(engine.run())

    async def heard(self, wanted: Callable[[Event], bool]) -> Event:
        """Return the next event that is `wanted`, passing over others.

        Raises:
            TimeoutError: there is none for 10 seconds.

        """
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self._next()
                if wanted(event):
                    return event

    async def told(self, sort: type[E], id: str = "") -> E:
        """Return the next event of a `sort`, about the resource `id` if given."""
        event = await self.heard(lambda event: isinstance(event, sort) and id in ("", event.id))
        assert isinstance(event, sort)
        return event

    async def end(self) -> Result:
        """Stop the engine, and return how it ended."""
        self.engine.stop()
        async with asyncio.timeout(PATIENCE):
            self.result = await self._task
        return self.result

    async def _next(self) -> Event:
        """Return the next event; if the engine ends instead, what it ended with is raised."""
        getting = asyncio.ensure_future(self._queue.get())
        try:
            await asyncio.wait((getting, self._task), return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                raise AssertionError(f"the engine ended: {self._task.result()}")
            return getting.result()
        finally:
            getting.cancel()
