"""`setpoint convert`: a graph file in the form of mgmt, rewritten in ours."""

from typing import TextIO

import click

EPILOG = """\b
Examples:
  setpoint convert graph0.yaml > site.yaml
  setpoint convert - < graph0.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8"))
def command(file: TextIO) -> None:
    """Print FILE in our form; comments are lost."""
    from setpoint import graphfile

    click.echo(graphfile.convert(file.read(), file.name), nl=False)
