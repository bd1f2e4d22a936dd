"""`setpoint rollback`: the graph files of an earlier generation in the place of those of now."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

import click

from setpoint import asking, graphfile
from setpoint.cli.installed import installed
from setpoint.cli.options import COLOR, PREFIX, logs, warn
from setpoint.cli.planned import lines
from setpoint.cli.texts import difference, refuse_strangers
from setpoint.cli.unhandled import told_without
from setpoint.engine.redaction import Redaction
from setpoint.errors import GraphError, SetpointError
from setpoint.generations import Generation, Generations
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.knowing import known_graph
from setpoint.plan import Plan, plan

EPILOG = """\b
Examples:
  setpoint history               which are there?
  setpoint rollback 6 --plan     what would be different?
  setpoint rollback 6            show it, ask, and do it

\b
Exit code:
  0  the files are those of generation N; with --plan: it was shown
  1  it was refused, by you or because files would be lost
  2  the command line is wrong
"""
KEPT = ".before-rollback"


@click.command(epilog=EPILOG)
@click.argument("number", metavar="N", type=click.IntRange(min=1))
@click.option("--plan", "only_show", is_flag=True, help="Show what would be different; do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--force",
    is_flag=True,
    help=f"Also replace what no generation has; it is kept beside the file as FILE{KEPT}.",
)
@PREFIX
@COLOR
def command(number: int, only_show: bool, yes: bool, force: bool, prefix: str | None) -> None:
    """Put the graph files of generation N in the place of those of now.

    Shown is what is different in the files, and what a run of them would change, which --yes does
    not look at. The files keep their mode and owner. An engine that runs
    with them takes that over like any other save; the next one starts with it. Files that N did
    not have are left alone.
    """
    host = Host(state=prefix)
    try:
        with refuse_strangers(host):
            sys.exit(_roll_back(host, number, only_show, yes, force))
    finally:
        host.close()


def _roll_back(host: Host, number: int, only_show: bool, yes: bool, force: bool) -> int:
    generations = Generations(host)
    wanted = generations.read(number)
    now = {path: text for path in wanted.files if (text := _text(path)) is not None}
    changed = {path: text for path, text in wanted.files.items() if now.get(path) != text}
    if not changed:
        click.echo(f"the files are those of generation {number} already")
        return 0
    click.echo("".join(difference(now, wanted.files, color=True)), nl=False)
    if only_show or not yes:
        click.echo("\n".join(_plan(host, wanted)))
    if only_show:
        return 0
    lost = [path for path in changed if path in now and not _is_kept(generations, path, now[path])]
    if lost and not force:
        raise _would_lose(lost)
    if not yes and not _agreed(len(changed)):
        return 1
    for path in lost:
        host.files.write(os.path.realpath(path) + KEPT, now[path].encode(), keep=False, mode=0o600)
    with suppress(OSError):  # it decides about a word in the history only
        generations.ask_for(number)
    _write(host, changed)
    _tell(host, wanted)
    return 0


def _plan(host: Host, wanted: Generation) -> Iterator[str]:
    """Yield what a run of that generation would change now.

    Raises:
        GraphError: it could not be run now, because a kind is gone, say.

    """
    live = graphfile.live(wanted.given, installed(), clock=host.clock, texts=wanted.files)
    yield "a run of it would change:"
    yield from lines(asyncio.run(_planned(live, host)))


async def _planned(live: Live, host: Host) -> Plan:
    redaction = Redaction()
    asyncio.get_running_loop().set_exception_handler(told_without(redaction.text))
    with logs(redaction):
        graph = await known_graph(live, host, warn, redaction)
        return await plan(graph, plugins=installed(), host=host, redaction=redaction)


def _text(path: str) -> str | None:
    """Return what is in the file; None if it is not there.

    Raises:
        GraphError: it is there, and cannot be read.

    """
    try:
        return graphfile.text_of(path)
    except GraphError:
        if not os.path.exists(path):
            return None
        raise


def _is_kept(generations: Generations, path: str, text: str) -> bool:
    """Whether some generation has `text` for the file `path`."""
    return any(one.files.get(path) == text for one in generations.everything())


def _would_lose(lost: list[str]) -> SetpointError:
    named = ", ".join(lost)
    why = "has changes that no generation has" if len(lost) == 1 else "have such changes"
    cure = f"save them elsewhere, or give --force, which keeps them beside it as FILE{KEPT}"
    return SetpointError(f"{named}: {why}; {cure}")


def _agreed(number: int) -> bool:
    if not sys.stdin.isatty():
        raise SetpointError("there is no terminal to ask at; give --yes")
    files = "this file" if number == 1 else f"these {number} files"
    return click.confirm(f"put {files} back?", err=True)


def _write(host: Host, changed: Mapping[str, str]) -> None:
    """Put the texts in the places of the files, each at once, with mode and owner of what was there."""
    for path, text in changed.items():
        real = os.path.realpath(path)
        try:
            host.files.write(real, text.encode(), keep=True, fsync=True)
        except OSError as error:
            raise SetpointError(f"{path} cannot be written, {error.strerror}") from None


def _tell(host: Host, wanted: Generation) -> None:
    """Say what happens now."""
    engine = asking.running(host)
    done = f"the files are those of generation {wanted.number}"
    if engine is not None and engine.reloads:
        asking.ask(engine)
        click.echo(f"{done}; the engine, pid {engine.pid}, takes them over")
    else:
        click.echo(f"{done}; `setpoint run` or `apply` takes them over")
