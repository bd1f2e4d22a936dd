"""Sections of a graph file as JSON Schema that have no kinds in them: modules, hosts, what is shared."""

from setpoint.graphfile.inputs import TYPES
from setpoint.graphfile.jsontypes import Schema

_MAP = ["object", "null"]
_NAME = "^[A-Za-z_]([0-9A-Za-z_]|[^\\u0000-\\u007f])*$"
_TEXTS = {
    "use": "The file, as a path relative to this one.",
    "as": "What the module is called: references to all of it are `module NAME`.",
    "with": "Values for its inputs.",
    "when": "An expression: it is included only while this is true.",
    "for_each": "A list or a map: it is included once for each item, which is `each.value`.",
    "type": "What a value must be.",
    "default": "The value if none is given. Without it one must be given.",
    "description": "What it is for.",
    "kind": "Of which kind the resources are.",
    "name": "What they are called, as a glob.",
    "from": "Which hosts offer them: names, globs, `@GROUP`.",
    "file": "The path of a file with the secret in it.",
    "env": "An environment variable with the secret in it.",
    "exec": "A program that prints the secret.",
}


def named(what: str, values: Schema | None = None) -> Schema:
    """Return the schema of a map of names to `values`, or any, where each is the name of `what`."""
    said = f"the name of {what} has letters, digits and _ only"
    names = {"pattern": _NAME, "errorMessage": said}
    return {"type": _MAP, "propertyNames": names, "additionalProperties": values or {}}


def sections() -> dict[str, Schema]:
    """Return the schema of each of these sections, by its key."""
    hosts = {"type": ["string", "array"], "items": {"type": "string"}}
    return {
        "hosts": hosts,
        "groups": {"type": _MAP, "additionalProperties": hosts},
        "inputs": named("an input", _input()),
        "secrets": named("a secret", _secret()),
        "include": {"type": ["array", "null"], "items": _include()},
        "publish": named("what is published"),
        "collect": {"type": ["array", "null"], "items": _collect(hosts)},
    }


def _closed(properties: dict[str, Schema], types: list[str], required: tuple[str, ...]) -> Schema:
    """Return the schema of a map with `properties` and no others."""
    said = {
        key: {"description": _TEXTS[key], "markdownDescription": _TEXTS[key], **value}
        for key, value in properties.items()
    }
    closed = {"type": types, "additionalProperties": False, "properties": said}
    return {**closed, **({"required": list(required)} if required else {})}


def _input() -> Schema:
    choice: Schema = {"enum": list(TYPES)}
    properties: dict[str, Schema] = {"type": choice, "default": {}, "description": {}}
    return {"anyOf": [choice, _closed(properties, _MAP, ())]}


def _include() -> Schema:
    conditions: dict[str, Schema] = {
        "when": {"type": ["string", "boolean"]},
        "for_each": {"type": ["string", "array", "object"]},
    }
    properties: dict[str, Schema] = {"use": {"type": "string"}, "as": {}, "with": {"type": _MAP}}
    return _closed({**properties, **conditions}, ["object", "string"], ("use",))


def _secret() -> Schema:
    properties: dict[str, Schema] = {"file": {}, "env": {}, "exec": {}}
    return {**_closed(properties, ["object"], ()), "minProperties": 1, "maxProperties": 1}


def _collect(hosts: Schema) -> Schema:
    text: Schema = {"type": "string"}
    return _closed({"kind": text, "name": text, "from": hosts}, ["object"], ("kind",))
