"""What happened to resources and why, entry by entry: what `setpoint explain` reads.

An entry names the one that it follows from, so that a chain can be followed from resource to resource. Nothing depends
on the trace but what people read: entries are written with other things or a while later, and given up if they cannot
be written. What a resource was changed in when it was first looked at is worth one line of many in an entry for all:
otherwise a graph that is applied to a new machine would write as many rows as it has resources.

It is bounded: about `EACH` entries of one resource, `ALL` in all, and `BYTES` of them; the oldest go.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import msgspec

from setpoint.journal.database import as_bytes
from setpoint.journal.statements import HALVE, KEEP_ENTRY, PRUNE, SHORTEN
from setpoint.journal.status import reading
from setpoint.journal.writer import Write

EACH, ALL, BYTES = 64, 10_000, 4 << 20  # what is kept: of one resource, of all, and of all in bytes
PRUNED = 1000  # entries from one look at that to the next: so many may be there beyond
SHORTENED = 16  # the same, for one resource
WAITING = 10_000  # entries, and first changes, that may wait to be written; of more the newest
FIRST_VERSION = 3  # of the journal that has a trace
CROWD = 500  # first changes in one entry
FIRSTS = "first"  # the id of such entries, which no resource has: theirs is two words

Difference = tuple[str, str | None, str | None]


class First(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a resource was changed in when it was first looked at.

    number, at: as an entry has them.
    text: which attributes differed.
    applied: whether that was set right.
    """

    number: int
    id: str
    at: float
    text: str
    applied: bool


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that happened. All texts are short, and have no secrets.

    number: larger than that of all entries before.
    id: the resource; empty if it is about the run.
    at: wall time of it, seconds since 1970.
    what: "changed", "failed" and so on, see `engine.causes`.
    cause: the number of the entry that it follows from; 0 if there is none.
    why: what brought it about: "event", "notified" and so on.
    since: wall time when that came up; 0 if nobody noted it.
    text: why it failed, what differed; whatever there is to say.
    reason: what there is to say about `why`.
    changes: attribute, before and after; None is nothing, of what is long its length is told.
    seconds: how long it took; of a failure, in how many it is tried again; negative: unknown, or not at all.
    by: ids of others: those who notified it, what blocks it and the root of that.
    more: how many others there are beyond those in `by`.
    firsts: changes when resources were first looked at, of many in one.
    """

    number: int
    id: str
    at: float
    what: str
    cause: int = 0
    why: str = ""
    since: float = 0.0
    text: str = ""
    reason: str = ""
    changes: tuple[Difference, ...] = ()
    seconds: float = -1.0
    by: tuple[str, ...] = ()
    more: int = 0
    firsts: tuple[First, ...] = ()


class Trace:
    """The entries that wait to be written. They come from one thread; another one takes them."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._wake: Callable[[], None] = lambda: None
        self._is_told = self._has_former = False
        self._last = 0  # number of the entry that was taken last
        self._counts: dict[bytes, int] = {}  # entries of each resource, as far as taken
        self._waiting: deque[Entry] = deque(maxlen=WAITING)
        self._firsts: deque[First] = deque(maxlen=WAITING)

    def begin(self, number: int, wake: Callable[[], None]) -> None:
        """Count from `number` on, and call `wake` when there is something after there was nothing."""
        self._numbers, self._last, self._wake = count(number), number - 1, wake
        self._has_former = number > 1

    def number(self) -> int:
        """Return the number of the next entry."""
        return next(self._numbers)

    def add(self, entry: Entry) -> None:
        """Keep `entry`."""
        self._waiting.append(entry)
        self._tell()

    def add_first(self, first: First) -> None:
        """Keep `first`."""
        self._firsts.append(first)
        self._tell()

    def take(self, most: int | None) -> list[Write]:
        """Take `most` entries, or all; return what writes them."""
        self._is_told = False
        entries = [*map(_crowd, self._take_firsts()), *_take(self._waiting, most)]
        if not entries:
            return []
        rows = [(entry.number, as_bytes(entry.id), encoded(entry)) for entry in entries]
        many = [(id_, id_, EACH) for id_ in self._with_many(row[1] for row in rows)]
        statements: list[tuple[str, list[tuple[Any, ...]]]] = [(KEEP_ENTRY, rows), (SHORTEN, many)]
        before, self._last = self._last, max(row[0] for row in rows)
        if before // PRUNED != self._last // PRUNED:
            statements += [(PRUNE, [(ALL,)]), (HALVE, [(BYTES,)])]
        return [Write("trace", statements)]

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting or self._firsts)

    def _tell(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._wake()

    def _with_many(self, ids: Iterable[bytes]) -> set[bytes]:
        """Count an entry for each of `ids`; return those that may have too many."""
        if len(self._counts) > ALL:  # of most nothing is left
            self._counts.clear()
            self._has_former = True
        counts, unknown = self._counts, EACH + SHORTENED if self._has_former else 0
        many = set()
        for id_ in ids:
            counts[id_] = counts.get(id_, unknown) + 1
            if counts[id_] > EACH + SHORTENED:
                many.add(id_)
        counts.update(dict.fromkeys(many, EACH))
        return many

    def _take_firsts(self) -> list[list[First]]:
        """Return the first changes that wait, as many together as fit into one entry."""
        found = []
        while firsts := _take(self._firsts, CROWD):
            found.append(firsts)
        return found


def _take(waiting: "deque[Any]", most: int | None) -> list[Any]:
    wanted = len(waiting) if most is None else min(most, len(waiting))
    return [waiting.popleft() for _ in range(wanted)]


def _crowd(firsts: list[First]) -> Entry:
    last = firsts[-1]
    return Entry(number=last.number, id=FIRSTS, at=last.at, what="first", firsts=tuple(firsts))


def encoded(entry: Entry) -> bytes:
    """Return `entry` as JSON, whatever is in its texts."""
    try:
        return msgspec.json.encode(entry)
    except UnicodeEncodeError:  # a name that is not valid UTF-8
        import json

        return json.dumps(msgspec.to_builtins(entry)).encode()


def decoded(text: bytes) -> Entry:
    """Return the entry that `encoded` made `text` of.

    Raises:
        ValueError: it is not one.

    """
    try:
        return msgspec.json.decode(text, type=Entry)
    except msgspec.DecodeError:
        import json

        return msgspec.convert(json.loads(text), Entry)


def read_trace(directory: str | os.PathLike[str]) -> list[Entry]:
    """Return what is kept in the journal in `directory`, the oldest first; first changes as entries of their own.

    Raises:
        JournalError: there is none, it is damaged, or we may not read it.

    """
    with reading(directory) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version < FIRST_VERSION:
            return []
        rows = database.execute("SELECT entry FROM trace ORDER BY number").fetchall()
        found = [decoded(entry) for (entry,) in rows]
    told = [entry for entry in found if not entry.firsts]
    told += [_alone(first) for entry in found for first in entry.firsts]
    return sorted(told, key=lambda entry: entry.number)


def _alone(first: First) -> Entry:
    what = "changed" if first.applied else "differs"
    return Entry(
        number=first.number, id=first.id, at=first.at, what=what, why="first", text=first.text
    )
