"""`setpoint plan`: what a run would change."""

import asyncio
import sys

import click

from setpoint.cli.installed import installed
from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, PREFIX, read, warn
from setpoint.cli.planned import document, lines
from setpoint.cli.unhandled import told_without
from setpoint.engine.redaction import Redaction
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.knowing import AT_ALL, Knowing
from setpoint.plan import Plan, plan

EPILOG = """\b
Examples:
  setpoint plan site.yaml
  setpoint plan site.yaml --detailed-exitcode || echo "something to do"

\b
Exit code:
  0  it could be planned
  1  something cannot be checked, or a FILE is wrong
  2  with --detailed-exitcode: there is something to change; or the command line is wrong
"""


@click.command(epilog=EPILOG)
@FILES
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if something would change.")
@AUTOEDGES
@PREFIX
@JSON
@COLOR
def command(
    files: tuple[str, ...],
    detailed_exitcode: bool,
    automatic: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Show what a run of FILEs would change, without changing anything.

    Every resource is checked. Shown are those that are not as declared, with each attribute before
    and after, then what would be refreshed because of it. Secrets are never shown.
    """
    found = _plan(read(files, automatic), prefix)
    click.echo(document(found) if as_json else "\n".join(lines(found)))
    if found.failed:
        sys.exit(1)
    sys.exit(2 if detailed_exitcode and found.changes_something else 0)


def _plan(live: Live, prefix: str | None) -> Plan:
    host = Host(state=prefix)
    try:
        return asyncio.run(_planned(live, host))
    finally:
        host.close()


async def _planned(live: Live, host: Host) -> Plan:
    redaction = Redaction()
    asyncio.get_running_loop().set_exception_handler(told_without(redaction.text))
    knowing = Knowing(host, warn, lambda _: None)
    try:
        graph = await knowing.graph(live, AT_ALL)
        return await plan(graph, plugins=installed(), host=host, redaction=redaction)
    finally:
        await knowing.close()
