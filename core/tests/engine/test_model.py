"""Random graphs and random things that happen to them, against a simple model of what must follow.

After each step the engine comes to rest, and what its resources did is judged: the cells of the
machine, who failed and who is blocked, the order of runs, who was looked at without a reason, and
the refreshes. Of those the model keeps what `owed` means: every change of a notifier is followed by
a refresh of its listeners, at once or when they can run again.

Time is virtual: the loop jumps to the next timer when nothing else is left to do.
`SETPOINT_EXAMPLES=20000 pytest core/tests/engine/test_model.py --timeout 0` runs it long.
"""

import asyncio
import itertools
import os
import selectors
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from setpoint import Change, Engine, Graph, Meta, Resource, Values, hookimpl
from setpoint.clock import Clock
from setpoint.engine import Result
from setpoint.graph import Edge
from setpoint.host import Host
from setpoint.plugins import Plugins
from setpoint.values import Ref, Text
from setpoint.watching import Subscription

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "60"))
POOL = (
    *("quick 0", "plain 1", "slow 2", "mute 3", "quick 4", "dumb 5"),
    *("slow 6", "plain 7", "quick 8", "plain 9", "slow 10", "mute 11"),
)
METAS = (
    *(Meta(), Meta(), Meta(), Meta(), Meta(retry=1), Meta(retry=2, delay=0.5, retry_reset=True)),
    *(Meta(sema=("one",)), Meta(sema=("one", "two:2")), Meta(limit=5, burst=2)),
)
VERBS = ("check", "apply", "refresh")
SORTS = ("order", "hold", "fire", "drop", "ref", "text", "ref hold")
BAD = ("failed", "blocked")
SILENT = ("mute", "dumb")  # kinds without a refresh


# -- a machine, and kinds that keep it


class Done(NamedTuple):
    """Something that a resource did; the numbers give the order."""

    id: str
    verb: str
    ok: bool
    began: int
    ended: int


class World:
    """Cells, what is broken, and all that was done."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.broken: set[tuple[str, str]] = set()
        self.watchers: dict[str, Callable[[], None]] = {}
        self.log: list[Done] = []
        self.inside: set[str] = set()
        self.twice: list[str] = []
        self.numbers = itertools.count()

    @contextmanager
    def doing(self, id: str, verb: str) -> Iterator[None]:
        if id in self.inside:
            self.twice.append(f"{verb} {id}")
        self.inside.add(id)
        began, ok = next(self.numbers), False
        try:
            yield
            if (verb, id) in self.broken:
                raise OSError(f"{verb} is broken")
            ok = True
        finally:
            self.log.append(Done(id, verb, ok, began, next(self.numbers)))
            self.inside.discard(id)

    def disturb(self, id: str, value: Any) -> None:
        self.cells[id] = value
        if id in self.watchers:
            self.watchers[id]()


class Watch(Subscription):
    def __init__(self, world: World, id: str) -> None:
        self.world, self.id = world, id

    def start(self, changed: Callable[[], None]) -> None:
        assert self.id not in self.world.watchers, "watched twice"
        self.world.watchers[self.id] = changed

    def stop(self) -> None:
        del self.world.watchers[self.id]


class Node(Resource):
    kind = "abstract"
    world: ClassVar[World]
    value: Any = None

    class Sends(Values):
        value: Any

    @hookimpl
    def watch(self) -> Subscription:
        return Watch(self.world, self.id)

    @hookimpl
    def send(self) -> Values:
        return self.Sends(value=self.value)

    def check(self) -> list[Change]:
        with self.world.doing(self.id, "check"):
            found = self.world.cells.get(self.id)
        return [] if found == self.value else [Change("value", found, self.value)]

    def apply(self, changes: list[Change]) -> None:
        with self.world.doing(self.id, "apply"):
            self.world.cells[self.id] = (
                "half" if ("apply", self.id) in self.world.broken else self.value
            )


class Mute(Node):
    kind = "mute"
    quick = True


class Dumb(Node):
    kind = "dumb"


class Plain(Node):
    kind = "plain"

    @hookimpl
    def refresh(self) -> None:
        with self.world.doing(self.id, "refresh"):
            pass


class Quick(Plain):
    kind = "quick"
    quick = True


class Slow(Node):
    kind = "slow"

    async def check(self) -> list[Change]:
        await asyncio.sleep(0)
        return super().check()

    async def apply(self, changes: list[Change]) -> None:
        with self.world.doing(self.id, "apply"):
            self.world.cells[self.id] = "half"
            await asyncio.sleep(0.01)
            if ("apply", self.id) not in self.world.broken:
                self.world.cells[self.id] = self.value

    @hookimpl
    async def refresh(self) -> None:
        with self.world.doing(self.id, "refresh"):
            await asyncio.sleep(0)


KINDS = {kind.kind: kind for kind in (Quick, Plain, Slow, Mute, Dumb)}


# -- graphs


class Plan(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A graph as data: what is in it, in an order in which all edges lead forward."""

    order: tuple[str, ...]
    values: dict[str, int]
    metas: dict[str, Meta]
    edges: dict[tuple[str, str], str]  # sort

    def __repr__(self) -> str:
        nodes = [f"{n}={self.values[n]} meta {METAS.index(self.metas[n])}" for n in self.order]
        edges = [f"{a} {self.edges[a, b]}> {b}" for a, b in self.all_edges]
        return f"Plan({nodes}, {edges})"

    def pick(self, pick: int) -> str:
        return self.order[pick % len(self.order)]

    def between(self, *sorts: str) -> list[tuple[str, str]]:
        here = [pair for pair in self.edges if set(pair) <= set(self.order)]
        return [
            (a, b)
            for a, b in here
            if self.order.index(a) < self.order.index(b)
            and any(sort in self.edges[a, b] for sort in sorts)
        ]

    @property
    def all_edges(self) -> list[tuple[str, str]]:
        return self.between("")

    def policy(self, a: str, b: str) -> str | None:
        return next((p for p in ("hold", "fire", "drop") if p in self.edges[a, b]), None)

    def listeners(self, n: str) -> dict[str, str]:
        pairs = self.between("hold", "fire", "drop")
        return {b: self.policy(a, b) or "" for a, b in pairs if a == n}

    def required(self, s: str) -> list[str]:
        return [a for a, b in self.all_edges if b == s]

    def sender(self, s: str) -> tuple[str, str] | None:
        """Return from whom `s` receives, and as what."""
        return next(((a, self.edges[a, b]) for a, b in self.between("ref", "text") if b == s), None)

    def above(self, s: str) -> set[str]:
        """Return what must have run before `s` does, in whatever way it is required."""
        found: set[str] = set()
        stack = [s]
        while stack:
            s = stack.pop()
            firm = [p for p in self.required(s) if self.edges[p, s] != "fire"]
            stack += [p for p in firm if p not in found]
            found |= set(firm)
        return found

    def receives(self, s: str) -> dict[str, Ref | Text]:
        found = self.sender(s)
        if found is None:
            return {}
        ref = Ref(found[0], "value")
        return {"value": Text(("<", ref, ">")) if found[1] == "text" else ref}

    def graph(self) -> Graph:
        graph = Graph()
        for key in self.order:
            kind, name = key.split()
            received = self.receives(key)
            graph.add(
                KINDS[kind](
                    name, value=None if received else self.values[key], meta=self.metas[key]
                )
            )
            if received:
                graph.receives[key] = received
        for a, b in self.all_edges:
            graph.connect(Edge(a, b, self.policy(a, b)))
        return graph


picks = st.integers(0, len(POOL) - 1)  # of what the graph has at that time, counted round


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    order = draw(st.permutations(POOL))[: draw(st.integers(1, len(POOL)))]
    values = {n: draw(st.integers(0, 1)) for n in POOL}
    metas = {n: draw(st.sampled_from(METAS)) for n in POOL}
    place = st.integers(0, len(order) - 1)
    edges = {}
    for a, b in draw(st.lists(st.tuples(place, place), max_size=2 * len(order))):
        if a != b:
            edges[order[min(a, b)], order[max(a, b)]] = draw(st.sampled_from(SORTS))
    return Plan(tuple(order), values, metas, edges)


def tweaked(plan: Plan, pick: int, other: int, sort: str) -> Plan:
    """Return `plan` with one thing different; `sort` says what."""
    replace = msgspec.structs.replace
    n = plan.pick(pick)
    if sort == "go":
        return replace(plan, order=tuple(x for x in plan.order if x != n) or (POOL[other],))
    if sort == "come":
        new = POOL[pick]
        return replace(plan, order=(*(x for x in plan.order if x != new), new))
    if sort == "value":
        return replace(plan, values={**plan.values, n: plan.values[n] + 1})
    if sort == "meta":
        return replace(plan, metas={**plan.metas, n: METAS[other % len(METAS)]})
    first, then = sorted((n, plan.pick(other)), key=plan.order.index)
    left = {pair: kept for pair, kept in plan.edges.items() if pair != (first, then)}
    if first != then and sort != "cut":
        left[first, then] = sort
    return replace(plan, edges=left)


tweaks = st.tuples(picks, picks, st.sampled_from(("go", "come", "value", "meta", "cut", *SORTS)))


# -- time


class Hurry(selectors.DefaultSelector):
    """Waits 2 ms at most, in which no thread has anything to say; then time jumps, by 2 s at most."""

    ahead = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        found = super().select(min(timeout, 0.002))
        if not found:
            self.ahead += min(timeout, 2.0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.hurry = Hurry()
        super().__init__(self.hurry)

    def time(self) -> float:
        return super().time() + self.hurry.ahead


class VirtualClock(Clock):
    def __init__(self, loop: VirtualLoop) -> None:
        self.monotonic = loop.time  # type: ignore[method-assign]


# -- the model


class Model:
    """What must follow, from the architecture's 4.2 to 4.6 and nothing else."""

    def __init__(self) -> None:
        self.last: dict[str, Done] = {}
        self.sent: dict[str, Any] = {}
        self.owed: dict[str, dict[str, int]] = {}  # listener to notifiers, and when they changed
        self.halfway: dict[str, tuple[int, dict[str, str]]] = {}
        self.refreshed: dict[str, int] = {}
        self.unsure: set[str] = set()  # whose sent value depends on how threads were scheduled
        self.caused: set[str] = set()  # who may refresh

    def forget(self, gone: set[str]) -> None:
        for known in (self.last, self.sent, self.owed, self.halfway, self.refreshed):
            for n in gone:
                known.pop(n, None)

    def owe(self, s: str, n: str, when: int) -> None:
        if when > self.refreshed.get(s, -1):
            self.owed.setdefault(s, {})[n] = when

    def cause(self, plan: Plan, n: str) -> None:
        for s in plan.listeners(n):
            self.caused.add(s)
            if s.startswith(SILENT):
                self.cause(plan, s)

    def has_cause(self, plan: Plan, s: str) -> bool:
        """Whether `s` may refresh; a silent one may have passed something on only now."""
        passed = {m for m in self.caused if m.startswith(SILENT) and s in plan.listeners(m)}
        return s in self.caused or bool(passed)

    def judge_refreshes(
        self, plan: Plan, log: list[Done], states: dict[str, str], strict: bool
    ) -> None:
        for n in self.halfway:
            self.cause(plan, n)
        for done in log:
            self.last[done.id] = done
            if done.verb == "apply":
                self.cause(plan, done.id)
                self.halfway.pop(done.id, None)
                if not done.ok:
                    self.halfway[done.id] = done.ended, plan.listeners(done.id)
                    continue
                for s in plan.listeners(done.id):
                    self.owe(s, done.id, done.ended)
            elif done.verb == "refresh":
                reason = not strict or self.has_cause(plan, done.id)
                assert reason, f"{done.id} was refreshed without reason"
                if done.ok:
                    self.pay(plan, done)
        self.settle_halfway(plan, states)
        for m in (m for m in plan.order if m.startswith(SILENT) and states[m] == "settled"):
            self.caused.discard(m)
            if m in self.owed:
                when = max(self.owed.pop(m).values())
                for s in plan.listeners(m):
                    self.owe(s, m, when)
        lost = {s: by for s, by in self.owed.items() if by and states.get(s) == "settled"}
        assert not lost, f"lost refreshes: {lost}"

    def pay(self, plan: Plan, done: Done) -> None:
        self.refreshed[done.id] = done.began
        left = {n: t for n, t in self.owed.pop(done.id, {}).items() if t > done.began}
        if left:
            self.owed[done.id] = left
        else:
            self.caused.discard(done.id)
        self.cause(plan, done.id)
        for s in plan.listeners(done.id):
            self.owe(s, done.id, done.ended)

    def settle_halfway(self, plan: Plan, states: dict[str, str]) -> None:
        for n, (when, policies) in list(self.halfway.items()):
            now = plan.listeners(n)
            for s, policy in policies.items():
                if now.get(s) != policy or policy == "drop":
                    continue
                if policy == "fire" or states[n] == "settled":
                    self.owe(s, n, when)
            if states[n] == "settled":
                del self.halfway[n]

    def judge_cells(
        self, plan: Plan, states: dict[str, str], cells: dict[str, Any], strict: bool
    ) -> None:
        for s in plan.order:
            if states[s] != "settled":
                if not strict:
                    self.unsure.add(s)
                continue
            sender = plan.sender(s)
            if sender and sender[0] in self.unsure:
                self.unsure.add(s)
                continue
            self.unsure.discard(s)
            wanted = plan.values[s]
            if sender:
                wanted = self.sent[sender[0]]
                wanted = f"<{'' if wanted is None else wanted}>" if sender[1] == "text" else wanted
            assert cells.get(s) == wanted, f"{s} holds {cells.get(s)!r}, not {wanted!r}"
            self.sent[s] = wanted

    def judge_states(self, plan: Plan, states: dict[str, str]) -> None:
        assert set(states) == set(plan.order)
        for s, state in states.items():
            last = self.last.get(s)
            if state == "settled":
                assert last is not None, f"{s} is settled, but never ran"
                assert last.ok, f"{s} is settled, but {last}"
            elif state == "failed":
                assert last is not None, f"{s} failed, but never ran"
                assert not last.ok, f"{s} failed, but {last}"
            else:
                bad = [p for p in plan.required(s) if states[p] in BAD]
                assert state == "blocked", f"{s} is {state}"
                assert bad, f"{s} is blocked by nobody"

    def judge_order(self, plan: Plan, log: list[Done], states: dict[str, str]) -> None:
        first: dict[str, int] = {}
        for done in log:
            first[done.id] = min(done.began, first.get(done.id, done.began))
        last = {done.id: done.ended for done in log}
        for s in first:
            for p in plan.above(s) & last.keys():
                assert last[p] < first[s], f"{s} ran before {p} was settled"
            for p in plan.required(s):
                assert plan.edges[p, s] == "fire" or states[p] not in BAD, (
                    f"{s} ran, but {p} is bad"
                )

    def judge_work(
        self, plan: Plan, log: list[Done], roots: set[str], before: dict[str, str]
    ) -> None:
        """Assert that nothing was looked at without a reason."""
        reason = set(roots)
        for s in plan.order:
            for p in set(plan.required(s)) & reason:
                if plan.policy(p, s) or plan.sender(s) or before.get(s) == "blocked":
                    reason.add(s)
        assert {done.id for done in log} <= reason, "looked at without a reason"


# -- what happens


class Scripts(RuleBasedStateMachine):
    """One engine, and what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.fds, self.threads = count_fds(), threading.active_count()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.state = Path(tempfile.mkdtemp(dir=memory))
        self.loop = VirtualLoop()
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
        host = Host(state=self.state, clock=VirtualClock(self.loop))
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
        self.engine.swap(plan.graph())
        here = set(plan.order)
        self.most = max(self.most, len(here | set(old.order)) + leaving)
        self.model.forget(set(old.order) - here)
        self.world.log = [done for done in self.world.log if done.id in here]
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


TestScripts = Scripts.TestCase
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
