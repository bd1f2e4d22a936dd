"""The functions of expressions. A test runs the example that the reference has of each."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from setpoint.expressions import network, patterns, texts
from setpoint.expressions.faults import ExpressionError
from setpoint.expressions.frame import LISTS, NUMBERS, Frame, number
from setpoint.expressions.lookup import field
from setpoint.expressions.operators import key, pay_all, shown, uncomparable

MAX_DIGITS = 80  # characters of a text that becomes a number
MAX_PLACES = 30  # to which a number can be rounded


class Function(NamedTuple):
    """A function: what it does, how many arguments it has, which keywords.

    raw: whether it takes its argument as it comes from outside, for it looks at nothing in it.
    """

    call: Callable[..., Any]
    least: int
    most: int
    keywords: frozenset[str] = frozenset()
    raw: bool = False


def items(frame: Frame, value: Any) -> list[Any] | tuple[Any, ...]:
    """Return what a list, a text or a map has in it: items, characters or keys."""
    if type(value) in LISTS:
        return value  # type: ignore[no-any-return]
    if type(value) is str or isinstance(value, Mapping):
        frame.pay(len(value))
        return list(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    raise ExpressionError(f"{shown(frame, value)} has no items", "give a list, a text or a map")


def _len(frame: Frame, value: Any) -> int:
    value = frame.opened(value)
    if isinstance(value, (str, list, tuple, set, frozenset, Mapping)):
        return len(value)
    fields = getattr(value, "__struct_fields__", None)
    if fields is not None:
        return len(fields)
    raise ExpressionError(f"{shown(frame, value)} has no length", "give a text, a list or a map")


def _keys(frame: Frame, values: list[Any], by: Any) -> list[Any]:
    """Return what `values` are sorted by: themselves, or the field that they have under `by`."""
    pay_all(frame, values)
    if by is not None:
        frame.pay(5 * len(values))
        values = [field(frame, value, by, "an item") for value in values]
    kinds = {type(value) for value in values}
    if not (kinds <= NUMBERS or kinds == {str} or kinds <= LISTS):
        first, second = _unlike(values)
        raise uncomparable(frame, first, second)
    return values


def _unlike(values: list[Any]) -> tuple[Any, Any]:
    """Return the first of `values`, and one that cannot be compared with it."""
    first = values[0]
    return first, next((value for value in values if type(value) is not type(first)), first)


def _sorted(frame: Frame, value: Any, key: Any = None, reverse: Any = False) -> list[Any]:
    values = list(items(frame, value))
    keys = _keys(frame, values, key)
    for _ in range(len(values).bit_length()):
        pay_all(frame, keys)
    try:
        order = sorted(range(len(values)), key=keys.__getitem__, reverse=bool(reverse))
    except TypeError:
        raise ExpressionError("these lists cannot be compared") from None
    return [values[index] for index in order]


def _extreme(name: str, choose: Callable[..., Any]) -> Callable[..., Any]:
    """Return `min` or `max`."""

    def extreme(frame: Frame, *values: Any, key: Any = None) -> Any:
        found = list(items(frame, values[0]) if len(values) == 1 else values)
        if key is None and NUMBERS.issuperset(map(type, found)):
            frame.pay(len(found))
            if found:
                return choose(found)
        if not found:
            cure = f"write default({name}(...), 0)"
            raise ExpressionError(f"an empty list has no {name}", cure, missing=True)
        keys = _keys(frame, found, key)
        try:
            return found[choose(range(len(found)), key=keys.__getitem__)]
        except TypeError:
            raise ExpressionError("these lists cannot be compared") from None

    return extreme


def _sum(frame: Frame, value: Any, start: Any = 0) -> Any:
    total, found = start, items(frame, value)
    frame.pay(len(found))
    for one in (start, *found):
        if type(one) not in NUMBERS:
            raise ExpressionError(f"a sum is of numbers, not of {shown(frame, one)}")
    for one in found:
        total = number(total + one)
    return total


def _any(frame: Frame, value: Any) -> bool:
    return any(items(frame, value))


def _all(frame: Frame, value: Any) -> bool:
    return all(items(frame, value))


def _abs(frame: Frame, value: Any) -> Any:
    return abs(_number(frame, value))


def _number(frame: Frame, value: Any) -> Any:
    if type(value) not in NUMBERS:
        raise ExpressionError(f"this takes a number, not {shown(frame, value)}")
    return value


def _round(frame: Frame, value: Any, places: Any = None) -> Any:
    if places is None:
        return number(round(_number(frame, value)))
    if type(places) is not int or abs(places) > MAX_PLACES:
        raise ExpressionError(f"a number is rounded to at most {MAX_PLACES} places")
    return number(round(_number(frame, value), places))


def _int(frame: Frame, value: Any, base: Any = 10) -> int:
    if type(value) is str and type(base) is int and (base == 0 or 2 <= base <= 36):
        made = _converted(frame, value, "whole number", lambda text: int(text, base))
        return number(made)  # type: ignore[no-any-return]
    if base != 10:
        raise ExpressionError("a base is from 2 to 36, and for a text")
    return number(int(_number(frame, value)))  # type: ignore[no-any-return]


def _float(frame: Frame, value: Any) -> float:
    if type(value) is str:
        return number(_converted(frame, value, "number", float))  # type: ignore[no-any-return]
    return float(_number(frame, value))


def _converted(frame: Frame, text: str, what: str, convert: Callable[[str], Any]) -> Any:
    """Return what `convert` makes of `text`."""
    if len(text) <= MAX_DIGITS:
        try:
            return convert(text)
        except ValueError:
            pass
    raise ExpressionError(f"{shown(frame, text)} is no {what}")


def _bool(frame: Frame, value: Any) -> bool:
    return bool(value)


def _list(frame: Frame, value: Any = ()) -> list[Any]:
    found = items(frame, value)
    frame.pay(len(found))
    return list(found)


def _dict(frame: Frame, value: Any = ()) -> dict[Any, Any]:
    if type(value) is dict:
        return value
    made, pairs = {}, items(frame, value)
    frame.pay(len(pairs))
    for pair in pairs:
        if type(pair) not in LISTS or len(pair) != 2:
            raise ExpressionError("a map is made of pairs, [[key, value], ...]")
        made[key(pair[0])] = pair[1]
    return made


def _range(frame: Frame, *bounds: Any) -> list[int]:
    for bound in bounds:
        if type(bound) is not int or bound.bit_length() > 60:
            raise ExpressionError(f"a range has whole numbers, not {shown(frame, bound)}")
    if len(bounds) == 3 and bounds[2] == 0:
        raise ExpressionError("the step of a range is not 0")
    numbers = range(*bounds)
    frame.pay(_length(numbers))
    return list(numbers)


def _length(numbers: range) -> int:
    """Return how many there are; `len` of a range ends at 2**63."""
    return max(
        0,
        (numbers.stop - numbers.start + numbers.step - (1 if numbers.step > 0 else -1))
        // numbers.step,
    )


def _zip(frame: Frame, *lists: Any) -> list[Any]:
    found = [items(frame, one) for one in lists]
    frame.pay(min(map(len, found), default=0) * (len(found) + 1))
    return list(zip(*found, strict=False))


def _enumerate(frame: Frame, value: Any, start: Any = 0) -> list[Any]:
    found = items(frame, value)
    frame.pay(3 * len(found))
    if type(start) is not int:
        raise ExpressionError(f"start is a whole number, not {shown(frame, start)}")
    return list(enumerate(found, start))


def _str(frame: Frame, value: Any = "") -> str:
    return texts.text_of(frame, value)


def _base64(frame: Frame, value: Any) -> str:
    import binascii

    text = texts.text_of(frame, value)
    frame.pay_text(6 * len(text))
    return binascii.b2a_base64(texts.encoded(text), newline=False).decode()


def _sha256(frame: Frame, value: Any) -> str:
    import hashlib

    text = texts.text_of(frame, value)
    frame.pay_text(4 * min(len(text), 250_000))
    frame.pay(len(text) // 16)
    return hashlib.sha256(texts.encoded(text)).hexdigest()


def _basename(frame: Frame, value: Any) -> str:
    return _path(frame, value).rpartition("/")[2]


def _dirname(frame: Frame, value: Any) -> str:
    head, slash, _ = _path(frame, value).rpartition("/")
    return head.rstrip("/") or slash


def _path(frame: Frame, value: Any) -> str:
    if type(value) is not str:
        raise ExpressionError(f"a path is a text, not {shown(frame, value)}")
    frame.pay_text(len(value))
    return value


_BY = frozenset({"key"})

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": Function(_abs, 1, 1),
    "all": Function(_all, 1, 1),
    "any": Function(_any, 1, 1),
    "base64": Function(_base64, 1, 1),
    "basename": Function(_basename, 1, 1),
    "bool": Function(_bool, 1, 1),
    "dict": Function(_dict, 0, 1),
    "dirname": Function(_dirname, 1, 1),
    "enumerate": Function(_enumerate, 1, 2, frozenset({"start"})),
    "float": Function(_float, 1, 1),
    "int": Function(_int, 1, 2, frozenset({"base"})),
    "ip": Function(network.ip, 1, 1),
    "json": Function(texts.json, 1, 1, frozenset({"indent"})),
    "len": Function(_len, 1, 1, raw=True),
    "list": Function(_list, 0, 1),
    "match": Function(patterns.match, 2, 2),
    "max": Function(_extreme("max", max), 1, 255, _BY),
    "min": Function(_extreme("min", min), 1, 255, _BY),
    "range": Function(_range, 1, 3),
    "replace": Function(patterns.replace, 3, 3),
    "round": Function(_round, 1, 2),
    "sha256": Function(_sha256, 1, 1),
    "sorted": Function(_sorted, 1, 1, _BY | {"reverse"}),
    "str": Function(_str, 0, 1),
    "sum": Function(_sum, 1, 2, frozenset({"start"})),
    "yaml": Function(texts.yaml, 1, 1),
    "zip": Function(_zip, 0, 255),
}
