"""A graph: resources, the edges between them, and what travels along. Pure data, no asyncio."""

from collections.abc import Collection, Container, Iterable, Mapping
from copy import copy
from typing import Literal, NamedTuple

from setpoint.errors import Place, Problem, SetpointError
from setpoint.hiding import Secrets
from setpoint.ids import Ids
from setpoint.resource import Fact, Resource
from setpoint.values import Received

Policy = Literal["hold", "fire", "drop"]
SEARCH = 1_000_000  # edges that are looked at for a shorter cycle; about half a second
# What tells graphs apart besides their resources.
COMPARED = ("edges", "receives", "held", "undecided", "left_out", "modules", "tainted")
SHOWN = 20  # edges of a cycle that its message shows


class Rule(str):
    """Why there is an automatic edge, in a few words: "its parent directory"."""

    __slots__ = ()


class Edge(NamedTuple):
    """`then` runs after `first`; with `notify` it is refreshed when `first` changed something.

    notify: what happens to a notification if `first` fails after it changed something: "hold" it
        until `first` succeeds, "fire" it at once and let `then` go on without `first`, "drop" it.
        None: order only.
    origin: what asked for this edge: a place in a file, what made it ("send"), or the `Rule` that an
        automatic one follows from.
    """

    first: str
    then: str
    notify: Policy | None = None
    origin: Place | str = ""


class CycleError(SetpointError):
    """Resources that wait for each other in a circle, so that none of them could ever run.

    Args:
        edges: the circle, each edge from where the one before it leads to.

    """

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.edges = tuple(edges)
        steps = [_step(edge) for edge in self.edges[:SHOWN]]
        if len(self.edges) > SHOWN:
            steps.append(f"and {len(self.edges) - SHOWN} more")
        circle = ", ".join(steps)
        super().__init__(f"these wait for each other: {circle}; take out one of the edges")


def _step(edge: Edge) -> str:
    arrow = "~>" if edge.notify else "->"
    origin = f" ({edge.origin})" if edge.origin else ""
    return f"{edge.first} {arrow} {edge.then}{origin}"


class Graph:
    """Resources by id in the order they were declared, with at most one edge for each pair.

    resources: id ("file /etc/motd") to resource.
    edges: (first, then) to the edge. Both ends are in `resources`.
    receives: id to the params whose values come from others, each as a `Received`.
        For each there is an edge from the sender.
    places: id to where it was declared; empty for graphs made in Python.
    warnings: what a person should know about how it was declared, though it runs.
    facts: what is to be known of the machine for it, by the name under which expressions read it.
    held: the ids of what is declared, but waits for facts, or for something that does.
    undecided: the ids of what may be declared or not as long as facts are not known.
    absent: the ids of what is declared but not there as the facts are now.
    modules: the name of each module to the ids of its resources.
    left_out: the ids of what is declared but not to be run: this is a part of a graph.
    tainted: id to the params in which there is a secret, whatever their type.
    secrets: what is in them; to be taken out of all that is said.
    scope: tells what belongs to this graph from what belongs to others with the same state directory: its
        name, or the path of its first file.
    """

    def __init__(self, name: str = "") -> None:
        self.name = self.scope = name
        self.resources: dict[str, Resource] = {}
        self.edges: dict[tuple[str, str], Edge] = {}
        self.receives: dict[str, Mapping[str, Received]] = {}
        self.places: dict[str, Place] = {}
        self.warnings: list[Problem] = []
        self.facts: dict[str, Fact] = {}
        self.held: set[str] = set()
        self.undecided, self.absent = Ids(), Ids()
        self.modules: dict[str, list[str]] = {}
        self.left_out: set[str] = set()
        self.tainted: dict[str, frozenset[str]] = {}
        self.secrets = Secrets()

    def copy(self) -> "Graph":
        """Return a graph of the same resources and edges, to which others can be added."""
        other = copy(self)
        other.resources, other.edges = dict(self.resources), dict(self.edges)
        other.receives, other.warnings = dict(self.receives), list(self.warnings)
        other.tainted = dict(self.tainted)
        return other

    def part(self, ids: Collection[str]) -> "Graph":
        """Return the graph of the resources `ids`, and the edges between them; all others are left out."""
        part = self.copy()
        part.resources = {id_: r for id_, r in self.resources.items() if id_ in ids}
        part.edges = {p: e for p, e in self.edges.items() if p[0] in ids and p[1] in ids}
        part.receives = {id_: wanted for id_, wanted in self.receives.items() if id_ in ids}
        part.held = {id_ for id_ in self.held if id_ in ids}
        everything = self.resources.keys() | self.held | self.left_out
        part.left_out = everything - part.resources.keys() - part.held
        return part

    def add(self, *resources: Resource) -> None:
        """Add `resources`.

        Raises:
            ValueError: one with the same kind and name is there already.

        """
        for resource in resources:
            if resource.id in self.resources:
                raise ValueError(f"{resource.id!r} is in the graph already")
            self.resources[resource.id] = resource

    def connect(self, edge: Edge) -> None:
        """Add `edge`; with one between the same two already, the union of both.

        Raises:
            KeyError: one of its ends is not in the graph.

        """
        for end in (edge.first, edge.then):
            if end not in self.resources:
                raise KeyError(end)
        old = self.edges.get((edge.first, edge.then))
        if old is None or (edge.notify and not old.notify):
            self.edges[edge.first, edge.then] = edge

    def may_have(self, id_: str) -> bool:
        """Whether `id_` is in it, or is left out, or may be in it once more facts are known."""
        return id_ in self.resources or id_ in self.left_out or self.is_unknown(id_)

    def may_export(self, id_: str) -> bool:
        """Whether `id_` is exported, or may be once more facts are known."""
        resource = self.resources.get(id_)
        return self.is_unknown(id_) or (resource is not None and bool(resource.meta.export))

    def is_unknown(self, id_: str) -> bool:
        """Whether it is not known if there is `id_`, or how it is declared."""
        return id_ in self.held or id_ in self.undecided

    def is_like(self, other: "Graph") -> bool:
        """Whether it has the same resources, edges and values that travel as `other`, which may be running.

        And the same is not known, left out, or of a module: what turns out to be declared no more is to be put back, or
        to leave the part that runs. And the same is secret: else it would go on being shown.
        """
        if any(getattr(self, name) != getattr(other, name) for name in COMPARED):
            return False
        if self.resources.keys() != other.resources.keys():
            return False
        return all(
            are_alike(resource, other.resources[id_], self.receives.get(id_, ()))
            for id_, resource in self.resources.items()
        )

    def warn(self, id_: str, message: str) -> None:
        """Add a warning about the resource `id_`."""
        place = self.places.get(id_, Place(""))
        self.warnings.append(Problem(place, f"{id_}: {message}"))

    def order(self) -> dict[str, int]:
        """Return the ranks of the resources, see `order`.

        Raises:
            CycleError: there is a cycle; it holds a shortest one.

        """
        return order(self.resources, self.edges.values())


def are_alike(one: Resource, other: Resource, received: Container[str]) -> bool:
    """Whether two resources are declared alike, whatever they have `received` and where they live."""
    names = [name for name in one.__struct_fields__ if name != "_host" and name not in received]
    return type(one) is type(other) and all(
        getattr(one, name) == getattr(other, name) for name in names
    )


def order(ids: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return `ids` in an order in which every edge leads forward, each with its rank.

    The rank is the number of edges on the longest way that leads to it: 0 if it waits for nothing.
    Two of the same rank do not wait for each other. Both ends of each edge are in `ids`.

    Raises:
        CycleError: there is a cycle; it holds a shortest one.

    """
    names, edges = list(ids), list(edges)
    successors, waiting = _adjacent(names, edges)
    ranks = [0] * len(names)
    ready = [vertex for vertex, count in enumerate(waiting) if not count]
    for vertex in ready:  # grows while it is walked
        rank = ranks[vertex] + 1
        for successor in successors[vertex]:
            if ranks[successor] < rank:  # max() would cost more than all else here
                ranks[successor] = rank
            waiting[successor] -= 1
            if not waiting[successor]:
                ready.append(successor)
    if len(ready) < len(names):
        left = [vertex for vertex, count in enumerate(waiting) if count]
        cycle = [names[vertex] for vertex in _shortest_cycle(successors, left)]
        raise CycleError(_edges_between(cycle, edges))
    return {names[vertex]: ranks[vertex] for vertex in ready}


def _adjacent(names: list[str], edges: list[Edge]) -> tuple[list[list[int]], list[int]]:
    """Return the successors of each vertex, and how many edges lead to it."""
    index = {name: vertex for vertex, name in enumerate(names)}
    successors: list[list[int]] = [[] for _ in names]
    waiting = [0] * len(names)
    for first, then, _, _ in edges:
        successor = index[then]
        successors[index[first]].append(successor)
        waiting[successor] += 1
    return successors, waiting


def _edges_between(circle: list[str], edges: list[Edge]) -> list[Edge]:
    wanted = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    found = {edge.first: edge for edge in edges if wanted.get(edge.first) == edge.then}
    return [found[first] for first in circle]


def _shortest_cycle(successors: list[list[int]], left: list[int]) -> list[int]:
    """Return a shortest cycle among the vertices `left`, each of which has a predecessor in `left`.

    Looks at `SEARCH` edges at most, so that a huge knot costs no more than a small one; what it
    returns then is the shortest of those it has met. Starts with the vertex declared first.
    """
    best = _some_cycle(successors, left)
    inside = set(left)
    seen = 0
    for start in left:
        if seen > SEARCH or len(best) == 1:
            break
        cycle, looked_at = _cycle_through(start, successors, inside, len(best))
        seen += looked_at
        best = cycle or best
        inside.discard(start)  # every cycle through it has been considered
    first = best.index(min(best))
    return best[first:] + best[:first]


def _some_cycle(successors: list[list[int]], left: list[int]) -> list[int]:
    """Return the cycle that one meets when walking backwards."""
    before = {then: first for first in left for then in successors[first]}
    way: dict[int, None] = {}
    vertex = left[0]
    while vertex not in way:
        way[vertex] = None
        vertex = before[vertex]
    walked = list(way)
    return walked[walked.index(vertex) :][::-1]


def _cycle_through(
    start: int, successors: list[list[int]], inside: set[int], shorter_than: int
) -> tuple[list[int], int]:
    """Return a shortest cycle through `start`, empty if none is short enough, and the edges seen."""
    came_from = {start: start}
    frontier = [start]
    seen = 0
    for length in range(1, shorter_than):
        reached = []
        for vertex in frontier:
            seen += len(successors[vertex])
            for successor in successors[vertex]:
                if successor == start:
                    return _way_back(vertex, came_from, length), seen
                if successor in inside and successor not in came_from:
                    came_from[successor] = vertex
                    reached.append(successor)
        frontier = reached
    return [], seen


def _way_back(vertex: int, came_from: dict[int, int], length: int) -> list[int]:
    way = [vertex]
    for _ in range(length - 1):
        way.append(came_from[way[-1]])
    return way[::-1]
