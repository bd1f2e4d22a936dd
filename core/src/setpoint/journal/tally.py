"""How resources fared, gathered until it is worth a write."""

import threading
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from setpoint.clock import Clock
from setpoint.journal.database import as_bytes
from setpoint.journal.writer import Write

KEEP_OUTCOME = """
INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, detail = excluded.detail, at = excluded.at,
    repairs = repairs + excluded.repairs, graph = excluded.graph
"""


class Outcome(NamedTuple):
    """How one resource fared last.

    state: "changed", "failed", "blocked", or "settled" if it was in trouble and no longer is.
    detail: why, for people; may be empty.
    at: wall time of it, seconds since 1970.
    repairs: how often it has been changed since the journal knows it.
    """

    state: str
    detail: str
    at: float
    repairs: int


class Tally:
    """The latest outcome of each resource and the summary of the run, as far as not yet written.

    A resource that is found in its state is worth a row only if it was in trouble before: a pass
    over a hundred thousand settled resources writes nothing.

    Args:
        troubled: the ids whose last outcome is neither "changed" nor "settled".
        clock: tells the wall time.

    graph: the scope of the graph that runs.

    """

    def __init__(self, troubled: set[str], clock: Clock) -> None:
        self.graph = ""
        self._troubled = troubled
        self._clock = clock
        self._waiting: dict[str, Outcome] = {}
        self._summary: str | None = None
        self._guard = threading.Lock()

    def add(self, resource: str, state: str, detail: str) -> bool:
        """Note the outcome of `resource`; return whether it is the first thing that waits."""
        if state == "settled" and resource not in self._troubled:
            return False
        with self._guard:
            is_first = not self
            before = self._waiting.get(resource)
            repairs = (before.repairs if before else 0) + (state == "changed")
            self._waiting[resource] = Outcome(state, detail, self._clock.wall(), repairs)
            if state in ("settled", "changed"):
                self._troubled.discard(resource)
            else:
                self._troubled.add(resource)
            return is_first

    def troubled(self) -> list[str]:
        """Return the ids whose last outcome is trouble."""
        with self._guard:
            return list(self._troubled)

    def summarize(self, values: Mapping[str, Any]) -> bool:
        """Note the summary of the run; return whether it is the first thing that waits."""
        import json  # 2 ms, after the first checks

        text = json.dumps(dict(values))
        with self._guard:
            is_first = not self
            self._summary = text
            return is_first

    def forget(self, ids: Iterable[str]) -> None:
        """Drop what waits about `ids`."""
        with self._guard:
            for resource in ids:
                self._waiting.pop(resource, None)
                self._troubled.discard(resource)

    def take(self, most: int | None) -> list[Write]:
        """Take `most` outcomes, or all, and the summary; return what writes them."""
        with self._guard:
            taken = {key: self._waiting.pop(key) for key in list(islice(self._waiting, most))}
            summary, self._summary = self._summary, None
        writes = []
        if taken:
            rows = [_row(resource, outcome, self.graph) for resource, outcome in taken.items()]
            writes.append(Write("outcome", ((KEEP_OUTCOME, rows),)))
        if summary is not None:
            writes.append(Write("summary", (("UPDATE run SET summary = ?", [(summary,)]),)))
        return writes

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting) or self._summary is not None


def _row(
    resource: str, outcome: Outcome, graph: str
) -> tuple[bytes, str, bytes, float, int, bytes]:
    state, detail, at, repairs = outcome
    return as_bytes(resource), state, as_bytes(detail), at, repairs, as_bytes(graph)
