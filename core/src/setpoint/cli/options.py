"""Arguments and options that several commands have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from click.shell_completion import CompletionItem

    from setpoint.graph import Graph
    from setpoint.graphfile.live import Live
    from setpoint.hiding import Secrets


class _GraphFile(click.Path):
    """A path of a graph file; standard input has none by which others are included or it is loaded again."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "-":
            why = "a graph is not read from standard input"
            self.fail(f"{why}; save it in a file, or write ./- for one of that name", param, ctx)
        return str(super().convert(value, param, ctx))


GRAPH_FILE = _GraphFile(dir_okay=False)
FILES = click.argument("files", metavar="FILE...", nargs=-1, required=True, type=GRAPH_FILE)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
PREFIX = click.option(
    "--prefix",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The state directory, if not the usual one.",
)
TMP_PREFIX = click.option(
    "--tmp-prefix", is_flag=True, help="Keep state in a directory of this run alone."
)


@contextmanager
def state_directory(prefix: str | None, is_temporary: bool) -> Iterator[str | None]:
    """Give the state directory, None for the usual one; one that `is_temporary` goes afterwards.

    Raises:
        UsageError: a prefix is given too.

    """
    if not is_temporary:
        yield prefix
        return
    if prefix:
        raise click.UsageError("--prefix and --tmp-prefix exclude each other")
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="setpoint-", ignore_cleanup_errors=True) as directory:
        yield directory


def _set_color(ctx: click.Context, _: click.Parameter, value: str) -> None:
    ctx.color = wants_color(value)


COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    expose_value=False,
    callback=_set_color,
    help="Whether to use colours; by default on a terminal, unless NO_COLOR is set.",
)


def wants_color(choice: str) -> bool | None:
    """Return whether to use colours; None: on a terminal.

    Source: https://no-color.org and https://bixense.com/clicolors
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("CLICOLOR") == "0":
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def complete_kind(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the installed kinds that begin with `incomplete`."""
    from click.shell_completion import CompletionItem

    from setpoint.cli.installed import installed

    kinds = installed().kinds()
    return [
        CompletionItem(kind, help=kinds[kind].origin)
        for kind in sorted(kinds)
        if kind.startswith(incomplete)
    ]


AUTOEDGES = click.option(
    "--autoedges/--no-autoedges",
    "automatic",
    default=True,
    show_default=True,
    help="Add the edges that follow from what resources are: a directory before the files in it.",
)


def load(files: tuple[str, ...], automatic: bool) -> "Graph":
    """Return the graph that `files` declare while no fact is known, see `read`."""
    return read(files, automatic).graph


def read(files: tuple[str, ...], automatic: bool) -> "Live":
    """Return what is in `files`, perhaps with automatic edges; warnings go to stderr.

    Raises:
        GraphError: with all that is wrong.

    """
    from setpoint import graphfile
    from setpoint.cli.installed import installed

    live = graphfile.live(files, installed(), automatic=automatic)
    for warning in live.graph.warnings:
        warn(str(warning))
    return live


def warn(text: str) -> None:
    """Say what a person should know."""
    _say("warning:", "yellow", text)


def logs(secrets: "Secrets") -> "AbstractContextManager[None]":
    """Return what shows inside a `with` what kinds and facts log, without `secrets`."""
    from setpoint.cli.logged import OURS, shown

    return shown(OURS, warn, lambda text: _say("error:", "red", text), secrets.text)


def _say(label: str, color: str, text: str) -> None:
    from setpoint.cli.screen import harmless

    click.echo(f"{click.style(label, fg=color, bold=True)} {harmless(text)}", err=True)
