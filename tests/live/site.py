"""A graph file that an engine runs, with facts and a machine, and what happens to it."""

import asyncio
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from setpoint import Engine, graphfile
from setpoint.engine.events import Event
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.plugins import Plugins
from setpoint.testing import VirtualClock

from .entries import Decided, Entries, Entry, Values, decide, known, written
from .machine import KINDS, Keeper, Machine

PLUGINS = Plugins()
PLUGINS.add(*KINDS)
WRONG = (
    "  quick w: { valeu: x }\n",
    "  quick w: { require: quick x }\n  quick x: { require: quick w }\n",
    "  quick w: { value: x }\n  quick w: { value: y }\n",
    "  quick w: { when: facts.a.content + }\n",
)


class Shape(NamedTuple):
    """What was to run from some time on.

    since: how many things had been done by then.
    edges: pairs of ids, and whether they notify; of what is kept, too.
    """

    since: int
    decided: Decided
    edges: dict[tuple[str, str], bool]


class Site:
    """One graph file and one machine, over the lives of several engines.

    shapes: what was to run, since the last `begin_step`; at least one.
    killed: whether a process was killed in this step.
    rough: whether one was, or something was broken.
    """

    def __init__(self, entries: Entries) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(dir=memory))
        self.file = self.root / "site.yaml"
        self.loop = asyncio.SelectorEventLoop()
        self.clock = VirtualClock()
        self.clock.rule(self.loop)
        self.machine = Keeper.machine = Machine()
        self.entries, self.values = entries, Values()
        self.engine: Engine | None = None
        self.events: list[Event] = []
        self.states: dict[str, str] = {}
        self.lives = 0
        self.shapes: list[Shape] = []
        self.killed = self.rough = False

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        try:
            if self.engine is not None:
                self.stop()
        finally:
            self.loop.close()
            shutil.rmtree(self.root)

    # -- steps

    def begin_step(self) -> None:
        """Forget what was done until now."""
        self.machine.log.clear()
        self.shapes = [self.shapes[-1]._replace(since=0)]
        self.killed, self.rough = False, bool(self.machine.broken)

    def do(self, what: str, arg: Any) -> None:
        """Do one thing; what follows from it is still to come."""
        getattr(self, what)(arg)

    def tell(self, values: dict[str, Any]) -> None:
        """Let the facts tell `values`."""
        self.values = known(values)
        before = self.live.graph
        self._decide(self.shapes[-1].decided)
        graph = self.live.evaluate(self.values)
        if graph.is_like(before):
            self._note(graph)
        else:
            self._swap(graph)

    def edit(self, edit: tuple[int, Entry | None]) -> None:
        """Save the file with another entry of that number, or none."""
        number, entry = edit
        self.entries = {n: one for n, one in self.entries.items() if n != number}
        if entry is not None:
            self.entries[number] = entry
        self.live = self._read()
        self._decide(self.shapes[-1].decided)
        self._swap(self.live.evaluate(self.values))

    def wrong(self, sort: int) -> None:
        """Save a file that is wrong: nothing comes of it."""
        self.file.write_text(written(self.entries).rstrip("\n") + "\n" + WRONG[sort])
        with pytest.raises(GraphError):
            graphfile.live([self.file], PLUGINS)

    def disturb(self, pick: int) -> None:
        """Let somebody else change a cell."""
        self.machine.disturb(self.pick(pick), f"alien{pick}")

    def break_(self, what: tuple[str, int]) -> None:
        """Let a verb of one resource fail from now on."""
        self.machine.broken.add((what[0], self.pick(what[1])))
        self.rough = True

    def mend(self, _: object) -> None:
        """Let nothing fail any more, and look at everything."""
        self.machine.broken.clear()
        assert self.engine
        self.engine.mark()

    def restart(self, arg: tuple[bool, int | None]) -> None:
        """Stop and start again; facts may not be known at first, and somebody may change a cell meanwhile."""
        is_known, pick = arg
        self.stop()
        if pick is not None:
            self.machine.disturb(self.pick(pick), f"alien{pick}")
        if not is_known:
            self.values = Values()
        self.start()

    def kill(self, _: object) -> None:
        """End the process as if by SIGKILL, with all that it has not written; then start again."""
        before = self._state
        self.lives += 1
        shutil.copytree(before, self._state, copy_function=_copied)
        self.machine.root = str(self._state)
        assert self.engine
        self.engine.cancel()
        self._wait(self.task)
        self.killed = self.rough = True
        self.start()

    def turn(self, turns: int) -> None:
        """Let the loop turn a few times."""
        for _ in range(turns):
            self.loop.run_until_complete(asyncio.sleep(0))

    def pick(self, pick: int) -> str:
        """Return one of the ids that there are or were."""
        ids = sorted({*self.shapes[-1].decided.there, *self.machine.cells})
        return ids[pick % len(ids)] if ids else "quick none"

    # -- engines

    @property
    def _state(self) -> Path:
        return self.root / f"state{self.lives}"

    def start(self) -> None:
        """Begin a process: nothing runs before."""
        self.machine.root = str(self._state)
        self.live = self._read()
        graph = self.live.evaluate(self.values)
        self._decide(None)
        self._note(graph)
        host = Host(state=self._state, clock=self.clock)
        self.engine = Engine(graph, plugins=PLUGINS, host=host)
        self.engine.listen(self.events.append)
        self.task = self.loop.create_task(self.engine.run())
        self.turn(1)

    def stop(self) -> None:
        """End a process in good order."""
        assert self.engine
        self.engine.stop()
        self._wait(self.task)
        assert not self.machine.watchers, "something is still watched"
        self.engine = None

    def rest(self) -> None:
        """Wait until nothing is to be done any more."""
        self._wait(self._quiet())
        assert self.engine
        self.states = dict(self.engine.states())

    def _wait(self, awaitable: Any) -> None:
        self.loop.run_until_complete(asyncio.wait_for(awaitable, 1000))

    async def _quiet(self) -> None:
        assert self.engine
        for turn in range(2000):
            assert self.engine._running, self.task
            scheduler = self.engine._running._parts.scheduler
            if not (scheduler.active or scheduler.flying or scheduler.leaving):
                return
            await asyncio.sleep(0 if turn < 50 else 0.0005)
        raise AssertionError(f"no rest: {self.engine.states()}")

    # -- graphs

    def _read(self) -> Live:
        self.file.write_text(written(self.entries))
        return graphfile.live([self.file], PLUGINS)

    def _decide(self, before: Decided | None) -> None:
        self._decided = decide(self.entries, self.values, before.there if before else {})

    def _swap(self, graph: Graph) -> None:
        assert self.engine
        self.engine.swap(graph)
        self._note(graph)

    def _note(self, graph: Graph) -> None:
        edges = {pair: bool(edge.notify) for pair, edge in graph.edges.items()}
        for pair, notifies in self.shapes[-1].edges.items() if self._decided.kept else ():
            if not self._decided.kept.isdisjoint(pair) and self._decided.there.keys() >= {*pair}:
                edges.setdefault(pair, notifies)
        self.shapes.append(Shape(len(self.machine.log), self._decided, edges))


def _copied(source: str, target: str) -> None:
    with suppress(FileNotFoundError):  # it was not finished, and has its name now
        shutil.copyfile(source, target)
