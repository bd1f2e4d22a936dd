"""What is above what: which running vertex a dirty one would have to wait for.

A dirty vertex may run beside others if none of its ancestors runs or waits. The search for one goes up only as far as
running vertices can be, and is cut off at 64 visited vertices; then the vertex is put aside until something finishes.
When something has been running for long, its descendants are gathered once instead, so that an hour-long command in a
dense graph holds back only what depends on it.
"""

import asyncio
from collections.abc import Callable, Iterable

from setpoint.engine.vertices import Vertices

SEARCHED = 64  # vertices visited in one search for a running ancestor
LONG = 0.05  # seconds after which what runs gets its descendants gathered

FREE, CUT_OFF = -1, -2


class Runners:
    """The vertices that others may have to wait for, and those that wait for them.

    Args:
        vertices: the graph.
        loop: runs `again`.
        again: takes vertices that were put aside and are to be tried again.

    """

    def __init__(
        self,
        vertices: Vertices,
        loop: asyncio.AbstractEventLoop,
        again: Callable[[list[int]], None],
    ) -> None:
        self._vertices, self._loop, self._again = vertices, loop, again
        self._ranks: dict[int, int] = {}
        self._low = 0  # no runner has a lower rank
        self._waiters: dict[int, list[int]] = {}  # runner to those that found it an ancestor
        self._deferred: list[int] = []
        self._shadows: dict[int, set[int]] = {}  # long-running vertex to its descendants
        self._gathering: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._ranks)

    def __contains__(self, v: int) -> bool:
        return v in self._ranks

    def add(self, v: int) -> None:
        """Let nothing run that is below `v`; what has not passed yet waits for `v` anyhow."""
        t = self._vertices
        if t.pending[v] and 0 not in map(t.pending.__getitem__, t.succ[v]):
            return
        rank = self._ranks[v] = t.rank[v]
        self._low = min(self._low, rank)

    def discard(self, v: int) -> None:
        """Let what is below `v` run."""
        if self._ranks.pop(v, None) is not None and not self._ranks:
            self._low = len(self._vertices.rank)
        self._shadows.pop(v, None)

    def finished(self, v: int) -> list[int]:
        """Let what is below `v` run, and return what was put aside and may be tried again."""
        self.discard(v)
        again = self._waiters.pop(v, [])
        if self._deferred:
            again += self._deferred
            self._deferred = []
        return again

    def put_aside(self, v: int) -> bool:
        """Put `v` aside if something that it requires, however far above, runs or waits."""
        by = self._above(v)
        if by == FREE:
            return False
        if by == CUT_OFF:
            self._deferred.append(v)
            self._gather_later()
        else:
            self._waiters.setdefault(by, []).append(v)
        return True

    def reorder(self, flying: Iterable[int]) -> None:
        """Begin again with the edges as they are now, and with `flying`, which may be above others now.

        Whoever was put aside is tried again by the caller.
        """
        self._ranks = {v: self._vertices.rank[v] for v in (*self._ranks, *flying)}
        self._low = 0
        self._shadows.clear()
        self._deferred.clear()
        self._waiters.clear()

    def close(self) -> None:
        """Try nothing again."""
        if self._gathering is not None:
            self._gathering.cancel()

    def _above(self, v: int) -> int:
        """Return a runner that is an ancestor of `v`; FREE if there is none, CUT_OFF if unknown."""
        t, ranks, low = self._vertices, self._ranks, self._low
        for w, shadow in self._shadows.items():
            if v in shadow:
                return w
        if len(self._shadows) == len(ranks):
            return FREE
        if len(ranks) <= SEARCHED:
            low = min(rank for w, rank in ranks.items() if w not in self._shadows)
        seen: set[int] = set()
        stack = [v]
        while stack:
            for p in t.pred[stack.pop()]:
                if t.rank[p] < low or p in seen:
                    continue
                if p in ranks:
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
        for w in self._ranks:
            if w not in self._shadows:
                self._shadows[w] = self._descendants(w)
        again, self._deferred = self._deferred, []
        self._again(again)

    def _descendants(self, v: int) -> set[int]:
        succ, found, stack = self._vertices.succ, set[int](), [v]
        while stack:
            for s in succ[stack.pop()]:
                if s not in found:
                    found.add(s)
                    stack.append(s)
        return found
