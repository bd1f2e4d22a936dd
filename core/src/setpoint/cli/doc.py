"""`setpoint doc`: the reference of one kind, from its class and docstring."""

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
from setpoint.declarations.types import describe
from setpoint.plugins import EntryPoint
from setpoint.resource import RESERVED, Resource, has_refresh
from setpoint.values import takes_secrets

WIDTH = 80
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"(\w+): (.*)")


@click.command()
@click.argument("kind", shell_complete=complete_kind)
@JSON
def command(kind: str, as_json: bool) -> None:
    """Explain KIND: its params with types and defaults, what it sends, and a small example."""
    found = reference(installed().kind(kind), installed().kinds()[kind])
    click.echo(json.dumps(found) if as_json else "\n".join(lines(found)))


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


def _readme(distribution: str) -> str:
    """Return the README of an installed distribution, which is the body of its metadata."""
    from importlib.metadata import metadata

    return str(metadata(distribution).json.get("description", ""))


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the prose of a kind's docstring, and what it says of each param and of "Sends"."""
    prose, entries, current = list[str](), dict[str, str](), ""
    for line in docstring.splitlines():
        found = _ENTRY.fullmatch(line)
        if found:
            current = found[1]
            entries[current] = found[2]
        elif line.startswith("Sends "):
            current = "Sends"
            entries[current] = f"{entries.get(current, '')} {line.removeprefix('Sends ')}".lstrip()
        elif current and line.strip():
            entries[current] += f" {line.strip()}"
        else:
            current = ""
            prose.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(prose)).strip(), entries


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
    if found["name"]:
        yield from ("", "NAME", *_wrapped(found["name"]))
    if found["params"]:
        yield from ("", "Params")
    for param in found["params"]:
        default = f", by default {param['default']}" if param["default"] else ""
        required = ", required" if param["required"] else ""
        yield f"  {param['name']}: {param['type']}{default}{required}"
        yield from _wrapped(param["text"])
    if found["sends"]:
        yield from ("", "Sends", *(f"  {sent['name']}: {sent['type']}" for sent in found["sends"]))
        yield from _wrapped(found["sending"])
    refresh = (
        "refreshes itself" if found["refreshes"] else "passes it on to those that listen to it"
    )
    yield from ("", "When notified", f"      {refresh}")
    yield from ("", "Example", textwrap.indent(found["example"], "  "))


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
