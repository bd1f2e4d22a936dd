"""`setpoint kinds`: what is installed."""

import json

import click

from setpoint.cli.installed import installed
from setpoint.cli.options import JSON


@click.command()
@JSON
def command(as_json: bool) -> None:
    """List the kinds of resources that are installed, and the distribution of each.

    None of them is imported: one that is broken is listed too.
    """
    kinds = sorted(installed().kinds().items())
    if as_json:
        named = [
            {"kind": n, "distribution": p.distribution, "version": p.version} for n, p in kinds
        ]
        click.echo(json.dumps(named))
        return
    width = max((len(name) for name, _ in kinds), default=0)
    for name, point in kinds:
        click.echo(f"{name:{width}}  {point.origin}")
    if not kinds:
        click.echo("no kind is installed; try: pip install setpoint-file", err=True)
