"""The params of a kind or fact as JSON Schema: their types, and what an editor shows of them."""

import inspect
from typing import Any

import msgspec

from setpoint.declarations.docstrings import described
from setpoint.declarations.types import describe, show
from setpoint.graphfile.jsontypes import Schema, schemas
from setpoint.resource import RESERVED
from setpoint.values import takes_secrets

Struct = type[msgspec.Struct]


def required(struct: Struct) -> list[str]:
    """Return the params that `struct` must have."""
    return [field.name for field in fields(struct) if field.required]


def fields(struct: Struct) -> list[Any]:
    """Return the fields of `struct` that are params."""
    return [field for field in msgspec.structs.fields(struct) if field.name not in RESERVED]


def first_line(struct: Struct) -> str:
    """Return the first line of what `struct` says of itself."""
    return (inspect.getdoc(struct) or "").partition("\n")[0]


def words(struct: Struct) -> Schema:
    """Return what an editor shows of a kind or fact."""
    prose, entries = described(inspect.getdoc(struct) or "")
    name = f"\n\n**NAME**: {entries['name']}" if "name" in entries else ""
    return {"description": prose, "markdownDescription": f"{prose}{name}"}


def params(struct: Struct, where: str) -> tuple[dict[str, Schema], Schema]:
    """Return the schema of each param of `struct`, and the definitions they need below `where`."""
    _, entries = described(inspect.getdoc(struct) or "")
    own = fields(struct)
    found, named = schemas((field.type for field in own), f"{where}/definitions")
    made = {
        field.name: {**_words(field, entries.get(field.name, "")), **_default(field), **schema}
        for field, schema in zip(own, found, strict=True)
    }
    return made, {"definitions": named} if named else {}


def _words(field: Any, text: str) -> Schema:
    """Return what an editor shows of a param: `text`, its type and its default."""
    default = _default(field).get("default")
    facts = ["a secret"] if takes_secrets(field.type) else []
    facts += [describe(field.type), *(["required"] if field.required else [])]
    facts += [f"by default {show(default)}"] if default is not None else []
    return {"description": text, "markdownDescription": f"{text}\n\n*{', '.join(facts)}*".strip()}


def _default(field: Any) -> Schema:
    """Return the default of `field`, if it has one that says something."""
    if field.required or takes_secrets(field.type):
        return {}
    says_something = isinstance(field.default, (bool, int, float, str, tuple))
    if not says_something or field.default in ("", ()):
        return {}
    return {"default": msgspec.to_builtins(field.default)}
