"""`a.b` and `a[b]`: keys of maps, fields of structs, items of lists; never an attribute of a Python object."""

from collections.abc import Mapping
from typing import Any

import msgspec

from setpoint.expressions.faults import ExpressionError, nearest, show
from setpoint.expressions.frame import LISTS, Frame, fields_of
from setpoint.values import HIDDEN


def field(frame: Frame, value: Any, name: Any, written: str) -> Any:
    """Return what `value`, for messages written so, has under `name`, as it is there.

    Raises:
        ExpressionError: it is not there, or `value` is nothing that has fields.
        NotKnownError: `value` is unknown.

    """
    kind = type(value)
    if kind is dict:
        if name in value:
            return value[name]
    elif isinstance(value, msgspec.Struct):
        if name in value.__struct_fields__:
            return getattr(value, name)
    elif isinstance(value, Mapping):
        try:
            return value[name]
        except KeyError:
            pass
    else:
        opened = frame.opened(value)
        if opened is not value:
            return field(frame, opened, name, written)
        raise _no_map(frame, value, name, written)
    raise _no_key(frame, value, name, written)


def item(frame: Frame, value: Any, key: Any, written: str) -> Any:
    """Return `value[key]`, see `field`."""
    value = frame.opened(value)
    if type(value) in LISTS or isinstance(value, (str, list, tuple)):
        if type(key) is not int:
            shown = HIDDEN if frame.tainted else show(key)
            raise ExpressionError(f"an item has a whole number, counted from 0, not {shown}")
        if -len(value) <= key < len(value):
            return value[key]
        what = f"there is no item {HIDDEN if frame.tainted else key} in {written}"
        cure = "" if frame.tainted else f"it has {len(value)}"
        raise ExpressionError(what, cure, missing=True)
    if type(key) in LISTS or type(key) is dict:
        raise ExpressionError(f"a key is a text or a number, not {show(key)}")
    return field(frame, value, key, written)


def part(frame: Frame, value: Any, bounds: slice) -> Any:
    """Return `value[from:to:step]` of a text or a list."""
    for bound in (bounds.start, bounds.stop, bounds.step):
        if bound is not None and type(bound) is not int:
            raise ExpressionError("the bounds of a part are whole numbers")
    if bounds.step == 0:
        raise ExpressionError("the step of a part is not 0")
    if type(value) is str:
        frame.pay_text(len(value))
    elif type(value) in LISTS:
        frame.pay(len(value))
    else:
        shown = HIDDEN if frame.tainted else show(value)
        raise ExpressionError(f"a text or a list has parts, not {shown}")
    return value[bounds]


def _no_map(frame: Frame, value: Any, name: Any, written: str) -> ExpressionError:
    shown = HIDDEN if frame.tainted else show(value)
    label = HIDDEN if frame.tainted and not isinstance(name, str) else repr(name)
    what = f"{written} is {shown}, it has no {label}"
    return ExpressionError(what, missing=value is None)


def _no_key(frame: Frame, value: Any, name: Any, written: str) -> ExpressionError:
    if frame.tainted:
        return ExpressionError(f"there is no such key in {written}", missing=True)
    label = show(name) if type(name) is not str or len(name) > 60 else repr(name)
    what = f"there is no {label} in {written}"
    return ExpressionError(what, lambda: nearest(name, fields_of(value) or ()), missing=True)
