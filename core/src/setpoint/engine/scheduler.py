"""Which vertex runs next: the heart of the engine.

With nothing running, the lowest-ranked dirty vertex of the heap is always safe to run, because whatever it requires has
a lower rank and would be in the heap. With something running, a vertex runs if none of its ancestors runs or waits
(`runners`). What is in the queue has passed all that it requires.

`drain` runs quick vertices itself, in slices, in the very callback that saw the event; it hands all others over. It
touches no vertex that has no work: the cost of an event does not depend on the size of the graph.
"""

from heapq import heapify, heappop, heappush
from time import perf_counter_ns

from setpoint.engine.runners import FREE
from setpoint.engine.standing import Standing
from setpoint.engine.states import CLEAN, DIRTY, FAILED, RERUN, RUN

SLICE = 2_000_000  # nanoseconds on the loop before others have their turn
SPRINT = range(32)


class Scheduler(Standing):
    """Runs dirty vertices in order."""

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

    # -- running

    def kick(self) -> None:
        """Have `drain` called soon."""
        if not self._scheduled and not self.stopped:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.drain()

    def drain(self) -> None:
        """Run what is ready, for at most one slice."""
        if self.stopped:
            return
        deadline = perf_counter_ns() + SLICE
        while self.ready or self.heap:
            if self.bad or self._recovering or self.excused or self.runners:
                if not self._step():
                    break
            else:
                self._sprint()
            if perf_counter_ns() > deadline:
                self.kick()
                break
        self.handed_over()
        if self.leaving:
            self.look_at_leaving()
        elif not self.active:
            self.idle()

    def _sprint(self) -> None:
        """Run up to 32 vertices, with nothing running and nothing bad.

        This is `_step` with all its calls written out: half a microsecond for each vertex.
        """
        t = self.vertices
        resource, check, state, mode = t.resource, t.check, t.state, t.mode
        pending, waiting, succ = t.pending, t.waiting, t.succ
        ready, heap, runners = self.ready, self.heap, self.runners
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
                if runners:
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
            if self.runners and self.vertices.state[v] == DIRTY and self._must_wait(v):
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

    def _start(self, v: int) -> None:
        self.vertices.state[v] = RUN
        self.hand_out(v)
        self.hand_over(v)

    def hand_out(self, v: int) -> None:
        """Count `v` as running until it is settled or failed: it does not end within the drain."""
        self.flying.add(v)
        self.runners.add(v)

    def unstart(self, v: int) -> None:
        """Take back that `v` was handed over: nobody has begun with it, and nobody will."""
        self.flying.discard(v)
        self.runners.discard(v)
        self.vertices.state[v] = DIRTY

    def _pick(self) -> int:
        """Take the first vertex from the heap that may run beside what runs; FREE if none may."""
        heap, state = self.heap, self.vertices.state
        while heap:
            v = heappop(heap)[1]
            if state[v] == DIRTY and not (self.runners and self._must_wait(v)):
                return v
        return FREE

    def _must_wait(self, v: int) -> bool:
        """Put dirty `v` aside if something that it requires, however far above, is not settled."""
        if not self.runners.put_aside(v):
            return False
        self.put_aside(v)
        return True

    def close(self) -> None:
        """Start nothing any more."""
        self.stopped = True
        self.runners.close()
