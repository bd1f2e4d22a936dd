"""How a resource stands, as the journal knows it: its last outcome, what it owes, what blocks it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from setpoint.cli.chains import awaited, day, when
from setpoint.cli.words import times

if TYPE_CHECKING:
    from setpoint.journal import Entry, Status

COUNTED = {"changed": "changed", "refreshed": "refreshed", "failed": "failed"}
UNFINISHED = {"lasts": "running", "waits": "waiting"}


def standing(id_: str, entries: "Sequence[Entry]", status: "Status") -> list[str]:
    """Return how the resource `id_` stands, in lines.

    Args:
        id_: kind and name.
        entries: those about it, the oldest first.
        status: what else the journal knows.

    """
    counted = Counter(COUNTED[entry.what] for entry in entries if entry.what in COUNTED)
    often = "".join(f", {what} {times(n)}" for what, n in counted.items())
    return [f"{id_}: {_state(id_, entries, status)}{often}", *_open(id_, entries, status)]


def _state(id_: str, entries: "Sequence[Entry]", status: "Status") -> str:
    if id_ in status.held:
        then = "waits for" if status.running else "when the run ended it waited for"
        return f"{then} facts that are not known, or for something that does"
    last = entries[-1] if entries else None
    outcome = status.outcomes.get(id_)
    if last is not None and last.what == "left":
        return f"not in the graph since {_moment(last.at)}"
    if outcome is not None and outcome.state in ("failed", "blocked"):
        return f"{outcome.state} since {_moment(outcome.at)}"
    if last is not None and last.what in UNFINISHED:
        then = "" if status.running else " when the run ended"
        return f"{UNFINISHED[last.what]}{then}, since {_moment(last.since or last.at)}"
    if last is not None and last.what == "retrying":
        return f"waits to be tried again since {_moment(last.at)}"
    if last is not None and last.what == "differs":
        return f"not as declared since {_moment(last.at)}, and left so (noop)"
    at = max(last.at if last else 0.0, outcome.at if outcome else 0.0)
    if not at and any(debt.then == id_ for debt in status.debts):
        return "not settled"
    return f"settled since {_moment(at)}" if at else "settled"


def _open(id_: str, entries: "Sequence[Entry]", status: "Status") -> Iterator[str]:
    """Yield what is not finished: what blocks it, its change, its refresh."""
    seen: set[str] = set()
    at = id_
    while (outcome := status.outcomes.get(at)) is not None and at not in seen:
        seen.add(at)
        if outcome.state == "failed":
            yield f"  {at} failed: {outcome.detail}"
        if outcome.state != "blocked":
            break
        yield f"  {at} is blocked {outcome.detail}"
        at = _blocker(outcome.detail, status)
    if id_ in status.held:
        yield "  `setpoint plan` names those facts"
    if entries and entries[-1].what == "waits":
        yield f"  waits {awaited(entries[-1])}"
    if id_ in status.intents:
        yield "  its change has begun and not ended"
    for debt, since in status.debts.items():
        if debt.then == id_:
            yield f"  owes a refresh because of {debt.first} since {_moment(since)}"


def _blocker(detail: str, status: "Status") -> str:
    """Return the id in "by ID: why"."""
    named = detail.removeprefix("by ")
    return max(
        (id_ for id_ in status.outcomes if named.startswith(f"{id_}: ")), key=len, default=""
    )


def _moment(at: float) -> str:
    return f"{day(at)} {when(at)[:8]}"
