"""Facts while one graph takes the place of another; the rules of what follows them are in tests/test_live.py."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setpoint import Change, Fact, Resource, graphfile
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.knowing import Knowing, known_graph
from setpoint.plugins import Plugins, UnknownFactError

PATIENCE = 20  # seconds that take no time


class Told(Fact):
    """What a test says.

    name: any.
    """

    kind = "told"
    Value = int
    begun: ClassVar[asyncio.Queue[tuple[str, asyncio.Queue[int]]]]
    ended: ClassVar[list[str]] = []

    async def watch(self) -> AsyncIterator[int]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        self.begun.put_nowait((self.name, queue))
        try:
            while True:
                yield await queue.get()
        finally:
            self.ended.append(self.name)


class Still(Resource):
    """Something that is always as declared."""

    kind = "still"
    number: int = 0

    def check(self) -> list[Change]:
        return []


class Own(Plugins):
    """The kind and the fact of these tests, and no others."""

    def __init__(self) -> None:
        super().__init__(path=[])
        self.add(Still)

    def fact(self, name: str) -> type[Fact]:
        if name != Told.kind:
            raise UnknownFactError(name, [Told.kind])
        return Told


class Place:
    """A graph file, what follows its facts, and the graphs that came of that."""

    def __init__(self, root: Path, clock: Any) -> None:
        self.file, self.host = root / "site.yaml", Host(state=root / "state", clock=clock)
        self.taken: asyncio.Queue[Graph] = asyncio.Queue()
        self.warnings: list[str] = []
        self.knowing = Knowing(self.host, self.warnings.append, self.taken.put_nowait)
        self.facts: dict[str, asyncio.Queue[int]] = {}

    def live(self, **facts: str) -> Live:
        """Return a graph file with a resource for each fact, which is about what is said here."""
        return self.read(
            facts, *(f"still {name}: {{ number: '${{{{ facts.{name} }}}}' }}" for name in facts)
        )

    def read(self, facts: dict[str, str], *resources: str) -> Live:
        """Return a graph file with `facts`, which tells what each is about, and `resources`."""
        declared = [f"{name}: {{ told: {about} }}" for name, about in facts.items()]
        lines = ["facts:", *declared, "resources:", *resources]
        self.file.write_text("".join(f"{'  ' * (line[-1] != ':')}{line}\n" for line in lines))
        return graphfile.live([self.file], Own())

    def begin(self, live: Live) -> "asyncio.Task[Graph]":
        """Begin to follow what a graph file reads."""
        return asyncio.create_task(self.knowing.graph(live, PATIENCE))

    async def followed(self, *about: str) -> None:
        """Wait until the facts about all that are followed."""
        async with asyncio.timeout(PATIENCE):
            while not self.facts.keys() >= {*about}:
                name, queue = await Told.begun.get()
                assert name not in self.facts, f"{name} was begun twice"
                self.facts[name] = queue

    async def run(self, live: Live, **facts: int) -> None:
        """Let a graph run, with facts that tell this."""
        task = self.begin(live)
        await self.followed(*facts)
        for about, value in facts.items():
            self.facts[about].put_nowait(value)
        await task

    async def next(self) -> dict[str, int]:
        """Return the numbers in the next graph that is taken over because of facts."""
        async with asyncio.timeout(PATIENCE):
            return numbers(await self.taken.get())


def numbers(graph: Graph) -> dict[str, int]:
    """Return the number of each resource of a graph."""
    return {one.name: one.number for one in graph.resources.values()}


@pytest.fixture
async def place(tmp_path, virtual_clock):
    Told.begun = asyncio.Queue()
    Told.ended.clear()
    virtual_clock.monotonic()  # from now on it rules this loop
    place = Place(tmp_path, virtual_clock)
    yield place
    await place.knowing.close()
    place.host.close()


async def test_a_fact_that_speaks_late_keeps_no_other_of_its_graph_from_being_followed(place):
    await place.run(place.live(a="a"), a=1)
    task = place.begin(place.live(b="b", c="c"))
    await place.followed("b", "c")
    place.facts["b"].put_nowait(2)
    await asyncio.sleep(PATIENCE / 2)
    place.facts["c"].put_nowait(3)
    assert numbers(await task) == {"b": 2, "c": 3}
    assert not place.warnings


async def test_what_runs_has_no_facts_of_the_graph_that_takes_its_place(place):
    await place.run(place.live(a="a"), a=1)
    task = place.begin(place.live(a="another", b="b"))
    await place.followed("another", "b")
    place.facts["another"].put_nowait(2)
    await asyncio.sleep(PATIENCE / 2)
    assert place.taken.empty()
    place.facts["b"].put_nowait(3)
    assert numbers(await task) == {"a": 2, "b": 3}


async def test_what_a_fact_tells_while_a_graph_is_evaluated_is_evaluated_next(place, monkeypatch):
    live = place.live(a="a")
    entered, go = asyncio.Event(), threading.Event()
    loop, evaluate = asyncio.get_running_loop(), live.evaluate

    def slow(values: dict[str, Any]) -> Graph:
        loop.call_soon_threadsafe(entered.set)
        assert go.wait(10)
        return evaluate(values)

    monkeypatch.setattr(live, "evaluate", slow)
    task = place.begin(live)
    await place.followed("a")
    place.facts["a"].put_nowait(1)
    await entered.wait()
    place.facts["a"].put_nowait(2)
    await asyncio.sleep(1)
    go.set()
    assert numbers(await task) == {"a": 1}
    assert await place.next() == {"a": 2}


async def test_all_that_was_told_is_evaluated_once(place, monkeypatch):
    live = place.live(a="a")
    await place.run(live, a=1)
    again: list[Any] = []
    monkeypatch.setattr(live, "evaluate", again.append)
    await asyncio.sleep(PATIENCE / 2)
    assert again == []


async def test_facts_of_a_graph_that_is_wrong_with_them_are_not_followed(place):
    await place.run(place.live(a="a"), a=1)
    alike = ["still ${{ facts.a }}: { number: 1 }", "still ${{ facts.b }}: { number: 2 }"]
    task = place.begin(place.read({"a": "another", "b": "b"}, *alike))
    await place.followed("another", "b")
    place.facts["another"].put_nowait(2)
    place.facts["b"].put_nowait(2)
    with pytest.raises(GraphError):
        await task
    del place.facts["a"]
    await place.followed("a")
    place.facts["a"].put_nowait(4)
    assert await place.next() == {"a": 4}


async def test_a_graph_that_waits_for_facts_when_all_ends_follows_nothing(place):
    task = place.begin(place.live(a="a", b="b"))
    await place.followed("a", "b")
    await place.knowing.close()
    with pytest.raises(RuntimeError, match="has ended"):
        await task
    assert Told.begun.empty()


async def test_a_graph_that_only_has_to_be_known_follows_its_facts_no_longer(place):
    task = asyncio.create_task(known_graph(place.live(a="a"), place.host, place.warnings.append))
    await place.followed("a")
    place.facts["a"].put_nowait(1)
    assert numbers(await task) == {"a": 1}
    assert Told.ended == ["a"]


async def test_what_should_never_happen_is_said_at_once(place):
    said = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.set_result(context))
    live = place.live(a="a")
    task = place.begin(live)
    await place.followed("a")
    place.facts["a"].put_nowait(1)
    await task
    live.evaluate = lambda values: 1 / 0
    place.facts["a"].put_nowait(2)
    assert isinstance((await said)["exception"], ZeroDivisionError)
