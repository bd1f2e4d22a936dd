"""Arithmetic and comparison of plain values, each paid for before it is done."""

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

from setpoint.expressions.faults import ExpressionError, show
from setpoint.expressions.frame import CONTAINER, LISTS, MAX_TEXT, NUMBERS, Frame, fields_of, number
from setpoint.values import HIDDEN

Operation = Callable[[Frame, Any, Any], Any]
Test = Callable[[Frame, Any, Any], bool]

LONG = 1_000  # characters from which on comparing a text costs something
NEEDLE = 100  # characters of what is looked for that can each be compared with every one of a text


def shown(frame: Frame, value: Any) -> str:
    """Return `value` for a message of this evaluation."""
    return HIDDEN if frame.tainted else show(value)


def add(frame: Frame, left: Any, right: Any) -> Any:
    """Return the sum of numbers, or one text or list after the other."""
    kind = type(left)
    if kind in NUMBERS and type(right) in NUMBERS:
        return number(left + right)
    if kind is type(right) and kind is str:
        frame.pay_text(len(left) + len(right))
        return left + right
    if kind is type(right) and kind in LISTS:
        frame.pay(len(left) + len(right))
        return left + right
    cure = 'put a number into a text by f"...{x}..."' if str in (kind, type(right)) else ""
    raise _no_pair(frame, "added", left, right, cure)


def multiply(frame: Frame, left: Any, right: Any) -> Any:
    """Return the product of numbers, or a text or list so many times."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return number(left * right)
    if type(left) is int:
        left, right = right, left
    if type(right) is int and type(left) is str:
        frame.pay_text(len(left) * max(right, 0))
        return left * min(right, MAX_TEXT)
    if type(right) is int and type(left) in LISTS:
        frame.pay(len(left) * max(right, 0))
        return left * min(right, MAX_TEXT)
    raise _no_pair(frame, "multiplied", left, right)


def _arithmetic(verb: str, calculate: Callable[[Any, Any], Any]) -> Operation:
    """Return an operation that only numbers have."""

    def operation(frame: Frame, left: Any, right: Any) -> Any:
        if type(left) not in NUMBERS or type(right) not in NUMBERS:
            cure = 'format by f"..."' if type(left) is str and calculate is operator.mod else ""
            raise _no_pair(frame, verb, left, right, cure)
        try:
            return number(calculate(left, right))
        except ZeroDivisionError:
            raise ExpressionError("this divides by 0") from None
        except OverflowError:
            raise ExpressionError("this is too large for a number") from None

    return operation


def _no_pair(frame: Frame, verb: str, left: Any, right: Any, cure: str = "") -> ExpressionError:
    return ExpressionError(f"{shown(frame, left)} and {shown(frame, right)} cannot be {verb}", cure)


OPERATIONS: Final[dict[type[ast.operator], Operation]] = {
    ast.Add: add,
    ast.Sub: _arithmetic("subtracted", operator.sub),
    ast.Mult: multiply,
    ast.Div: _arithmetic("divided", operator.truediv),
    ast.FloorDiv: _arithmetic("divided", operator.floordiv),
    ast.Mod: _arithmetic("divided", operator.mod),
}


def negative(frame: Frame, value: Any) -> Any:
    """Return `-value`."""
    if type(value) not in NUMBERS:
        raise ExpressionError(f"only a number has a sign, not {shown(frame, value)}")
    return -value


def positive(frame: Frame, value: Any) -> Any:
    """Return `+value`."""
    return -negative(frame, value)


def is_equal(frame: Frame, left: Any, right: Any) -> bool:
    """Whether both are the same value; one of another type never is."""
    pay_comparison(frame, left, right)
    return bool(left == right)


def _is_unequal(frame: Frame, left: Any, right: Any) -> bool:
    return not is_equal(frame, left, right)


def pay_comparison(frame: Frame, *values: Any) -> None:
    """Pay for comparing `values` with each other."""
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > LONG:
                frame.pay(len(value) // LONG)
        elif kind not in NUMBERS and value is not None:
            pay_all(frame, value)


def pay_all(frame: Frame, value: Any) -> None:
    """Pay for reading every character of every text in `value`."""
    kind = type(value)
    if kind is str:
        frame.pay(len(value) // LONG)
    elif kind in LISTS or kind is dict:
        frame.pay(len(value) + CONTAINER)
        for item in value.values() if kind is dict else value:
            pay_all(frame, item)


def _order(test: Callable[[Any, Any], bool]) -> Test:
    def compare(frame: Frame, left: Any, right: Any) -> bool:
        if type(left) in NUMBERS and type(right) in NUMBERS:
            return test(left, right)
        pay_comparison(frame, left, right)
        try:
            return test(left, right)
        except TypeError:
            raise uncomparable(frame, left, right) from None

    return compare


def uncomparable(frame: Frame, left: Any, right: Any) -> ExpressionError:
    """Return the error for two values of which none is the smaller one."""
    cure = ""
    for text, other in ((left, right), (right, left)):
        if type(text) is str and type(other) in NUMBERS:
            cure = "make a number of the text by int(...) or float(...)"
    return ExpressionError(
        f"{shown(frame, left)} and {shown(frame, right)} cannot be compared", cure
    )


def is_in(frame: Frame, wanted: Any, there: Any) -> bool:
    """Whether `wanted` is a part of a text, an item of a list or a key of a map, which may be raw."""
    fields = fields_of(frame.opened(there))
    if fields is not None:
        return key(wanted) in fields
    there = frame.plain(there)
    if type(there) is str:
        if type(wanted) is not str:
            raise ExpressionError(f"only a text can be in a text, not {shown(frame, wanted)}")
        pay_search(frame, there, wanted)
        return wanted in there
    if type(there) not in LISTS:
        raise ExpressionError(
            f"there is nothing in {shown(frame, there)}", "ask a text, a list or a map"
        )
    pay_comparison(frame, there, wanted)
    if type(wanted) not in NUMBERS and wanted is not None:
        frame.pay(len(there))
    return wanted in there


def _is_not_in(frame: Frame, wanted: Any, there: Any) -> bool:
    return not is_in(frame, wanted, there)


def pay_search(frame: Frame, text: str, wanted: str) -> None:
    """Pay for looking for `wanted` in `text`, at worst."""
    frame.pay(len(text) * min(len(wanted) + 1, NEEDLE) // LONG)


def key(value: Any) -> Any:
    """Return `value`, if a map may have such a key.

    Raises:
        ExpressionError: it may not.

    """
    if type(value) is str or type(value) in NUMBERS:
        return value
    raise ExpressionError(f"a key is a text or a number, not {show(value)}")


TESTS: Final[dict[type[ast.cmpop], Test]] = {
    ast.Eq: is_equal,
    ast.NotEq: _is_unequal,
    ast.Lt: _order(operator.lt),
    ast.LtE: _order(operator.le),
    ast.Gt: _order(operator.gt),
    ast.GtE: _order(operator.ge),
    ast.In: is_in,
    ast.NotIn: _is_not_in,
    ast.Is: is_equal,  # only with null, true and false
    ast.IsNot: _is_unequal,
}
