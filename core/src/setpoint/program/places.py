"""Where something is declared in a Python program: the very call, and the argument in it.

A place is a number, as in all sources. It stands for the code that ran, and how far it had come; only when somebody
wants to know is that made a line and a column, by what Python itself remembers for its tracebacks.
"""

import ast
import linecache
import sys
from itertools import islice
from types import CodeType, FrameType
from typing import NamedTuple

from setpoint.declarations import Source
from setpoint.errors import Place

_OURS = ("setpoint.program", "setpoint.kinds", "contextlib")


class Spot(NamedTuple):
    """A call, or one argument of it.

    code, at: what ran, and the offset of the instruction that was under way.
    argument: its name, with "=" behind it for its value alone; empty for the call itself.
    shift: how many characters behind its beginning.
    """

    code: CodeType
    at: int
    argument: str = ""
    shift: int = 0


class Span(NamedTuple):
    """Where the text of something begins and ends: offsets in the file; a line only, if that cannot be read."""

    file: Source
    start: int
    end: int


class Program(Source):
    """The Python program in which one graph is declared; its file is the one where that begins.

    Args:
        code: of the function that declares it; None is what is running.

    size: of the values that were declared, in characters.

    """

    literal = False  # what looks like an expression and is none, is escaped
    size = 0  # not the size of the text: one line may declare thousands

    def __init__(self, code: CodeType | None = None) -> None:
        frame = caller()
        spot = Spot(frame.f_code, frame.f_lasti) if code is None else Spot(code, 0)
        super().__init__(spot.code.co_filename)
        self._spots = [spot]
        self._files: dict[str, Source] = {}
        self._spans: dict[Spot, Span] = {}

    def here(self) -> int:
        """Return the place of the call that is under way in the program."""
        frame = caller()
        return self._new(Spot(frame.f_code, frame.f_lasti))

    def argument(self, at: int, name: str) -> tuple[int, int]:
        """Return the places of the argument `name` of the call at the place `at`, and of its value."""
        spot = self._spots[at]
        return self._new(spot._replace(argument=name)), self._new(
            spot._replace(argument=f"{name}=")
        )

    def place(self, at: int) -> Place:
        """Return the file, line and column of the place `at`."""
        span = self._span(self._spots[at])
        return span.file.place(span.start)

    def line(self, at: int) -> str:
        """Return the whole line in which the place `at` is; empty if it cannot be read."""
        span = self._span(self._spots[at])
        return span.file.line(span.start) if span.file.text else ""

    def locate(self, at: int, fragment: str, within: int) -> int:
        """Return where `fragment` is written in the call or argument at the place `at`, else that itself."""
        spot = self._spots[at]
        span = self._span(spot)
        found = span.file.text.find(fragment, span.start, span.end)
        return at if found < 0 else self._new(spot._replace(shift=spot.shift + found - span.start))

    def offset(self, line: int, column: int) -> int:
        """Return the place that `place` said is at `line` and `column`, both counted from 0 here."""
        wanted = (line + 1, column + 1)
        return next((at for at in range(len(self._spots)) if self.place(at)[1:] == wanted), 0)

    def _new(self, spot: Spot) -> int:
        self._spots.append(spot)
        return len(self._spots) - 1

    def _span(self, spot: Spot) -> Span:
        if spot not in self._spans:
            self._spans[spot] = self._look(spot)
        return self._spans[spot]

    def _look(self, spot: Spot) -> Span:
        """Find out where `spot` is in its file."""
        if spot.shift:
            span = self._span(spot._replace(shift=0))
            return span._replace(start=span.start + spot.shift)
        if spot.argument:
            span = self._span(spot._replace(argument=""))
            return _argument(span, spot.argument) if span.file.text else span
        file = self._file(spot.code.co_filename)
        line, last, column, end = next(islice(spot.code.co_positions(), spot.at // 2, None))
        if not file.text or line is None:
            return Span(Source(file.file), line or 0, line or 0)
        start = _offset(file, line, column or 0)
        return Span(file, start, _offset(file, last, end) if last and end else start)

    def _file(self, name: str) -> Source:
        if name not in self._files:
            self._files[name] = Source(name, "".join(linecache.getlines(name)))
        return self._files[name]


def caller() -> FrameType:
    """Return the frame of the program that has called us, past our own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    return frame


def _offset(file: Source, line: int, column: int) -> int:
    """Return the offset in `file` of a `line` from 1 and a `column` in bytes, as Python counts them."""
    start = file.offset(line - 1, 0)
    return start + len(file.line(start).encode()[:column].decode(errors="replace"))


def _argument(span: Span, name: str) -> Span:
    """Return where the keyword `name`, or "name=" its value, is in the call at `span`; itself if nowhere."""
    file = Source(span.file.file, span.file.text[span.start : span.end])
    try:
        call = ast.parse(file.text, mode="eval").body
    except SyntaxError:  # what is there is not what ran
        return span
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == name.removesuffix("="):
            node = keyword.value if name.endswith("=") else keyword
            start = _offset(file, node.lineno, node.col_offset)
            end = _offset(file, node.end_lineno or 1, node.end_col_offset or 0)
            return Span(span.file, span.start + start, span.start + end)
    return span
