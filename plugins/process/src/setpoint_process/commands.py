"""`setpoint pause` and `setpoint continue`: stop programs for a while, from a terminal.

What is to be continued is on disk before the first process is stopped. So whoever kills `pause`,
and however, one `setpoint continue` puts all back.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from setpoint.errors import SetpointError
from setpoint.processes.proc import Entry, Selection, full_name
from setpoint_process import signals
from setpoint_process.record import Notebook, notebooks, of_this_command
from setpoint_process.signals import Outcome
from setpoint_process.signals import pause as stop
from setpoint_process.table import fits_untouchable, scan
from setpoint_process.usage import Row, processor_shares, rows, table

if TYPE_CHECKING:
    from setpoint.host import Host

CALLED = "setpoint pause"
ALL_DONE, NOTHING, SOME_LEFT, INTERRUPTED = 0, 1, 3, 130
LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _compiled(context: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Return the regular expression, or say what is wrong with it."""
    try:
        return None if value is None else re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None


MATCH = click.argument("match", required=False, callback=_compiled)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, no table.")
PREFIX = click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    help="State directory, if not the usual one.",
)


PAUSE_EPILOG = """\b
Examples:
  setpoint pause firefox               firefox, firefox-esr, firefox-bin
  setpoint pause '^cc1'                the names that begin with cc1
  setpoint pause --cmdline 'train\\.py' whatever was started with train.py
  setpoint pause --user backup         all that runs as backup

\b
Exit code:
  0    all that fit were stopped and continued
  1    nothing fits, or all that does stands still already
  2    the command line is wrong
  3    some could not be stopped, mostly for want of permission; all stopped ones were continued
  130  interrupted; all were continued
"""
CONTINUE_EPILOG = """\b
Examples:
  setpoint continue                    all of them
  setpoint continue firefox            only firefox
  setpoint continue --list --json      what is paused, for programs

\b
Exit code:
  0    all were continued; with --list always
  1    nothing is recorded, or nothing that fits
  2    the command line is wrong
  3    some could not be continued, for want of permission
"""


@click.command(epilog=PAUSE_EPILOG)
@MATCH
@click.option("--cmdline", is_flag=True, help="Search MATCH in the whole command line.")
@click.option("--pid", type=click.IntRange(1), help="Only the process with this pid.")
@click.option("--user", default="", help="Only processes of this user, a name or a number.")
@JSON
@PREFIX
def pause(
    match: re.Pattern[str] | None,
    cmdline: bool,
    pid: int | None,
    user: str,
    as_json: bool,
    prefix: Path | None,
) -> NoReturn:
    """Stop programs until a key is pressed, then continue them.

    MATCH is a regular expression, searched in the names of processes. All that fit are stopped and
    shown, with the percentage of a processor that each was using, and its memory. A key continues
    them (without a terminal: a line, or the end of the input), and so do ^C, TERM and a closed
    terminal. If `pause` itself is killed, `setpoint continue` does it.

    Left alone are: what stands still already; this program, its shell, its terminal and all else
    that it descends from; the first process; threads of the kernel; processes that start later.
    """
    if match is None and (cmdline or not (pid or user)):
        raise click.UsageError("say what to pause: MATCH, --pid or --user")
    selection = Selection(pattern=match, whole=cmdline, pid=pid or 0, user=user).pinned()
    words = match.pattern if match else f"--user {user}" if user else f"--pid {pid}"
    with _host(prefix) as host:
        sys.exit(_pause(selection, of_this_command(host, f"{CALLED} {words}"), as_json))


@click.command("continue", epilog=CONTINUE_EPILOG)
@MATCH
@click.option("--list", "only_list", is_flag=True, help="Only show what is paused and recorded.")
@JSON
@PREFIX
def resume(
    match: re.Pattern[str] | None, only_list: bool, as_json: bool, prefix: Path | None
) -> NoReturn:
    """Continue what was paused by setpoint and is still recorded.

    For when `setpoint pause` was killed. Continues exactly the processes that it had stopped: one
    that has ended since, or whose pid was given to another program, is left out. With MATCH only
    those whose name fits, or which were paused with just these words. What a running graph keeps
    paused, the graph will pause again.
    """
    with _host(prefix) as host:
        held = list(_fitting(host, match))
        sys.exit(_list(held, as_json) if only_list else _resume(held, as_json))


@contextmanager
def _host(prefix: Path | None) -> Iterator["Host"]:
    from setpoint.host import Host

    host = Host(state=prefix)
    try:
        yield host
    finally:
        host.close()


def _pause(selection: Selection, notebook: Notebook, as_json: bool) -> int:
    """Stop what is meant, wait, and continue it whatever happens in between."""
    found = scan(selection)
    running = [entry for entry in found if not entry.is_paused]
    if not running:
        _say(f"nothing to pause: {_reason(selection, found)}")
        return NOTHING
    code = SOME_LEFT
    with _interruptible():
        try:
            shares = processor_shares(running)
            outcome = stop(selection, notebook.add)
            code = _show_paused(outcome, rows(outcome.done, shares), as_json)
            if outcome.done:
                _wait()
        except (OSError, SetpointError) as error:
            _say(str(error))
        except KeyboardInterrupt:
            code = INTERRUPTED
        finally:
            _ignore_signals()
            left = _continue(notebook, notebook.read().living())
    return code or left


def _reason(selection: Selection, found: list[Entry]) -> str:
    """Return why there is nothing to pause."""
    if found:
        return f"process {signals.pids(found)} stands still already"
    if fits_untouchable(selection):
        return "only processes that are left alone fit, see --help"
    return "no process fits"


def _show_paused(outcome: Outcome, shown: list[Row], as_json: bool) -> int:
    """Show what was stopped, complain of what was not; return the exit code so far."""
    if as_json:
        document = {
            "paused": [row._asdict() for row in shown],
            "denied": [entry.pid for entry in outcome.denied],
        }
        click.echo(json.dumps(document))
    elif shown:
        click.echo(table(shown))
    return _complain(outcome, "pause")


def _complain(outcome: Outcome, verb: str) -> int:
    try:
        outcome.check(verb)
    except PermissionError as error:
        _say(str(error))
        return SOME_LEFT
    return ALL_DONE


def _wait() -> None:
    """Wait for a key on a terminal, else for a line or the end of the input."""
    if sys.stdin is None or not sys.stdin.isatty():
        _say("paused; a line or the end of the input continues")
        if sys.stdin is not None:
            sys.stdin.readline()
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)  # also forgets what was typed before
        _say("paused; press a key to continue")
        os.read(descriptor, 1)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make each signal that asks to leave a KeyboardInterrupt; an ignored one stays ignored."""
    before = {number: signal.getsignal(number) for number in LEAVING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    _ignore_signals()  # the next one must not disturb the continuing
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in LEAVING:
        signal.signal(number, signal.SIG_IGN)


def _fitting(host: "Host", match: re.Pattern[str] | None) -> Iterator[tuple[Notebook, list[Entry]]]:
    """Yield each notebook with those of its processes that are still there and fit."""
    for notebook in notebooks(host):
        try:
            record = notebook.read()
        except ValueError as error:
            _say(str(error))
            continue
        living = record.living()
        if match is not None and record.by != f"{CALLED} {match.pattern}":
            living = [entry for entry in living if match.search(full_name(entry))]
        yield notebook, living


def _list(held: list[tuple[Notebook, list[Entry]]], as_json: bool) -> int:
    shown = rows((entry for _, living in held for entry in living), {})
    if as_json:
        by = {entry.pid: notebook.read().by for notebook, living in held for entry in living}
        listed = [
            {"pid": r.pid, "name": r.name, "memory": r.memory, "by": by[r.pid]} for r in shown
        ]
        click.echo(json.dumps({"paused": listed}))
    else:
        click.echo(table(shown) if shown else "nothing is recorded as paused")
    return ALL_DONE


def _resume(held: list[tuple[Notebook, list[Entry]]], as_json: bool) -> int:
    codes = [_continue(notebook, living) for notebook, living in held]
    continued = [entry.pid for _, living in held for entry in living]
    if as_json:
        click.echo(json.dumps({"continued": continued}))
    elif not continued:
        _say("nothing to continue")
    return max(codes, default=ALL_DONE) if continued else NOTHING


def _continue(notebook: Notebook, entries: list[Entry]) -> int:
    """Continue `entries` and take them out of the notebook; return the exit code."""
    outcome = signals.resume(entries)
    done = {entry.identity for entry in outcome.done}
    notebook.keep([e for e in notebook.read().living() if e.identity not in done])
    if outcome.done:
        _say(f"continued {len(outcome.done)}: {signals.pids(outcome.done)}")
    return _complain(outcome, "continue")


def _say(text: str) -> None:
    """Tell the person, beside what programs read."""
    click.echo(text, err=True)
