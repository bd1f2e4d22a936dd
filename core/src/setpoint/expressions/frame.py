"""One evaluation: the names it reads, what it may still spend, and whether it has touched a secret.

What comes from outside is made plain before it is used: texts, numbers, true, false, null, lists and maps, all of the
very types. So nothing that an expression works with has methods of its own, holds a secret or is unknown within.

Every piece of work is paid for in steps before it is done. A step is about what one sign of an expression costs, 32
characters of a text that is made, or one item of a list.
"""

import enum
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from setpoint.expressions.faults import (
    UNKNOWN,
    ExpressionError,
    NotKnownError,
    NotReceivedError,
)
from setpoint.values import Received, Secret

MAX_STEPS = 200_000
MAX_TEXT = 1_000_000  # characters of one text
MAX_BITS = 256  # of a whole number
MAX_DEPTH = 100  # of lists and maps in each other
PER_STEP = 32  # characters of a text that are made for one step
CONTAINER = 10  # steps for looking into a list or a map, beside what is in it
COPIED = 25  # the same, for making one plain

SCALARS = frozenset({str, int, float, bool, type(None)})
NUMBERS = frozenset({int, float, bool})
LISTS = frozenset({list, tuple})

_NONE: list[Any] = []


class Frame:
    """What an evaluation knows and has.

    Args:
        names: what can be named, by the name.
        slots: how many loop variables there are.
        timed: what the functions over time gave, by their number.

    tainted: whether a secret was touched, so that the result is one.

    """

    __slots__ = ("names", "slots", "steps", "tainted", "timed")

    def __init__(self, names: Mapping[str, object], slots: int) -> None:
        self.names = names
        self.slots: list[Any] = [None] * slots if slots else _NONE
        self.steps = MAX_STEPS
        self.tainted = False
        self.timed: Sequence[Any] = ()

    def pay(self, steps: int) -> None:
        """Spend `steps`.

        Raises:
            ExpressionError: there are not so many left.

        """
        self.steps -= steps
        if self.steps < 0:
            raise ExpressionError(
                f"this takes more than {MAX_STEPS:,} steps",
                "go through fewer items, or shorter texts",
            )

    def pay_text(self, size: int) -> None:
        """Pay for a text of `size` characters that is about to be made."""
        if size > MAX_TEXT:
            raise ExpressionError(
                f"this makes a text of {size:,} characters, more than {MAX_TEXT:,}"
            )
        self.pay(size // PER_STEP)

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return `value`, which comes from outside, as plain values.

        Raises:
            NotKnownError: it is unknown, or something in it is.
            ExpressionError: it is of a type that expressions do not have, or too large.

        """
        kind = type(value)
        if kind in SCALARS:
            return value
        if depth > MAX_DEPTH:
            raise ExpressionError(f"this is nested more than {MAX_DEPTH} deep")
        if kind in LISTS:
            self.pay(len(value) + COPIED)
            items = [
                item if type(item) in SCALARS else self.plain(item, depth + 1) for item in value
            ]
            return tuple(items) if kind is tuple else items
        fields = value if kind is dict else fields_of(value)
        if fields is not None:
            self.pay(2 * len(fields) + COPIED)
            return {
                self.plain(key, depth + 1): self.plain(item, depth + 1)
                for key, item in fields.items()
            }
        opened = self.opened(value)
        return self.plain(opened if opened is not value else _usual(value), depth)

    def opened(self, value: Any) -> Any:
        """Return `value`, or what is in it if it is a secret.

        Raises:
            NotKnownError: it is unknown.
            NotReceivedError: it is sent by a resource.

        """
        while isinstance(value, Secret):
            self.tainted = True
            value = value.reveal()
        if value is UNKNOWN:
            raise NotKnownError
        if isinstance(value, Received):
            raise NotReceivedError
        return value

    def measured(self, value: Any) -> Any:
        """Return `value`, a plain one, after paying for all that is in it, each time it is in it."""
        if type(value) in LISTS:
            self.pay(len(value) + CONTAINER)
            for item in value:
                if type(item) not in SCALARS:
                    self.measured(item)
        elif type(value) is dict:
            self.pay(2 * len(value) + CONTAINER)
            for item in value.values():
                if type(item) not in SCALARS:
                    self.measured(item)
        return value


def fields_of(value: Any) -> Mapping[Any, Any] | None:
    """Return what a map or a struct has in it; None if `value` is neither."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return None


def _usual(value: Any) -> Any:
    """Return a value of a type that is derived from, or like, a plain one as just that."""
    if isinstance(value, enum.Enum):
        return value.value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    raise ExpressionError(f"a {type(value).__name__} cannot be used in an expression")


def number(value: Any) -> Any:
    """Return `value`, what an operation on numbers gave.

    Raises:
        ExpressionError: it is too large, or no number at all.

    """
    if type(value) is float:
        if not isfinite(value):
            raise ExpressionError("this is too large for a number")
    elif value.bit_length() > MAX_BITS:
        raise ExpressionError(f"this is a whole number of more than {MAX_BITS} bits")
    return value
