"""Where a run writes: lines to stdout and stderr, and on a terminal a line that shows the progress."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

import click

from setpoint.cli.output import GONE, lead_nowhere, unwritten
from setpoint.cli.words import COLORS, Line


class Screen:
    """Writes lines at once, and keeps a progress line below them on a terminal.

    What cannot be written now, because a disk is full, keeps nothing else from going on; once it is said on stderr.

    Args:
        color: whether to use colours; None: on a terminal.
        gone: called when nobody reads what is written any more; after that nothing is written.

    """

    def __init__(self, color: bool | None, gone: Callable[[], None]) -> None:
        self._color, self._gone = color, gone
        self._progress = self._question = ""
        self._is_lossy = False
        self._out = sys.stdout  # this one, also while others are led elsewhere
        self.has_progress = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, line: Line) -> None:
        """Write `line`: what is not well to stderr, all else to stdout."""
        if line.label:
            label = f"{line.label}: "
            if self._is_colored(sys.stderr):
                label = click.style(label, fg=COLORS[line.label], bold=True)
            self._write(sys.stderr, line.text, label)
        else:
            self._write(self._out, line.text)

    def tell(self, text: str) -> None:
        """Write `text` to the person, beside what programs read."""
        self._write(sys.stderr, text)

    def print(self, text: str) -> None:
        """Write `text` to stdout."""
        self._write(self._out, text)

    def progress(self, text: str) -> None:
        """Show `text` below all lines, in the place of the one before; empty shows nothing."""
        text = self._question or text
        if not self.has_progress or text == self._progress:
            return
        from shutil import get_terminal_size  # 4 ms, and only a terminal has a progress line

        width = get_terminal_size().columns - 1
        self._put(sys.stderr, f"\r\x1b[K{harmless(text)[:width]}")
        self._progress = text

    def paint(self, text: str) -> None:
        """Write `text`, which has colours and is harmless, to stdout, with colours or without."""
        self._put_line(self._out, text if self._is_colored(self._out) else click.unstyle(text))

    def ask(self, question: str) -> None:
        """Show `question` in the place of the progress until it is empty; where there is none, once."""
        self._question = question
        if self.has_progress:
            self._progress = "\n"  # unlike all that may be there: the answer has moved the cursor
            self.progress("")
        elif question:
            self.tell(question)

    def _is_colored(self, stream: TextIO) -> bool:
        return stream.isatty() if self._color is None else self._color

    def _write(self, stream: TextIO, text: str, label: str = "") -> None:
        self._put_line(stream, f"{label}{harmless(text)}")

    def _put_line(self, stream: TextIO, text: str) -> None:
        below, self._progress = self._progress, ""
        if below:
            self._put(sys.stderr, "\r\x1b[K")
        self._put(stream, f"{text}\n")
        if below:
            self.progress(below)

    def _put(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            if error.errno not in GONE:  # a full disk: there may be room for the next line
                self._lose(error, stream)
                return
            lead_nowhere(stream)
            self._gone()

    def _lose(self, error: OSError, stream: TextIO) -> None:
        if stream is self._out and not self._is_lossy:
            self._is_lossy = True
            self.show(Line(f"some of the output is lost, {unwritten(error)}", "warning"))


def harmless(text: str) -> str:
    """Return `text` without what would make a terminal do something: control characters are spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
