"""`setpoint facts`: what can be known of this machine, and what it is now."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from setpoint.cli.installed import installed
from setpoint.cli.options import JSON, PREFIX, logs, warn
from setpoint.errors import GraphError, SetpointError
from setpoint.hiding import Secrets
from setpoint.host import Host

if TYPE_CHECKING:
    from setpoint.cli.telling import Asked

EPILOG = """\b
Examples:
  setpoint facts                                      what is there to be known?
  setpoint facts load
  setpoint facts load.x1 --follow                     each new value
  setpoint facts 'facts.load.x1 > facts.cpu.count'    any expression, as in a graph file
  setpoint facts -f 'held(facts.load.x1 > 4, 30)'
  setpoint facts kmsg 'Out of memory' -p old=true     with params
"""
INTERRUPTED = 130


@click.command(epilog=EPILOG)
@click.argument("what", metavar="[EXPRESSION]", required=False)
@click.argument("name", default="")
@click.option("-p", "given", multiple=True, metavar="PARAM=VALUE", help="A param of the fact.")
@click.option("-f", "--follow", is_flag=True, help="Go on with each new value, until ^C.")
@PREFIX
@JSON
def command(
    what: str | None,
    name: str,
    given: tuple[str, ...],
    follow: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """List the facts that are installed, or tell what EXPRESSION is: a fact, a field of it, or more.

    NAME is what the fact is about, if it needs that.
    """
    if what is None:
        if follow or given:
            raise click.UsageError("--follow and -p are for an EXPRESSION; give one")
        _list(as_json)
        return
    host = Host(state=prefix)
    try:
        asyncio.run(_tell(_asked(what, name, given), host, follow, as_json))
    except GraphError as error:  # which would begin with a file, and there is none
        raise SetpointError(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        host.close()


def _list(as_json: bool) -> None:
    facts = sorted(installed().facts().items())
    if as_json:
        click.echo(json.dumps([{"fact": name, "origin": point.origin} for name, point in facts]))
        return
    width = max((len(name) for name, _ in facts), default=0)
    for name, point in facts:
        click.echo(f"{name:{width}}  {point.origin}")
    if not facts:
        click.echo("no fact is installed; try: pip install setpoint-sys", err=True)


def _asked(text: str, name: str, given: tuple[str, ...]) -> "Asked":
    """Return what is asked for, with params that are each "PARAM=VALUE" with a value as in a graph file."""
    from setpoint.cli.telling import Asked
    from setpoint.declarations import Source
    from setpoint.graphfile import reader

    params = {}
    for pair in given:
        param, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"-p takes PARAM=VALUE, not {pair!r}")
        params[param] = reader.load(Source(f"-p {param}", value))
    return Asked(text, name, params, installed())


async def _tell(asked: "Asked", host: Host, follow: bool, as_json: bool) -> None:
    from setpoint.cli.telling import Telling

    last = ""

    def tell(value: Any) -> None:
        nonlocal last
        shown = _shown(value, as_json)
        if shown != last:
            click.echo(shown, nl=False)
        last = shown

    secrets = Secrets()

    def warned(text: str) -> None:
        warn(secrets.text(text))

    with logs(secrets):
        await Telling(asked, host, tell, warned, follow=follow, secrets=secrets).run()


def _shown(value: Any, as_json: bool) -> str:
    """Return `value` as one line of JSON, or as YAML."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    if as_json:
        return json.dumps(plain) + "\n"
    import yaml

    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n")
