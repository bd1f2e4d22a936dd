"""`setpoint fmt`: graph files formatted, with their comments."""

import difflib
import os
import sys

import click

from setpoint import graphfile
from setpoint.cli.options import COLOR
from setpoint.errors import SetpointError
from setpoint.graphfile.formatting import formatted
from setpoint.host import Host

EPILOG = """\b
Examples:
  setpoint fmt *.yaml
  setpoint fmt --check --diff *.yaml     what would change?
  setpoint fmt - < site.yaml             for an editor

\b
Exit code:
  0  all are formatted
  1  with --check: one would change
  2  one cannot be read, or is no YAML; all others are formatted
"""
STDIN = "-"


@click.command(epilog=EPILOG)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
)
@click.option("--check", is_flag=True, help="Change nothing; say what would be formatted.")
@click.option("--diff", is_flag=True, help="Change nothing; show what formatting would change.")
@COLOR
def command(files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Format FILEs: two spaces a level, double quotes, at most one blank line.

    Comments, the order of keys, and what is on a line of its own stay as they are; what the file says does too, which
    is checked before it is written. `-` is standard input, printed formatted.
    """
    sys.exit(max(_format(file, check, diff) for file in files))


def _format(file: str, check: bool, diff: bool) -> int:
    """Format one file, or show what that would be; return the exit code."""
    try:
        old = _read(file)
        new = formatted(old, file)
        is_written = file != STDIN and not check and not diff and old != new
        if is_written:
            _write(file, new)
    except SetpointError as error:
        click.echo(str(error), err=True)
        return 2
    except OSError as error:
        click.echo(f"{file} cannot be written, {error.strerror}", err=True)
        return 2
    if diff:
        click.echo("".join(_difference(old, new, file)), nl=False)
    elif file == STDIN and not check:
        click.echo(new, nl=False)
    if is_written or (check and old != new):
        click.echo(f"{file}: {'formatted' if is_written else 'would be formatted'}", err=True)
    return int(check and old != new)


def _read(file: str) -> str:
    if file != STDIN:
        return graphfile.text_of(file)
    return graphfile.decoded(sys.stdin.buffer.read(), file)


def _write(file: str, text: str) -> None:
    """Put `text` where `file` leads to, at once, with its mode and owner."""
    host = Host()
    try:
        host.files.write(os.path.realpath(file), text.encode(), keep=True, fsync=True)
    finally:
        host.close()


def _difference(old: str, new: str, file: str) -> list[str]:
    """Return the unified diff, coloured."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), file, f"{file} (formatted)"
    )
    colors = {"+": "green", "-": "red", "@": "cyan"}
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return [click.style(line, fg=colors.get(line[0])) for line in ended]
