"""`setpoint world`: what hosts and graphs share."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

import click

from setpoint.cli.options import JSON, PREFIX
from setpoint.cli.screen import harmless
from setpoint.errors import SetpointError
from setpoint.host import Host
from setpoint.world import Entry

EPILOG = """\b
Examples:
  setpoint world                                      all of it
  setpoint world list shared/                         what hosts publish and export
  setpoint world get shared/web1/publish/backend      a value alone
  setpoint world forget shared/web1/publish/backend   nobody declares it any more
"""


@click.command(epilog=EPILOG)
@click.argument("action", type=click.Choice(["list", "get", "forget"]), default="list")
@click.argument("key", default="")
@PREFIX
@JSON
def command(action: str, key: str, prefix: str | None, as_json: bool) -> None:
    """List the keys that begin with KEY, get the value of one, or forget one.

    What a graph shares it withdraws itself when it declares it no more. What is left of a graph that is not run any
    more, or of a host that is gone, is to be forgotten by hand.
    """
    if action != "list" and not key:
        raise click.UsageError(f"{action} needs a KEY; see `setpoint world list`")
    host = Host(state=prefix)
    try:
        told = asyncio.run(_do(host, action, key, as_json))
    except OSError as error:
        raise SetpointError(str(error)) from None
    finally:
        host.close()
    for text in told:
        click.echo(text, color=True)  # as it is


async def _do(host: Host, action: str, key: str, as_json: bool) -> list[str]:
    """Do it; return what to print."""
    with suppress(FileNotFoundError, NotADirectoryError):  # nothing is shared yet
        os.stat(os.path.join(host.root, "world.db"))  # else nothing would be all that one sees
    if action == "list":
        return _lines(await host.world.entries(key), as_json)
    entry = await host.world.get(key)
    if entry is None:
        raise SetpointError(f"there is no key {key!r}; see `setpoint world list`")
    if action == "forget":
        await host.world.delete(key, revision=entry.revision)
        return []
    if as_json:
        return [json.dumps(_plain(key, entry))]
    return [harmless(entry.value) if sys.stdout.isatty() else entry.value]


def _lines(entries: Mapping[str, Entry], as_json: bool) -> list[str]:
    if as_json:
        return [json.dumps([_plain(key, entry) for key, entry in entries.items()])]
    return [f"{_on_a_line(key)}  {_on_a_line(entry.value)}" for key, entry in entries.items()]


def _on_a_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)


def _plain(key: str, entry: Entry) -> dict[str, str | int]:
    return {"key": key, "value": entry.value, "revision": entry.revision}
