"""A graph: resources, the edges between them, and what travels along. Pure data, no asyncio."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from setpoint.errors import Place
from setpoint.resource import Resource
from setpoint.values import Ref, Text

Policy = Literal["hold", "fire", "drop"]


class Edge(NamedTuple):
    """`then` runs after `first`; with `notify` it is refreshed when `first` changed something.

    notify: what happens to a notification if `first` fails after it changed something: "hold" it
        until `first` succeeds, "fire" it at once, "drop" it. None: order only.
    origin: what asked for this edge: a place in a file, or what made it ("send").
    """

    first: str
    then: str
    notify: Policy | None = None
    origin: Place | str = ""


class Graph:
    """Resources by id in the order they were declared, with at most one edge for each pair.

    resources: id ("file /etc/motd") to resource.
    edges: (first, then) to the edge. Both ends are in `resources`.
    receives: id to the params whose values come from others, each a `Ref` or a `Text` with some.
        For each there is an edge from the sender.
    places: id to where it was declared; empty for graphs made in Python.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.resources: dict[str, Resource] = {}
        self.edges: dict[tuple[str, str], Edge] = {}
        self.receives: dict[str, Mapping[str, Ref | Text]] = {}
        self.places: dict[str, Place] = {}

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
