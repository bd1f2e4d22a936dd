"""What is known of the machine, and of others, while graph files are evaluated."""

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from setpoint.clock import Clock
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.graphfile.files import hosts_of, no_host_in

SHARED = "world.shared"  # the name among facts of what hosts share
Groups = Mapping[str, Sequence[str]]


class Known(dict[str, Any]):
    """The values of facts by name; one that has not spoken is `UNKNOWN`.

    Args:
        values: of the facts that have spoken.
        clock: for functions over time.
        host: what this host is called.

    groups: names of groups to what their hosts are called, as globs, or other groups, as "@NAME".
    modules: how many were made since the last evaluation began.

    """

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        host: str = "",
    ) -> None:
        super().__init__(values or {})
        self.clock = clock or Clock()
        self.host = host or os.uname().nodename.partition(".")[0]
        self.groups: dict[str, Sequence[str]] = {}
        self.modules = 0

    def __missing__(self, name: str) -> Any:
        return UNKNOWN

    def renew(self, values: Mapping[str, Any]) -> set[str]:
        """Take over other `values`; return the names of those that differ."""
        either = self.keys() | values.keys()
        changed = {name for name in either if not is_same(self[name], values.get(name, UNKNOWN))}
        self.clear()
        self.update(values)
        self.modules = 0
        return changed

    def published(self, name: str) -> Any:
        """Return what hosts tell under `name`, by host; `UNKNOWN` if the world is."""
        shared = self[SHARED]
        return UNKNOWN if shared is UNKNOWN else shared.published.get(name, {})

    @property
    def hosts(self) -> Any:
        """The names of all hosts that share something, and this one; `UNKNOWN` if the world is."""
        return self.hosts_in(self[SHARED])

    def hosts_in(self, shared: Any) -> Any:
        """Return the names of all hosts that have `shared` something, and of this one; `UNKNOWN` if that is."""
        if shared is UNKNOWN:
            return UNKNOWN
        published = (host for values in shared.published.values() for host in values)
        return sorted({self.host, *published, *shared.exported})

    def is_among(self, patterns: Iterable[str], host: str = "") -> bool:
        """Whether `host`, this one by default, is one of `patterns`: globs, and "@GROUP"."""
        return any(self._fits(host or self.host, pattern, frozenset()) for pattern in patterns)

    def no_group(self, patterns: Iterable[str]) -> str:
        """Return that there is a group among `patterns` that nobody declares; empty if there is none."""
        for name in (pattern[1:] for pattern in patterns if pattern.startswith("@")):
            if name not in self.groups:
                hint = suggest(name, self.groups) or "declare it under groups:"
                return f"names a group {name!r} that is not declared; {hint}"
        return ""

    def _fits(self, host: str, pattern: str, seen: frozenset[str]) -> bool:
        if pattern.startswith("@"):
            inner = self.groups.get(pattern[1:], ()) if pattern not in seen else ()
            return any(self._fits(host, one, seen | {pattern}) for one in inner)
        return fnmatchcase(host, pattern) or fnmatchcase(host.partition(".")[0], pattern)


def wrong_hosts(known: Known, value: Any) -> str:
    """Return why `value` is nothing that names hosts; empty if it is."""
    names = hosts_of(value)
    if names is None:
        found = show(no_host_in(value))
        return f"must be the names of hosts, globs or @GROUPs, not {found}"
    return known.no_group(names)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are of the same type and equal, so that nothing is to be evaluated again."""
    return one is other or (type(one) is type(other) and bool(one == other))
