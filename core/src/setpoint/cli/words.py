"""What is said about events, differences and results: pure functions from data to text."""

from functools import singledispatch
from typing import Any, NamedTuple

from setpoint.engine import Result
from setpoint.engine.events import (
    Blocked,
    Changed,
    Converged,
    Event,
    Failed,
    Fighting,
    Progress,
    Recovered,
    Refreshed,
    Unwatched,
    Warned,
)
from setpoint.values import HIDDEN, Change, as_text

LONGEST = 60  # characters of a value that are shown within a line
PRINTED = "stdout"  # the attribute that is what a resource has printed itself
COLORS = {"error": "red", "blocked": "magenta", "warning": "yellow"}


class Line(NamedTuple):
    """One line. `label` is one of `COLORS` for what is not well, else empty."""

    text: str
    label: str = ""


@singledispatch
def line(event: Event) -> Line:
    """Return what is said when `event` happens."""
    return Line(f"{event.id}: {type(event).__name__.lower()}")


@line.register
def _(event: Changed) -> Line:
    noop = "" if event.applied else " (noop)"
    news = (c for c in event.changes if c.attribute != PRINTED or not event.applied)
    return Line(f"{event.id}{noop}: {', '.join(map(sentence, news))}")


@line.register
def _(event: Refreshed) -> Line:
    return Line(f"{event.id}: refreshed because of {', '.join(event.by)}")


@line.register
def _(event: Failed) -> Line:
    again = f"; tried again in {event.retry_in:g} s" if event.retry_in >= 0 else ""
    return Line(f"{event.id}: {event.error}{again}", "error")


@line.register
def _(event: Blocked) -> Line:
    why = "" if event.why in ("failed", "blocked") else f": {event.why}"
    return Line(f"{event.id} by {event.by}{why}", "blocked")


@line.register
def _(event: Recovered) -> Line:
    return Line(f"{event.id}: as declared again")


@line.register
def _(event: Fighting) -> Line:
    what = f"repaired {event.repairs} times in a short while, something else changes it back"
    return Line(f"{event.id}: {what}; left alone for {event.pause:g} s", "warning")


@line.register
def _(event: Unwatched) -> Line:
    again = f"begun anew in {event.retry_in:g} s"
    return Line(f"{event.id}: its watch failed, {event.error}; {again}", "warning")


@line.register
def _(event: Progress) -> Line:
    return Line(f"{event.id}: {event.text}")


@line.register
def _(event: Warned) -> Line:
    return Line(f"{event.id}: {event.text}" if event.id else event.text, "warning")


@line.register
def _(event: Converged) -> Line:
    wrong = counts(failed=event.failed, blocked=event.blocked, waiting_for_facts=event.waiting)
    return Line(f"converged: {resources(event.resources)}, {wrong or 'nothing left to do'}")


class Tally(NamedTuple):
    """How many runs of resources changed something, would have without noop, and refreshed."""

    changed: int = 0
    to_change: int = 0
    refreshed: int = 0


def summary(result: Result, done: Tally, seconds: float) -> str:
    """Return the last line of a run that took `seconds`."""
    what = counts(changed=done.changed, to_change=done.to_change, refreshed=done.refreshed)
    wrong = counts(
        failed=len(result.failed),
        blocked=len(result.blocked),
        unfinished=result.unfinished,
        waiting_for_facts=result.waiting,
    )
    well = "left as it is (noop)" if done.to_change else "all as declared"
    parts = f"{resources(result.resources)}{', ' if what else ''}{what}"
    return f"{parts} in {seconds:.2f} s: {wrong or well}"


def resources(number: int) -> str:
    """Return "1 resource" or "5,000 resources"."""
    return f"{number:,} resource{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """Return how often that is: "once", "twice", "1,000 times"."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def counts(**numbers: int) -> str:
    """Return those that are not 0: "2 failed, 1,024 blocked"."""
    named = ((word.replace("_", " "), number) for word, number in numbers.items())
    return ", ".join(f"{number:,} {word}" for word, number in named if number)


def sentence(change: Change) -> str:
    """Return `change` in a few words: "mode 0600 -> 0644", "content changed"."""
    before, after = shown(change.before), shown(change.after)
    if change.before is None and after is None and _is_line(change.after):
        after = f"{change.after[:LONGEST]} ..."
    if HIDDEN in (before, after) or None in (before, after):
        return f"{change.attribute} {_verb(change)}"
    if change.before is None:
        return f"{change.attribute} {after}"
    return f"{change.attribute} {before} -> {after}"


def _is_line(value: Any) -> bool:
    """Whether `value` is one line of text, the beginning of which says something."""
    return isinstance(value, str) and value.isprintable()


def _verb(change: Change) -> str:
    if change.before is None:
        return "set"
    return "removed" if change.after is None else "changed"


def shown(value: Any) -> str | None:
    """Return `value` as it stands within a line; None if it is too long for that."""
    if value is None:
        return "(nothing)"
    if isinstance(value, bytes):
        return None
    text = as_text(list(value) if isinstance(value, tuple) else value)
    if len(text) > LONGEST or not text.isprintable():
        return None
    return text if text and text == text.strip() else repr(text)
