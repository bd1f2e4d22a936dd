"""`setpoint facts`: what can be known of this machine, and what it is now."""

import asyncio
import json
import sys
from typing import Any

import click
import msgspec

from setpoint.cli.installed import installed
from setpoint.cli.options import JSON, PREFIX
from setpoint.declarations import Declarations, FactDeclaration, Source
from setpoint.declarations.facts import wanted
from setpoint.host import Host
from setpoint.resource import Fact

EPILOG = """\b
Examples:
  setpoint facts                                      what is there to be known?
  setpoint facts load
  setpoint facts memory --follow                      each new value
  setpoint facts kmsg 'Out of memory' -p old=true     with params
"""
INTERRUPTED = 130


@click.command(epilog=EPILOG)
@click.argument("fact", required=False)
@click.argument("name", default="")
@click.option("-p", "given", multiple=True, metavar="PARAM=VALUE", help="A param of the fact.")
@click.option("-f", "--follow", is_flag=True, help="Go on with each new value, until ^C.")
@PREFIX
@JSON
def command(
    fact: str | None,
    name: str,
    given: tuple[str, ...],
    follow: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """List the facts that are installed, or tell the value of FACT, about NAME if it needs one."""
    if fact is None:
        _list(as_json)
        return
    host = Host(state=prefix)
    try:
        asked = _made(fact, name, given, host)
        asyncio.run(_tell(asked, follow, as_json))
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


def _made(kind: str, name: str, given: tuple[str, ...], host: Host) -> Fact:
    """Return the fact `kind` with the params `given`, each "PARAM=VALUE" with a value as in YAML.

    Raises:
        GraphError: with all that is wrong.

    """
    import yaml

    pairs = (pair.partition("=") for pair in given)
    params = {param: yaml.safe_load(value) for param, _, value in pairs}
    source, declarations = Source(""), Declarations()
    declarations.facts[kind] = FactDeclaration(kind, name, params, source, 0)
    declarations.reads[kind,] = source, 0
    found = wanted(declarations, installed(), declarations.problems)
    declarations.refuse(declarations.problems)
    fact = found[kind]
    fact._host = host
    return fact


async def _tell(fact: Fact, follow: bool, as_json: bool) -> None:
    values = fact.watch()
    try:
        async for value in values:
            click.echo(_shown(value, as_json), nl=False)
            if not follow:
                return
    finally:
        await values.aclose()  # type: ignore[attr-defined]


def _shown(value: Any, as_json: bool) -> str:
    """Return `value` as one line of JSON, or as YAML."""
    plain = msgspec.to_builtins(value)
    if as_json:
        return json.dumps(plain) + "\n"
    import yaml

    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n")
