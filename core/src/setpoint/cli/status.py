"""`setpoint status`: how the engine that runs is doing, or how the last one did."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from setpoint.cli.options import COLOR, JSON, PREFIX
from setpoint.cli.screen import harmless
from setpoint.cli.words import COLORS, counts, resources, times
from setpoint.errors import SetpointError
from setpoint.host import state_root
from setpoint.journal import Status, read_status

EPILOG = """\b
Exit code:
  0  nothing failed, is blocked or owed
  1  something is; or the last engine was killed; or there never was a run
  2  the command line is wrong
"""
BAD = ("failed", "blocked")


@click.command(epilog=EPILOG)
@PREFIX
@JSON
@COLOR
def command(prefix: str | None, as_json: bool) -> None:
    """Show how the engine that runs is doing, or how the last one did.

    What failed and why, what is blocked and by whom, which refreshes are owed, and how often
    resources were changed after a run had first looked at them: because they had drifted, a file
    was saved, or a fact is another one.
    """
    directory = Path(prefix or state_root())
    refuse_none(directory)
    found = read_status(directory)
    click.echo(document(found) if as_json else "\n".join(lines(found)))
    sys.exit(0 if is_well(found) else 1)


def refuse_none(directory: Path) -> None:
    """See that there is a journal in `directory` that this user may read.

    Raises:
        SetpointError: there is not.

    """
    try:
        os.stat(directory / "journal.db")
    except (FileNotFoundError, NotADirectoryError):
        why = "there never was a run with this state directory"
        cure = "run a graph first, or give its --prefix"
        raise SetpointError(f"{directory}: {why}; {cure}") from None
    except PermissionError:
        cure = "ask as the user who runs the graph, or give another --prefix"
        raise SetpointError(f"{directory}: this user may not read it; {cure}") from None


def is_well(found: Status) -> bool:
    """Whether nothing is wrong or left to do."""
    bad = any(outcome.state in BAD for outcome in found.outcomes.values())
    left = found.debts or found.summary.get("unfinished")
    return not (bad or found.died or (left and not found.running))


def document(found: Status) -> str:
    """Return `found` as one JSON document."""
    plain = {
        "running": found.running,
        "died": found.died,
        "rebooted": found.rebooted,
        "ended": found.ended,
        "ok": is_well(found),
        "owner": found.owner,
        "summary": found.summary,
        "changed_again": sum(outcome.repairs for outcome in found.outcomes.values()),
        "outcomes": {id_: outcome._asdict() for id_, outcome in found.outcomes.items()},
        "debts": [{**debt._asdict(), "since": since} for debt, since in found.debts.items()],
        "intents": sorted(found.intents),
    }
    return msgspec.json.encode(plain).decode()


def lines(found: Status) -> Iterator[str]:
    """Yield `found` as a person reads it."""
    yield harmless(_engine(found))
    if found.summary:
        yield _standing(found.summary)
    for id_, outcome in found.outcomes.items():
        if outcome.state in BAD:
            label = click.style(f"{outcome.state}:", fg=COLORS.get(outcome.state, "red"), bold=True)
            yield f"{label} {harmless(f'{id_}: {outcome.detail}')} (since {_when(outcome.at)})"
    for id_ in sorted(found.intents):
        what = "was being changed when it died" if found.died else "its change is not finished"
        what = "is being changed" if found.running else what
        yield harmless(f"{id_}: {what}")
    for debt, since in found.debts.items():
        yield harmless(
            f"{debt.then}: owes a refresh because of {debt.first} (since {_when(since)})"
        )
    yield _again(found)


def _engine(found: Status) -> str:
    if found.running:
        return f"running: {found.owner}"
    if found.died:
        why = "the machine went down" if found.rebooted else "it was killed"
        return f"not running; the last one did not end by itself, {why}: {found.owner}"
    return f"not running; the last one ended {_when(found.ended)}: {found.owner}"


def _standing(summary: dict[str, Any]) -> str:
    """Return how the graph stood when it had last come to rest, or had ended."""
    done = counts(repaired=summary["repairs"], polled=summary["polled"])
    wrong = {word: summary[word] for word in ("failed", "blocked", "unfinished")}
    wrong["waiting_for_facts"] = summary.get("waiting", 0)
    first = f"{resources(summary['resources'])}{', ' if done else ''}{done}"
    return f"{first}: {counts(**wrong) or 'all as declared'}"


def _again(found: Status) -> str:
    changed = {id_: o.repairs for id_, o in found.outcomes.items() if o.repairs}
    if not changed:
        return "changed again: never"
    most = sorted(changed, key=changed.__getitem__, reverse=True)[:3]
    named = ", ".join(f"{id_} {changed[id_]:,}" for id_ in most)
    return harmless(f"changed again: {times(sum(changed.values()))}, most: {named}")


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
