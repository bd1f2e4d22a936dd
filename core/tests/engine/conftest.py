"""A machine in memory that resources of three speeds keep, and an engine to try them on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setpoint import Change, Engine, Resource, Secret, Values, hookimpl
from setpoint.clock import Clock
from setpoint.engine import Options, Result
from setpoint.engine.events import Converged, Event
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint.plugins import Plugins
from setpoint.testing import Kept
from setpoint.watching import Subscription


class Machine:
    """What cells hold, and all that was done to them."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.log: list[tuple[str, str]] = []
        self.broken: dict[str, BaseException] = {}
        self.watchers: dict[str, Callable[[], None]] = {}
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def note(self, what: str, name: str) -> None:
        """Log that `what` was done to `name`; from any thread."""
        self.log.append((what, name))
        for loop, noted in self._waiting:
            loop.call_soon_threadsafe(noted.set)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until what was done makes `reached` true."""
        noted = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), noted))
        async with asyncio.timeout(10):
            while not reached():
                await noted.wait()
                noted.clear()
        self._waiting.pop()

    def disturb(self, name: str, value: Any) -> None:
        self.cells[name] = value
        if name in self.watchers:
            self.watchers[name]()

    def done(self, what: str) -> list[str]:
        return [name for done, name in self.log if done == what]


class Watch(Subscription):
    def __init__(self, machine: Machine, name: str) -> None:
        self.machine, self.name = machine, name

    def start(self, changed: Callable[[], None]) -> None:
        self.machine.watchers[self.name] = changed

    def stop(self) -> None:
        self.machine.watchers.pop(self.name, None)


class Keeper(Resource):
    """Keeps one cell of the machine at `value`."""

    kind = "abstract"
    machine: ClassVar[Machine]
    value: Any = None

    class Sends(Values):
        value: Any
        secret: Secret[str]

    @hookimpl
    def watch(self) -> Subscription:
        return Watch(self.machine, self.name)

    def look(self) -> list[Change]:
        self.machine.note("check", self.name)
        if self.name in self.machine.broken:
            raise self.machine.broken[self.name]
        found = self.machine.cells.get(self.name)
        return [] if found == self.value else [Change("value", found, self.value)]

    def put(self) -> None:
        self.machine.note("apply", self.name)
        if f"apply {self.name}" in self.machine.broken:
            raise self.machine.broken[f"apply {self.name}"]
        self.machine.cells[self.name] = self.value

    @hookimpl
    def send(self) -> Values:
        return self.Sends(value=self.value, secret=Secret(f"hidden-{self.value}"))


class Refreshable(Keeper):
    @hookimpl
    def refresh(self) -> None:
        self.machine.note("refresh", self.name)
        if f"refresh {self.name}" in self.machine.broken:
            raise self.machine.broken[f"refresh {self.name}"]


class Lab:
    """Kinds over one machine, and what is needed to run them."""

    def __init__(self, state: Path) -> None:
        self.machine = machine = Machine()
        self.state = state
        self.clock = Clock()
        self.events: list[Event] = []
        self.plugins = Plugins(path=[])

        class Cell(Refreshable):
            kind = "cell"
            quick = True

            def check(self) -> list[Change]:
                return self.look()

            def apply(self, changes: list[Change]) -> None:
                self.put()

        class Plain(Refreshable):
            kind = "plain"

            def check(self) -> list[Change]:
                return self.look()

            def apply(self, changes: list[Change]) -> None:
                self.put()

        class Slow(Refreshable):
            kind = "slow"
            gate: ClassVar[dict[str, asyncio.Event]] = {}

            async def check(self) -> list[Change]:
                return self.look()

            async def apply(self, changes: list[Change]) -> None:
                self.machine.note("begin", self.name)
                if self.name in self.gate:
                    await self.gate[self.name].wait()
                await asyncio.sleep(0)
                self.put()

        class Mute(Keeper):
            """Has no refresh of its own, so it passes notifications on."""

            kind = "mute"
            quick = True

            def check(self) -> list[Change]:
                return self.look()

            def apply(self, changes: list[Change]) -> None:
                self.put()

        self.kinds = (Cell, Plain, Slow, Mute)
        self.cell, self.plain, self.slow, self.mute = self.kinds
        for kind in self.kinds:
            kind.machine = machine
        self.plugins.add(*self.kinds)

    def graph(self, *resources: Resource, edges: str = "", receives: Any = None) -> Graph:
        """Make a graph; edges as "cell a -> cell b; cell b ~> cell c; cell c ~fire> cell d"."""
        graph = Graph()
        graph.add(*resources)
        for text in filter(None, map(str.strip, edges.split(";"))):
            first, arrow, then = text.partition(" ~") if " ~" in text else text.partition(" -")
            policy, _, target = then.partition("> ")
            graph.connect(Edge(first, target, (policy or "hold") if "~" in arrow else None))
        graph.receives = receives or {}
        return graph

    def engine(self, graph: Graph, *, durable: bool = False, **options: Any) -> Engine:
        engine = Engine(
            graph,
            plugins=self.plugins,
            host=Host(state=self.state, clock=self.clock),
            durable=durable,
            options=Options(**options),
        )
        engine.listen(self.events.append)
        return engine

    async def converge(self, graph: Graph, *, durable: bool = False, **options: Any) -> Result:
        options.setdefault("converged_timeout", 0)
        async with asyncio.timeout(10):
            return await self.engine(graph, durable=durable, **options).run()

    @asynccontextmanager
    async def kept(
        self, graph: Graph, *, durable: bool = False, **options: Any
    ) -> AsyncIterator[Kept]:
        kept = Kept(self.engine(graph, durable=durable, **options))
        try:
            await kept.told(Converged)
            yield kept
        finally:
            await kept.end()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "state")
