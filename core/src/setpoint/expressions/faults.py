"""What stops an evaluation: an error with its place, or a value that is not known yet."""

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from setpoint.errors import SetpointError, suggest
from setpoint.values import HIDDEN, Secret

OPEN = "${{"  # begins an expression within text; `}}` ends it
SHOWN = 60  # characters of a text that a message shows
LOOKED_THROUGH = 200  # keys among which the one that was meant is looked for
LONGEST_WORD = 50  # characters of such a key


class Unknown(enum.Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return self.value


UNKNOWN: Final = Unknown.UNKNOWN  # a value that is not there yet: the fact has not spoken


class NotKnownError(Exception):
    """Something that the result depends on is `UNKNOWN`; never leaves this package."""


class NotReceivedError(Exception):
    """Something that the result depends on is sent by a resource; never leaves this package."""


class ExpressionError(SetpointError):
    """An expression is wrong, or cannot be evaluated with the values that there are.

    Args:
        what: what is wrong, with what was found.
        cure: what to do about it; empty if nothing is known. A function is asked once it is needed.
        missing: whether there is no such key or item, for which `default` has an answer.

    start, end: the part of the text that is at fault, as offsets; -1 until it is known.

    """

    def __init__(
        self, what: str, cure: str | Callable[[], str] = "", *, missing: bool = False
    ) -> None:
        super().__init__(what)
        self.what, self._cure, self.missing = what, cure, missing
        self.start = self.end = -1

    def place(self, start: int, end: int) -> None:
        """Say where it is, unless that is known already."""
        if self.start < 0:
            self.start, self.end = start, end

    def moved(self, by: int) -> "ExpressionError":
        """Return the same error in a text in which the expression begins at the offset `by`."""
        moved = ExpressionError(self.what, self._cure, missing=self.missing)
        moved.place(self.start + by, self.end + by)
        return moved

    def __str__(self) -> str:
        cure = self._cure if isinstance(self._cure, str) else self._cure()
        return f"{self.what}; {cure}" if cure else self.what


def show(value: object) -> str:
    """Return `value` as it stands in a message: lists and maps only by their kind."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN else value[:SHOWN] + "...")
    if isinstance(value, (Mapping, msgspec.Struct)):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return repr(value) if isinstance(value, (int, float)) else f"a {type(value).__name__}"


def nearest(word: object, known: Iterable[object]) -> str:
    """Return `suggest` for `word`, at a bounded price."""
    names = [str(name) for name, _ in zip(known, range(LOOKED_THROUGH), strict=False)]
    short = [name for name in names if len(name) <= LONGEST_WORD]
    return suggest(str(word)[:LONGEST_WORD], short)
