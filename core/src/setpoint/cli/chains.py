"""Chains of causes: which entries of the trace belong together, and what each says."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from setpoint.journal import Entry

CONSEQUENCES = 8  # of one entry that are shown; of more, how many
SHOWN_WAIT = 0.1  # seconds between cause and run from which on they are told


class Chain(NamedTuple):
    """Entries that belong together, the oldest first.

    left_out: how many there are besides, that follow from one of these and are like those that are here.
    """

    entries: list[Entry]
    left_out: int


class Chains:
    """The chains of a trace.

    Args:
        entries: all of it, the oldest first.

    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = {entry.number: entry for entry in entries}
        self._following: defaultdict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            if self._cause(entry) is not None:
                self._following[entry.cause].append(entry)

    def of(self, id_: str) -> list[Chain]:
        """Return the chains that the resource `id_` is in: what led to its entries, and what followed from them."""
        own = [entry for entry in self._entries.values() if entry.id == id_]
        return self._chains([self._with_causes(entry) for entry in own], id_)

    def all(self) -> list[Chain]:
        """Return all chains, those about runs and graphs too."""
        first = [entry for entry in self._entries.values() if self._cause(entry) is None]
        return self._chains([[entry] for entry in first])

    def depth(self, entry: Entry) -> int:
        """Return how many entries led to `entry`."""
        return len(self._with_causes(entry)) - 1

    def _cause(self, entry: Entry) -> Entry | None:
        """Return what `entry` follows from, if that is kept; a graph has too many consequences to be one."""
        cause = self._entries.get(entry.cause)
        return cause if cause is not None and cause.id else None

    def _with_causes(self, entry: Entry) -> list[Entry]:
        """Return what led to `entry`, from the first cause on, and `entry`."""
        found, cause = [entry], self._cause(entry)
        while cause is not None:
            found.append(cause)
            cause = self._cause(cause)
        return found[::-1]

    def _chains(self, parts: Iterable[list[Entry]], id_: str = "") -> list[Chain]:
        """Return the chains that begin with the first entry of each of `parts`; with the others of `id_` in full."""
        joined: defaultdict[int, dict[int, Entry]] = defaultdict(dict)
        left_out: defaultdict[int, set[int]] = defaultdict(set)
        for part in parts:
            chain = joined[part[0].number]
            chain.update((entry.number, entry) for entry in part)
            for entry in self._consequences(part[-1], id_, left_out[part[0].number]):
                chain[entry.number] = entry
        return [
            Chain([chain[number] for number in sorted(chain)], len(left_out[first] - chain.keys()))
            for first, chain in sorted(joined.items())
        ]

    def _consequences(self, entry: Entry, id_: str, left_out: set[int]) -> Iterator[Entry]:
        stack = [entry]
        while stack:
            found = self._following[stack.pop().number]
            shown = [e for place, e in enumerate(found) if place < CONSEQUENCES or e.id == id_]
            left_out.update(e.number for e in found if e not in shown)
            stack += shown
            yield from shown


def said(entry: Entry) -> str:
    """Return what `entry` says, in one sentence."""
    return SAYINGS[entry.what](entry)


def when(at: float) -> str:
    """Return the time of the day `at`, to the millisecond."""
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03}"


def day(at: float) -> str:
    """Return the date of `at`."""
    return time.strftime("%Y-%m-%d", time.localtime(at))


def length(seconds: float) -> str:
    """Return how long `seconds` are: "23 ms", "1.5 s"."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def names(entry: Entry) -> str:
    """Return the others that `entry` names."""
    more = f" and {entry.more:,} more" if entry.more else ""
    return f"{', '.join(entry.by)}{more}"


def awaited(entry: Entry) -> str:
    """Return what `entry` says that it waits for."""
    return f"for {names(entry)}" if entry.by else f"{length(entry.seconds)} for its meta.limit"


def _why(entry: Entry) -> str:
    """Return what brought `entry` about, to stand behind what happened."""
    by, reason = names(entry), entry.reason
    why = {
        "first": " when it was first looked at",
        "event": " because something changed it",
        "notified": f" because {by} changed",
        "received": f" because {by} sends another {reason}",
        "required": f" because {by} changed, which it requires",
        "declared": f" because {reason or 'its declaration is different'}",
        "left": f" because {by} left the graph",
        "peers": " because others, which it looks at, are declared otherwise",
        "retry": " when it was tried again",
        "freed": f" because {by} is as declared again",
        "poll": " when it was looked at as often as its meta.poll says",
        "asked": " when somebody asked to look at it",
        "watch": " when its watch had begun anew",
    }.get(entry.why, "")
    waited = entry.at - entry.since - max(entry.seconds, 0.0) if entry.since else 0.0
    is_worth = why and waited > SHOWN_WAIT and entry.what != "lasts"
    return f"{why}, {length(waited)} before" if is_worth else why


def _differences(entry: Entry) -> str:
    told = [
        f"{attribute} {'(nothing)' if before is None else before or repr('')}"
        f" -> {'(nothing)' if after is None else after or repr('')}"
        for attribute, before, after in entry.changes
    ]
    more = [f"{entry.more:,} more"] if entry.more else []
    return ", ".join([*told, *more, *([entry.text] if entry.text else [])])


def _took(entry: Entry) -> str:
    return f" ({length(entry.seconds)})" if entry.seconds >= 0 else ""


def _blocked(entry: Entry) -> str:
    root = f", at the root of it {entry.by[1]}" if len(entry.by) > 1 else ""
    why = "" if entry.text in ("failed", "blocked") else f": {entry.text}"
    return f"{entry.id} blocked by {entry.by[0]}{root}{why}"


def _left(entry: Entry) -> str:
    return f"{entry.id} left the graph{f' because {entry.reason}' if entry.reason else ''}"


def _refreshed(entry: Entry) -> str:
    before = ", owed since before this run" if entry.why == "before" else ""
    return f"{entry.id} refreshed, for {names(entry)}{before}{_took(entry)}"


SAYINGS: dict[str, Callable[[Entry], str]] = {
    "changed": lambda e: f"{e.id} changed{_why(e)}: {_differences(e)}{_took(e)}",
    "differs": lambda e: f"{e.id} differs{_why(e)}, and is left as it is: {_differences(e)}",
    "failed": lambda e: f"{e.id} failed{_why(e)}: {e.text}",
    "retrying": lambda e: f"{e.id} failed{_why(e)}: {e.text}; tried again in {length(e.seconds)}",
    "blocked": _blocked,
    "recovered": lambda e: f"{e.id} is as declared again",
    "owed": lambda e: f"{e.id} owes a refresh because of {names(e)}",
    "held": lambda e: f"{e.id} is not refreshed before {names(e)} is as declared (hold)",
    "dropped": lambda e: f"{e.id} is not refreshed, because {names(e)} failed (drop)",
    "refreshed": _refreshed,
    "passed": lambda e: f"{e.id} does not refresh itself, and passes on that {names(e)} changed",
    "sent": lambda e: f"{e.id} sends another {e.text}{_why(e)}",
    "interrupted": lambda e: f"{e.id} had begun to change and not ended, which counts as a change",
    "lasts": lambda e: f"{e.id} runs since {when(e.since)}{_why(e)}",
    "waits": lambda e: f"{e.id} waits {awaited(e)}",
    "lasted": lambda e: f"{e.id} has run for {length(e.seconds)}",
    "fighting": lambda e: (
        f"{e.id} left alone for {length(e.seconds)}: something else changes it back again and again"
    ),
    "unwatched": lambda e: f"{e.id}: its watch failed, {e.text}; begun anew in {length(e.seconds)}",
    "left": _left,
    "began": lambda e: f"a run{f' of {e.text}' if e.text else ''} began",
    "ended": lambda e: "the run ended",
    "died": lambda e: "the run before did not end by itself; what it did last may be missing",
    "swapped": lambda e: f"another graph took the place of the one that ran: {e.text}",
}
