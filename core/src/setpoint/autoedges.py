"""Edges that follow from what resources say of themselves.

Each resource says which things it provides and which it needs (`setpoint.relations`). Things are looked up by name, so
the work grows with what is said, not with the square of it; the nearest directory above a path is found once for each
directory on the way.

Only where people have said nothing: between two resources with a declared edge there is no automatic one, in either
direction, and one that would close a circle with declared ones is left out.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from setpoint.graph import Edge, Graph, Rule
from setpoint.relations import Need, Thing
from setpoint.resource import Resource

T = TypeVar("T")


Known = dict[str, tuple[Resource, tuple[Thing, ...], tuple[Need, ...]]]


def connect(graph: Graph, known: Known | None = None) -> None:
    """Add to `graph` the edges that follow from its resources.

    What those say of themselves is kept in `known`, if that is given, and taken from there for the same resources.

    Those that would make a circle are left out, with a warning of the graph; so are those of a plugin that fails when
    it is asked. Resources whose `meta.autoedge` is false have none.
    """
    asked = [resource for resource in graph.resources.values() if resource.meta.autoedge]
    said = _said(graph, asked, {} if known is None else known)
    providers = _Providers(said)
    declared, edges = graph.edges, dict[tuple[str, str], Edge]()
    for id_, (_, _, needs) in said.items():
        for edge in providers.edges(id_, needs):
            pair = (edge.first, edge.then)
            if pair not in edges and pair not in declared and pair[::-1] not in declared:
                edges[pair] = edge
    knot = () if _lead_forward(graph, edges) else _knot(graph.resources, [*declared, *edges])
    for pair, edge in edges.items():
        if edge.first in knot and edge.then in knot:
            what = f"does not wait for {edge.first} ({edge.origin}), which would make a circle"
            graph.warn(edge.then, f"{what}; say with an edge of your own which is first")
        else:
            graph.edges[pair] = edge


def _lead_forward(graph: Graph, edges: Iterable[tuple[str, str]]) -> bool:
    """Whether `edges` lead forward in an order of the graph, so that no circle can come of them: so they mostly do."""
    place = {id_: at for at, id_ in enumerate(graph.order() if graph.edges else graph.resources)}
    return all(place[first] < place[then] for first, then in edges)


class _Providers:
    """Who provides what; of several who say so, a mount and its mount point say, all are waited for."""

    def __init__(self, said: Known) -> None:
        self._things: dict[tuple[str, str], tuple[str, ...]] = {}
        self._nearest: dict[tuple[str, str], tuple[str, ...]] = {}
        for id_, (_, things, _) in said.items():
            for thing in things:
                self._things[thing] = (*self._things.get(thing, ()), id_)
        self._provided = {what for what, _ in self._things}
        self._rules: dict[str, Rule] = {}

    def edges(self, id_: str, needs: Iterable[Need]) -> Iterator[Edge]:
        """Yield the edges that follow from the `needs` of the resource `id_`."""
        for what, name, rule, nearest, notify, after in needs:
            if what not in self._provided:
                continue
            key = (what, name)
            for provider in self._nearest_of(key) if nearest else self._things.get(key, ()):
                if provider != id_:
                    first, then = (id_, provider) if after else (provider, id_)
                    reason = self._rules.get(rule) or self._rules.setdefault(rule, Rule(rule))
                    yield Edge(first, then, "hold" if notify else None, reason)

    def _nearest_of(self, key: tuple[str, str]) -> tuple[str, ...]:
        """Return who provide the path of `key`, or the nearest one above it."""
        known, way = self._nearest, []
        while key not in known:
            way.append(key)
            what, path = key
            if key in self._things or len(path) <= 1:
                known[key] = self._things.get(key, ())
            else:
                key = (what, path.rpartition("/")[0] or "/")
        found = known[key]
        for passed in way:
            known[passed] = found
        return found


def _said(graph: Graph, asked: Iterable[Resource], known: Known) -> Known:
    """Return what those who are `asked` say of themselves; as `known` if that is of the same resources."""
    found: Known = {}
    for resource in asked:
        id_ = resource.id
        before = known.get(id_)
        if before is None or before[0] is not resource:
            things = _told(graph, resource, type(resource).provides)
            needs = _told(graph, resource, type(resource).needs)
            if not things and not needs:
                continue
            before = resource, things, needs
        found[id_] = before
    known.clear()
    known.update(found)
    return found


def _told(
    graph: Graph, resource: Resource, verb: Callable[[Resource], Iterable[T]]
) -> tuple[T, ...]:
    """Return what `verb` says of `resource`, nothing if its plugin fails."""
    try:
        return tuple(verb(resource))
    except Exception as error:  # whatever a plugin raises
        what = f"its plugin fails when asked for automatic edges, {error!r}; it has none"
        graph.warn(resource.id, what)
        return ()


def _knot(ids: Iterable[str], pairs: list[tuple[str, str]]) -> set[str]:
    """Return the ids that lie on a circle of `pairs`, or between two."""
    inside = _without_ends(set(ids), pairs)
    return _without_ends(inside, [(then, first) for first, then in pairs]) if inside else inside


def _without_ends(inside: set[str], pairs: Iterable[tuple[str, str]]) -> set[str]:
    """Return those of `inside` that are left when, again and again, those to which no pair leads are taken away."""
    waiting = dict.fromkeys(inside, 0)
    successors: dict[str, list[str]] = {}
    for first, then in pairs:
        if first in inside and then in inside:
            waiting[then] += 1
            successors.setdefault(first, []).append(then)
    ready = [id_ for id_, count in waiting.items() if not count]
    for id_ in ready:  # grows while it is walked
        for then in successors.get(id_, ()):
            waiting[then] -= 1
            if not waiting[then]:
                ready.append(then)
    return inside.difference(ready)
