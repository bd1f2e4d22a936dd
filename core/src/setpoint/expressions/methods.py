"""The methods that texts, lists and maps have in expressions: some of Python's, and no others."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from setpoint.expressions.faults import ExpressionError, nearest
from setpoint.expressions.frame import LISTS, SCALARS, Frame
from setpoint.expressions.operators import pay_all, pay_search, shown
from setpoint.expressions.texts import text_of

GROWTH = 3  # characters that one may become in upper or lower case


class Method(NamedTuple):
    """A method.

    call: what it does.
    takes: what each argument may be, by a letter of `_TYPES`.
    least: how many arguments must be given.
    """

    call: Callable[..., Any]
    takes: str = ""
    least: int = 0


def call_method(frame: Frame, value: Any, name: str, arguments: list[Any]) -> Any:
    """Return what the method `name` of `value` makes of `arguments`, all of them plain."""
    methods = _of(value)
    method = methods.get(name)
    if method is None:
        known = list(methods)
        what = f"{shown(frame, value)} has no method {name!r}"
        if name == "join":
            raise ExpressionError(what, 'write ", ".join(...)')
        raise ExpressionError(what, lambda: nearest(name, known))
    if not method.least <= len(arguments) <= len(method.takes):
        raise ExpressionError(f"{name} takes {_count(method)}, not {len(arguments)}")
    for argument, letter in zip(arguments, method.takes, strict=False):
        if type(argument) not in _TYPES[letter]:
            what = f"{name} takes {_WORDS[letter]}, not {shown(frame, argument)}"
            raise ExpressionError(what)
    return method.call(frame, value, *arguments)


def _of(value: Any) -> dict[str, Method]:
    if type(value) is str:
        return TEXT
    if type(value) is dict:
        return MAP
    return LIST if type(value) in LISTS else {}


def _count(method: Method) -> str:
    most = len(method.takes)
    if method.least == most:
        return f"{most} argument{'' if most == 1 else 's'}" if most else "no arguments"
    return f"{method.least} to {most} arguments"


_TYPES = {
    "s": frozenset({str}),
    "i": frozenset({int}),
    "n": frozenset({str, type(None)}),
    "S": frozenset({str, list, tuple}),
    "l": frozenset({list, tuple, dict, str}),
    "a": SCALARS | LISTS | {dict},
}
_WORDS = {
    "s": "a text",
    "i": "a whole number",
    "n": "a text or null",
    "S": "a text or a list of them",
    "l": "a list of texts",
    "a": "anything",
}


def _plainly(name: str, growth: int = 1) -> Callable[..., Any]:
    """Return the method `name` of Python's texts, whose result is at most `growth` times as long."""

    def method(frame: Frame, text: str, *arguments: Any) -> Any:
        frame.pay_text(growth * len(text))
        return getattr(text, name)(*arguments)

    return method


def _searching(name: str) -> Callable[..., Any]:
    """Return the method `name` of Python's texts, which looks for its argument."""

    def method(frame: Frame, text: str, wanted: str) -> Any:
        frame.pay_text(len(text))
        pay_search(frame, text, wanted)
        if not wanted and name in ("partition", "rpartition"):
            raise ExpressionError("a text is not separated by an empty one")
        return getattr(text, name)(wanted)

    return method


def _splitting(name: str) -> Callable[..., Any]:
    """Return `split` or `rsplit`."""

    def method(frame: Frame, text: str, by: str | None = None, most: int = -1) -> Any:
        frame.pay_text(len(text))
        if by == "":
            raise ExpressionError("a text is not separated by an empty one")
        if by is not None:
            pay_search(frame, text, by)
        frame.pay(len(text) // 2 if by is None else text.count(by))
        return getattr(text, name)(by, most)

    return method


def _ends(name: str) -> Callable[..., Any]:
    def method(frame: Frame, text: str, ends: Any) -> bool:
        choices = (ends,) if type(ends) is str else tuple(ends)
        pay_all(frame, choices)
        if any(type(choice) is not str for choice in choices):
            raise ExpressionError(f"{name} takes a text or a list of them")
        return bool(getattr(text, name)(choices))

    return method


def _padding(name: str) -> Callable[..., Any]:
    def method(frame: Frame, text: str, width: int, fill: str = " ") -> Any:
        if len(fill) != 1:
            raise ExpressionError(f"{name} fills with one character, not {shown(frame, fill)}")
        frame.pay_text(max(len(text), width))
        return text.zfill(width) if name == "zfill" else getattr(text, name)(width, fill)

    return method


def _replace(frame: Frame, text: str, old: str, new: str, count: int = -1) -> str:
    pay_search(frame, text, old)
    times = text.count(old) if count < 0 else min(text.count(old), count)
    frame.pay_text(len(text) + times * max(len(new) - len(old), 0))
    frame.pay(times // 10)
    return text.replace(old, new, count if count >= 0 else -1)


def _join(frame: Frame, text: str, parts: Any) -> str:
    frame.pay(len(parts))
    pieces = [text_of(frame, part) for part in parts]
    size = sum(map(len, pieces)) + len(text) * max(len(pieces) - 1, 0)
    frame.pay_text(size)
    return text.join(pieces)


def _splitlines(frame: Frame, text: str) -> list[str]:
    frame.pay_text(len(text))
    frame.pay(len(text) // 2)
    return text.splitlines()


def _index(frame: Frame, value: Any, wanted: Any) -> int:
    _pay_look(frame, value, wanted)
    try:
        return value.index(wanted)  # type: ignore[no-any-return]
    except ValueError:
        what = f"there is no {shown(frame, wanted)} in the list"
        raise ExpressionError(what, missing=True) from None


def _count_in(frame: Frame, value: Any, wanted: Any) -> int:
    _pay_look(frame, value, wanted)
    return value.count(wanted)  # type: ignore[no-any-return]


def _pay_look(frame: Frame, value: Any, wanted: Any) -> None:
    pay_all(frame, value)
    pay_all(frame, wanted)


def _keys(frame: Frame, value: dict[Any, Any]) -> list[Any]:
    frame.pay(len(value))
    return list(value)


def _values(frame: Frame, value: dict[Any, Any]) -> list[Any]:
    frame.pay(len(value))
    return list(value.values())


def _items(frame: Frame, value: dict[Any, Any]) -> list[Any]:
    frame.pay(3 * len(value))
    return list(value.items())


TEXT: Final[dict[str, Method]] = {
    **{name: Method(_plainly(name, GROWTH)) for name in ("capitalize", "lower", "title", "upper")},
    **{name: Method(_plainly(name)) for name in ("isalnum", "isalpha", "isdigit", "isspace")},
    **{name: Method(_plainly(name), "n") for name in ("strip", "lstrip", "rstrip")},
    **{name: Method(_plainly(name), "s", 1) for name in ("removeprefix", "removesuffix")},
    **{name: Method(_splitting(name), "ni") for name in ("split", "rsplit")},
    **{
        name: Method(_searching(name), "s", 1)
        for name in ("count", "find", "partition", "rpartition")
    },
    **{name: Method(_ends(name), "S", 1) for name in ("startswith", "endswith")},
    **{name: Method(_padding(name), "is", 1) for name in ("center", "ljust", "rjust")},
    "join": Method(_join, "l", 1),
    "replace": Method(_replace, "ssi", 2),
    "splitlines": Method(_splitlines),
    "zfill": Method(_padding("zfill"), "i", 1),
}
LIST: Final[dict[str, Method]] = {
    "count": Method(_count_in, "a", 1),
    "index": Method(_index, "a", 1),
}
MAP: Final[dict[str, Method]] = {
    "items": Method(_items),
    "keys": Method(_keys),
    "values": Method(_values),
}
NAMES: Final = frozenset({*TEXT, *LIST, *MAP, "get"})  # `get` is built by `Calls`
