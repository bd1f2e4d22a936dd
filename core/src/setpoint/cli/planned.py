"""A plan as a person reads it, and as one JSON document."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

import click
import msgspec

from setpoint.cli.screen import harmless
from setpoint.cli.words import shown
from setpoint.plan import Plan, Step, Trouble
from setpoint.values import HIDDEN, Change

SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "drop": ("-", "red")}
DIFF_COLORS = {"+": "green", "-": "red", "@": "cyan"}
INDENT = "    "


def document(found: Plan) -> str:
    """Return `found` as one JSON document."""
    plain = msgspec.to_builtins(found, enc_hook=str)
    return msgspec.json.encode({**plain, "counts": _counts(found)}).decode()


def lines(found: Plan) -> Iterator[str]:
    """Yield `found` as a person reads it."""
    for step in found.steps:
        yield from _step(step)
    for trouble in found.troubles:
        yield from _trouble(trouble)
    if found.refreshes:
        yield "refreshed because of that, in this order:"
    for refresh in found.refreshes:
        yield harmless(f"{INDENT}{refresh.id}, because of {', '.join(refresh.by)}")
    for id_ in found.waiting:
        yield harmless(f"? {id_}\n{INDENT}(waits for facts that are not known yet)")
    if found.steps or found.troubles or found.waiting:
        yield ""
    yield _last_line(found)


def _counts(found: Plan) -> dict[str, int]:
    return {
        "add": found.count("add"),
        "change": found.count("change"),
        "drop": found.count("drop"),
        "unchanged": found.unchanged,
        "noop": sum(step.noop for step in found.steps),
        "unchecked": len(found.troubles),
    }


def _last_line(found: Plan) -> str:
    counts = _counts(found)
    said = [f"{counts[key]:,} to {key}" for key in ("add", "change", "drop")]
    said.append(f"{counts['unchanged']:,} unchanged")
    rare = (("noop", "left as they are (noop)"), ("unchecked", "cannot be checked"))
    said += [f"{counts[key]:,} {words}" for key, words in rare if counts[key]]
    return ", ".join(said)


def _step(step: Step) -> Iterator[str]:
    sign, color = SIGNS[step.action]
    noop = " (noop: left as it is)" if step.noop else ""
    yield click.style(f"{sign} {harmless(step.id)}", fg=color, bold=True) + noop
    for change in step.changes:
        yield from _change(change)
    for param, source in step.pending.items():
        yield harmless(f"{INDENT}{param}: (known while running: {source})")


def _trouble(trouble: Trouble) -> Iterator[str]:
    if trouble.after:
        yield click.style(f"? {harmless(trouble.id)}", fg="yellow", bold=True)
        yield harmless(f"{INDENT}(known while running, after {trouble.after})")
    else:
        yield click.style(f"! {harmless(trouble.id)}", fg="red", bold=True)
    yield harmless(f"{INDENT}{trouble.error}")


def _change(change: Change) -> Iterator[str]:
    before, after = shown(change.before), shown(change.after)
    if HIDDEN in (change.before, change.after):
        yield f"{INDENT}{change.attribute}: {HIDDEN}"
    elif before is not None and after is not None:
        arrow = f"{before} -> " if change.before is not None else ""
        yield f"{INDENT}{change.attribute}: {arrow}{after}"
    else:
        yield f"{INDENT}{change.attribute}:"
        yield from _difference(_text(change.before), _text(change.after))


def _difference(before: str, after: str) -> Iterator[str]:
    compared = unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    for line in list(compared)[2:] or ["(only the ends of lines differ)"]:  # no names of files
        yield INDENT * 2 + click.style(harmless(line), fg=DIFF_COLORS.get(line[:1]))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return str(value)
