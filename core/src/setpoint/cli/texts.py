"""Texts of graph files held against each other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import unified_diff
from typing import TYPE_CHECKING

import click

from setpoint.cli.screen import harmless
from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from setpoint.host import Host

COLORS = {"+": "green", "-": "red", "@": "cyan"}
NOWHERE = "/dev/null"


def difference(
    before: Mapping[str, str], after: Mapping[str, str], *, color: bool = False
) -> Iterator[str]:
    """Yield the lines, each with its end, of the unified diffs of files, path to text each."""
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path), after.get(path)
        if one == other:
            continue
        names = (path if one is not None else NOWHERE, path if other is not None else NOWHERE)
        for line in _compared(one or "", other or "", *map(_name, names)):
            shade = COLORS.get(line[:1]) if color else None
            yield click.style(line[:-1], fg=shade) + "\n" if shade else line


def _compared(one: str, other: str, first: str, second: str) -> Iterator[str]:
    lines = (one.splitlines(keepends=True), other.splitlines(keepends=True))
    for line in unified_diff(*lines, first, second):
        ended = line.endswith("\n")
        yield harmless(line) if ended else f"{harmless(line)}\n\\ No newline at end of file\n"


def _name(path: str) -> str:
    return path.replace("\n", "\\n")


@contextmanager
def refuse_strangers(host: "Host") -> Iterator[None]:
    """Say in one line, inside a `with`, that this user may not read the state directory."""
    try:
        yield
    except PermissionError:
        cure = "ask as the user who runs the graph, or give another --prefix"
        raise SetpointError(f"{host.root}: this user may not read it; {cure}") from None
