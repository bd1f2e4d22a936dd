"""The types of params and of sent values: in words, and which fits which."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from setpoint.values import Received, Secret

LONGEST = 60  # characters of a text that a message shows

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bytes: "base64 text",
    type(None): "null",
    dict: "a map",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
    Any: "anything",
}
_MANY = {str: "text", int: "whole numbers", float: "numbers", dict: "maps", list: "lists"}
_BOUNDS = {
    "ge": "of {} or more",
    "gt": "above {}",
    "le": "of at most {}",
    "lt": "below {}",
    "min_length": "with at least {} items or characters",
    "max_length": "with at most {} items or characters",
    "pattern": "matching {!r}",
    "multiple_of": "that is a multiple of {}",
}


def members(type_: Any) -> tuple[Any, ...]:
    """Return what `type_` is one of: the members of a union, or itself; no unset, no `Annotated`."""
    if get_origin(type_) is Annotated:
        return members(get_args(type_)[0])
    if get_origin(type_) in (Union, types.UnionType):
        return tuple(inner for member in get_args(type_) for inner in members(member))
    return () if type_ is msgspec.UnsetType else (type_,)


def describe(type_: Any) -> str:
    """Return what a value of `type_` is, in words: "text", "a whole number from 0 to 9"."""
    if get_origin(type_) is Annotated:
        base, *notes = get_args(type_)
        demands = [bounds(note) for note in notes if isinstance(note, msgspec.Meta)]
        return " ".join([describe(base), *filter(None, demands)])
    if get_origin(type_) in (Union, types.UnionType):
        kept = [m for m in get_args(type_) if m not in (type(None), msgspec.UnsetType)]
        return " or ".join(dict.fromkeys(describe(member) for member in kept)) or "null"
    return _describe_one(type_)


def _describe_one(type_: Any) -> str:
    origin, args = get_origin(type_) or type_, get_args(type_)
    if origin is Literal:
        return " or ".join(show(choice) for choice in args)
    if origin is Secret:
        return describe(args[0]) if args else "text"
    if origin in (list, tuple, set, frozenset) and args:
        first = next(iter(members(args[0])), Any)
        inner = _MANY.get(get_origin(first) or first)
        return f"a list of {inner}" if inner else "a list"
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return "a map"
    return _WORDS.get(origin) or f"a {getattr(origin, '__name__', origin)}"


def bounds(note: msgspec.Meta) -> str:
    """Return what `note` demands beyond the type, in words; empty if nothing."""
    if note.ge is not None and note.le is not None:
        return f"from {note.ge} to {note.le}"
    given = ((name, getattr(note, name)) for name in _BOUNDS)
    return " and ".join(_BOUNDS[name].format(bound) for name, bound in given if bound is not None)


def show(value: Any) -> str:
    """Return `value` as it stands in a message: as in YAML, lists and maps only by their kind."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[:LONGEST] + "...")
    if isinstance(value, Received):
        return "a received value"
    if isinstance(value, (dict, msgspec.Struct)):
        return "a map" if value else "an empty map"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return repr(value)


def fits(sent: Any, wanted: Any) -> bool:
    """Whether every value of the type `sent` may go into a param of the type `wanted`.

    A whole number fits where a number is wanted, and a secret where its content is wanted, for the
    param becomes secret with it; not the other way round. Bounds and choices are left to be checked
    when the value arrives.
    """
    return all(
        any(_fits_one(one, other) for other in members(wanted)) for one in members(sent)
    ) and bool(members(wanted))


def _fits_one(sent: Any, wanted: Any) -> bool:
    if Any in (sent, wanted) or sent == wanted:
        return True
    origin, target = get_origin(sent) or sent, get_origin(wanted) or wanted
    if origin is Literal:
        return all(_fits_one(type(choice), wanted) for choice in get_args(sent))
    if target is Literal:
        return any(_fits_one(sent, type(choice)) for choice in get_args(wanted))
    if origin is Secret and target is not Secret:
        return fits((get_args(sent) or (Any,))[0], wanted)
    if origin is target:
        return _args_fit(get_args(sent), get_args(wanted))
    return (origin, target) == (int, float)


def _args_fit(sent: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    if not sent or not wanted:
        return True
    pairs = zip(sent, wanted, strict=False)
    return len(sent) == len(wanted) and all(
        one is other or fits(one, other) for one, other in pairs
    )
