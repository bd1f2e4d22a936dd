"""The types of params as JSON Schema, with an expression allowed beside every type.

Where it can be, that is one set of keywords and no choice of schemas: each keyword of JSON Schema counts for one type
only, so `{"type": ["integer", "string"], "minimum": 0, "pattern": ...}` is a number of 0 or more, or a text that
fits the pattern. An editor then names the very rule that is broken.
"""

from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from setpoint.declarations.types import describe
from setpoint.values import Secret

Schema = dict[str, Any]

EXPRESSION = r"\$\{\{"  # where it is in a text, nobody knows yet what that will be
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a map",
    "null": "null",
}
_ANY_TEXT: Schema = {"type": "string"}
_NOT_OURS = frozenset({"title", "uniqueItems"})  # what is in a list twice counts once in a set


def schemas(types: Iterable[Any], where: str) -> tuple[list[Schema], dict[str, Schema]]:
    """Return the schema of each of `types`, and the definitions that these refer to.

    What msgspec has no schema for may be anything: `setpoint check` tells.

    Args:
        types: those of params.
        where: the JSON pointer below which the definitions will be.

    """
    types = list(types)
    found, named = msgspec.json.schema_components(
        map(_known, types), schema_hook=_of_secret, ref_template=f"#{where}/{{name}}"
    )
    made = [_open(schema, describe(type_)) for schema, type_ in zip(found, types, strict=True)]
    return made, {name: _drafted(schema) for name, schema in named.items()}


def _known(type_: Any) -> Any:
    """Return `type_` as msgspec can describe it."""
    revealed = _revealed(type_)
    try:
        msgspec.json.schema(revealed, schema_hook=_of_secret)
    except TypeError:
        return Any
    return revealed


def _revealed(type_: Any) -> Any:
    """Return `type_` with what is in a secret instead of the secret, which msgspec does not know."""
    origin, args = get_origin(type_), get_args(type_)
    if Secret in (type_, origin):
        return _revealed(args[0]) if args else Any
    if origin is None or origin is Literal:
        return type_
    if origin is Annotated:
        return Annotated[_revealed(args[0]), *args[1:]]
    inner = tuple(map(_revealed, args))
    return Union[inner] if origin in (Union, UnionType) else origin[inner]  # noqa: UP007


def _of_secret(type_: Any) -> Schema:
    """Return the schema of a secret within a struct, of which only that is known."""
    if type_ is Secret:
        return {"not": {"type": "null"}}
    raise NotImplementedError


def _drafted(schema: Schema) -> Schema:
    """Return `schema` in the words of draft 7, with expressions allowed for all that is within."""
    result = {key: value for key, value in schema.items() if key not in _NOT_OURS}
    if "prefixItems" in result:
        result["additionalItems"] = result["items"]
        result["items"] = [_open(item) for item in result.pop("prefixItems")]
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _open(result[key])
    if "properties" in result:
        result["properties"] = {name: _open(one) for name, one in result["properties"].items()}
    return result


def _open(schema: Schema, meaning: str = "") -> Schema:
    """Return `schema` with an expression allowed too; `meaning` is what it demands, in words."""
    choices = [_drafted(choice) for choice in schema.get("anyOf", [schema])]
    meaning = meaning or " or ".join(_WORDS.get(choice.get("type", ""), "") for choice in choices)
    if {} in choices:
        return {}
    if _ANY_TEXT in choices:
        cure = "; put it in quotes" if len(choices) == 1 else ""
        said = {"errorMessage": f"must be {meaning}{cure}"}
    else:
        choices.append({"type": "string", "pattern": EXPRESSION})
        said = {"errorMessage": f"must be {meaning}, or an expression ${{{{ }}}}"}
    united = _united(choices)
    return {**united, **said} if united else {"anyOf": [_titled(choice) for choice in choices]}


def _titled(choice: Schema) -> Schema:
    """Return `choice` with a title, which an editor shows where it can be one of several."""
    is_expression = choice.get("pattern") == EXPRESSION
    return {"title": "an expression ${{ }}" if is_expression else "a choice", **choice}


def _united(choices: list[Schema]) -> Schema:
    """Return one set of keywords for all `choices`; an empty one if they do not go together."""
    result: Schema = {"type": []}
    for choice in choices:
        rest = {key: value for key, value in choice.items() if key != "type"}
        if choice.get("type", result["type"]) in (result["type"], *result["type"]):
            return {}
        if not rest.keys().isdisjoint(result):
            return {}
        result = {**result, **rest, "type": [*result["type"], choice["type"]]}
    types = result["type"]
    return {**result, "type": types if len(types) > 1 else types[0]}
