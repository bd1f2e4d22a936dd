"""Runs that take long, what waits for them, and for its time: so that one can be told what a resource waits for."""

from collections import deque

from setpoint.engine.brakes import Semaphores
from setpoint.engine.causes import Causes
from setpoint.engine.scheduler import Scheduler
from setpoint.engine.states import DIRTY
from setpoint.engine.tracing import ALIKE, Tracing

LONG = 1.0  # seconds after which a run is worth to be told


class Lasting:
    """Knows which runs were told of, and tells when they are over.

    Args:
        scheduler: knows what runs.
        causes: know since when.
        tracing: takes it.
        semaphores: know who waits for whom without requiring it.

    """

    def __init__(
        self, scheduler: Scheduler, causes: Causes, tracing: Tracing, semaphores: Semaphores
    ) -> None:
        self._scheduler, self._causes, self._tracing = scheduler, causes, tracing
        self._semaphores = semaphores
        self._told: dict[int, tuple[float, int]] = {}  # vertex to when it began, and the entry

    def look(self) -> None:
        """Tell of runs that have taken long by now, and of those that are over; to be called every second or so."""
        began = {v: self._causes.began(v) for v in self._scheduler.flying}
        for v, (at, _) in list(self._told.items()):
            if began.get(v) != at:
                self._end(v)
        for v, at in began.items():
            if v not in self._told and self._causes.now() - at >= LONG:
                self._told[v] = at, self._tracing.lasts(v, at)
                for s in self._waiting(v):
                    self._tracing.waits(s, self._told[v][1], by=[v])

    def limited(self, v: int, pause: float) -> None:
        """Tell that `v` is to wait for `pause` seconds because of its meta.limit, if that is long."""
        if pause >= LONG:
            self._tracing.waits(v, self._causes.next(v).number, seconds=pause)

    def rest(self) -> None:
        """Note that nothing is left to do, nor runs."""
        for v in list(self._told):
            self._end(v)
        self._tracing.rest()

    def forget(self, v: int) -> None:
        """Forget `v`, which left the graph."""
        if v in self._told:
            self._end(v)

    def _end(self, v: int) -> None:
        began, number = self._told.pop(v)
        self._tracing.lasted(v, number, self._causes.now() - began)

    def _waiting(self, v: int) -> list[int]:
        """Return those below `v` that are to run, the nearest first, then those that wait for its semaphores."""
        t, found, seen, queue = self._scheduler.vertices, list[int](), {v}, deque([v])
        while queue and len(found) < ALIKE:
            for s in t.succ[queue.popleft()]:
                if s not in seen and t.state[s] == DIRTY:
                    seen.add(s)
                    queue.append(s)
                    found.append(s)
        return [*found, *self._semaphores.waiting(t.resource[v].meta.sema)][:ALIKE]
