"""The inputs of a file, which make it a module that others include with values of their own."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from setpoint.declarations import Map, value_at
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.values import Received, reveal

if TYPE_CHECKING:
    from setpoint.graphfile.files import File
    from setpoint.graphfile.form import Form

Test = Callable[[Any], bool]
TYPES: Mapping[str, tuple[str, Test]] = {
    "any": ("anything", lambda _: True),
    "str": ("text", lambda value: isinstance(value, str)),
    "int": ("a whole number", lambda value: type(value) is int),
    "float": ("a number", lambda value: type(value) in (int, float)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "list": ("a list", lambda value: isinstance(value, (list, tuple))),
    "map": ("a map", lambda value: isinstance(value, (Mapping, msgspec.Struct))),
}
_KEYS = ("type", "default", "description")


class Input(NamedTuple):
    """One input: the name of its type, whether it may be left out, and what it is then."""

    type: str
    has_default: bool
    default: Any
    default_at: int

    def refusal(self, value: Any) -> str:
        """Return why `value` cannot be given for it; empty if it can, as far as is known."""
        found = reveal(value)
        if found is UNKNOWN or found is msgspec.UNSET or isinstance(found, Received):
            return ""
        told, test = TYPES[self.type]
        return "" if test(found) else f"must be {told}, not {show(value)}"


def inputs_of(file: "File") -> dict[str, Input]:
    """Return the inputs of `file`, as far as they are written as they should be."""
    found = file.root.get("inputs")
    entries = found.entries() if isinstance(found, Map) else ()
    return {name: _input(body, at) for name, body, _, at in entries}


def _input(body: Any, at: int) -> Input:
    if not isinstance(body, Map):
        return Input(body if isinstance(body, str) and body in TYPES else "any", False, None, at)
    type_ = body.get("type", "any")
    known = type_ if isinstance(type_, str) and type_ in TYPES else "any"
    place = value_at(body, "default", at)
    return Input(known, "default" in body, body.get("default"), place)


def declare(form: "Form", name: str, body: Any, key_at: int, at: int) -> Iterable[str]:
    """Take over the input `name` of a file, with its default if nothing is given for it."""
    for place, rule in _faults(body, at):
        form.context.wrong(place, f"the input {name} {rule}")
    found = _input(body, at)
    if name in form.given:
        return ()
    if not found.has_default:
        if not form.context.module:  # else who includes it is told
            what = "include this file with it, or give it a default"
            form.context.wrong(key_at, f"the input {name} has no value; {what}")
        return form.scope.assign("inputs", name, msgspec.UNSET, is_live=False)
    form.origins[f"inputs.{name}"] = form, form.context.cell
    value = form.value(found.default, found.default_at)
    if rule := found.refusal(value):
        form.context.wrong(found.default_at, f"the input {name} {rule}")
    return form.scope.assign("inputs", name, value, is_live=form.context.cell.is_live)


def _faults(body: Any, at: int) -> Iterable[tuple[int, str]]:
    """Yield what is wrong with how an input is written, and where."""
    if isinstance(body, str) or body is None:
        if body is not None and body not in TYPES:
            yield at, _no_type(body)
        return
    if not isinstance(body, Map):
        yield at, f"must be a type, or a map of {', '.join(_KEYS)}, not {show(body)}"
        return
    for key, value, key_at, place in body.entries():
        if key not in _KEYS:
            yield key_at, f"has no {key!r}; {suggest(key, _KEYS)}".removesuffix("; ")
        elif key == "type" and (not isinstance(value, str) or value not in TYPES):
            yield place, _no_type(value)


def _no_type(found: Any) -> str:
    hint = suggest(found, TYPES) if isinstance(found, str) else ""
    return f"has no type {show(found)}; {hint or 'there are ' + ', '.join(TYPES)}"
