"""A graph is edited again and again while it runs, at random: nothing grows, and what is the same goes on undisturbed.

Files, noops, timers and commands with conditions, values and edges that follow facts; they come and go, are renamed and
changed, facts change, and every now and then the file is wrong. The random seed is printed. What is fully run is
`SETPOINT_EDITS=10000 pytest tests/test_live_soak.py --timeout 0 -s`; `SETPOINT_SEED=7` has the same edits again.
"""

import asyncio
import gc
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import psutil
import pytest

from setpoint import Engine, graphfile, hookimpl
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.knowing import Knowing
from setpoint.plugins import Plugins
from setpoint_exec import Exec
from setpoint_file import File
from setpoint_timer import Timer

EDITS = int(os.environ.get("SETPOINT_EDITS", "120"))
SEED = int(os.environ.get("SETPOINT_SEED", random.randrange(10**6)))
SIZE = 200 if EDITS >= 1000 else 80  # resources, about
STILL = 20  # of them are never edited
LOOKS = 20 if EDITS >= 1000 else 8  # at what is held, one after each such part of the edits
PATIENCE = 60  # seconds


class Counted:
    """Counts how often a watch begins, by id."""

    begun: ClassVar[Counter[str]] = Counter()

    def watch(self) -> Any:
        """Count, and watch."""
        self.begun[self.id] += 1  # type: ignore[attr-defined]
        return super().watch()  # type: ignore[misc]


class CountedFile(Counted, File):
    """A file."""

    kind = "file"
    watch = hookimpl(Counted.watch)


class CountedTimer(Counted, Timer):
    """A timer."""

    kind = "timer"
    watch = hookimpl(Counted.watch)


class CountedExec(Counted, Exec):
    """A command."""

    kind = "exec"
    watch = hookimpl(Counted.watch)


class Held(NamedTuple):
    """What this process holds."""

    descriptors: int
    threads: int
    tasks: int
    memory: float  # MB


def held() -> Held:
    """Return what this process holds now, without the engine's workers: as many as were needed at once."""
    gc.collect()
    memory = psutil.Process().memory_info().rss / 1e6
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    tasks = sum(coroutine.__qualname__ != "Workers._work" for coroutine in coroutines)
    return Held(len(os.listdir("/proc/self/fd")), threading.active_count(), tasks, memory)


class Soak:
    """A graph file that is edited while it runs."""

    def __init__(self, root: Path, host: Any) -> None:
        self.root, self.host = root, host
        self.random = random.Random(SEED)
        self.plugins = Plugins()
        self.plugins.add(CountedFile, CountedTimer, CountedExec)
        self.number = 0
        self.warnings: list[str] = []
        self.entries: dict[str, list[str]] = {}
        for fact in ("a", "b"):
            self.say(fact)
        for _ in range(STILL):
            name, body = self.entry(of=("file", "timer"), reads=False)
            self.entries[name] = body
        self.still = set(self.entries)
        while len(self.entries) < SIZE:
            self.come()
        self.knowing = Knowing(host, self.warnings.append, self.take)

    # -- edits

    def say(self, fact: str) -> None:
        """Let a fact tell something else."""
        (self.root / fact).write_text("x" * self.random.randrange(6))

    def entry(
        self, of: tuple[str, ...] = ("file", "file", "noop", "timer", "exec"), *, reads: bool = True
    ) -> tuple[str, list[str]]:
        """Return a new entry: its key, and its lines."""
        draw, self.number = self.random, self.number + 1
        kind = draw.choice(of)
        key = (
            f"{kind} {self.root}/out/{self.number}" if kind == "file" else f"{kind} r{self.number}"
        )
        value = f"v{self.number}"
        if reads and draw.random() < 0.3:
            value += f" ${{{{ facts.{draw.choice('ab')}.content }}}}"
        body = {
            "file": [f"content: {value}", "recurse: true"],
            "noop": [f"comment: {value}"],
            "timer": [f"interval: {3600 + draw.randrange(9)}"],
            "exec": ['cmd: "true"', f"creates: {self.root}/a"],
        }[kind]
        if reads and draw.random() < 0.3:
            body.append(f"when: facts.{draw.choice('ab')}.size > {draw.randrange(6)}")
        meta = "reverse: true" if kind == "file" and draw.random() < 0.5 else "retry: 1"
        body.append(f"meta: {{{meta}}}")
        return key, body

    def come(self) -> None:
        """Add an entry, which may wait for others or listen to them."""
        draw = self.random
        others = [key for key in self.entries if key not in self.still]
        key, body = self.entry()
        if others and draw.random() < 0.6:
            above = draw.sample(others, min(len(others), 2))
            body.append(f"{draw.choice(['require', 'listen'])}: {above}")
        self.entries[key] = body

    def go(self) -> None:
        """Take out an entry that is not still, and each mention of it."""
        gone = self.random.choice([key for key in self.entries if key not in self.still])
        del self.entries[gone]
        for key, body in self.entries.items():
            self.entries[key] = [line for line in body if repr(gone) not in line]

    def rename(self) -> None:
        """Take one out and put another in."""
        self.go()
        self.come()

    def change(self) -> None:
        """Let an entry that is not still have other values."""
        key = self.random.choice([key for key in self.entries if key not in self.still])
        edges = [line for line in self.entries[key] if line.startswith(("require", "listen"))]
        _, body = self.entry(of=(key.partition(" ")[0],))
        self.entries[key] = body + edges

    def fact(self) -> None:
        """Let a fact tell something else."""
        self.say(self.random.choice("ab"))

    def text(self) -> str:
        """Return what is in the file."""
        facts = "".join(f"  {name}: {{ file: {self.root}/{name} }}\n" for name in "ab")
        lines = (
            f"  {key}:\n" + "".join(f"    {x}\n" for x in e) for key, e in self.entries.items()
        )
        return f"facts:\n{facts}resources:\n{''.join(lines)}"

    async def save(self, *, wrong: bool = False) -> None:
        """Save the file, and take over what it says if it is right."""
        path = self.root / "site.yaml"
        path.write_text(self.text() + ("  noop wrong: { coment: x }\n" if wrong else ""))
        try:
            live = await asyncio.to_thread(graphfile.live, [path], self.plugins)
        except GraphError:
            assert wrong
            return
        assert not wrong
        self.take(await self.knowing.graph(live, PATIENCE))

    def take(self, graph: Graph) -> None:
        """Run `graph`."""
        self.engine.swap(graph)

    async def edit(self) -> None:
        """Change one thing, and let the graph follow."""
        what: Callable[[], None] = self.random.choice(
            [self.come, self.go, self.rename, self.change, self.change, self.fact]
        )
        if len(self.entries) > SIZE * 1.1:
            what = self.go
        elif len(self.entries) < SIZE * 0.9:
            what = self.come
        what()
        if what == self.fact:
            await asyncio.sleep(0)
        else:
            await self.save(wrong=self.random.random() < 0.05)

    # -- the engine

    async def begin(self) -> None:
        """Run the file."""
        path = self.root / "site.yaml"
        path.write_text(self.text())
        live = graphfile.live([path], self.plugins)
        graph = await self.knowing.graph(live, PATIENCE)
        self.engine = Engine(graph, plugins=self.plugins, host=self.host)
        self.run = asyncio.create_task(self.engine.run())

    async def rest(self) -> None:
        """Wait until nothing is to be done; an edit that was wrong is set right first."""
        await self.save()
        async with asyncio.timeout(PATIENCE):
            await asyncio.sleep(0.1)  # what a fact has just told is evaluated
            while True:
                assert self.engine._running, self.run
                scheduler = self.engine._running._parts.scheduler
                if not (scheduler.active or scheduler.leaving):
                    return
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        """Stop."""
        await self.knowing.close()
        self.engine.stop()
        result = await self.run
        assert result.ok, (result.failed, result.blocked)

    def judge(self) -> None:
        """Assert that all is as it is declared, and that nothing still was disturbed."""
        states = self.engine.states()
        wrong = {id_: state for id_, state in states.items() if state != "settled"}
        assert not wrong, wrong
        assert self.still <= states.keys()
        for key, (first, *_) in self.entries.items():
            if key in states and key.startswith("file ") and "$" not in first:
                assert f"content: {Path(key[5:]).read_text()}" == first
        assert {key: Counted.begun[key] for key in self.still} == dict.fromkeys(self.still, 1)


@pytest.mark.timeout(max(60, EDITS))
async def test_nothing_grows_with_the_number_of_edits(tmp_path, host):
    print(f"SETPOINT_SEED={SEED}, {EDITS} edits of about {SIZE} resources")  # noqa: T201 - to do it again
    Counted.begun.clear()
    soak = Soak(tmp_path, host)
    await soak.begin()
    looks: list[Held] = []
    began = time.monotonic()
    try:
        for look in range(LOOKS):
            await soak.rest()
            soak.judge()
            looks.append(held())
            print(f"{look}: {time.monotonic() - began:.0f} s, {looks[-1]}")  # noqa: T201
            for _ in range(EDITS // LOOKS):
                await soak.edit()
        await soak.rest()
        soak.judge()
    finally:
        await soak.end()
    assert_flat(looks[LOOKS // 2 :], EDITS / 2)
    assert not soak.warnings


def assert_flat(looks: list[Held], edits: float) -> None:
    """Assert that what is held does not grow, over so many edits."""
    third = len(looks) // 3
    first, last = looks[:third], looks[-third:]
    for number, name in enumerate(Held._fields[:-1]):
        assert min(one[number] for one in last) <= max(one[number] for one in first) + 3, name
    grown = min(one.memory for one in last) - max(one.memory for one in first)
    assert grown < 2 + edits / 5000, f"{grown:.1f} MB more: {looks}"
