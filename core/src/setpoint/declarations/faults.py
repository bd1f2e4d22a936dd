"""Why a value is not of a type, item by item, and what to write instead."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from setpoint.declarations.types import describe, members, show
from setpoint.declarations.written import Seq, key_at, value_at
from setpoint.errors import suggest

Convert = Callable[[Any, Any], Any]
_Part = tuple[str, Any, Any, int | None]  # its name, the value, the type it must be of, its place

_TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_TRUTH |= {"true": "true", "false": "false"}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


class Fault(NamedTuple):
    """What is wrong with a value.

    at: where; None if only the place of the whole value is known.
    which: the param, or what in it: "args[1]".
    rule: what it must be, what it is, and what to do.
    """

    at: int | None
    which: str
    rule: str

    def __str__(self) -> str:
        return f"{self.which} {self.rule}"


def faults(
    which: str,
    value: Any,
    type_: Any,
    convert: Convert,
    at: int | None = None,
    *,
    computed: bool = False,
) -> Iterator[Fault]:
    """Yield what is wrong with `value`, which `convert` does not accept as a `type_`.

    `computed` says that an expression gives it, so that it stands nowhere as it is.
    """
    inside = list(_inside(which, value, type_, convert, at))
    if inside:
        yield from inside
        return
    rule = f"must be {describe(type_)}, not {show(value)}"
    cure = _cure(which, value, members(type_))
    if computed and cure.startswith("write "):
        cure = "make text of it by str(...)" if not isinstance(value, str) else ""
    yield Fault(at, which, f"{rule}; {cure}" if cure else rule)


def _inside(
    which: str, value: Any, type_: Any, convert: Convert, at: int | None
) -> Iterator[Fault]:
    """Yield what is wrong with the items of `value`, as far as it is a list or map as wanted."""
    for member in members(type_):
        origin, args = get_origin(member) or member, get_args(member)
        if not isinstance(origin, type):
            continue
        parts: list[_Part] = []
        if isinstance(value, list) and issubclass(origin, (list, tuple, set, frozenset)) and args:
            parts = _items(which, value, args[0], at)
        elif isinstance(value, dict) and issubclass(origin, Mapping) and len(args) == 2:
            parts = [(f"{which}.{k}", v, args[1], value_at(value, k, at)) for k, v in value.items()]
        elif isinstance(value, dict) and issubclass(origin, msgspec.Struct):
            parts = _fields(which, value, origin, at)
            yield from _misnamed(which, value, origin, at)
        for name, inner, wanted, place in parts:
            if not _is_one(inner, wanted, convert):
                yield from faults(name, inner, wanted, convert, place)


def _items(which: str, value: list[Any], wanted: Any, at: int | None) -> list[_Part]:
    places = value.places if isinstance(value, Seq) else [at] * len(value)
    return [
        (f"{which}[{number}]", item, wanted, place)
        for number, (item, place) in enumerate(zip(value, places, strict=True))
    ]


def _fields(which: str, value: dict[str, Any], struct: type, at: int | None) -> list[_Part]:
    known = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    return [
        (f"{which}.{key}", inner, known[key], value_at(value, key, at))
        for key, inner in value.items()
        if key in known
    ]


def _misnamed(which: str, value: dict[str, Any], struct: type, at: int | None) -> Iterator[Fault]:
    """Yield the keys of `value` that `struct` does not have, and those that it must have."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if struct.__struct_config__.forbid_unknown_fields:  # type: ignore[attr-defined]
        for key in value.keys() - fields.keys():
            rule = f"has no key {key!r}; {suggest(key, fields)}"
            yield Fault(key_at(value, key, at), which, rule.removesuffix("; "))
    for name in [name for name, field in fields.items() if field.required and name not in value]:
        yield Fault(at, which, f"needs {name!r}; add it")


def _is_one(value: Any, type_: Any, convert: Convert) -> bool:
    try:
        convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _cure(which: str, value: Any, wanted: tuple[Any, ...]) -> str:
    """Return what to write instead of `value` where one of the types `wanted` is wanted."""
    choices = [
        choice for type_ in wanted if get_origin(type_) is Literal for choice in get_args(type_)
    ]
    if isinstance(value, str):
        if bool in wanted and value.lower() in _TRUTH:
            return f"write {_TRUTH[value.lower()]}"
        if {int, float}.intersection(wanted) and _NUMBER.fullmatch(value):
            return (
                f"write {value} without quotes" if value[0] != "0" else f"write {value.lstrip('0')}"
            )
        near = suggest(value, map(str, choices))
        return near if near.startswith("did") else ""
    if str not in wanted and str not in map(type, choices):
        return ""
    return _quoted(which, value)


def _quoted(which: str, value: Any) -> str:
    if value is None:
        return 'leave it out, or write ""'
    if isinstance(value, (bool, int, float)):
        # The bits of a mode are thought of with their leading zero, whichever kind has the param.
        zero = "0" if which == "mode" and type(value) is int and value > 0 else ""
        return f'write "{zero}{show(value)}"'
    return ""
