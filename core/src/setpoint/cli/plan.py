"""`setpoint plan`: what a run would change."""

import asyncio
import sys
from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

import click
import msgspec

from setpoint.cli.installed import installed
from setpoint.cli.knowing import Knowing
from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, PREFIX, read, warn
from setpoint.cli.screen import harmless
from setpoint.cli.session import AT_ALL
from setpoint.cli.unhandled import told_without
from setpoint.cli.words import shown
from setpoint.engine.redaction import Redaction
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.plan import Plan, Step, Trouble, plan
from setpoint.values import HIDDEN, Change

EPILOG = """\b
Examples:
  setpoint plan site.yaml
  setpoint plan site.yaml --detailed-exitcode || echo "something to do"

\b
Exit code:
  0  it could be planned
  1  something cannot be checked, or a FILE is wrong
  2  with --detailed-exitcode: there is something to change; or the command line is wrong
"""
SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "drop": ("-", "red")}
DIFF_COLORS = {"+": "green", "-": "red", "@": "cyan"}
INDENT = "    "


@click.command(epilog=EPILOG)
@FILES
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if something would change.")
@AUTOEDGES
@PREFIX
@JSON
@COLOR
def command(
    files: tuple[str, ...],
    detailed_exitcode: bool,
    automatic: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Show what a run of FILEs would change, without changing anything.

    Every resource is checked. Shown are those that are not as declared, with each attribute before
    and after, then what would be refreshed because of it. Secrets are never shown.
    """
    found = _plan(read(files, automatic), prefix)
    click.echo(document(found) if as_json else "\n".join(lines(found)))
    if found.failed:
        sys.exit(1)
    sys.exit(2 if detailed_exitcode and found.changes_something else 0)


def _plan(live: Live, prefix: str | None) -> Plan:
    host = Host(state=prefix)
    try:
        return asyncio.run(_planned(live, host))
    finally:
        host.close()


async def _planned(live: Live, host: Host) -> Plan:
    redaction = Redaction()
    asyncio.get_running_loop().set_exception_handler(told_without(redaction.text))
    knowing = Knowing(host, warn, lambda _: None)
    try:
        graph = await knowing.graph(live, AT_ALL)
        return await plan(graph, plugins=installed(), host=host, redaction=redaction)
    finally:
        await knowing.close()


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
