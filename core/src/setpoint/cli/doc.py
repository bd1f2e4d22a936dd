"""`setpoint doc`: the reference of one kind or fact, from its class and docstring."""

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from setpoint.cli.installed import installed
from setpoint.cli.options import JSON, complete_kind
from setpoint.cli.words import shown
from setpoint.declarations.docstrings import described
from setpoint.declarations.types import describe
from setpoint.plugins import EntryPoint
from setpoint.resource import RESERVED, Fact, Resource, has_refresh
from setpoint.values import Values, takes_secrets

WIDTH = 80
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


@click.command()
@click.argument("kind", shell_complete=complete_kind)
@JSON
def command(kind: str, as_json: bool) -> None:
    """Explain KIND: its params with types and defaults, what it sends, and a small example.

    A fact of that name is explained too: its params, and what its value has.
    """
    plugins = installed()
    fact = plugins.facts().get(kind)
    if fact is None or kind in plugins.kinds():
        found = reference(plugins.kind(kind), plugins.kinds()[kind])
        click.echo(json.dumps(found) if as_json else "\n".join(lines(found)))
    if fact is not None:
        told = reference_of_fact(plugins.fact(kind), fact)
        click.echo(json.dumps(told) if as_json else "\n".join(lines_of_fact(told)))


def reference(kind: type[Resource], point: EntryPoint) -> dict[str, Any]:
    """Return all that is to be known of `kind`, as plain data.

    params: a list of `name`, `type`, `text`, `required`, and `default`, None where it says nothing.
    sends: a list of `name` and `type`; `sending` is what the kind says of them.
    """
    text, entries = described(inspect.getdoc(kind) or "")
    fields = msgspec.structs.fields(kind)
    params = [_param(field, entries) for field in fields if field.name not in RESERVED]
    sent = msgspec.structs.fields(kind.Sends) if kind.Sends else ()
    return {
        "kind": kind.kind,
        "origin": point.origin,
        "text": text,
        "name": entries.get("name", ""),
        "params": params,
        "sends": [{"name": field.name, "type": _type(field)} for field in sent],
        "sending": entries.get("Sends", ""),
        "refreshes": has_refresh(kind),
        "example": example(kind, _readme(point.distribution)),
    }


def reference_of_fact(fact: type[Fact], point: EntryPoint) -> dict[str, Any]:
    """Return all that is to be known of `fact`, as plain data.

    params: as those of a kind.
    value: its type in words.
    parts: what it is made of, if that has named fields: a list of `of`, the name of the struct, and `fields`, each
        with `name`, `type` and `text`.
    itself: the name of the struct that the value is; empty if it is none.
    """
    text, entries = described(inspect.getdoc(fact) or "")
    fields = [field for field in msgspec.structs.fields(fact) if field.name not in RESERVED]
    return {
        "fact": fact.kind,
        "origin": point.origin,
        "text": text,
        "name": entries.get("name", ""),
        "params": [_param(field, entries) for field in fields],
        "value": describe(fact.Value),
        "parts": [
            {"of": struct.__name__, "fields": list(_told(struct, entries))}
            for struct in structs_in(fact.Value)
        ],
        "itself": fact.Value.__name__ if fact.Value in structs_in(fact.Value) else "",
    }


def structs_in(type_: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the classes with named fields that `type_` is, or is made of, outermost first."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        yield type_
        type_ = tuple(field.type for field in msgspec.structs.fields(type_))
    inner = type_ if isinstance(type_, tuple) else getattr(type_, "__args__", ())
    for one in inner:
        yield from structs_in(one)


def _told(struct: type[msgspec.Struct], entries: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the fields of `struct`, each explained by it, by a class that has it too, or by the fact."""
    meant = dict(entries)
    for base in reversed(struct.__mro__):
        if issubclass(base, Values):
            meant |= described(inspect.getdoc(base) or "")[1]
    for field in msgspec.structs.fields(struct):
        yield {"name": field.name, "type": describe(field.type), "text": meant.get(field.name, "")}


def _readme(distribution: str) -> str:
    """Return the README of an installed distribution, which is the body of its metadata."""
    from importlib.metadata import metadata

    return str(metadata(distribution).json.get("description", ""))


def example(kind: type[Resource], readme: str) -> str:
    """Return the first YAML in `readme` that has a resource of `kind`, else one with what is required."""
    for block in _YAML.findall(readme):
        if re.search(rf"^ *{re.escape(kind.kind)} \S.*:", block, re.MULTILINE):
            return textwrap.dedent(block).rstrip()
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    params = [f"    {name}: ..." for name in required if name not in RESERVED]
    return "\n".join(["resources:", f"  {kind.kind} NAME:", *params])


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the reference as a person reads it."""
    yield from (f"{found['kind']} NAME  (from {found['origin']})", "", found["text"])
    yield from _given(found)
    if found["sends"]:
        yield from ("", "Sends", *(f"  {sent['name']}: {sent['type']}" for sent in found["sends"]))
        yield from _wrapped(found["sending"])
    refresh = (
        "refreshes itself" if found["refreshes"] else "passes it on to those that listen to it"
    )
    yield from ("", "When notified", f"      {refresh}")
    yield from ("", "Example", textwrap.indent(found["example"], "  "))


def lines_of_fact(found: dict[str, Any]) -> Iterator[str]:
    """Yield the reference of a fact as a person reads it."""
    yield from (f"fact {found['fact']}  (from {found['origin']})", "", found["text"])
    yield from _given(found)
    itself = found["itself"]
    if not itself:
        yield from ("", "Value", f"  {found['value']}")
    for part in found["parts"]:
        yield from ("", "Value" if part["of"] == itself else part["of"])
        for field in part["fields"]:
            yield f"  {field['name']}: {field['type']}"
            yield from _wrapped(field["text"])


def _given(found: dict[str, Any]) -> Iterator[str]:
    """Yield what is said of the name and of each param."""
    if found["name"]:
        yield from ("", "NAME", *_wrapped(found["name"]))
    if found["params"]:
        yield from ("", "Params")
    for param in found["params"]:
        default = f", by default {param['default']}" if param["default"] else ""
        required = ", required" if param["required"] else ""
        yield f"  {param['name']}: {param['type']}{default}{required}"
        yield from _wrapped(param["text"])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")


def _type(field: Any) -> str:
    return f"{'a secret, ' if takes_secrets(field.type) else ''}{describe(field.type)}"


def _param(field: Any, entries: dict[str, str]) -> dict[str, Any]:
    has_default = not field.required and _is_telling(field.default)
    return {
        "name": field.name,
        "type": _type(field),
        "text": entries.get(field.name, ""),
        "required": field.required,
        "default": shown(field.default) if has_default else None,
    }


def _is_telling(default: Any) -> bool:
    """Whether it says something that this is the default."""
    return isinstance(default, (bool, int, float)) or (isinstance(default, str) and default != "")
