"""Graph files whose expressions read facts: the graph that they declare with what is known now.

The files are read once; then each evaluation is a function of the facts alone. While it is not known whether something
is there, what runs stays exactly as it is, and nothing new starts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setpoint.clock import Clock
from setpoint.declarations import Declarations, Map, Source, build, uncollected
from setpoint.errors import Problem
from setpoint.graph import Graph
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import Known
from setpoint.paths import absolute
from setpoint.values import secrets_in

if TYPE_CHECKING:
    from setpoint.plugins import Plugins
    from setpoint.resource import Fact


class Live:
    """Graph files that have been read.

    Args:
        files: each with what is in it, in our form.
        rest: what is declared in other forms, which read no facts.
        plugins: where kinds and facts come from.
        automatic: whether to add automatic edges.
        clock: for functions over time.

    facts: those that are read, by name.
    graph: the graph of the last evaluation; at first of one in which no fact is known.
    troubles: what was wrong with expressions then, as the facts were.
    texts: path, absolute, to text of all files that were read.

    Raises:
        GraphError: with all that is wrong whatever the facts are.

    """

    def __init__(
        self,
        files: list[tuple[Source, Map]],
        rest: Declarations,
        plugins: "Plugins",
        *,
        automatic: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._files, self._rest, self._plugins = files, rest, plugins
        self._automatic = automatic
        self.texts = {absolute(source.file): source.text for source in rest.sources}
        self._known = Known(clock=clock)
        self.troubles: list[Problem] = []
        self.graph = Graph()
        self.graph = self.evaluate({})
        self.facts: Mapping[str, Fact] = self.graph.facts

    @property
    def wake_at(self) -> float | None:
        """When to evaluate again though no fact has changed, by `clock.monotonic`; None: no need."""
        return self._known.wake_at

    def evaluate(self, values: Mapping[str, Any]) -> Graph:
        """Return the graph with `values`, those of the facts that are known, by name.

        Raises:
            GraphError: what it would be is wrong; the one of before still holds.

        """
        self._known.begin(values)
        with uncollected():
            declarations = self._rest.copy()
            for source, root in self._files:
                Form(source, root, declarations, self._known).declare()
            graph = build(declarations, self._plugins, automatic=self._automatic)
        self._stay(graph)
        for secret in secrets_in(list(values.values())):
            graph.secrets.learn(secret)
        self.troubles = declarations.troubles
        self.graph = graph
        return graph

    def _stay(self, graph: Graph) -> None:
        """Keep in `graph` what was in the last one and of which nothing new is known."""
        before = self.graph
        kept = [
            id_ for id_ in before.resources if id_ not in graph.resources and graph.may_have(id_)
        ]
        for id_ in kept:
            graph.resources[id_] = before.resources[id_]
            graph.held.discard(id_)
            if id_ in before.receives:
                graph.receives[id_] = before.receives[id_]
            if id_ in before.places:
                graph.places[id_] = before.places[id_]
            if id_ in before.tainted:
                graph.tainted[id_] = before.tainted[id_]
        if kept:
            for pair, edge in before.edges.items():
                if not {*pair}.isdisjoint(kept) and {*pair} <= graph.resources.keys():
                    graph.edges.setdefault(pair, edge)
