"""Why vertices are dirty.

Whoever makes a vertex dirty notes the cause first; what comes of the run that follows takes it up (`tracing`). A run
that finds all as declared leaves its cause behind, which is forgotten with the next one, or when nothing is left to do.

Why can be:

    first, event           looked at for the first time; its watch reported something
    notified, received     by another one; a value of another one
    before                 it was notified before this run began
    required               something that it requires changed, and its kind looks again then
    declared, peers        its declaration is different; that of others, which it looks at, is
    left                   it puts back another one, which left the graph
    retry, freed           it failed before; what blocked it has recovered
    poll, asked, watch     it was time; a person or a program asked; its watch began anew
"""

import msgspec

from setpoint.clock import Clock
from setpoint.engine.scheduler import Scheduler
from setpoint.engine.states import CLEAN, DIRTY, RERUN, WAIT
from setpoint.reversals import Reversal, undoing


class Cause(msgspec.Struct, frozen=True, gc=False):
    """What made a vertex dirty.

    at: wall time of that, seconds since 1970; 0 if nobody noted it.
    number: the entry of the trace that it follows from; 0 if there is none.
    by: the id of another resource that brought it about.
    text: what else there is to say.
    """

    why: str
    at: float = 0.0
    number: int = 0
    by: str = ""
    text: str = ""


UNKNOWN = Cause("")
FIRST = Cause("first")


class Causes:
    """The causes of what is dirty or runs.

    Args:
        scheduler: of the engine; knows what runs.
        clock: gives the wall time.
        are_kept: whether anybody wants to know.

    """

    def __init__(self, scheduler: Scheduler, clock: Clock, are_kept: bool) -> None:
        self._scheduler, self._vertices = scheduler, scheduler.vertices
        self._state, self._wall, self._are_kept = self._vertices.state, clock.wall, are_kept
        self._noted: dict[int, Cause] = {}
        self._running: dict[int, Cause] = {}
        self._began: dict[int, float] = {}  # wall time when that run began
        self._all = UNKNOWN  # of those that have none of their own

    def noticed(self, v: int) -> None:
        """Note that the watch of `v` reports something."""
        if self._are_kept and (self._state[v] == CLEAN or self._is_first(v)):
            self._noted[v] = Cause("event", self._wall())

    def note(self, v: int, why: str, number: int = 0, by: str = "", text: str = "") -> None:
        """Note why `v` is about to be made dirty; nothing if it is dirty, and known why."""
        if self._are_kept and self._is_first(v):
            self._noted[v] = Cause(why, self._wall(), number, by, text)

    def note_all(self, why: str) -> None:
        """Note why all vertices are about to be made dirty."""
        self._all = Cause(why, self._wall())

    def declare(self, v: int, number: int, text: str) -> None:
        """Note that the declaration of `v` is different, which comes before any other cause."""
        self._noted[v] = Cause("declared", self._wall(), number, text=text)

    def left(self, id_: str, number: int) -> None:
        """Note for what puts back `id_`, if anything does, that it left the graph, as entry `number` says."""
        v = self._vertices.index.get(undoing(id_))
        if v is not None:
            self._noted[v] = Cause("left", self._wall(), number, id_)

    def begin(self, v: int) -> None:
        """Note that `v` runs: what makes it dirty from now on is for the run after this one."""
        if self._are_kept:
            self._running[v], self._began[v] = self._take(v), self._wall()

    def of(self, v: int) -> Cause:
        """Return why `v` runs, or ran within the drain just now."""
        if v in self._scheduler.flying:
            return self._running.get(v, UNKNOWN)
        return self._take(v)

    def next(self, v: int) -> Cause:
        """Return why `v` is to run."""
        return self._noted.get(v, UNKNOWN)

    def began(self, v: int) -> float:
        """Return the wall time when the run of `v` began."""
        return self._began.get(v, 0.0)

    def now(self) -> float:
        """Return the wall time, seconds since 1970."""
        return self._wall()

    def rest(self) -> None:
        """Note that nothing is dirty any more, nor runs."""
        for known in (self._noted, self._running, self._began):
            known.clear()
        self._all = UNKNOWN

    def forget(self, v: int) -> None:
        """Forget `v`, which left the graph."""
        for known in (self._noted, self._running, self._began):
            known.pop(v, None)

    def _is_first(self, v: int) -> bool:
        """Whether `v` is not to run for another cause already."""
        state = self._state[v]
        if v in self._noted:
            return state not in (DIRTY, WAIT, RERUN)
        return not (state == DIRTY and self._vertices.pending[v])

    def _take(self, v: int) -> Cause:
        found = self._noted.pop(v, None)
        if found is None:
            return self._first(v) if self._vertices.pending[v] else self._all
        return found

    def _first(self, v: int) -> Cause:
        resource = self._vertices.resource[v]
        return Cause("left", by=resource.name) if isinstance(resource, Reversal) else FIRST
