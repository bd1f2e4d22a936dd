"""A plan as a person reads it, and as one JSON document."""

import time
from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

import click
import msgspec

from setpoint.cli.screen import harmless
from setpoint.cli.words import shown
from setpoint.plan import Plan, Reason, Refresh, Step, Trouble
from setpoint.values import HIDDEN, Change

SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "drop": ("-", "red")}
DIFF_COLORS = {"+": "green", "-": "red", "@": "cyan"}
INDENT = "    "
CHANGES, REFRESHED, PASSES = (  # of one, and of several
    ("changes", "change"),
    ("is refreshed", "are refreshed"),
    ("passes it on", "pass it on"),
)
NAMED = 3  # ids that are named of many that are alike
MOST = 20_000  # lines of both sides of which a difference is worked out: it takes a second


def document(found: Plan) -> str:
    """Return `found` as one JSON document."""
    plain = msgspec.to_builtins(found, enc_hook=str)
    return msgspec.json.encode({**plain, "counts": _counts(found)}).decode()


def lines(found: Plan) -> Iterator[str]:
    """Yield `found` as a person reads it, with colours."""
    body = [
        *(line for step in found.steps for line in _step(step)),
        *(line for trouble in found.troubles for line in _trouble(trouble)),
        *_refreshes(found),
        *_doubts(found),
        *_blocked(found),
        *_waiting(found),
    ]
    yield from body
    if body:
        yield ""
    yield _last_line(found)


def _counts(found: Plan) -> dict[str, int]:
    hopeful = sum(bool(trouble.after) for trouble in found.troubles)
    return {
        "add": found.count("add"),
        "change": found.count("change"),
        "drop": found.count("drop"),
        "unchanged": found.unchanged,
        "noop": sum(step.noop for step in found.steps),
        "refresh": sum(refresh.certain for refresh in found.refreshes),
        "open": len(found.doubts) + hopeful,
        "unchecked": len(found.troubles) - hopeful,
        "blocked": len(found.blocked),
        "waiting": len(found.waiting),
    }


def _last_line(found: Plan) -> str:
    counts = _counts(found)
    said = [f"{counts[key]:,} to {key}" for key in ("add", "change", "drop")]
    said.append(f"{counts['unchanged']:,} unchanged")
    rare = {
        "noop": "left as they are (noop)",
        "open": "known while running",
        "unchecked": "cannot be checked",
        "blocked": "blocked",
        "waiting": "waiting for facts",
    }
    said += [f"{counts[key]:,} {words}" for key, words in rare.items() if counts[key]]
    return ", ".join(said)


# -- what differs


def _step(step: Step) -> Iterator[str]:
    sign, color = SIGNS[step.action]
    noop = " (noop: left as it is)" if step.noop else ""
    yield click.style(f"{sign} {harmless(step.id)}", fg=color, bold=True) + noop
    yield from _because(step.because)
    for change in step.changes:
        yield from _change(change)
    for param, source in step.pending.items():
        yield harmless(f"{INDENT}{param}: (known while running: {source})")
    if step.after:
        yield harmless(f"{INDENT}(known while running, after {step.after}; so it is now)")


def _trouble(trouble: Trouble) -> Iterator[str]:
    if trouble.after:
        yield click.style(f"? {harmless(trouble.id)}", fg="yellow", bold=True)
        yield harmless(f"{INDENT}(known while running, after {trouble.after})")
    else:
        yield click.style(f"! {harmless(trouble.id)}", fg="red", bold=True)
    yield from _because(trouble.because)
    yield harmless(f"{INDENT}{trouble.error}")


def why(reasons: tuple[Reason, ...]) -> str:
    """Return `reasons` in a few words: "facts.load.x1 1.5 -> 5.2"."""
    return ", ".join(map(_reason, reasons))


def _because(reasons: tuple[Reason, ...]) -> Iterator[str]:
    """Yield what a declaration follows from; of much only what is another value now."""
    if any(reason.before is not None for reason in reasons):
        reasons = tuple(reason for reason in reasons if reason.before is not None)
    if reasons:
        yield harmless(f"{INDENT}because {why(reasons)}")


def _reason(reason: Reason) -> str:
    if reason.now is None:
        return f"{reason.path} is not known"
    now = reason.now or "(nothing)"
    return (
        f"{reason.path} {reason.before or '(nothing)'} -> {now}"
        if reason.before is not None
        else f"{reason.path} is {now}"
    )


def _change(change: Change) -> Iterator[str]:
    before, after = shown(change.before), shown(change.after)
    if HIDDEN in (change.before, change.after):
        yield f"{INDENT}{change.attribute}: {HIDDEN}"
    elif before is not None and after is not None:
        arrow = f"{before} -> " if change.before is not None else ""
        yield f"{INDENT}{change.attribute}: {arrow}{after}"
    else:
        yield f"{INDENT}{change.attribute}:"
        yield from _difference(_lines(change.before), _lines(change.after))


def _difference(before: list[str], after: list[str]) -> Iterator[str]:
    if len(before) + len(after) > MOST:
        yield f"{INDENT * 2}({len(before):,} lines -> {len(after):,} lines)"
        return
    compared = unified_diff(before, after, lineterm="")
    for line in list(compared)[2:] or ["(only the ends of lines differ)"]:  # no names of files
        yield INDENT * 2 + click.style(harmless(line), fg=DIFF_COLORS.get(line[:1]))


def _lines(value: Any) -> list[str]:
    """Return the lines that `value` is compared by: those of a text, the parts of a list."""
    if value is None:
        return []
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace").splitlines()
    if isinstance(value, dict):
        return [f"{key}: {one}" for key, one in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(map(str, value))
    return str(value).splitlines()


# -- what follows


def _refreshes(found: Plan) -> Iterator[str]:
    if not found.refreshes:
        return
    changing = {step.id for step in found.steps}
    refreshed = {refresh.id for refresh in found.refreshes}
    yield "refreshed, in this order:"
    for refresh in found.refreshes:
        sign = "" if refresh.certain else "? "
        yield harmless(f"{INDENT}{sign}{refresh.id}, {_cause(refresh, changing, refreshed)}")


def _cause(refresh: Refresh, changing: set[str], refreshed: set[str]) -> str:
    """Return why something is refreshed, or what that depends on."""
    if not refresh.certain:
        return f"known while running: if {' or '.join(refresh.perhaps)} changes something"
    said = [_debt(id_, since) for id_, since in refresh.owed.items()]
    causes: dict[tuple[str, str], list[str]] = {}
    for id_ in refresh.by:
        if id_ not in refresh.owed:
            what = CHANGES if id_ in changing else REFRESHED if id_ in refreshed else PASSES
            causes.setdefault(what, []).append(id_)
    for (one, several), ids in causes.items():
        said.append(f"because {' and '.join(ids)} {one if len(ids) == 1 else several}")
    return ", ".join(said)


def _debt(id_: str, since: float) -> str:
    if not since:
        return f"owed because a run was killed when it was about to change {id_}"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return f"owed since {when} because of {id_}"


def _doubts(found: Plan) -> Iterator[str]:
    by_after: dict[str, list[str]] = {}
    for doubt in found.doubts:
        by_after.setdefault(doubt.after, []).append(doubt.id)
    for after, ids in by_after.items():
        said = f"as declared now, known while running after {after}: {_some(ids)}"
        yield harmless(said)


def _blocked(found: Plan) -> Iterator[str]:
    by: dict[str, list[str]] = {}
    for one in found.blocked:
        why = f"as {one.missing} has no value" if one.missing else f"by {one.by}"
        by.setdefault(why, []).append(one.id)
    for why, ids in by.items():
        yield harmless(f"blocked {why}: {_some(ids)}")


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return f"{', '.join(ids[:NAMED])}{more}"


def _waiting(found: Plan) -> Iterator[str]:
    for one in found.waiting:
        known = " and ".join(one.facts)
        verb = "are" if len(one.facts) > 1 else "is"
        other = "facts with which it can be declared, or something else that waits"
        what = f"{known}, which {verb} not known" if known else other
        yield harmless(f"? {one.id}\n{INDENT}(waits for {what})")
