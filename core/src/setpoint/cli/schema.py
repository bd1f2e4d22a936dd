"""`setpoint schema`: a JSON Schema of graph files, for editors."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

import click

from setpoint.cli.installed import installed
from setpoint.errors import PluginError
from setpoint.graphfile.schema import schema

T = TypeVar("T")

EPILOG = """\b
Examples:
  setpoint schema --out .setpoint/schema.json
  setpoint init                                  writes it beside a first graph file

\b
In a graph file, for editors with yaml-language-server:
  # yaml-language-server: $schema=.setpoint/schema.json
"""


@click.command(epilog=EPILOG)
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="Write it to this file instead of printing it.",
)
def command(out: TextIO) -> None:
    """Print a JSON Schema of graph files with the kinds that are installed.

    By it an editor completes kinds and params, explains them, and marks what is wrong. Kinds that are installed later
    are in it when it is written anew.
    """
    click.echo(schema_text(), file=out, nl=False)


def schema_text() -> str:
    """Return the schema of what is installed; what is broken is left out, which is said on stderr."""
    plugins = installed()
    kinds = dict(_usable(plugins.kinds(), plugins.kind))
    facts = dict(_usable(plugins.facts(), plugins.fact))
    return json.dumps(schema(kinds, facts), indent=2, ensure_ascii=False) + "\n"


def _usable(names: Iterable[str], get: Callable[[str], T]) -> Iterator[tuple[str, T]]:
    for name in names:
        try:
            yield name, get(name)
        except PluginError as error:
            click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {error}", err=True)
