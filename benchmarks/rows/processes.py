"""Processes: short ones for their CPU time, sleepers for the time until all are done."""

import asyncio
import resource
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench, Figure, Times, best
from benchmarks.running import running
from setpoint.graph import Graph
from setpoint.processes import Processes
from setpoint_exec import Exec

AT_ONCE = 64
Way = Callable[[int, list[str]], Coroutine[Any, Any, None]]


def _cpu() -> float:
    """Return the CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


async def _alone(times: int, argv: list[str]) -> None:
    """Run a program `times` times through the process module alone."""
    processes = Processes()

    async def one() -> None:
        done = await processes.run(argv, capture=False)
        assert done.code == 0

    await asyncio.gather(*(one() for _ in range(times)))


def _in_graph(state: Path) -> Way:
    """Return what runs a program as so many resources of one graph; output is captured."""

    async def run_all(times: int, argv: list[str]) -> None:
        graph = Graph()
        graph.add(*(Exec(str(i), cmd=argv[0], args=tuple(argv[1:])) for i in range(times)))
        async with running(graph, state) as run:
            await run.converged()
            assert set(run.engine.states().values()) == {"settled"}

    return run_all


def _measured(way: Way, times: int, argv: list[str], name: str) -> Times:
    cpu, wall = _cpu(), perf_counter()
    asyncio.run(way(times, argv))
    return {f"{name} cpu": _cpu() - cpu, f"{name} wall": perf_counter() - wall}


def _compared(bench: Bench, times: int, at_once: int, argv: list[str], rounds: int) -> Times:
    def floor() -> Times:
        numbers = bench.floor("spawn", times, at_once, *argv)
        return dict(zip(("floor cpu", "floor wall"), numbers, strict=False))

    def alone() -> Times:
        return _measured(_alone, times, argv, "alone")

    def in_graph() -> Times:
        return _measured(_in_graph(bench.memory / "state"), times, argv, "graph")

    return best(rounds, floor, alone, in_graph)


def short(bench: Bench) -> Iterator[Figure]:
    """1,000 runs of /bin/true: CPU time of all."""
    found = _compared(bench, 1_000, AT_ONCE, ["/bin/true"], bench.rounds)
    floor = found.get("floor cpu")
    yield Figure("1,000 x /bin/true", found["alone cpu"], floor, "ms each", 1.4)
    yield Figure("  as resources of one graph", found["graph cpu"], floor, "ms each", 1.4)


def sleepers(bench: Bench) -> Iterator[Figure]:
    """1,000 sleepers of a second at once: the time until all are done."""
    found = _compared(bench, 1_000, 1_000, ["/bin/sleep", "1"], 1 if bench.quick else 2)
    floor = found.get("floor wall")
    yield Figure("1,000 sleepers of 1 s", found["alone wall"], floor, "s", 1.3)
    yield Figure("  as resources of one graph", found["graph wall"], floor, "s", 1.3)


ROWS = {"processes": short, "sleepers": sleepers}
