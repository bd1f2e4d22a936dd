"""Writes the pages of the reference that follow from the code: `.venv/bin/python docs/generate.py`.

A test fails while a page is not what this makes of the code.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from setpoint.cli.doc import reference, reference_of_fact
from setpoint.cli.group import setpoint
from setpoint.declarations.docstrings import described
from setpoint.declarations.types import describe
from setpoint.engine import events
from setpoint.plugins import Plugins
from setpoint.resource import Meta

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py; change the docstrings instead. -->\n"
WIDTH = 100  # columns of the help texts

KINDS = """\
# Kinds

What each installed kind is, with its params, as `setpoint doc KIND` tells it. Every resource has [meta params](meta.md)
besides; every `KIND NAME` is a key of `resources:` in a [graph file](graph-files.md).
"""
FACTS = """\
# Facts

What each installed fact tells of the machine, as `setpoint facts` shows it. A fact has one value, which is known at
once and told again when it changes; a name where it is about something in particular.
"""
META = """\
# Meta params

How the engine treats a resource, whatever its kind: below `meta:` of a resource, or of a kind in `defaults:`. All times
are in **seconds** and may have a fraction. (In mgmt's own form they are milliseconds there, and are converted.)

```yaml
resources:
  exec ask the registry:
    cmd: "true"
    meta: { retry: 3, delay: 2.5, timeout: 30, sema: ["network:4"] }
```
"""
EVENTS = """\
# Events

What an engine tells: to `Engine.listen` as objects of `setpoint.engine.events`, and with `--json` as one JSON object a
line, with `time` (seconds since 1970) and `type` (the name of the class) in front. Secrets are replaced already. The
last object of `run` and `apply` has the type `Ended` and the fields of `Result`.

The command has four more types. `Edited`: graph files were loaded, with `by` (what led to that), the ids that `comes`
and `goes`, `changes` (id to what is declared otherwise), `edges_come`, `edges_go`, how many `stays`, `shared` (what
`comes`, `changes` and `goes` of that), and a `plan` of what follows, as `setpoint plan --json` has it. `Followed`: the
graph is another one because facts are, with `comes`, `changes`, `goes`, and `because` (id to which facts). `LeftOut`:
how many resources `--only` leaves out. `Planned`: the first plan, that `--confirm` asks about.
"""
COMMANDS = """\
# Command line

The help texts of `setpoint`. What the exit codes mean is on a [page of its own](exit-codes.md).
"""


def pages() -> dict[str, str]:
    """Return the text of each page by its name below `reference/`."""
    return {
        "kinds.md": _page(KINDS, *map(_kind, sorted(ours()))),
        "facts.md": _page(FACTS, *map(_fact, sorted(Plugins().facts()))),
        "meta.md": _page(META, _meta()),
        "events.md": _page(EVENTS, *map(_event, [events.Event, *events.Event.__subclasses__()])),
        "command-line.md": _page(COMMANDS, *_commands()),
    }


def ours() -> dict[str, Any]:
    """Return the entry points of the kinds in this repository by kind."""
    return {
        kind: point
        for kind, point in Plugins().kinds().items()
        if (DOCS.parent / "plugins" / kind.partition(":")[0]).is_dir()
    }


def _page(head: str, *sections: str) -> str:
    return MADE + "\n".join([head, *sections])


def _kind(name: str) -> str:
    found = reference(Plugins().kind(name), ours()[name])
    folder = name.partition(":")[0]
    parts = [f"## {name}\n\nFrom [{found['origin']}](../../plugins/{folder}/README.md).\n"]
    parts += [f"{found['text']}\n", f"- **name**: {found['name']}\n"]
    if found["params"]:
        rows = [(p["name"], p["type"], _default(p), p["text"]) for p in found["params"]]
        parts.append(_table(("param", "type", "default", "meaning"), rows))
    if found["sends"]:
        rows = [(sent["name"], sent["type"]) for sent in found["sends"]]
        parts.append(_table(("sends", "type"), rows))
    reaction = "refreshes itself" if found["refreshes"] else "passes the notification on"
    parts.append(f"When notified it {reaction}.\n")
    return "\n".join(parts)


def _fact(name: str) -> str:
    found = reference_of_fact(Plugins().fact(name), Plugins().facts()[name])
    folder = found["origin"].split()[0].removeprefix("setpoint-")
    parts = [f"## {name}\n\nFrom [{found['origin']}](../../plugins/{folder}/README.md).\n"]
    parts.append(f"{found['text']}\n")
    if found["name"]:
        parts.append(f"- **name**: {found['name']}\n")
    if found["params"]:
        rows = [(p["name"], p["type"], _default(p), p["text"]) for p in found["params"]]
        parts.append(_table(("param", "type", "default", "meaning"), rows))
    parts.append(f"Its value is {found['value']}{':' if found['parts'] else '.'}\n")
    for part in found["parts"]:
        rows = [(field["name"], field["type"], field["text"]) for field in part["fields"]]
        parts.append(_table((part["of"], "type", "meaning"), rows))
    return "\n".join(parts)


def _default(param: dict[str, Any]) -> str:
    if param["required"]:
        return "required"
    return f"`{param['default']}`" if param["default"] else ""


def _meta() -> str:
    _, entries = described(inspect.getdoc(Meta) or "")
    rows = [
        (field.name, describe(field.type), f"`{_literal(field.default)}`", entries[field.name])
        for field in msgspec.structs.fields(Meta)
    ]
    return _table(("meta param", "type", "default", "meaning"), rows)


def _literal(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _event(kind: type[events.Event]) -> str:
    fields = [field for field in kind.__struct_fields__ if field != "id"]
    names = ", ".join(f"`{field}`" for field in fields) or "none besides `id`"
    return f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n\nFields: {names}.\n"


def _commands() -> Iterator[str]:
    context = click.Context(
        setpoint, info_name="setpoint", terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )
    yield _help("setpoint", setpoint, context)
    for name in setpoint.list_commands(context):
        command = setpoint.get_command(context, name)
        assert command is not None
        inner = click.Context(command, context, name, terminal_width=WIDTH)
        yield _help(f"setpoint {name}", command, inner)


def _help(title: str, command: click.Command, context: click.Context) -> str:
    return f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *[(f"`{row[0]}`", *row[1:]) for row in rows]]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / "reference" / name).write_text(text)
