"""The engine alone, with resources that do nothing: what a vertex costs, in time and memory."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import ClassVar

from benchmarks.bench import Bench, Figure, Times, best
from benchmarks.running import Running, running
from setpoint import Change, Resource
from setpoint.graph import Edge, Graph

MANY, FEW = 100_000, 1_000


class Nothing(Resource):
    """Something that is always as declared."""

    kind = "nothing"
    quick: ClassVar[bool] = True

    note: str = ""

    def check(self) -> list[Change]:
        """Find nothing."""
        return []


def graph_of(shape: str, vertices: int) -> Graph:
    """Return a graph that is a "chain", a "fan" of one before all others, or "random"."""
    graph = Graph()
    dice = random.Random(1)
    graph.add(*(Nothing(str(i)) for i in range(vertices)))
    names = list(graph.resources)
    for i in range(1, vertices):
        before = {"chain": [i - 1], "fan": [0]}.get(shape)
        if before is None:
            before = [dice.randrange(max(0, i - 1000), i) for _ in range(dice.choice((1, 1, 2)))]
        for j in before:
            graph.connect(Edge(names[j], names[i]))
    return graph


def _calls(graph: Graph) -> Times:
    """Call `check` of each resource in a plain loop."""
    resources = list(graph.resources.values())
    began = process_time()
    for resource in resources:
        resource.check()
    return {"floor": process_time() - began}


async def _converge(graph: Graph, state: Path) -> Times:
    async with running(graph, state) as run:
        return {"ours": await run.converged(), "build": run.began}


def converge(bench: Bench) -> Iterator[Figure]:
    """Converge 100,000 resources that have nothing to do, in three shapes."""
    for shape in ("chain", "fan", "random"):
        yield from _shape(bench, shape)


def _shape(bench: Bench, shape: str) -> Iterator[Figure]:
    state, graph = bench.memory / "state", graph_of(shape, MANY)
    gc.collect()
    gc.freeze()  # the graph is the caller's
    found = best(bench.rounds, lambda: _calls(graph), lambda: asyncio.run(_converge(graph, state)))
    what, per = f"engine alone, {shape} of {MANY:,}", 1e6 / MANY
    yield Figure(what, found["ours"] * per, found["floor"] * per, "us/vertex", 8, 1)
    yield Figure("  built, before the first check", found["build"] * per, None, "us/vertex")
    yield Figure("  memory beyond params", _memory(graph, state), None, "B/vertex", None, 300)


def _memory(graph: Graph, state: Path) -> float:
    """Return how many bytes the engine takes for a vertex, once it has converged."""

    async def measure() -> float:
        tracemalloc.start()
        async with running(graph, state) as run:
            await run.converged()
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / len(graph.resources)

    try:
        return asyncio.run(measure())
    finally:
        tracemalloc.stop()


def _events(run: Running, vertices: int) -> float:
    """Return the CPU seconds of one event in the scheduler, over many."""
    dice, times = random.Random(1), 2_000
    # No public way leads to the scheduler without the rest of the engine around it.
    scheduler = run.engine._running._parts.scheduler  # type: ignore[union-attr]
    chosen = [dice.randrange(vertices) for _ in range(times)]
    began = process_time()
    for vertex in chosen:
        scheduler.mark(vertex)
        scheduler.drain()
    return (process_time() - began) / times


def drift(bench: Bench) -> Iterator[Figure]:
    """One drift among 100,000 resources and among 1,000, in the scheduler alone."""

    async def measure() -> Times:
        state = bench.memory
        many, few = graph_of("random", MANY), graph_of("random", FEW)
        async with running(many, state / "many") as large, running(few, state / "few") as little:
            await large.converged()
            await little.converged()
            return best(
                bench.rounds * 2,
                lambda: {"floor": _events(little, FEW)},
                lambda: {"ours": _events(large, MANY)},
            )

    found = asyncio.run(measure())
    what = f"one drift at {MANY:,}, against {FEW:,}"
    yield Figure(what, found["ours"] * 1e6, found["floor"] * 1e6, "us", 2, 5)


def _again(graph: Graph, number: int, *, anew: bool) -> Graph:
    """Return `graph` with one resource changed; all others, and the edges, made `anew` or kept."""
    new = Graph()
    changed = f"nothing {len(graph.resources) // 2}"
    for key, resource in graph.resources.items():
        if key == changed:
            new.resources[key] = Nothing(resource.name, note=str(number))
        else:
            new.resources[key] = Nothing(resource.name) if anew else resource
    new.edges = dict(graph.edges)
    if anew:
        new.edges = {(str(a), str(b)): Edge(*edge) for (a, b), edge in graph.edges.items()}
    return new


async def _swap(run: Running, graph: Graph, number: int, *, anew: bool) -> float:
    new = _again(graph, number, anew=anew)
    gc.collect()
    began = process_time()
    found = run.engine.swap(new)
    took = process_time() - began
    assert (found.added, found.changed, found.removed) == (0, 1, 0)
    await run.converged()
    return took


async def _swaps(state: Path, rounds: int) -> Times:
    graph = graph_of("random", MANY)
    gc.collect()
    gc.freeze()
    async with running(graph, state) as run:
        await run.converged()
        kept = [await _swap(run, graph, number, anew=False) for number in range(rounds)]
        anew = [await _swap(run, graph, -number - 1, anew=True) for number in range(rounds)]
        return {"floor": run.began, "kept": min(kept), "anew": min(anew)}


def swap(bench: Bench) -> Iterator[Figure]:
    """Swap one of 100,000 resources, against building the graph."""
    found = best(2, lambda: asyncio.run(_swaps(bench.memory / "state", bench.rounds)))
    floor = found["floor"] * 1e3
    yield Figure(f"swap 1 of {MANY:,}, all others the same", found["kept"] * 1e3, floor, "ms", 0.1)
    yield Figure("  all others equal, not identical", found["anew"] * 1e3, floor, "ms", 0.1)


ROWS = {"engine": converge, "drift-scheduler": drift, "swap": swap}
