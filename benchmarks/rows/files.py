"""Files: converge from nothing, look at them when nothing differs, large ones."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from benchmarks.bench import SIZE, Bench, Figure, Times, best, first, paths, tree, verify
from benchmarks.running import running
from setpoint.graph import Graph
from setpoint_file import File

LARGE = 10_000_000  # bytes


def graph_of(root: Path, files: int, size: int = SIZE) -> Graph:
    """Return a graph of `files` files in the tree at `root`."""
    graph = Graph()
    content = "x" * size
    graph.add(*(File(path, content=content, mode="0644") for path in paths(root, files)))
    return graph


async def _converge(root: Path, files: int, state: Path) -> Times:
    async with running(graph_of(root, files), state) as run:
        took = await run.converged()
        echo = await run.quiet()  # events of our own writes
    verify(root, files, SIZE)
    return {"ours": took + echo, "arm": run.began, "first": took}


def converge(bench: Bench, where: Path, files: int, rounds: int) -> Iterator[Figure]:
    """Make small files from nothing; with the echo of it, watches armed beforehand."""
    numbers = iter(range(rounds))

    def floor() -> Times:
        root = tree(where / f"floor{files}-{rounds}-{next(numbers)}", files)
        return first(bench.floor("create", root, files, SIZE))

    numbers_of_ours = iter(range(rounds))

    def ours() -> Times:
        root = tree(where / f"ours{files}-{rounds}-{next(numbers_of_ours)}", files)
        return asyncio.run(_converge(root, files, bench.memory / "state"))

    found = best(rounds, floor, ours)
    kind = "tmpfs" if where == bench.memory else "disk"
    per = 1e6 / files
    floor_each = found["floor"] * per if "floor" in found else None
    what = f"converge {files:,} small files, {kind}"
    yield Figure(what, found["ours"] * per, floor_each, "us/file", 2.3)
    yield Figure("  graph built, watches armed", found["arm"] * per, None, "us/file")
    yield Figure(
        "  events of our own writes", (found["ours"] - found["first"]) * per, None, "us/file"
    )


def small(bench: Bench) -> Iterator[Figure]:
    """Converge 10,000 and 50,000 small files on tmpfs and on disk."""
    for where in (bench.memory, bench.disk):
        yield from converge(bench, where, 10_000, 2 if bench.quick else 4)
        if not bench.quick:
            yield from converge(bench, where, 50_000, 2)


async def _pass(root: Path, files: int, state: Path, rounds: int, floor: object) -> Times:
    least: Times = {}
    async with running(graph_of(root, files), state) as run:
        least["first"] = await run.converged()
        for _ in range(rounds):
            found = {"ours": await run.look_at_all(), **floor()}  # type: ignore[operator]
            least = {k: min(v, least.get(k, v)) for k, v in {**least, **found}.items()}
    return least


def untouched(bench: Bench) -> Iterator[Figure]:
    """Look at 10,000 files that are as declared: the first time, and again."""
    files = 10_000
    root = tree(bench.memory / "untouched", files)
    asyncio.run(_converge(root, files, bench.memory / "state"))

    def floor() -> Times:
        return first(bench.floor("stat", root, files, SIZE))

    def read() -> Times:
        return first(bench.floor("compare", root, files, SIZE), "read")

    def ours() -> Times:
        return asyncio.run(_pass(root, files, bench.memory / "state", bench.rounds, floor))

    found = best(2, read, ours)
    verify(root, files, SIZE)
    per = 1e6 / files
    floors = {name: found[name] * per for name in ("floor", "read") if name in found}
    yield Figure(
        "no-op pass over 10,000 files", found["ours"] * per, floors.get("floor"), "us/file", 2.5
    )
    what = "  the first pass, which reads them"
    yield Figure(what, found["first"] * per, floors.get("read"), "us/file")


def _hash_all(files: list[str]) -> Times:
    """Digest `files` in a loop: the floor where libcrypto's headers are missing."""
    began = process_time()
    for path in files:
        with open(path, "rb", buffering=0) as file:
            hashlib.file_digest(file, "sha256")
    return {"floor": process_time() - began}


def large(bench: Bench) -> Iterator[Figure]:
    """Make 100 files of 10 MB, and see that they hold what they are to by their SHA-256."""
    files = 20 if bench.quick else 100
    rounds = 2 if bench.quick else 3
    root, made = tree(bench.memory / "large", files), tree(bench.memory / "large-floor", files)
    state = bench.memory / "state"

    def clear(where: Path) -> None:
        for path in paths(where, files):
            Path(path).unlink(missing_ok=True)

    def floor() -> Times:
        clear(made)
        return first(bench.floor("create", made, files, LARGE))

    async def create() -> Times:
        clear(root)
        async with running(graph_of(root, files, LARGE), state) as run:
            return {"ours": await run.converged() + await run.quiet()}

    found = best(rounds, floor, lambda: asyncio.run(create()))
    verify(root, files, LARGE)
    clear(made)
    per = 1e3 / files
    what = f"{files} files of 10 MB: create"
    yield Figure(what, found["ours"] * per, found.get("floor", 0) * per or None, "ms/file", 1.15)
    yield from _digests(bench, root, files, rounds)


def _digests(bench: Bench, root: Path, files: int, rounds: int) -> Iterator[Figure]:
    """Have the SHA-256 of each file taken, as `send` does."""
    state = bench.memory / "state"

    def floor() -> Times:
        numbers = bench.floor("sha256", root, files, LARGE, options=("-lcrypto",))
        return first(numbers) or _hash_all(paths(root, files))

    def ours() -> Times:
        from setpoint.host import Host

        host = Host(state=state)
        kept = [File(path, _host=host) for path in paths(root, files)]
        began = process_time()
        for file in kept:
            assert file.send().size == LARGE  # type: ignore[attr-defined]
        return {"ours": process_time() - began}

    found = best(rounds, floor, ours)
    per = 1e3 / files
    what = f"{files} files of 10 MB: sha256"
    yield Figure(what, found["ours"] * per, found["floor"] * per, "ms/file", 1.15)


ROWS = {"converge": small, "untouched": untouched, "large": large}
