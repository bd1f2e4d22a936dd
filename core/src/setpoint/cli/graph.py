"""`setpoint graph`: what depends on what, as a drawing."""

import click

from setpoint.cli.drawing import FORMATS
from setpoint.cli.options import AUTOEDGES, FILES, load

EPILOG = """\b
Examples:
  setpoint graph site.yaml                          for graphviz
  setpoint graph site.yaml --format svg > site.svg  needs graphviz
  setpoint graph site.yaml --format mermaid         for Markdown
"""


@click.command(epilog=EPILOG)
@FILES
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="dot",
    show_default=True,
    help="How to draw; json is for programs.",
)
@AUTOEDGES
def command(files: tuple[str, ...], form: str, automatic: bool) -> None:
    """Draw the graph that FILEs declare.

    An arrow leads from what runs first; it is broken where there is a notification too. Grey ones
    are automatic, and say which rule made them.
    """
    click.echo(FORMATS[form](load(files, automatic)), nl=False)
