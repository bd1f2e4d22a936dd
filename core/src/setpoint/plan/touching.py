"""Who may have a check find something else: resources that change what another one reads.

A resource says what it touches and what it reads (`Resource.touches`, `Resource.reads`). Only what comes before it in
the graph counts: what is not ordered is taken to be independent. Paths are compared as they are written, and with the
links resolved that are there now.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from setpoint.graph import Edge
from setpoint.relations import ANYTHING, Thing
from setpoint.resource import Resource

PATHS = ("path", "directory", "below")


class Touching:
    """Those that change, or may, with what they touch; to be added in the order of the graph.

    Args:
        before: id to the edges that lead to it.
        ranks: id to its rank in the graph.

    """

    def __init__(self, before: Mapping[str, list[Edge]], ranks: Mapping[str, int]) -> None:
        self._before, self._ranks = before, ranks
        self._by_thing: dict[Thing, list[str]] = {}
        self._within: dict[str, list[str]] = {}  # directory to those that touch something in it
        self._directories: dict[str, str] = {}  # to where links on the way lead
        self._all: set[str] = set()  # those that touch anything
        self._moving: set[str] = set()
        self._nearest: dict[str, str] = {}  # id to the nearest before it that moves
        self._anything: dict[str, str] = {}  # the same, of those that touch anything

    def nearest(self, id_: str) -> str:
        """Return the nearest before `id_` that changes or may; empty if there is none."""
        return self._nearest.get(id_, "")

    def arrive(self, id_: str) -> None:
        """Note what comes before `id_`."""
        for first in (edge.first for edge in self._before.get(id_, ())):
            for nearest, own in ((self._nearest, self._moving), (self._anything, self._all)):
                if first in own:
                    nearest[id_] = first
                elif first in nearest:
                    nearest.setdefault(id_, nearest[first])

    def add(self, resource: Resource) -> None:
        """Note that `resource` changes something, or may."""
        id_ = resource.id
        self._moving.add(id_)
        for thing in _told(resource.touches):
            if thing == ANYTHING:
                self._all.add(id_)
            elif thing.what in PATHS:
                self._touch(thing, id_)
            else:
                self._by_thing.setdefault(thing, []).append(id_)

    def _touch(self, thing: Thing, id_: str) -> None:
        what = "below" if thing.what == "below" else "path"
        for path in dict.fromkeys((thing.name, self._real(thing.name))):
            self._by_thing.setdefault(Thing(what, path), []).append(id_)
            for above in _above(path):
                self._within.setdefault(above, []).append(id_)

    def whom(self, resource: Resource) -> str:
        """Return what comes before `resource` and touches what it reads; empty if nothing does."""
        read = _told(resource.reads)
        if not read or resource.id not in self._nearest:
            return ""
        if ANYTHING in read:
            return self._nearest[resource.id]
        if resource.id in self._anything:
            return self._anything[resource.id]
        found = (id_ for thing in read for id_ in self._touched(thing))
        return next((id_ for id_ in found if self._comes_before(id_, resource.id)), "")

    def _touched(self, thing: Thing) -> Iterator[str]:
        if thing.what not in PATHS:
            yield from self._by_thing.get(thing, ())
            return
        paths = [thing.name, real := self._real(thing.name)]
        if os.path.islink(real):
            paths.append(os.path.realpath(real))
        for path in dict.fromkeys(paths):
            yield from self._by_thing.get(Thing("path", path), ())
            for above in (path, *_above(path)):
                yield from self._by_thing.get(Thing("below", above), ())
            if thing.what == "below":
                yield from self._within.get(path, ())

    def _real(self, path: str) -> str:
        """Return `path` without links on the way to it."""
        directory, _, name = path.rpartition("/")
        if directory not in self._directories:
            self._directories[directory] = os.path.realpath(directory or "/").rstrip("/")
        return f"{self._directories[directory]}/{name}"

    def _comes_before(self, first: str, then: str) -> bool:
        """Whether edges lead from `first` to `then`."""
        rank, seen, stack = self._ranks[first], {then}, [then]
        while stack:
            for edge in self._before.get(stack.pop(), ()):
                if edge.first == first:
                    return True
                if edge.first not in seen and self._ranks[edge.first] > rank:
                    seen.add(edge.first)
                    stack.append(edge.first)
        return False


def _told(verb: Callable[[], Iterable[Thing]]) -> tuple[Thing, ...]:
    """Return what `verb` of a resource says; anything, if its plugin fails."""
    try:
        return tuple(verb())
    except Exception:  # whatever a plugin raises; it is told when automatic edges are asked for
        return (ANYTHING,)


def _above(path: str) -> Iterable[str]:
    """Return the directories that `path` is in, but for the root."""
    return (path[:at] for at, letter in enumerate(path) if letter == "/" and at)
