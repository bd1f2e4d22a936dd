"""What one graph shares, brought into line with what it declares."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import SetpointError
from setpoint.expressions import UNKNOWN
from setpoint.sharing.entries import PREFIX, Exported, owner_of, written
from setpoint.world import TOGETHER, ConflictError, Entry, Write

if TYPE_CHECKING:
    from setpoint.host import Host

MOST = 10_000  # values and resources of one graph
TRIES = 10  # at a change that comes between looking and writing
FIRST, LONGEST = 0.5, 60.0  # seconds until what could not be written is tried again
LAST = 5.0  # seconds that the end of a run waits for what is not written yet

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


class Shared(NamedTuple):
    """What one graph is to share.

    published: name to value; `UNKNOWN`: it stays as it is.
    exported: resources.
    stays: says of the id of another resource whether it may be exported still, so that it stays too.
    """

    published: Mapping[str, Any] = {}
    exported: Sequence[Exported] = ()
    stays: Callable[[str], bool] = lambda id_: False


class Moves(NamedTuple):
    """What a graph shares otherwise than before, each "publish NAME" or "export KIND NAME"."""

    comes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    goes: tuple[str, ...] = ()


def moves(old: Shared | None, new: Shared) -> Moves:
    """Return what `new` shares otherwise than `old`; what is not known stays as it is."""
    before, after = _by_key(old or Shared()), _by_key(new)
    known = [key for key in after if key in before and UNKNOWN not in (before[key], after[key])]
    return Moves(
        _in_words(key for key in after if key not in before),
        _in_words(key for key in known if written("", before[key]) != written("", after[key])),
        _in_words(key for key in before if key not in after and not _stays(new, key)),
    )


class Sharing:
    """Keeps what one graph on this host shares in line with what it declares; used on the loop.

    Args:
        host: this machine, and its name.
        owner: tells the graph from others on this host: its scope.
        warn: called with what a person should know.

    Raises:
        SetpointError: the name of the host cannot be a part of keys.

    """

    def __init__(self, host: "Host", owner: str, warn: Callable[[str], None]) -> None:
        if not _HOST.fullmatch(host.name):
            rule = "the name of a host that shares has letters, digits, dots and hyphens"
            raise SetpointError(f"{rule}, not {host.name!r}; give it another one")
        self._host, self._owner, self._warn = host, owner, warn
        self._wanted = Shared()
        self._told: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._again = asyncio.Event()

    def share(self, wanted: Shared) -> None:
        """Share `wanted` and nothing else, soon."""
        self._wanted = wanted
        self._again.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Wait for what is not shared yet, for some seconds at most; what is shared stays."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=LAST)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        delay = FIRST
        while self._again.is_set():
            self._again.clear()
            try:
                self._tell(await bring_in_line(self._host, self._owner, self._wanted))
                delay = FIRST
            except (OSError, SetpointError) as error:
                self._tell([f"what this host shares is not written: {error}"])
                self._again.set()
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST)

    def _tell(self, problems: list[str]) -> None:
        """Say what was not said the last time."""
        for problem in problems:
            if problem not in self._told:
                self._warn(problem)
        self._told = set(problems)


async def bring_in_line(host: "Host", owner: str, wanted: Shared) -> list[str]:
    """Write what differs between `wanted` and what the graph `owner` on `host` shares.

    Returns:
        In words what could not be shared, because another graph on this host has it.

    Raises:
        OSError: the world cannot be read or written.
        SetpointError: it is too much.

    """
    count = len(wanted.published) + len(wanted.exported)
    if count > MOST:
        raise SetpointError(f"a graph shares up to {MOST} values and resources, not {count}")
    for left in reversed(range(TRIES)):
        writes, problems = _difference(host, owner, wanted, await _own(host))
        try:
            for at in range(0, len(writes), TOGETHER):
                await host.world.write(*writes[at : at + TOGETHER])
            break
        except ConflictError:  # somebody has written meanwhile: look again
            if not left:
                raise
    return problems


async def _own(host: "Host") -> dict[str, Entry]:
    """Return the entries of `host` by what is behind its name in their keys."""
    prefix = f"{PREFIX}{host.name}/"
    found = await host.world.entries(prefix)
    return {key.removeprefix(prefix): entry for key, entry in found.items()}


def _difference(
    host: "Host", owner: str, wanted: Shared, found: Mapping[str, Entry]
) -> tuple[list[Write], list[str]]:
    """Return what is to be written, and what cannot be."""
    values = _by_key(wanted)
    writes, problems = [], []
    for key, value in values.items():
        if value is UNKNOWN:
            continue
        there = found.get(key)
        if there is not None and owner_of(there) != owner:
            problems.append(_taken(host, key, owner_of(there)))
            continue
        text = written(owner, value)
        if there is None or there.value != text:
            writes.append(Write(_key(host, key), text, there.revision if there else 0))
    for key, entry in found.items():
        if key not in values and not _stays(wanted, key) and owner_of(entry) == owner:
            writes.append(Write(_key(host, key), None, entry.revision))
    return writes, problems


def _by_key(shared: Shared) -> dict[str, Any]:
    """Return what is `shared` by what is behind the name of the host in its keys."""
    values = {f"publish/{name}": value for name, value in shared.published.items()}
    return values | {f"export/{one.id}": one for one in shared.exported}


def _stays(shared: Shared, key: str) -> bool:
    """Whether what is under `key`, which is not `shared`, stays."""
    sort, _, name = key.partition("/")
    return sort == "export" and shared.stays(name)


def _in_words(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(key.replace("/", " ", 1) for key in keys)


def _key(host: "Host", key: str) -> str:
    return f"{PREFIX}{host.name}/{key}"


def _taken(host: "Host", key: str, owner: str) -> str:
    [what] = _in_words([key])
    whose = f"the graph {owner!r}" if owner else "something that this version cannot read"
    cure = f"take it out of one, or run `setpoint world forget {_key(host, key)!r}`"
    return f"{what}: {whose} shares it on this host already, so it stays as it is; {cure}"
