"""Values of a Python program as a graph file has them: expressions in `${{ }}`, and places."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from setpoint.declarations import Map, Seq
from setpoint.expressions import OPEN
from setpoint.program.marks import is_live
from setpoint.program.terms import Expression, call, parts, written
from setpoint.values import Secret, as_text


def declared(value: Any, at: int) -> Any:
    """Return `value`, which is written at the place `at`, as a graph file has it.

    Raises:
        TypeError: nothing in a graph file is like that.

    """
    if isinstance(value, Expression):
        return _open(value)
    if isinstance(value, str):
        return _text(str.__str__(value))
    if value is None or isinstance(value, (bool, int, float, Secret)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return _map(value, at)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = Seq.new(at)
        for item in sorted(value) if isinstance(value, (set, frozenset)) else value:
            items.put(declared(item, at), at)
        return items
    if isinstance(value, msgspec.Struct):
        return _map(_given(value), at)
    raise TypeError(f"{value!r} cannot be written in a graph; {_cure(value)}")


def size_of(value: Any) -> int:
    """Return how much is written for `value`, in characters."""
    if isinstance(value, (Map, Seq)):
        return 2 + sum(map(size_of, value.values() if isinstance(value, Map) else value))
    return len(value) if isinstance(value, str) else 4


def _map(value: Mapping[Any, Any], at: int) -> Map:
    tree = Map.new(at)
    for key, inner in value.items():
        if not isinstance(key, (str, int, float)) or is_live(str(key)):
            raise TypeError(f"the keys of a map are text without expressions, not {key!r}")
        tree.put(as_text(key), declared(inner, at), at, at)
    return tree


def _given(struct: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of `struct` that are not as they are by default."""
    found = {}
    for field in msgspec.structs.fields(type(struct)):
        value = getattr(struct, field.name)
        if field.required or value != field.default:
            found[field.encode_name] = value
    return found


def _text(text: str) -> str:
    """Return `text` with what is an expression as one, and nothing else."""
    found = parts(text)
    if len(found) == 1:  # an f-string is text, also where nothing is around the value
        return _plain(found[0]) if isinstance(found[0], str) else _open(call("str", found[0]))
    pieces: list[str] = []
    for part in found:
        if isinstance(part, str):
            pieces.append(_plain(part))
        elif pieces and pieces[-1].endswith("$"):  # which would make it text
            before = pieces[-1].rstrip("$")
            dollars = pieces[-1][len(before) :]
            pieces[-1:] = [before, _open(dollars + call("str", part))]
        else:
            pieces.append(_open(part))
    return "".join(pieces)


def _plain(text: str) -> str:
    return text.replace(OPEN, "$" + OPEN)


def _open(expression: Expression[Any]) -> str:
    return f"{OPEN} {written(expression)} }}}}"


def _cure(value: Any) -> str:
    if hasattr(value, "send"):
        return "a resource is no value, write .send.FIELD for what it sends"
    return "give text, a number, true or false, None, a list or a map"
