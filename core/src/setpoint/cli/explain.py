"""`setpoint explain`: what happened to a resource and why, from the first cause on."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from setpoint.cli.options import JSON, PREFIX
from setpoint.cli.screen import harmless
from setpoint.cli.status import refuse_none
from setpoint.errors import SetpointError, suggest
from setpoint.host import state_root

if TYPE_CHECKING:
    from setpoint.cli.chains import Chain, Chains
    from setpoint.journal import Entry, Status

LATEST, LATEST_OF_ALL = 10, 20  # chains that are shown if nobody says how many
LINES, LINES_OF_ALL = 30, 4  # of one chain
DEEPEST = 4  # steps to the right at most
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

EPILOG = """\b
Examples:
  setpoint explain file /etc/resolv.conf       why was it changed, and how often?
  setpoint explain svc nginx --since 1h        why was it reloaded?
  setpoint explain                             what happened lately, to all resources
"""


class Since(NamedTuple):
    """How far to look back: to a wall time, and to how many chains at most; None is no limit."""

    at: float = 0.0
    chains: int | None = None


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> Since | None:
    """Return what "90s", "1h" or "5" means now."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", value)
    if not found:
        why = f"{value!r} is neither a time nor a number; write 15m, 1h, 2d, or 5"
        raise click.BadParameter(why, ctx, param)
    number, unit = int(found[1]), found[2]
    return Since(time.time() - number * UNITS[unit]) if unit else Since(chains=number)


@click.command(epilog=EPILOG)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option(
    "--since",
    metavar="TIME|N",
    callback=_since,
    help="How far to look back: 15m, 1h, 2d, or the last N chains; 10 by default, of all resources 20.",
)
@PREFIX
@JSON
def command(
    kind: str | None, name: str | None, since: Since | None, prefix: str | None, as_json: bool
) -> None:
    """Show what happened to a resource and why, or without a resource what happened lately.

    Each chain begins with its first cause: what something else changed, a graph file that was saved, a fact. Then what
    differed, what was done, who was notified, and what failed or was blocked by what. It is read from the journal,
    which keeps the last 64 entries of each resource, and is half a second behind a run.
    """
    if kind is not None and name is None:
        raise click.UsageError(
            f"a resource is KIND NAME, only {kind!r} was given; give both, or nothing"
        )
    directory = Path(prefix or state_root())
    refuse_none(directory)
    from setpoint.journal import read_status, read_trace

    found = Found(read_trace(directory), read_status(directory))
    if kind is None:
        told = found.all(since or Since(chains=LATEST_OF_ALL))
    else:
        id_ = f"{kind} {name}"
        _refuse_unknown(id_, found.ids, directory)
        told = found.of(id_, since or Since(chains=LATEST))
    click.echo(told.document() if as_json else "\n".join(told.lines()))


class Found:
    """What the journal knows."""

    def __init__(self, entries: "list[Entry]", status: "Status") -> None:
        from setpoint.cli.chains import Chains

        self._entries, self._status = entries, status
        self._chains = Chains(entries)
        self._over = {entry.cause for entry in entries if entry.what == "lasted"}

    @property
    def ids(self) -> set[str]:
        """The ids of all resources that the journal knows."""
        status = self._status
        owing = {id_ for debt in status.debts for id_ in debt}
        known = {*status.outcomes, *status.intents, *status.held, *owing}
        return {*(entry.id for entry in self._entries), *known} - {""}

    def of(self, id_: str, since: Since) -> "Told":
        """Return what is known of the resource `id_`."""
        from setpoint.cli.standing import standing

        own = [entry for entry in self._entries if entry.id == id_ and not self._is_over(entry)]
        head = standing(id_, own, self._status)
        chains = _latest(self._chains.of(id_), since)
        return Told(head, chains, self._chains, LINES, self._status.died)

    def all(self, since: Since) -> "Told":
        """Return what is known of all resources."""
        chains = _latest(self._chains.all(), since)
        return Told([], chains, self._chains, LINES_OF_ALL, self._status.died)

    def _is_over(self, entry: "Entry") -> bool:
        """Whether it waited, as `entry` says, and does no more."""
        if entry.what != "waits":
            return False
        if entry.seconds >= 0:
            return entry.at + entry.seconds < time.time()
        return entry.cause in self._over


class Told(NamedTuple):
    """What is told.

    head: how it stands now; lines.
    chains: the one that began first at the top.
    trace: the chains of all resources.
    most: lines of a chain that are shown to people.
    died: whether the last run did not end by itself.
    """

    head: list[str]
    chains: "list[Chain]"
    trace: "Chains"
    most: int
    died: bool

    def document(self) -> str:
        """Return all of it as one JSON document."""
        from setpoint.cli.chains import said

        chains = [
            [{**msgspec.to_builtins(entry), "said": said(entry)} for entry in chain.entries]
            for chain in self.chains
        ]
        plain = {"standing": self.head, "died": self.died, "chains": chains}
        return msgspec.json.encode(plain).decode()

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it."""
        from setpoint.cli.chains import day

        yield from map(harmless, self.head)
        if not self.chains:
            yield "no entries are kept about that"
        date = ""
        for place, chain in enumerate(self.chains):
            if place or self.head:
                yield ""
            if date != (date := day(chain.entries[0].at)):
                yield date
            yield from map(harmless, self._chain(chain))
        if self.died:
            yield ""
            yield "the last run was killed: what it did in its last half second may be missing"

    def _chain(self, chain: "Chain") -> Iterator[str]:
        from setpoint.cli.chains import said, when

        shown, gap = _some(chain.entries, self.most)
        for place, entry in enumerate(shown):
            if gap and place == len(shown) - self.most // 2:
                yield f"{'':14}... {gap:,} more"
            steps = min(self.trace.depth(entry), DEEPEST)
            yield f"{when(entry.at)}  {'  ' * steps}{said(entry)}"
        if chain.left_out:
            yield f"{'':14}... {chain.left_out:,} more that follow from it"


def _some(entries: "Sequence[Entry]", most: int) -> "tuple[Sequence[Entry], int]":
    """Return the first and the last of `entries`, `most` in all, and how many were left out."""
    if len(entries) <= most:
        return entries, 0
    return [*entries[: most - most // 2], *entries[-(most // 2) :]], len(entries) - most


def _latest(chains: "list[Chain]", since: Since) -> "list[Chain]":
    """Return those of `chains` in which something happened `since` then, by when they began."""
    found = sorted(chains, key=lambda chain: chain.entries[-1].number)
    found = [chain for chain in found if chain.entries[-1].at >= since.at]
    if since.chains is not None:
        found = found[max(0, len(found) - since.chains) :]
    return sorted(found, key=lambda chain: chain.entries[0].number)


def _refuse_unknown(id_: str, known: set[str], directory: Path) -> None:
    if id_ in known:
        return
    hint = suggest(id_, known) or "setpoint explain tells of all that it has"
    why = "it is in no graph that ran, or was as declared whenever it was looked at"
    raise SetpointError(f"{directory}: the journal has nothing about {id_!r}, {why}; {hint}")
