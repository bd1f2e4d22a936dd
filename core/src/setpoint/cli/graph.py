"""`setpoint graph`: what depends on what, as a drawing."""

from typing import TYPE_CHECKING

import click

from setpoint.cli.drawing import FORMATS
from setpoint.cli.options import AUTOEDGES, FILES, PREFIX, logs, read, warn

if TYPE_CHECKING:
    from setpoint.graph import Graph
    from setpoint.graphfile.live import Live

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
@PREFIX
def command(files: tuple[str, ...], form: str, automatic: bool, prefix: str | None) -> None:
    """Draw the graph that FILEs declare, with the facts that it reads as they are.

    An arrow leads from what runs first; it is broken where there is a notification too. Grey ones
    are automatic, and say which rule made them.
    """
    live = read(files, automatic)
    graph = _known(live, prefix) if live.facts else live.graph
    click.echo(FORMATS[form](graph), nl=False)


def _known(live: "Live", prefix: str | None) -> "Graph":
    """Return the graph of `live` with the facts as they are; says what waits for one."""
    import asyncio

    from setpoint.hiding import Secrets
    from setpoint.host import Host
    from setpoint.knowing import known_graph

    host = Host(state=prefix)

    async def known() -> "Graph":
        secrets = Secrets()
        with logs(secrets):
            return await known_graph(live, host, warn, secrets)

    try:
        graph = asyncio.run(known())
    finally:
        host.close()
    for id_ in sorted(graph.held):
        warn(f"{id_} is not drawn, it waits for facts")
    return graph
