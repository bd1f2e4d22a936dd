"""`setpoint apply`: converge a graph, then exit."""

import sys

import click

from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, PREFIX
from setpoint.cli.session import EXIT_CODES, Settings, run
from setpoint.engine import Options

EPILOG = f"""\b
Examples:
  setpoint apply site.yaml
  setpoint apply site.yaml --noop     only look

\b
Signals:
  ^C, TERM  finish what runs, then exit; again: cancel it; again: kill it

{EXIT_CODES}"""


@click.command(epilog=EPILOG)
@FILES
@click.option("--noop", is_flag=True, help="Only look, and say what would be changed.")
@AUTOEDGES
@PREFIX
@JSON
@COLOR
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    noop: bool,
    automatic: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Bring this machine into the state that FILEs declare, then exit."""
    options = Options(noop=noop, watch=False, converged_timeout=0)
    settings = Settings(
        files, options, prefix, automatic=automatic, as_json=as_json, color=ctx.color
    )
    sys.exit(run(settings))
