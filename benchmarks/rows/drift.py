"""Files that drift: how long until they are restored, one at a time and many at once."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import SIZE, Bench, Figure, pin, tree, verify
from benchmarks.rows.files import graph_of
from benchmarks.running import running

Disturb = Callable[..., Awaitable[list[float]]]


@contextmanager
def _repairing(bench: Bench, root: Path, files: int) -> Iterator[None]:
    """Have the floor keep the tree at `root`."""
    program = bench.program("repair")
    assert program
    command = [str(program), str(root), str(files), str(SIZE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()  # it watches
        yield
        child.kill()


async def _disturb(bench: Bench, *args: object) -> list[float]:
    """Run the program that disturbs on the first core; return the numbers that it prints."""
    core = sorted(ALLOWED)[0]
    program = bench.program("disturb")
    child = await asyncio.create_subprocess_exec(
        str(program),
        *map(str, args),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    out, _ = await child.communicate()
    assert child.returncode == 0, "a file was not restored"
    return [float(number) for number in out.split()]


ALLOWED = os.sched_getaffinity(0)


def _both(
    bench: Bench, files: int, rounds: int, disturb: Disturb
) -> Iterator[tuple[list[float], list[float]]]:
    """Yield what `disturb` finds of the floor and of ours, in turns, each with its own tree."""
    pin(-1)
    floors, ours = tree(bench.memory / "floor", files), tree(bench.memory / "ours", files)

    async def measure() -> list[tuple[list[float], list[float]]]:
        found = []
        async with running(graph_of(ours, files), bench.memory / "state") as run:
            await run.converged()
            await run.quiet()
            with _repairing(bench, floors, files):
                for _ in range(rounds):
                    found.append((await disturb(floors), await disturb(ours)))
                    await run.quiet()
        return found

    yield from asyncio.run(measure())
    verify(floors, files, SIZE)
    verify(ours, files, SIZE)


def one(bench: Bench) -> Iterator[Figure]:
    """One file of 10,000 is overwritten; the time until it is as it was."""
    files, times = 10_000, 200 if bench.quick else 500
    if not bench.compiler:
        return

    async def disturb(root: Path) -> list[float]:
        return await _disturb(bench, "one", root, files, SIZE, times)

    found = list(_both(bench, files, 2 if bench.quick else 4, disturb))
    for place, what, promised in ((0, "median", 2.0), (1, "p99", 3.0)):
        floor, ours = (min(side[i][place] for side in found) * 1e6 for i in (0, 1))
        yield Figure(f"a file drifts, restored: {what}", ours, floor, "us", promised)


def many(bench: Bench) -> Iterator[Figure]:
    """1,000 and 10,000 files are overwritten at once; the time until all are as they were."""
    if not bench.compiler:
        return
    files = 10_000
    for times in (1_000, 10_000):

        async def disturb(root: Path, times: int = times) -> list[float]:
            return await _disturb(bench, "all", root, files, SIZE, times)

        where = bench._replace(memory=bench.memory / str(times))
        found = list(_both(where, files, 3, disturb))  # more repairs of one file were a fight
        floor, ours = (min(side[i][0] for side in found) * 1e3 for i in (0, 1))
        yield Figure(f"{times:,} files overwritten, all restored", ours, floor, "ms", 1.7)


ROWS = {"drift": one, "burst": many}
