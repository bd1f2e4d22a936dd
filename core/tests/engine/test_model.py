"""Random graphs and random things that happen to them, against a simple model of what must follow.

After each step the engine comes to rest, and what its resources did is judged: the cells of the
machine, who failed and who is blocked, the order of runs, who was looked at without a reason, and
the refreshes. Of those the model keeps what `owed` means: every change of a notifier is followed by
a refresh of its listeners, at once or when they can run again.

Time is virtual: the loop jumps to the next timer when nothing else is left to do.
`SETPOINT_EXAMPLES=20000 pytest core/tests/engine/test_model.py --timeout 0` runs it long.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from setpoint import Engine
from setpoint.engine import Result
from setpoint.host import Host
from setpoint.plugins import Plugins
from setpoint.testing import VirtualClock

from .model import BAD, Model
from .random_graphs import POOL, Plan, picks, plans, tweaked, tweaks
from .random_world import KINDS, Node, World

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "50"))
VERBS = ("check", "apply", "refresh")


class Scripts(RuleBasedStateMachine):
    """One engine, and what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.fds, self.threads = count_fds(), threading.active_count()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.state = Path(tempfile.mkdtemp(dir=memory))
        self.loop = asyncio.SelectorEventLoop()
        self.clock = VirtualClock()
        self.clock.rule(self.loop)
        self.world = Node.world = World()
        self.model = Model()
        self.engine: Engine | None = None
        self.most = 0

    @initialize(plan=plans(), broken=st.sets(st.tuples(st.sampled_from(VERBS), picks), max_size=4))
    def begin(self, plan: Plan, broken: set[tuple[str, int]]) -> None:
        self.plan = plan
        self.world.broken = {(verb, plan.pick(pick)) for verb, pick in broken}
        self.start()
        self.rest(set(POOL))

    def start(self) -> None:
        self.plugins = Plugins(path=[])
        self.plugins.add(*KINDS.values())
        host = Host(state=self.state, clock=self.clock)
        self.engine = Engine(self.plan.graph(), plugins=self.plugins, host=host)
        self.task = self.loop.create_task(self.engine.run())
        self.most = len(self.plan.order)
        self.turn()

    def turn(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.loop.run_until_complete(asyncio.sleep(0))

    # the steps

    @rule(some=st.sets(picks, min_size=1, max_size=3), value=st.integers(0, 2))
    def disturb(self, some: set[int], value: int) -> None:
        names = {self.plan.pick(pick) for pick in some}
        for n in sorted(names):
            self.world.disturb(n, value)
        self.rest(names)

    @rule(some=st.sets(picks, max_size=3))
    def mark(self, some: set[int]) -> None:
        names = {self.plan.pick(pick) for pick in some}
        assert self.engine
        self.engine.mark(*sorted(names))
        self.rest(names or set(POOL))

    @rule(verb=st.sampled_from(VERBS), some=st.sets(picks, min_size=1, max_size=2))
    def break_(self, verb: str, some: set[int]) -> None:
        self.world.broken |= {(verb, self.plan.pick(pick)) for pick in some}

    @rule(look=st.booleans())
    def mend(self, look: bool) -> None:
        broken, self.world.broken = self.world.broken, set()
        if look:
            order = self.plan.order
            self.mark({order.index(n) for _, n in broken if n in order})

    @rule(plan=plans())
    def swap(self, plan: Plan) -> None:
        self.rest(self.swap_now(plan))

    @rule(some=st.lists(tweaks, min_size=1, max_size=3))
    def tweak(self, some: list[tuple[int, int, str]]) -> None:
        plan = self.plan
        for one in some:
            plan = tweaked(plan, *one)
        self.swap(plan)

    @rule(seconds=st.sampled_from((0.1, 20.0)))
    def wait(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.rest(set())

    @rule()
    def restart(self) -> None:
        result = self.stop()
        states = self.states
        assert set(result.failed) == {s for s in states if states[s] == "failed"}
        assert set(result.blocked) == {s for s in states if states[s] == "blocked"}
        assert all(states[by] in BAD for by in result.blocked.values())
        assert result.unfinished == 0
        assert result.ok == all(state == "settled" for state in states.values())
        self.start()
        self.rest(set(POOL))

    @rule(
        script=st.lists(
            st.tuples(
                st.integers(0, 4),
                st.one_of(
                    st.tuples(st.just("disturb"), picks),
                    st.tuples(st.just("mark"), picks),
                    st.tuples(st.just("break"), st.tuples(st.sampled_from(VERBS), picks)),
                    st.tuples(st.just("mend"), st.none()),
                    st.tuples(st.just("tweak"), tweaks),
                    st.tuples(st.just("swap"), plans()),
                    st.tuples(st.just("restart"), st.none()),
                ),
            ),
            min_size=2,
            max_size=8,
        )
    )
    def mess(self, script: list[tuple[int, tuple[str, Any]]]) -> None:
        """Let things happen while others are under way."""
        plans = [self.plan]
        for turns, (what, arg) in script:
            self.in_the_middle(what, arg)
            plans.append(self.plan)
            self.turn(turns)
        common = {
            pair: sort
            for pair, sort in self.plan.edges.items()
            if all(pair in p.all_edges and p.edges[pair] == sort for p in plans)
        }
        self.rest(None, msgspec.structs.replace(self.plan, edges=common))

    def in_the_middle(self, what: str, arg: Any) -> None:
        assert self.engine
        if what == "disturb":
            self.world.disturb(self.plan.pick(arg), 2)
        elif what == "mark":
            self.engine.mark(self.plan.pick(arg))
        elif what == "break":
            self.world.broken.add((arg[0], self.plan.pick(arg[1])))
        elif what == "mend":
            self.world.broken.clear()
        elif what == "tweak":
            self.swap_now(tweaked(self.plan, *arg))
        elif what == "swap":
            self.swap_now(arg)
        elif what == "restart":
            self.stop()
            self.start()

    # what they are made of

    def swap_now(self, plan: Plan) -> set[str]:
        """Swap; return who may be looked at because of it."""
        old, self.plan = self.plan, plan
        assert self.engine
        assert self.engine._running
        leaving = len(self.engine._running._parts.scheduler.leaving)
        before = set(self.engine.states())
        self.engine.swap(plan.graph())
        here, running = set(plan.order), set(self.engine.states())  # what must not leave yet, too
        self.most = max(self.most, len(here | set(old.order)) + leaving)
        known = running & before
        self.model.forget(set(POOL) - known)
        self.world.log = [done for done in self.world.log if done.id in known]
        return {
            s
            for s in here
            if s not in old.order
            or old.values[s] != plan.values[s]
            or old.metas[s] != plan.metas[s]
            or old.sender(s) != plan.sender(s)
            or any(plan.sender(x) and plan.sender(x)[0] == s for x in here)  # type: ignore[index]
            or self.states.get(s) == "blocked"
        }

    def stop(self) -> Result:
        assert self.engine
        self.engine.stop()
        result = self.loop.run_until_complete(asyncio.wait_for(self.task, 1000))
        assert not self.world.inside, "something still runs"
        assert not self.world.watchers, "something is still watched"
        assert not asyncio.all_tasks(self.loop)
        return result

    def rest(self, roots: set[str] | None, notifying: Plan | None = None) -> None:
        """Wait until nothing happens any more, and judge; without `roots` not the order of runs."""
        self.loop.run_until_complete(self.quiet())
        assert self.engine
        before, self.states = getattr(self, "states", {}), dict(self.engine.states())
        self.model.forget(set(POOL) - self.states.keys())
        log, self.world.log = [d for d in self.world.log if d.id in self.plan.order], []
        strict = roots is not None
        assert not self.world.twice, f"run twice at once: {self.world.twice}"
        self.model.judge_refreshes(notifying or self.plan, log, self.states, strict)
        self.model.judge_states(self.plan, self.states)
        if not strict:
            self.model.caused = set(POOL)
        self.model.judge_cells(self.plan, self.states, self.world.cells, strict)
        if roots is not None:
            self.model.judge_order(self.plan, log, self.states)
            self.model.judge_work(self.plan, log, roots, before)
        self.judge_inside()

    def judge_inside(self) -> None:
        """Assert that the engine holds nothing that it has no use for."""
        assert self.engine
        assert self.engine._running
        parts = self.engine._running._parts
        index = parts.vertices.index
        for s, by in self.model.owed.items():
            assert by.keys() <= parts.ledger.owed.get(index[s], {}).keys(), f"{s} does not owe {by}"
        for v in parts.ledger.owed:
            key = parts.key(v)
            assert self.states[key] in BAD, f"{key} owes a refresh, and nothing stands against it"
        assert not parts.scheduler.runners
        assert len(parts.vertices.resource) <= self.most
        assert len(self.world.watchers) == len(index)

    async def quiet(self) -> None:
        """Wait until the engine has nothing to do."""
        pause = 0.0005
        for _ in range(200):
            assert self.engine
            assert self.engine._running, self.task
            scheduler = self.engine._running._parts.scheduler
            if not (scheduler.active or scheduler.flying or scheduler.leaving):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 5)
        raise AssertionError(f"no rest: {self.engine.states()}")

    def teardown(self) -> None:
        try:
            if self.engine is not None:
                self.stop()
        finally:
            self.loop.close()
            shutil.rmtree(self.state)
        self.engine = None
        for _ in range(200):
            if (count_fds(), threading.active_count()) == (self.fds, self.threads):
                return
            time.sleep(0.005)
        assert (count_fds(), threading.active_count()) == (self.fds, self.threads), "leaked"


def count_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


TestScripts = pytest.mark.timeout(120)(Scripts.TestCase)
TestScripts.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=set(Phase)
    - {Phase.explain}
    - (set() if "SETPOINT_EXAMPLES" in os.environ else {Phase.shrink}),
)
