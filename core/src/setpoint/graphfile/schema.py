"""A JSON Schema of graph files in our form, with the kinds that are installed: what editors complete and check by.

It says all that can be said of one file by its shape: keys, params, types, bounds, choices, what is required. Whether
a reference leads somewhere, and what a kind's own rules are, `setpoint check` tells.

Source: https://json-schema.org/draft-07; `defaultSnippets`, `markdownDescription` and `errorMessage` are what
yaml-language-server and VS Code understand besides.
"""

from collections.abc import Mapping

from setpoint.declarations import WORDS
from setpoint.graphfile.edges import POLICIES
from setpoint.graphfile.form import KEYS
from setpoint.graphfile.jsonparams import fields, first_line, params, required, words
from setpoint.graphfile.jsonsections import named, sections
from setpoint.graphfile.jsontypes import EXPRESSION, Schema
from setpoint.resource import Fact, Meta, Resource

Kinds = Mapping[str, type[Resource]]
Facts = Mapping[str, type[Fact]]

DRAFT = "http://json-schema.org/draft-07/schema#"
_MAP = ["object", "null"]  # a map that may be left empty
_REFERENCES = ["string", "array", "object"]
_TEXTS = {
    "graph": "The name of the graph. Of several files the first that has one names the graph.",
    "hosts": "Which hosts this file is for: names, globs, `@GROUP`. By default all.",
    "groups": "Names for groups of hosts: names to hosts, globs, other groups as `@GROUP`.",
    "inputs": "What makes the file a module: values that whoever includes it gives, as `${{ inputs.NAME }}`.",
    "secrets": "Names for secrets, as `${{ secrets.NAME }}`: where each comes from.",
    "include": "Other files that are part of this one, or modules with values for their inputs.",
    "publish": "What this host tells others, as `${{ world.NAME }}`: a map of hosts to values.",
    "collect": "Resources that other hosts offer by `meta.export`, and that are to be here.",
    "vars": "Names to values of any kind. Each may use those above it, as `${{ vars.NAME }}`.",
    "facts": "Facts with params, under names of your own: `NAME: { FACT: WHAT IT IS ABOUT }`.",
    "defaults": "Params and meta params of a kind, unless a resource says otherwise.",
    "resources": "What is to be on this machine: `KIND NAME`, and below it its params.",
    "edges": "Order as arrows: `KIND NAME -> KIND NAME`; `~>` carries a notification too.",
    "when": "An expression: the resource is there only while this is true.",
    "for_each": "A list or a map: there is one resource for each item, which is `each.value`.",
    "meta": "How the engine treats it, whatever its kind.",
    "require": "What runs before this one.",
    "before": "What runs after this one.",
    "notify": "What runs after this one, and is refreshed when this one changed something.",
    "listen": "What runs before this one, and refreshes it when that changed something.",
    "hold": "kept until the notifier succeeds, over crashes and restarts; the default",
    "fire": "delivered at once, although the notifier failed",
    "drop": "dropped",
}


def schema(kinds: Kinds, facts: Facts) -> Schema:
    """Return the JSON Schema of graph files with resources of `kinds`, and `facts`."""
    kinds, facts = dict(sorted(kinds.items())), dict(sorted(facts.items()))
    needs = [_needs(name, param) for name, kind in kinds.items() for param in required(kind)]
    return {
        "$schema": DRAFT,
        "title": "graph file",
        "type": "object",
        "additionalProperties": False,
        "properties": _sections(kinds, facts),
        **({"allOf": needs} if needs else {}),
        "definitions": {
            "resources": _resources(kinds),
            "kinds": {name: _kind(name, kind) for name, kind in kinds.items()},
            "defaults": {name: _default_params(name, kind) for name, kind in kinds.items()},
            "facts": {name: _fact(name, fact) for name, fact in facts.items()},
            "meta": _meta(),
            "references": _references(),
            "policies": _policies(),
        },
    }


def _sections(kinds: Kinds, facts: Facts) -> Schema:
    """Return the schema of each key at the top of a file."""
    own: Schema = {
        **sections(),
        "graph": {"type": "string"},
        "vars": named("a var"),
        "facts": {"type": _MAP, "additionalProperties": _fact_section(facts)},
        "defaults": _defaults(kinds),
        "resources": _led("resources", _MAP),
        "edges": _arrows(),
    }
    return {key: _said(key, own[key]) for key in KEYS}


def _said(word: str, schema: Schema) -> Schema:
    """Return `schema` with the text that an editor shows for `word`."""
    return {"description": _TEXTS[word], "markdownDescription": _TEXTS[word], **schema}


def _led(definition: str, types: list[str]) -> Schema:
    """Return a schema that leads to `definition`.

    Not a `$ref` alone: where an editor sees the properties, it writes all that have a default.
    """
    return {"type": types, "allOf": [{"$ref": f"#/definitions/{definition}"}]}


def _arrows() -> Schema:
    said = {"errorMessage": "an edge is KIND NAME -> KIND NAME, or ~> to notify"}
    arrow = {"type": "string", "pattern": rf"\s(->|~>)\s|{EXPRESSION}", **said}
    types = ["array", "null", "string"]
    return {"type": types, "items": arrow, "pattern": rf"^{EXPRESSION}", **said}


def _references() -> Schema:
    """Return the schema of what `require` and `before` lead to."""
    said = {"errorMessage": "must be KIND NAME, a list of such, or a glob"}
    one = {"type": "string", **said}
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
    made, _ = params(Meta, "/definitions/meta")
    return {"title": "meta", "type": _MAP, "additionalProperties": False, "properties": made}


def _kind(name: str, kind: type[Resource]) -> Schema:
    """Return the schema of what stands below the key of a resource."""
    made, definitions = params(kind, f"/definitions/kinds/{name}")
    made["when"] = _said("when", {"type": ["string", "boolean"]})
    made["for_each"] = _said("for_each", {"type": ["string", "array", "object"]})
    made["meta"] = _said("meta", _led("meta", _MAP))
    for word in WORDS:
        definition = "policies" if word in ("notify", "listen") else "references"
        made[word] = _said(word, _led(definition, _REFERENCES))
    body = {"title": name, "type": _MAP, "additionalProperties": False, "properties": made}
    return {**words(kind), **body, **definitions}


def _fact(name: str, fact: type[Fact]) -> Schema:
    """Return the schema of what stands behind the name of a fact: what it is about, or its params."""
    made, definitions = params(fact, f"/definitions/facts/{name}")
    types = ["object", "string", "number", "boolean", "null"]
    made["name"] = {"type": types[1:], "description": "what it is about"}
    body = {"title": name, "type": types, "additionalProperties": False, "properties": made}
    return {**words(fact), **body, **definitions}


def _fact_section(facts: Facts) -> Schema:
    """Return the schema of one entry of `facts`."""
    types = ["string", "object", "number", "boolean", "null"]
    properties = {}
    for name, fact in facts.items():
        properties[name] = {**words(fact), **_led(f"facts/{name}", types)}
    return {
        "title": "fact",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": properties,
    }


def _defaults(kinds: Kinds) -> Schema:
    properties = {}
    for name, kind in kinds.items():
        text = first_line(kind)
        said = {"description": text, "markdownDescription": text}
        properties[name] = {**said, **_led(f"defaults/{name}", _MAP)}
    return {"type": _MAP, "additionalProperties": False, "properties": properties}


def _default_params(name: str, kind: type[Resource]) -> Schema:
    """Return the schema of the defaults of one kind: its params, none of them required."""
    where = f"#/definitions/kinds/{name}/properties"
    own = (*(field.name for field in fields(kind)), "meta")
    made = {param: {"$ref": f"{where}/{param}"} for param in own}
    return {"title": name, "type": _MAP, "additionalProperties": False, "properties": made}


def _resources(kinds: Kinds) -> Schema:
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
    lines = [f"  {param}: ${number}" for number, param in enumerate(required(kind), start=2)]
    body = "\n".join([f"{name} ${{1:NAME}}:", *(lines or ["  $2"])])
    return {"label": name, "description": first_line(kind), "bodyText": body}


def _needs(name: str, param: str) -> Schema:
    """Return that a resource of the kind `name` has `param`, unless that has a default in the file."""
    has_default: Schema = {"type": "object", "required": [param]}
    for key in (name, "defaults"):
        has_default = {"type": "object", "required": [key], "properties": {key: has_default}}
    needed = {"type": "object", "required": [param], "errorMessage": f"{name} needs {param!r}"}
    resources = {"type": _MAP, "patternProperties": {_pattern(name): needed}}
    return {"if": has_default, "else": {"properties": {"resources": _said("resources", resources)}}}
