"""`setpoint reload`: has the engine that runs load its graph files again."""

import sys
import time

import click
import msgspec

from setpoint.asking import Standing, ask, running
from setpoint.cli.options import JSON, PREFIX
from setpoint.cli.texts import refuse_strangers
from setpoint.errors import SetpointError
from setpoint.host import Host

EPILOG = """\b
Examples:
  setpoint reload
  setpoint reload --wait && echo "it runs"

\b
Exit code:
  0  it was asked; with --wait: what it loaded is what runs now
  1  no engine runs, or it cannot be asked; with --wait: what it loaded is wrong
  2  the command line is wrong
"""
AGAIN = 0.05  # seconds between two looks


@click.command(epilog=EPILOG)
@click.option("--wait", is_flag=True, help="Wait until it has loaded them, and say how that went.")
@PREFIX
@JSON
def command(wait: bool, prefix: str | None, as_json: bool) -> None:
    """Have the engine that runs load its graph files again, as if they were saved.

    That is HUP, sent to the process that keeps the state directory after a look whether it is
    really that one.
    """
    host = Host(state=prefix)
    try:
        with refuse_strangers(host):
            asked = _engine(host)
            ask(asked)
            found = _waited(host, asked) if wait else asked
    finally:
        host.close()
    if as_json:
        said = {"pid": found.pid, "generation": found.generation, "problem": found.problem}
        click.echo(msgspec.json.encode(said).decode())
    elif wait and not found.problem:
        click.echo(f"generation {found.generation} runs" if found.generation else "loaded")
    elif wait:
        click.echo(f"the graph stays as it was:\n{found.problem}", err=True)
    sys.exit(1 if wait and found.problem else 0)


def _engine(host: Host) -> Standing:
    found = running(host)
    if found is None:
        why = "no engine runs with this state directory"
        raise SetpointError(
            f"{host.root}: {why}; start one by `setpoint run`, or give its --prefix"
        )
    return found


def _waited(host: Host, asked: Standing) -> Standing:
    """Return how the engine stands once it has loaded files since it was `asked`; says so if that asks a person."""
    is_told = False
    while True:
        found = running(host)
        if found is None or found.began != asked.began:
            raise SetpointError(
                f"the engine, pid {asked.pid}, has ended before it said how it went"
            )
        if found.loads > asked.loads:
            return found
        if found.asks and not is_told:
            is_told = True
            where = f"the engine, pid {found.pid}, asks in its terminal whether to take that over"
            click.echo(f"{where}; answer there", err=True)
        time.sleep(AGAIN)
