"""`setpoint plan`: what a run would change."""

import asyncio
import sys

import click

from setpoint.cli.installed import installed
from setpoint.cli.only import ONLY, left_out, part
from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, PREFIX, logs, read, warn
from setpoint.cli.planned import document, lines
from setpoint.cli.unhandled import told_without
from setpoint.engine.redaction import Redaction
from setpoint.errors import SetpointError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.knowing import known_graph
from setpoint.oserrors import told
from setpoint.paths import absolute
from setpoint.plan import Plan, plan, saved

EPILOG = """\b
Examples:
  setpoint plan site.yaml
  setpoint plan site.yaml --detailed-exitcode || echo "something to do"
  setpoint plan site.yaml --only 'file /etc/nginx/*'
  setpoint plan site.yaml --out site.plan && setpoint apply site.plan

\b
Exit code:
  0  it could be planned
  1  something cannot be checked, or a FILE is wrong
  2  with --detailed-exitcode: there is something to change; or the command line is wrong
"""


@click.command(epilog=EPILOG)
@FILES
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if something would change.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Save the plan in FILE, for `setpoint apply FILE`.",
)
@ONLY
@AUTOEDGES
@PREFIX
@JSON
@COLOR
def command(
    files: tuple[str, ...],
    detailed_exitcode: bool,
    out: str | None,
    only: tuple[str, ...],
    automatic: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Show what a run of FILEs would change, without changing anything.

    Every resource is checked. Shown are those that are not as declared, with each attribute before and after, then
    what would be refreshed because of it, or because a former run owes it. What depends on what the run itself brings
    about is "known while running". Secrets are never shown.

    With --out the plan is saved too, readable by its owner only, without secrets. `setpoint apply` of that file does
    exactly what was shown, or nothing if anything has moved since.
    """
    asked = saved.Asked(tuple(map(absolute, files)), only, automatic)
    graph, found = _plan(files, asked, prefix, out)
    said = [*filter(None, [left_out(graph)]), *lines(found)]
    click.echo(document(found) if as_json else "\n".join(said))
    if found.failed:
        sys.exit(1)
    sys.exit(2 if detailed_exitcode and found.changes_something else 0)


def _plan(
    files: tuple[str, ...], asked: saved.Asked, prefix: str | None, out: str | None
) -> tuple[Graph, Plan]:
    live = read(files, asked.automatic)
    host = Host(state=prefix)
    try:
        secret = saved.key(host, make=True) if out else b""
        graph, found = asyncio.run(_planned(live, asked.only, host, secret))
        if out:
            made = saved.made_of(graph, live.texts, installed(), secret)
            _save(out, host, found, made, asked)
        return graph, found
    finally:
        host.close()


def _save(out: str, host: Host, found: Plan, made: saved.Made, asked: saved.Asked) -> None:
    try:
        saved.write(out, host, found, made, asked)
    except OSError as error:
        raise SetpointError(f"the plan cannot be saved, {told(error)}") from None


async def _planned(
    live: Live, only: tuple[str, ...], host: Host, secret: bytes
) -> tuple[Graph, Plan]:
    redaction = Redaction()
    asyncio.get_running_loop().set_exception_handler(told_without(redaction.text))
    with logs(redaction):
        graph = part(await known_graph(live, host, warn, redaction), only, host.root)
        found = await plan(
            graph,
            plugins=installed(),
            host=host,
            redaction=redaction,
            because=live.because,
            key=secret,
        )
    return graph, found
