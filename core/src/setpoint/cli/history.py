"""`setpoint history`: the graphs that were taken over, and what was different in their files."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from setpoint.asking import running
from setpoint.cli.options import COLOR, JSON, PREFIX
from setpoint.cli.texts import difference, refuse_strangers
from setpoint.generations import Generation, Generations
from setpoint.host import Host

EPILOG = """\b
Examples:
  setpoint history
  setpoint history 7             what was different in its files?
  setpoint rollback 6            go back
"""
HEADS = ("+++", "---")  # of a diff, before its lines


@click.command(epilog=EPILOG)
@click.argument("number", metavar="[N]", type=click.IntRange(min=1), required=False)
@PREFIX
@JSON
@COLOR
def command(number: int | None, prefix: str | None, as_json: bool) -> None:
    """List the generations: the graph files of each graph that was taken over.

    One is kept when files were loaded and became what runs; the last 20 are. With N, show what was different in the
    files of that one, held against those before it.
    """
    host = Host(state=prefix)
    try:
        with refuse_strangers(host):
            generations = Generations(host)
            one = generations.read(number) if number is not None else None
            if one is not None:
                text = _files(one, generations.before(one), as_json)
            else:
                engine = running(host)
                text = _list(generations, engine.generation if engine else 0, as_json)
    finally:
        host.close()
    click.echo(text, nl=bool(text) and not text.endswith("\n"))
    sys.exit(0)


def _list(generations: Generations, now: int, as_json: bool) -> str:
    """Return all generations; `now` is the number of the one that runs."""
    found = generations.everything()
    if not found:
        generations.read(1)  # says what to do
    if as_json:
        return json.dumps([_plain(one, now) for one in found])
    rows = [_row(one, found[:place], now) for place, one in enumerate(found)]
    if len({one.scope for one in found}) > 1:
        rows = [(*row, one.scope) for row, one in zip(rows, found, strict=True)]
    return "\n".join(_aligned(rows))


def _plain(one: Generation, now: int) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in one.__struct_fields__}
    return {**plain, "files": list(one.files), "running": one.number == now}


def _row(one: Generation, earlier: list[Generation], now: int) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
    before = next((other for other in reversed(earlier) if other.scope == one.scope), None)
    many = f"{one.resources:,} resource{'' if one.resources == 1 else 's'}"
    runs = "runs" if one.number == now else ""
    return str(one.number), when, one.by, many, _word(one, before), runs


def _word(one: Generation, before: Generation | None) -> str:
    """Return what was different, in a word: resources if that is known, else lines of the files."""
    if one.difference:
        counted = zip("+~-", one.difference, strict=True)
        return " ".join(f"{sign}{number}" for sign, number in counted if number) or "0"
    if before is None:
        return ""
    lines = [line[:1] for line in difference(before.files, one.files) if line[:3] not in HEADS]
    return f"+{lines.count('+')} -{lines.count('-')} lines"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row[1:], widths[1:], strict=True)
        yield "  ".join([row[0].rjust(widths[0]), *(c.ljust(w) for c, w in cells)]).rstrip()


def _files(one: Generation, before: Generation | None, as_json: bool) -> str:
    """Return what is different in the files of `one`."""
    if as_json:
        plain = {**_plain(one, 0), "files": dict(one.files)}
        del plain["running"]
        return json.dumps({**plain, "before": before and before.number})
    return "".join(difference(before.files if before else {}, one.files, color=True))
