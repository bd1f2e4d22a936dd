"""Edges as they are written made into edges of the graph: references, globs, what is not there."""

import fnmatch
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice

from setpoint.declarations.model import MODULE, WILD, Link, shown
from setpoint.errors import Problem, suggest
from setpoint.graph import Edge

MAX_EDGES = 1_000_000  # globs multiply; a graph beyond this is a mistake
SUGGESTIONS = 20  # problems that get a "did you mean"; it is costly among many names
CANDIDATES = 1000
NO_MODULES: Mapping[str, list[str]] = {}


class Names:
    """The ids of a graph, to be looked up by reference.

    A reference is an id, or a glob over ids in which `*` stands for any characters, `/` included.
    An id that holds such a character itself is found by its exact name.

    Args:
        ids: of the graph.
        may_be: says of a reference whether there may be such a resource at another time; none by default.
        modules: names of modules to the ids of their resources, for references like "module NAME".

    """

    def __init__(
        self,
        ids: Iterable[str],
        may_be: Callable[[str], bool] = lambda _: False,
        modules: Mapping[str, list[str]] = NO_MODULES,
    ) -> None:
        self.ids, self.may_be, self._modules = dict.fromkeys(ids), may_be, modules
        self._found: dict[str, list[str]] = {}
        self._suggested = 0

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.ids)

    def find(self, reference: str) -> list[str]:
        """Return the ids that `reference` stands for; empty if there is none."""
        if reference in self.ids:
            return [reference]
        if reference.startswith(MODULE):
            return self._in_modules(reference.removeprefix(MODULE))
        if WILD.isdisjoint(reference):
            return []
        if reference not in self._found:
            self._found[reference] = self._matching(reference)
        return self._found[reference]

    def _matching(self, glob: str) -> list[str]:
        literal = glob[: min(glob.index(char) for char in WILD.intersection(glob))]
        start = bisect_left(self._sorted, literal)
        end = bisect_left(self._sorted, literal + "\U0010ffff", start)
        return [id_ for id_ in self._sorted[start:end] if fnmatch.fnmatchcase(id_, glob)]

    def _in_modules(self, glob: str) -> list[str]:
        """Return the ids of the resources of all modules whose name `glob` fits."""
        fitting = [name for name in self._modules if fnmatch.fnmatchcase(name, glob)]
        found = dict.fromkeys(id_ for name in fitting for id_ in self._modules[name])
        return [id_ for id_ in found if id_ in self.ids]

    def is_known(self, reference: str) -> bool:
        """Whether there is something for `reference`, if only a module with nothing in it, or may be."""
        if reference.startswith(MODULE):
            glob = reference.removeprefix(MODULE)
            if any(fnmatch.fnmatchcase(name, glob) for name in self._modules):
                return True
        return bool(self.find(reference)) or self.may_be(reference)

    def missing(self, reference: str) -> str:
        """Return that there is nothing for `reference`, and what may be meant."""
        if reference.startswith(MODULE):
            name = reference.removeprefix(MODULE)
            hint = suggest(name, self._modules) or "include one of that name"
            return f"no module {name!r} is included; {hint}"
        _, space, name = reference.partition(" ")
        if not WILD.isdisjoint(reference):
            return f"no resource matches {reference!r}"
        if not space or not name:
            return self._with_hint(f"a reference is KIND NAME, not {reference!r}", reference)
        return self._with_hint(f"no resource {reference!r} is declared", reference)

    def _with_hint(self, message: str, reference: str) -> str:
        self._suggested += 1
        if self._suggested > SUGGESTIONS:
            return message
        kind, name = reference.split(" ", 1) if " " in reference else ("", reference)
        same_name = next((id_ for id_ in self.ids if id_.partition(" ")[2] == name), "")
        same_kind = islice((id_ for id_ in self.ids if id_.startswith(kind)), CANDIDATES)
        hint = f"did you mean {same_name!r}?" if same_name else suggest(reference, same_kind)
        return f"{message}; {hint}" if hint else message


def held_by(links: Iterable[Link], names: Names, is_undecided: Callable[[str], bool]) -> set[str]:
    """Return the ids that wait for something of which it is not known whether it is there."""
    return {then for link in links if is_undecided(link.first) for then in names.find(link.then)}


def edges_of(links: Iterable[Link], names: Names, problems: list[Problem]) -> list[Edge]:
    """Return the edges that `links` stand for; adds to `problems` what leads nowhere."""
    found: list[Edge] = []
    ids = names.ids
    for link in links:
        first, then = link.first, link.then
        if first in ids and then in ids and first != then:  # so are nearly all
            origin = link.source.place(max(link.first_at, link.then_at))
            found.append(Edge(first, then, link.notify, origin))
        else:
            found += _edges(link, names, problems)
        if len(found) > MAX_EDGES:
            what = f"{shown(link.subject)}: more than {MAX_EDGES:,} edges; use narrower globs"
            problems.append(link.source.problem(link.then_at, what))
            break
    return found


def _edges(link: Link, names: Names, problems: list[Problem]) -> Iterator[Edge]:
    firsts, thens = names.find(link.first), names.find(link.then)
    for found, reference, at in (
        (firsts, link.first, link.first_at),
        (thens, link.then, link.then_at),
    ):
        if not found and not names.is_known(reference):
            what = f"{shown(link.subject)}: {names.missing(reference)}"
            problems.append(link.source.problem(at, what))
    origin_at = max(link.first_at, link.then_at)  # beside a resource: the reference, not the key
    origin = link.source.place(origin_at)
    pairs = [(first, then) for first in firsts for then in thens if first != then]
    others = names.may_be(link.first) or names.may_be(link.then)  # at another time
    if firsts and thens and not (pairs or others):
        what = f"{shown(link.subject)}: an edge from {firsts[0]!r} to itself; take it out"
        problems.append(link.source.problem(origin_at, what))
    return (Edge(first, then, link.notify, origin) for first, then in pairs)
