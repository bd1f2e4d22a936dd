"""A JSON Schema of graph files in our form, with the kinds that are installed: what editors complete and check by.

It says all that can be said of one file by its shape: keys, params, types, bounds, choices, what is required. Whether
a reference leads somewhere, and what a kind's own rules are, `setpoint check` tells.

Source: https://json-schema.org/draft-07; `defaultSnippets`, `markdownDescription` and `patternErrorMessage` are what
yaml-language-server and VS Code understand besides.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from setpoint.declarations import WORDS
from setpoint.declarations.docstrings import described
from setpoint.declarations.types import describe, show
from setpoint.graphfile.edges import POLICIES
from setpoint.graphfile.jsontypes import EXPRESSION, Schema, schemas
from setpoint.resource import RESERVED, Meta, Resource
from setpoint.values import takes_secrets

DRAFT = "http://json-schema.org/draft-07/schema#"
_MAP = ["object", "null"]  # a map that may be left empty
_REFERENCES = ["string", "array", "object"]
_TEXTS = {
    "graph": "The name of the graph. Of several files the first that has one names the graph.",
    "vars": "Constants: names to values of any kind. Each may use those above it, as `${{ vars.NAME }}`.",
    "defaults": "Params and meta params of a kind, unless a resource says otherwise.",
    "resources": "What is to be on this machine: `KIND NAME`, and below it its params.",
    "edges": "Order as arrows: `KIND NAME -> KIND NAME`; `~>` carries a notification too.",
    "meta": "How the engine treats it, whatever its kind.",
    "require": "What runs before this one.",
    "before": "What runs after this one.",
    "notify": "What runs after this one, and is refreshed when this one changed something.",
    "listen": "What runs before this one, and refreshes it when that changed something.",
    "hold": "kept until the notifier succeeds, over crashes and restarts; the default",
    "fire": "delivered at once, although the notifier failed",
    "drop": "dropped",
}


def schema(kinds: Mapping[str, type[Resource]]) -> Schema:
    """Return the JSON Schema of graph files whose resources are of `kinds`."""
    kinds = dict(sorted(kinds.items()))
    needs = [_needs(name, param) for name, kind in kinds.items() for param in required(kind)]
    return {
        "$schema": DRAFT,
        "title": "graph file",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "graph": _said("graph", {"type": "string"}),
            "vars": _said("vars", _vars()),
            "defaults": _said("defaults", _defaults(kinds)),
            "resources": _said("resources", _led("resources", _MAP)),
            "edges": _said("edges", _arrows()),
        },
        **({"allOf": needs} if needs else {}),
        "definitions": {
            "resources": _resources(kinds),
            "kinds": {name: _kind(name, kind) for name, kind in kinds.items()},
            "defaults": {name: _default_params(name, kind) for name, kind in kinds.items()},
            "meta": _meta(),
            "references": _references(),
            "policies": _policies(),
        },
    }


def required(kind: type[Resource]) -> list[str]:
    """Return the params that a resource of `kind` must have."""
    return [field.name for field in _fields(kind) if field.required]


def _fields(struct: type[msgspec.Struct]) -> list[Any]:
    return [field for field in msgspec.structs.fields(struct) if field.name not in RESERVED]


def _said(word: str, schema: Schema) -> Schema:
    """Return `schema` with the text that an editor shows for `word`."""
    return {"description": _TEXTS[word], "markdownDescription": _TEXTS[word], **schema}


def _led(definition: str, types: list[str]) -> Schema:
    """Return a schema that leads to `definition`.

    Not a `$ref` alone: where an editor sees the properties, it writes all that have a default.
    """
    return {"type": types, "allOf": [{"$ref": f"#/definitions/{definition}"}]}


def _vars() -> Schema:
    name = {
        "pattern": "^[A-Za-z_]([0-9A-Za-z_]|[^\\u0000-\\u007f])*$",
        "errorMessage": "the name of a var has letters, digits and _ only",
    }
    return {"type": _MAP, "propertyNames": name}


def _arrows() -> Schema:
    said = {"errorMessage": "an edge is KIND NAME -> KIND NAME, or ~> to notify"}
    arrow = {"type": "string", "pattern": rf"\s(->|~>)\s|{EXPRESSION}", **said}
    types = ["array", "null", "string"]
    return {"type": types, "items": arrow, "pattern": rf"^{EXPRESSION}", **said}


def _references() -> Schema:
    """Return the schema of what `require` and `before` lead to."""
    said = {"errorMessage": "must be KIND NAME, a list of such, or a glob"}
    one = {"type": "string", "pattern": "^(?!module )", **said}
    no_policy = {"type": "null", "errorMessage": "no policy here; write a list of references"}
    return {**one, "type": _REFERENCES, "items": one, "additionalProperties": no_policy}


def _policies() -> Schema:
    """Return the schema of what `notify` and `listen` lead to: with policies, if that is a map."""
    choices = {
        "title": "policy",
        "enum": [*POLICIES, None],
        "enumDescriptions": [*(_TEXTS[policy] for policy in POLICIES), _TEXTS["hold"]],
    }
    expression = {"type": "string", "pattern": EXPRESSION, "title": "an expression ${{ }}"}
    return {**_references(), "additionalProperties": {"anyOf": [choices, expression]}}


def _meta() -> Schema:
    params, _ = _params(Meta, "/definitions/meta")
    return {"title": "meta", "type": _MAP, "additionalProperties": False, "properties": params}


def _params(struct: type[msgspec.Struct], where: str) -> tuple[dict[str, Schema], Schema]:
    """Return the schema of each field of `struct`, and the definitions they need below `where`."""
    _, entries = described(inspect.getdoc(struct) or "")
    fields = _fields(struct)
    found, named = schemas((field.type for field in fields), f"{where}/definitions")
    params = {
        field.name: {**_words(field, entries.get(field.name, "")), **_default(field), **schema}
        for field, schema in zip(fields, found, strict=True)
    }
    return params, {"definitions": named} if named else {}


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


def _kind(name: str, kind: type[Resource]) -> Schema:
    """Return the schema of what stands below the key of a resource."""
    prose, entries = described(inspect.getdoc(kind) or "")
    params, definitions = _params(kind, f"/definitions/kinds/{name}")
    called = f"\n\n**NAME**: {entries['name']}" if "name" in entries else ""
    params["meta"] = _said("meta", _led("meta", _MAP))
    for word in WORDS:
        definition = "policies" if word in ("notify", "listen") else "references"
        params[word] = _said(word, _led(definition, _REFERENCES))
    return {
        "title": name,
        "description": prose,
        "markdownDescription": f"{prose}{called}",
        "type": _MAP,
        "additionalProperties": False,
        "properties": params,
        **definitions,
    }


def _defaults(kinds: Mapping[str, type[Resource]]) -> Schema:
    properties = {}
    for name, kind in kinds.items():
        text = _first(kind)
        said = {"description": text, "markdownDescription": text}
        properties[name] = {**said, **_led(f"defaults/{name}", _MAP)}
    return {"type": _MAP, "additionalProperties": False, "properties": properties}


def _default_params(name: str, kind: type[Resource]) -> Schema:
    """Return the schema of the defaults of one kind: its params, none of them required."""
    where = f"#/definitions/kinds/{name}/properties"
    own = (*(field.name for field in _fields(kind)), "meta")
    params = {param: {"$ref": f"{where}/{param}"} for param in own}
    return {"title": name, "type": _MAP, "additionalProperties": False, "properties": params}


def _resources(kinds: Mapping[str, type[Resource]]) -> Schema:
    patterns = {_pattern(name): {"$ref": f"#/definitions/kinds/{name}"} for name in kinds}
    return {
        "title": "resources",
        "type": _MAP,
        "additionalProperties": False,
        "patternProperties": {**patterns, rf"^\S*{EXPRESSION}": {"type": _MAP}},
        "defaultSnippets": [_snippet(name, kind) for name, kind in kinds.items()],
    }


def _pattern(kind: str) -> str:
    """Return what the keys of resources of `kind` match, and no others."""
    return rf"^{kind} \S"


def _snippet(name: str, kind: type[Resource]) -> Schema:
    """Return what an editor writes for a resource of `kind`: its key, and what is required."""
    params = [f"  {param}: ${number}" for number, param in enumerate(required(kind), start=2)]
    body = "\n".join([f"{name} ${{1:NAME}}:", *(params or ["  $2"])])
    return {"label": name, "description": _first(kind), "bodyText": body}


def _first(kind: type[Resource]) -> str:
    """Return the first line of what `kind` says of itself."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _needs(name: str, param: str) -> Schema:
    """Return that a resource of the kind `name` has `param`, unless that has a default in the file."""
    has_default: Schema = {"type": "object", "required": [param]}
    for key in (name, "defaults"):
        has_default = {"type": "object", "required": [key], "properties": {key: has_default}}
    needed = {"type": "object", "required": [param], "errorMessage": f"{name} needs {param!r}"}
    resources = {"type": _MAP, "patternProperties": {_pattern(name): needed}}
    return {"if": has_default, "else": {"properties": {"resources": _said("resources", resources)}}}
