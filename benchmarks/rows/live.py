"""A graph that follows facts: one of them changes, against reading the whole file."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.bench import Bench, Figure, Times, best
from benchmarks.running import Running, running
from setpoint import graphfile
from setpoint.graphfile.live import Live
from setpoint.plugins import Plugins

RESOURCES = 5_000

Values = dict[str, Any]


def _text() -> str:
    """Return a graph whose values and conditions follow facts: two resources one, the others another."""
    lines = ["facts:", "  few: { file: /few }", "  many: { file: /many }", "resources:"]
    for i in range(RESOURCES - 2):
        lines += [f"  noop r{i}:", f"    comment: {i} of ${{{{ facts.many.content }}}}"]
        lines += ["    when: facts.many.size > 0"] if i % 2 else []
        lines += [f"    require: noop r{i - 1 - i % 7}"] if i > 7 else []
    lines += ["  noop value:", "    comment: ${{ facts.few.content }}"]
    lines += ["  noop condition:", "    when: facts.few.size > 1", "    listen: noop value"]
    return "\n".join(lines) + "\n"


def _values(few: str) -> Values:
    """Return what the facts tell."""
    return {
        "few": {"content": few, "size": len(few), "exists": True},
        "many": {"content": "all", "size": 3, "exists": True},
    }


def _read(path: Path, plugins: Plugins) -> tuple[Live, float]:
    """Return what was read and evaluated, and the CPU seconds that this took."""
    gc.collect()
    began = process_time()
    live = graphfile.live([path], plugins)
    graph = live.evaluate(_values("x"))
    took = process_time() - began
    assert len(graph.resources) == RESOURCES - 1
    return live, took


async def _change(run: Running, live: Live, few: str) -> Times:
    """Let one fact tell `few`, and the engine run what is different."""
    before = live.graph
    gc.collect()
    began = process_time()
    graph = live.evaluate(_values(few))
    evaluated = process_time()
    assert not graph.is_like(before)
    compared = process_time()
    run.engine.swap(graph)
    swapped = process_time()
    await run.converged()
    assert graph.resources["noop value"].comment == few  # type: ignore[attr-defined]
    return {"evaluate": evaluated - began, "swap": swapped - compared, "all": swapped - began}


async def _follow(path: Path, state: Path, rounds: int) -> Times:
    """Return what reading takes, and changes of a value, and of a condition too."""
    plugins = Plugins()
    live, read = _read(path, plugins)
    read = min(read, *(_read(path, plugins)[1] for _ in range(rounds)))
    found: Times = {"read": read}
    async with running(live.graph, state) as run:
        await run.converged()
        for number in range(10, 10 + rounds):
            for name, few in (("value", str(number % 10)), ("condition", str(number))):
                for part, took in (await _change(run, live, few)).items():
                    key = f"{name} {part}"
                    found[key] = min(took, found.get(key, took))
            await _change(run, live, "x")
    return found


def follow(bench: Bench) -> Iterator[Figure]:
    """Change one fact of 5,000 resources with expressions, against reading the file."""
    path = bench.memory / "live.yaml"
    path.write_text(_text())
    found = best(1, lambda: asyncio.run(_follow(path, bench.memory / "state", bench.rounds)))
    read = found["read"] * 1e3
    yield Figure(f"read and evaluate {RESOURCES:,} with expressions", read, None, "ms")
    for name, what in (
        ("value", "a param of one follows a fact"),
        ("condition", "one comes or goes"),
    ):
        yield Figure(what, found[f"{name} all"] * 1e3, read, "ms", 0.05)
        for part in ("evaluate", "swap"):
            yield Figure(f"  {part}", found[f"{name} {part}"] * 1e3, read, "ms")


ROWS = {"live": follow}
