"""`setpoint init`: a first graph file, ready for an editor."""

import os

import click

from setpoint.cli.installed import installed
from setpoint.cli.schema import schema_text
from setpoint.errors import SetpointError

EPILOG = """\b
Examples:
  setpoint init                  site.yaml in this directory
  setpoint init web              web/site.yaml
  setpoint init web/blog.yaml
"""
SCHEMA = ".setpoint/schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA}\n"
FIRST = """\
# What is to be on this machine: KIND NAME, and below it its params.

vars:
  place: /tmp/setpoint-demo

resources:
  file ${{ vars.place }}/greeting:
    content: |
      Hello from Setpoint.
    recurse: true          # makes the directory above it
    notify: noop greeted   # tells it when the file has changed
  noop greeted:
"""
NEEDED = {"file", "noop"}
EMPTY = """\
# No kind is installed yet; try: pip install setpoint-file

resources:
"""


@click.command(epilog=EPILOG)
@click.argument("place", metavar="[DIR|FILE]", default=".", type=click.Path())
def command(place: str) -> None:
    """Write a first graph file, and beside it the schema by which editors complete and check it.

    Nothing that is there is overwritten.
    """
    file = place if place.endswith((".yaml", ".yml")) else os.path.join(place, "site.yaml")
    file = os.path.normpath(file)
    schema = os.path.join(os.path.dirname(file), SCHEMA)
    example = FIRST if installed().kinds().keys() >= NEEDED else EMPTY
    if not _wrote(file, MODELINE + example):
        raise SetpointError(f"{file} is there already; edit it, or give another name")
    click.echo(f"{file}: a first graph")
    if _wrote(schema, schema_text()):
        click.echo(f"{schema}: what editors complete and check it by")
    else:
        click.echo(f"{schema}: is there already; setpoint schema --out {schema} writes it anew")
    click.echo(f"\nNext:\n  setpoint plan {file}\n  setpoint run {file}")


def _wrote(path: str, text: str) -> bool:
    """Write `text` into a new file at `path`, in a directory that is made; False if it is there.

    Raises:
        SetpointError: it cannot be written.

    """
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if os.path.lexists(path):
            return False
        raise SetpointError(f"{path} cannot be written, {error.strerror}") from None
    return True
