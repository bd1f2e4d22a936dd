"""`setpoint check`: whether graph files can be run."""

import json
import sys
from typing import Any

import click

from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, load
from setpoint.errors import GraphError, Problem

EPILOG = """\b
Examples:
  setpoint check site.yaml
  setpoint check --json *.yaml     for an editor

\b
Exit code:
  0  they can be run
  1  something is wrong; all of it is said, with file:line:column
  2  the command line is wrong
"""


@click.command(epilog=EPILOG)
@FILES
@AUTOEDGES
@JSON
@COLOR
def command(files: tuple[str, ...], automatic: bool, as_json: bool) -> None:
    """Check FILEs, without looking at the machine.

    They are taken as one graph, as `run` takes them: names, types, references and circles.
    """
    try:
        graph = load(files, automatic)
    except GraphError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"ok": False, "problems": [_plain(p) for p in error.problems]}))
        sys.exit(1)
    size = {"resources": len(graph.resources), "edges": len(graph.edges)}
    if graph.facts:
        size |= {"waiting for facts": len(graph.held), "facts": len(graph.facts)}
    if as_json:
        click.echo(json.dumps({"ok": True, "problems": [], **size}))
    else:
        named = ", ".join(map(str, files))
        said = ", ".join(f"{what}: {number:,}" for what, number in size.items())
        click.echo(f"{named}: can be run; {said}")


def _plain(problem: Problem) -> dict[str, Any]:
    return {**problem.place._asdict(), "message": problem.message}
