"""How vertices stand, and how that changes: by how their runs end, and by what fails above them.

A vertex passes for the first time when all that it requires has passed: counters that go down, and a queue of those at
zero (`ready`). From then on whatever makes it dirty puts it into a heap on topological rank. What fails blocks what
requires it; what recovers frees it again.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappush
from typing import Any

from setpoint.engine.runners import FREE, Runners
from setpoint.engine.states import BLOCKED, CLEAN, DIRTY, FAILED, RERUN, RUN, WAIT
from setpoint.engine.timers import Timer
from setpoint.engine.vertices import Vertices


class Standing:
    """The states of `vertices`, and what is in the queue and the heap. The functions it calls are set by the engine.

    repair: applies the differences of a quick vertex; False if it is not finished yet.
    raised: takes what a quick check raised.
    hand_over: takes a vertex that is BATCH or GENERAL.
    handed_over: called when the drain has nothing left to hand over.
    dispose: told of each vertex that left the graph.
    look_at_leaving: called after each drain while something is `leaving`.
    blocked: told of each vertex that is blocked, and by which.
    put_aside: told of each vertex that could run but for something above it that is not settled.
    recovered: told of each vertex that settled after it had failed or been blocked.
    idle: called when nothing is dirty, running or waiting any more; once stopped, when nothing runs.
    """

    repair: Callable[[int, Any], bool]
    raised: Callable[[int, BaseException], None]
    hand_over: Callable[[int], None]
    handed_over: Callable[[], None]
    dispose: Callable[[int], None]
    look_at_leaving: Callable[[], None]
    blocked: Callable[[int, int], None]
    put_aside: Callable[[int], None]
    recovered: Callable[[int], None]
    idle: Callable[[], None]

    def __init__(self, vertices: Vertices, loop: asyncio.AbstractEventLoop) -> None:
        self.vertices = vertices
        self.active = 0  # how many are DIRTY, RUN, RERUN or WAIT
        self.ready: deque[int] = deque()
        self.heap: list[tuple[int, int]] = []
        self.flying: set[int] = set()  # in a run that does not end within the drain
        self.runners = Runners(vertices, loop, self._again)  # those, what waits, what is new
        self.after_run: dict[int, Callable[[], None]] = {}  # what to do when a run has ended
        self.bad: set[int] = set()  # FAILED and BLOCKED
        self.blocked_by: dict[int, int] = {}
        self.excused: set[tuple[int, int]] = set()  # (bad, listener) that need not wait for it
        self.leaving: set[int] = set()  # declared no more, but not finished with
        self.stopped = False
        self._recovering: set[int] = set()  # were bad; what they blocked is freed when they settle
        self._alarms: dict[int, Timer] = {}  # those that wait for a time
        self._loop = loop
        self._scheduled = False

    def kick(self) -> None:
        """Have what is ready run soon."""
        raise NotImplementedError

    # -- how a run ends

    def settle(self, v: int) -> None:
        """Note that `v` is as declared."""
        self._finished(v)
        self._close(v)
        self._go_on()

    def fail(self, v: int) -> None:
        """Note that `v` failed for good, and block what requires it, but for whom it fires at."""
        t = self.vertices
        self._finished(v)
        again = t.state[v] == RERUN
        t.state[v] = FAILED
        self.active -= 1
        self.bad.add(v)
        self._recovering.discard(v)
        self._excuse(v)
        self._block_successors(v)
        if again:
            self._free(v)
        self._go_on()

    def block(self, v: int, by: int) -> None:
        """Note that running `v` cannot go on because of `by`, which may be itself (no value)."""
        self._finished(v)
        self._set_blocked(v, by)
        self._block_successors(v)
        self._go_on()

    def wait(self, v: int, until: Timer | None = None) -> None:
        """Note that running or dirty `v` wants to run later; `wake` ends that, be it called by `until`."""
        self._finished(v)
        if until is not None:
            self._alarms[v] = until
        self.vertices.state[v] = WAIT
        self.runners.add(v)
        self._go_on()

    def wake(self, v: int) -> None:
        """Let waiting `v` run."""
        if self.vertices.state[v] == WAIT:
            self._finished(v)
            self.vertices.state[v] = DIRTY
            self._push(v)
            self.kick()

    def leave(self, v: int) -> None:
        """Let `v` go, which left the graph and does not run; the graph is swapped."""
        self._finished(v)
        self.bad.discard(v)
        self._recovering.discard(v)
        self.blocked_by.pop(v, None)
        if self.vertices.state[v] not in (CLEAN, FAILED, BLOCKED):
            self.active -= 1
        self.dispose(v)

    # -- another graph

    def reorder(self, armed: Callable[[int], bool]) -> None:
        """Begin again with the edges as they are now; `armed` says whose watch has begun."""
        t = self.vertices
        fire = [(a, b) for a, to in t.notify.items() for b, how in to.items() if how == "fire"]
        self.excused = {p for p in fire if p in self.excused or p[0] in self.bad}
        for v in self.flying:  # it has begun, whatever it requires now
            t.pending[v] = 0
        self.ready = deque(t.count_waiting(armed, self.excused))
        self.heap = [
            (t.rank[v], v) for v in t.index.values() if t.state[v] == DIRTY and not t.pending[v]
        ]
        heapify(self.heap)
        self.runners.reorder(self.flying)
        blocked = [v for v, by in self.blocked_by.items() if by != v]
        for v in sorted(blocked, key=t.rank.__getitem__):  # so that what is above is right already
            self._unblock(v)
        for v in t.index.values():
            if v in self.bad:
                self._block_successors(v)
            elif t.pending[v]:
                self.runners.add(v)
        self.kick()

    # -- the steps of these

    def _close(self, v: int) -> None:
        """Settle `v`, which ran within the drain."""
        t = self.vertices
        if t.state[v] == RUN:
            t.state[v] = CLEAN
            self.active -= 1
        else:
            t.state[v] = DIRTY
            heappush(self.heap, (t.rank[v], v))
        if t.pending[v]:
            self._pass(v)
        if self.excused:
            self.excused = {pair for pair in self.excused if pair[0] != v}
        if v in self.runners:
            self._finished(v)
        if self._recovering:
            self._recover(v)

    def _push(self, v: int) -> None:
        t = self.vertices
        if not t.pending[v]:
            heappush(self.heap, (t.rank[v], v))
            return
        self.runners.add(v)
        if not t.waiting[v]:
            self.ready.append(v)
        elif self.bad:
            self._is_blocked(v)

    def _pass(self, v: int) -> None:
        """Note that `v` has run for the first time: what requires it waits for one less."""
        self.vertices.pending[v] = 0
        for s in self.vertices.succ[v]:
            if (v, s) not in self.excused:
                self._pass_one(s)

    def _pass_one(self, v: int) -> None:
        waiting = self.vertices.waiting
        waiting[v] -= 1
        if not waiting[v]:
            self.ready.append(v)

    def _finished(self, v: int) -> None:
        self.flying.discard(v)
        if v in self._alarms:
            self._alarms.pop(v).cancel()
        if v in self.after_run:
            self.after_run.pop(v)()
        t = self.vertices
        for w in self.runners.finished(v):
            if t.state[w] == DIRTY:
                heappush(self.heap, (t.rank[w], w))

    def _again(self, vertices: list[int]) -> None:
        """Try again what was put aside."""
        for v in vertices:
            if self.vertices.state[v] == DIRTY:
                heappush(self.heap, (self.vertices.rank[v], v))
        self.kick()

    def _go_on(self) -> None:
        if self.stopped:
            if not self.flying:
                self.idle()
        elif self.ready or self.heap or self.leaving:
            self.kick()
        elif not self.active:
            self.idle()

    # -- failed and blocked

    def _is_blocked(self, v: int) -> bool:
        """Block dirty `v` if something that it requires is bad."""
        by = self._blocker(v)
        if by != FREE:
            self._set_blocked(v, by)
            self._block_successors(v)
        return by != FREE

    def _unblock(self, v: int) -> None:
        """Free blocked `v`, unless something else that it requires is bad too."""
        by = self._blocker(v)
        if by == FREE:
            self._free(v)
        elif by != self.blocked_by[v]:
            self.blocked_by[v] = by
            self.blocked(v, by)

    def _blocker(self, v: int) -> int:
        for p in self.vertices.pred[v]:
            if p in self.bad and (p, v) not in self.excused:
                return p
        return FREE

    def _set_blocked(self, v: int, by: int) -> None:
        if v in self.runners:
            self._finished(v)
        self.vertices.state[v] = BLOCKED
        self.active -= 1
        self.bad.add(v)
        self.blocked_by[v] = by
        self._recovering.discard(v)
        self._excuse(v)
        self.blocked(v, by)

    def _excuse(self, v: int) -> None:
        """Let those not wait for bad `v` at whom it fires: they are told although it failed, if there is news."""
        t = self.vertices
        for s, policy in t.notify.get(v, {}).items():
            if policy == "fire":
                if t.pending[v] and (v, s) not in self.excused:
                    self._pass_one(s)
                self.excused.add((v, s))

    def _block_successors(self, v: int) -> None:
        t = self.vertices
        stack = [v]
        while stack:
            p = stack.pop()
            for s in t.succ[p]:
                if t.state[s] == DIRTY and (p, s) not in self.excused:
                    self._set_blocked(s, p)
                    stack.append(s)

    def _free(self, v: int) -> None:
        """Make bad `v` dirty; what it blocked is freed when it settles."""
        self.bad.discard(v)
        self.blocked_by.pop(v, None)
        self._recovering.add(v)
        self.vertices.state[v] = DIRTY
        self.active += 1
        self._push(v)

    def _recover(self, v: int) -> None:
        if v in self._recovering:
            self._recovering.discard(v)
            self.excused = {pair for pair in self.excused if pair[0] != v}
            self.recovered(v)
            for s in self.vertices.succ[v]:
                if self.vertices.state[s] == BLOCKED:
                    self._unblock(s)
