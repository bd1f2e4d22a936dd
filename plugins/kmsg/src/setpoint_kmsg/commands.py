"""`setpoint dmesg`: the kernel's log on a terminal, as it is and as it grows."""

import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from setpoint_kmsg.buffer import RingBuffer, Track
from setpoint_kmsg.position import Mark, Position
from setpoint_kmsg.record import FACILITIES, LEVELS, Record, Selection, parse, sequence_of
from setpoint_kmsg.shown import Style, wall, wants_color

INTERRUPTED = 130
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
EPILOG = """\b
Examples:
  setpoint dmesg -w                        what there is, then what comes
  setpoint dmesg --level err --since 1h    errors, and worse, of the last hour
  setpoint dmesg --new --grep 'usb|hid'    from now on, what names usb or hid
  setpoint dmesg --resume --json           what the last --resume has not shown, for programs

\b
Exit code:
  0    all was shown
  1    the log cannot be read here, or not by this user
  2    the command line is wrong
  130  interrupted while following
"""


def _compiled(context: click.Context, param: click.Parameter, value: str) -> Any:
    """Return the regular expression, or say what is wrong with it."""
    try:
        return re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None


def _level(context: click.Context, param: click.Parameter, value: str) -> str:
    return {"warn": "warning"}.get(value, value)


def _moment(context: click.Context, param: click.Parameter, value: str) -> float:
    """Return seconds since 1970 of what a person wrote: "10m" ago, or a date and time."""
    if not value:
        return 0.0
    ago = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d)", value)
    if ago:
        return time.time() - float(ago[1]) * UNITS[ago[2]]
    from datetime import datetime

    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        what = f"{value!r} is neither a time ago such as 10m nor a time such as 2026-01-31 12:00"
        raise click.BadParameter(what) from None


@click.command(epilog=EPILOG)
@click.option("-w", "--follow", is_flag=True, help="Go on with what comes, until ^C.")
@click.option("-W", "--new", is_flag=True, help="Follow, and show only what comes from now on.")
@click.option("--resume", is_flag=True, help="Only what no earlier --resume has shown.")
@click.option("-l", "--level", default="debug", type=click.Choice([*LEVELS, "warn"]), callback=_level,
              help="This level and more severe ones.")  # fmt: skip
@click.option("-f", "--facility", type=click.Choice(FACILITIES),
              help="Only of this facility: kern is the kernel itself.")  # fmt: skip
@click.option("-g", "--grep", default="", callback=_compiled, metavar="PATTERN",
              help="Only texts in which this regular expression is found.")  # fmt: skip
@click.option("--since", default="", callback=_moment, metavar="TIME",
              help="Only later ones: 10m, 2h, 1d ago, or 2026-01-31 12:00.")  # fmt: skip
@click.option("--time", "times", default="human", type=click.Choice(["human", "boot", "iso"]),
              help="As a person reads it, seconds since boot, or with zone and microseconds.")  # fmt: skip
@click.option("--color", default="auto", type=click.Choice(["auto", "always", "never"]),
              help="Colors; auto shows them on a terminal.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to a line.")
@click.option("--prefix", type=click.Path(path_type=Path, file_okay=False),
              help="State directory for --resume, if not the usual one.")  # fmt: skip
def dmesg(
    follow: bool, new: bool, resume: bool, prefix: Path | None, since: float, **options: Any
) -> None:
    """Show the kernel's log, with facility, level and time.

    What is shown is what dmesg shows, each line with where it comes from and how severe it is. Times are only right for
    what was logged after the machine last slept. Messages that the kernel has overwritten before they could be read are
    told by a line of their own, with their sequence numbers.
    """
    if new and resume:
        raise click.UsageError("--new and --resume contradict each other: give one of them")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as every program that prints a stream
    selection = Selection(options["grep"], options["level"], options["facility"] or "")
    style = Style(options["times"], wants_color(options["color"]), options["as_json"])
    try:
        with closing(RingBuffer()) as buffer, _position(resume, prefix) as position:
            _place(buffer, new, resume)
            output = Output(selection, style, since, position)
            output.drain(buffer)
            while (follow or new) and _wait(buffer):
                output.drain(buffer)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _place(buffer: RingBuffer, new: bool, resume: bool) -> None:
    """Go to the first message that may be shown."""
    if new:
        buffer.skip_all()
    elif not resume:  # what was cleared is no gap, but its sequence numbers are missing
        buffer.skip_cleared()


@contextmanager
def _position(resume: bool, prefix: Path | None) -> Iterator[Position | None]:
    """Yield the place that the last --resume has left off at; None without."""
    if not resume:
        yield None
        return
    from setpoint.host import state_root

    directory = os.path.join(prefix or state_root(), "dmesg")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with Position(os.path.join(directory, "position")) as position:
        yield position


def _wait(buffer: RingBuffer) -> bool:
    """Return when there is another message; False if nobody reads our output any more."""
    poll = select.poll()
    poll.register(buffer, select.POLLIN)
    poll.register(sys.stdout.fileno(), 0)  # told without asking: that the other end was closed
    return all(fd == buffer.fileno() for fd, _ in poll.poll())


class Output:
    """Prints the messages that are wanted, and gaps.

    Args:
        selection: which ones.
        style: how.
        since: those from then on, seconds since 1970.
        position: where an earlier run left off; it is moved on. None begins with the first message there is.

    """

    def __init__(
        self, selection: Selection, style: Style, since: float, position: Position | None
    ) -> None:
        self._selection, self._style, self._since = selection, style, since
        self._position = position
        mark = position.recall() if position else None
        self._track = Track(mark.next, mark.next) if mark else Track()

    def drain(self, buffer: RingBuffer) -> None:
        """Print what is there now; it is with whoever reads our output when this returns."""
        while (data := buffer.read()) is not None:
            if self._track.take(sequence_of(data)):
                self._print(parse(data))
        sys.stdout.flush()
        if self._position:
            self._position.keep(Mark(0, self._track.next))

    def _print(self, record: Record) -> None:
        if self._track.gap and (gap := self._track.tell()):
            sys.stdout.write(self._style.gap(gap) + "\n")
        found = self._selection.match(record)
        if found and (not self._since or wall(record) >= self._since):
            sys.stdout.write(self._style.record(record, found.groupdict("")) + "\n")
