"""Which vertex runs next: the heart of the engine.

A vertex passes for the first time when all that it requires has passed: counters that go down, and a queue of those at
zero. From then on events make single vertices dirty, and they go through a heap on topological rank: with nothing
running, the lowest-ranked dirty vertex is always safe to run, because whatever it requires has a lower rank and would
be in the heap. With something running, a vertex runs if none of its ancestors is running or waiting. That search is cut
off at 64 visited vertices; a vertex for which it was cut off is deferred until something finishes. When something has
been running for long, its descendants are gathered once instead, so that an hour-long command in a dense graph holds
back only what depends on it.

`drain` runs quick vertices itself, in slices, in the very callback that saw the event; it hands all others over. It
touches no vertex that has no work: the cost of an event does not depend on the size of the graph.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import perf_counter_ns

from setpoint.engine.states import BLOCKED, CLEAN, DIRTY, FAILED, GONE, RERUN, RUN, WAIT
from setpoint.engine.vertices import Vertices
from setpoint.values import Change

SLICE = 2_000_000  # nanoseconds on the loop before others have their turn
SPRINT = range(32)
SEARCHED = 64  # vertices visited in one search for a running ancestor
LONG = 0.05  # seconds after which what runs gets its descendants gathered

FREE, CUT_OFF = -1, -2


class Scheduler:
    """Runs dirty vertices of `vertices` in order. The functions it calls are set by the engine.

    repair: applies the differences of a quick vertex; False if it is not finished yet. None, which a
        check returns that forgot to return, is for it to refuse.
    raised: takes what a quick check raised.
    hand_over: takes a vertex that is BATCH or GENERAL.
    handed_over: called when the drain has nothing left to hand over.
    dispose: told of each vertex that left the graph, once nothing of it runs any more.
    blocked: told of each vertex that is blocked, and by which.
    put_aside: told of each vertex that could run but for something above it that is not settled.
    recovered: told of each vertex that settled after it had failed or been blocked.
    idle: called when nothing is dirty, running or waiting any more; once stopped, when nothing runs.
    """

    repair: Callable[[int, list[Change] | None], bool]
    raised: Callable[[int, BaseException], None]
    hand_over: Callable[[int], None]
    handed_over: Callable[[], None]
    dispose: Callable[[int], None]
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
        # those, and what waits or is new, that may be above one in the heap: to rank
        self.running: dict[int, int] = {}
        self.after_run: dict[int, Callable[[], None]] = {}  # what to do when a run has ended
        self.bad: set[int] = set()  # FAILED and BLOCKED
        self.blocked_by: dict[int, int] = {}
        self.excused: set[tuple[int, int]] = set()  # (failed, listener) that need not wait for it
        self.leaving: set[int] = set()
        self.stopped = False
        self._recovering: set[int] = set()  # were bad; what they blocked is freed when they settle
        self._waiters: dict[
            int, list[int]
        ] = {}  # running vertex to those that found it an ancestor
        self._deferred: list[int] = []
        self._low = 0  # no running vertex has a lower rank
        self._shadows: dict[int, set[int]] = {}  # long-running vertex to its descendants
        self._loop = loop
        self._scheduled = False
        self._gathering: asyncio.TimerHandle | None = None

    # -- what makes a vertex dirty

    def mark(self, v: int) -> None:
        """Make `v` dirty: something about it may have changed."""
        state = self.vertices.state
        now = state[v]
        if now == RUN:
            state[v] = RERUN
        elif now == CLEAN:
            state[v] = DIRTY
            self.active += 1
            heappush(self.heap, (self.vertices.rank[v], v))
            if not self._scheduled:
                self.kick()
        elif now == FAILED or self.blocked_by.get(v) == v:
            self._free(v)
            self.kick()

    def arm(self, v: int) -> None:
        """Note that the watch of the new vertex `v` has begun."""
        self._pass_one(v)
        self.kick()

    def mark_all(self) -> None:
        """Make every vertex dirty, in one walk: events were lost."""
        state, rank, clean = self.vertices.state, self.vertices.rank, []
        for v in self.vertices.index.values():
            if state[v] == CLEAN:
                state[v] = DIRTY
                clean.append((rank[v], v))
            else:
                self.mark(v)
        self.heap += clean
        heapify(self.heap)  # a push for each would cost three times as much
        self.active += len(clean)
        self.kick()

    def kick(self) -> None:
        """Have `drain` called soon."""
        if not self._scheduled and not self.stopped:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    # -- running

    def _turn(self) -> None:
        self._scheduled = False
        self.drain()

    def drain(self) -> None:
        """Run what is ready, for at most one slice."""
        if self.stopped:
            return
        deadline = perf_counter_ns() + SLICE
        while self.ready or self.heap:
            if self.bad or self._recovering or self.excused or self.running:
                if not self._step():
                    break
            else:
                self._sprint()
            if perf_counter_ns() > deadline:
                self.kick()
                break
        self.handed_over()
        if not self.active:
            self.idle()

    def _sprint(self) -> None:
        """Run up to 32 vertices, with nothing running and nothing bad.

        This is `_step` with all its calls written out: half a microsecond for each vertex.
        """
        t = self.vertices
        resource, check, state, mode = t.resource, t.check, t.state, t.mode
        pending, waiting, succ = t.pending, t.waiting, t.succ
        ready, heap, running = self.ready, self.heap, self.running
        done = 0
        for _ in SPRINT:
            if heap:
                v = heappop(heap)[1]
            elif ready:
                v = ready.popleft()
            else:
                break
            if state[v] != DIRTY:
                continue
            if mode[v]:
                self._start(v)
                if running:
                    break
                continue
            state[v] = CLEAN
            try:
                changes = check[v](resource[v])
            except BaseException as error:  # a plugin's SystemExit is its failure, not ours
                self._reopen(v)
                self.raised(v, error)
                break
            if changes or changes is None:
                self._reopen(v)
                if not self.repair(v, changes):
                    break
                self._close(v)
                continue
            done += 1
            if pending[v]:
                pending[v] = 0
                for s in succ[v]:
                    left = waiting[s] = waiting[s] - 1
                    if not left:
                        ready.append(s)
        self.active -= done

    def _step(self) -> bool:
        """Run the next vertex that may; False if none may now."""
        v = self._pick() if self.heap else FREE
        if v == FREE:
            if not self.ready:
                return False
            v = self.ready.popleft()
            if self.running and self.vertices.state[v] == DIRTY and self._must_wait(v):
                return True
        t = self.vertices
        if t.state[v] != DIRTY or (self.bad and self._is_blocked(v)):
            return True
        if t.mode[v]:
            self._start(v)
            return True
        t.state[v] = RUN
        try:
            changes = t.check[v](t.resource[v])
        except BaseException as error:  # as above
            self.raised(v, error)
            return True
        if (changes or changes is None) and not self.repair(v, changes):
            return True
        self._close(v)
        return True

    def _reopen(self, v: int) -> None:
        """Take back that `v`, which is being checked, was said to be clean."""
        state = self.vertices.state
        if state[v] == CLEAN:
            state[v] = RUN
        else:  # marked meanwhile, and so counted twice
            state[v] = RERUN
            self.active -= 1

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
        if v in self.running:
            self._finished(v)
        if self._recovering:
            self._recover(v)

    def _start(self, v: int) -> None:
        self.vertices.state[v] = RUN
        self.hand_out(v)
        self.hand_over(v)

    def hand_out(self, v: int) -> None:
        """Count `v` as running until it is settled or failed: it does not end within the drain."""
        self.flying.add(v)
        self._hold(v)

    def unstart(self, v: int) -> None:
        """Take back that `v` was handed over: nobody has begun with it, and nobody will."""
        self.flying.discard(v)
        self.running.pop(v, None)
        self.vertices.state[v] = DIRTY

    def _hold(self, v: int) -> None:
        """Let nothing run that is below `v`; what has not passed yet waits for `v` anyhow."""
        t = self.vertices
        if t.pending[v] and 0 not in map(t.pending.__getitem__, t.succ[v]):
            return
        rank = self.running[v] = t.rank[v]
        self._low = min(self._low, rank)

    # -- how a run ends

    def settle(self, v: int) -> None:
        """Note that `v` is as declared."""
        self._finished(v)
        if v in self.leaving:
            self._leave(v)
            return
        self._close(v)
        self._go_on()

    def fail(self, v: int, excused: tuple[int, ...] = ()) -> None:
        """Note that `v` failed for good, and block what requires it, all but `excused`."""
        t = self.vertices
        self._finished(v)
        if v in self.leaving:
            self._leave(v)
            return
        again = t.state[v] == RERUN
        t.state[v] = FAILED
        self.active -= 1
        self.bad.add(v)
        self._recovering.discard(v)
        for s in excused:
            if t.pending[v] and (v, s) not in self.excused:
                self._pass_one(s)
            self.excused.add((v, s))
        self._block_successors(v)
        if again:
            self._free(v)
        self._go_on()

    def block(self, v: int, by: int) -> None:
        """Note that running `v` cannot go on because of `by`, which may be itself (no value)."""
        self._finished(v)
        if v in self.leaving:
            self._leave(v)
            return
        self._set_blocked(v, by)
        self._block_successors(v)
        self._go_on()

    def wait(self, v: int) -> None:
        """Note that running or dirty `v` wants to run later; `wake` ends that."""
        self._finished(v)
        if v in self.leaving:
            self._leave(v)
            return
        self.vertices.state[v] = WAIT
        self._hold(v)
        self._go_on()

    def wake(self, v: int) -> None:
        """Let waiting `v` run."""
        if self.vertices.state[v] == WAIT:
            self._finished(v)
            if v in self.leaving:
                self._leave(v)
                return
            self.vertices.state[v] = DIRTY
            self._push(v)
            self.kick()

    def leave(self, v: int) -> None:
        """Let `v` go, which left the graph: at once, or when what it does is finished."""
        state = self.vertices.state[v]
        if state in (RUN, RERUN):
            self.leaving.add(v)
            return
        self._finished(v)
        self._leave(v)

    # -- helpers

    def reorder(self, armed: Callable[[int], bool]) -> None:
        """Begin again with the edges as they are now; `armed` says whose watch has begun."""
        t = self.vertices
        self.excused = {(a, b) for a, b in self.excused if t.notify.get(a, {}).get(b) == "fire"}
        for v in self.flying:  # it has begun, whatever it requires now
            t.pending[v] = 0
        self.ready = deque(t.count_waiting(armed, self.excused))
        self.heap = [
            (t.rank[v], v) for v in t.index.values() if t.state[v] == DIRTY and not t.pending[v]
        ]
        heapify(self.heap)
        self.running = {v: t.rank[v] for v in (*self.running, *self.flying)}
        self._low = 0
        self._shadows.clear()
        self._deferred.clear()
        self._waiters.clear()
        for v, by in list(self.blocked_by.items()):
            if by != v:
                self._unblock(v)
        for v in t.index.values():
            if v in self.bad:
                self._block_successors(v)
            elif t.pending[v]:
                self._hold(v)
        self.kick()

    def _push(self, v: int) -> None:
        t = self.vertices
        if not t.pending[v]:
            heappush(self.heap, (t.rank[v], v))
            return
        self._hold(v)
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
        if v in self.after_run:
            self.after_run.pop(v)()
        if self.running.pop(v, None) is not None and not self.running:
            self._low = len(self.vertices.rank)
        self._shadows.pop(v, None)
        t = self.vertices
        again = self._waiters.pop(v, [])
        if self._deferred:
            again += self._deferred
            self._deferred = []
        for w in again:
            if t.state[w] == DIRTY:
                heappush(self.heap, (t.rank[w], w))

    def _go_on(self) -> None:
        if self.stopped:
            if not self.flying:
                self.idle()
        elif self.ready or self.heap:
            self.kick()
        elif not self.active:
            self.idle()

    def _leave(self, v: int) -> None:
        self.leaving.discard(v)
        self.bad.discard(v)
        self._recovering.discard(v)
        self.blocked_by.pop(v, None)
        if self.vertices.state[v] not in (CLEAN, FAILED, BLOCKED, GONE):
            self.active -= 1
        self.dispose(v)
        self._go_on()

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
        if v in self.running:
            self._finished(v)
        self.vertices.state[v] = BLOCKED
        self.active -= 1
        self.bad.add(v)
        self.blocked_by[v] = by
        self._recovering.discard(v)
        self.blocked(v, by)

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

    # -- choosing

    def _pick(self) -> int:
        """Take the first vertex from the heap that may run beside what runs; FREE if none may."""
        heap, state = self.heap, self.vertices.state
        while heap:
            v = heappop(heap)[1]
            if state[v] == DIRTY and not (self.running and self._must_wait(v)):
                return v
        return FREE

    def _must_wait(self, v: int) -> bool:
        """Put dirty `v` aside if something that it requires, however far above, is not settled."""
        by = self._runner_above(v)
        if by == FREE:
            return False
        if by == CUT_OFF:
            self._deferred.append(v)
            self._gather_later()
        else:
            self._waiters.setdefault(by, []).append(v)
        self.put_aside(v)
        return True

    def _runner_above(self, v: int) -> int:
        """Return an ancestor of `v` that runs, waits or is dirty; FREE if there is none."""
        t, running, low = self.vertices, self.running, self._low
        for w, shadow in self._shadows.items():
            if v in shadow:
                return w
        if len(self._shadows) == len(running):
            return FREE
        if len(running) <= SEARCHED:
            low = min(rank for w, rank in running.items() if w not in self._shadows)
        seen: set[int] = set()
        stack = [v]
        while stack:
            for p in t.pred[stack.pop()]:
                if t.rank[p] < low or p in seen:
                    continue
                if p in running:
                    return p
                seen.add(p)
                stack.append(p)
                if len(seen) > SEARCHED:
                    return CUT_OFF
        return FREE

    def _gather_later(self) -> None:
        if self._gathering is None:
            self._gathering = self._loop.call_later(LONG, self._gather)

    def _gather(self) -> None:
        """Find the descendants of what has been running for long, and try the deferred again."""
        self._gathering = None
        for w in self.running:
            if w not in self._shadows:
                self._shadows[w] = self._descendants(w)
        for v in self._deferred:
            heappush(self.heap, (self.vertices.rank[v], v))
        self._deferred = []
        self.kick()

    def _descendants(self, v: int) -> set[int]:
        succ, found, stack = self.vertices.succ, set[int](), [v]
        while stack:
            for s in succ[stack.pop()]:
                if s not in found:
                    found.add(s)
                    stack.append(s)
        return found

    def close(self) -> None:
        """Start nothing any more."""
        self.stopped = True
        if self._gathering is not None:
            self._gathering.cancel()
