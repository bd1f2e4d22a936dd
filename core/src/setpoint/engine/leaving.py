"""What the new graph declares no more, but must not leave yet: it stays a vertex of what runs until it may.

Whatever appeared is run once before it leaves, unless its `meta.realize` is false; and a run that is under way is
finished. Until then it keeps the edges that it had with what is still there, what it notifies is notified, and what it
requires stays with it. A first try that fails, or something above it that did, is the end of that.

And while it is not known whether something that runs is declared, or how, it stays as it is with its edges, wherever
the new graph comes from: the facts of now, a file that was saved, a program.
"""

from collections.abc import Callable, Container
from time import perf_counter

from setpoint.engine.outcomes import Outcomes
from setpoint.engine.parts import Parts
from setpoint.engine.states import DIRTY, RERUN, RUN, WAIT
from setpoint.graph import CycleError, Edge, Graph

PART = 10  # times what a parting took have to pass until the next: it blocks the loop


class Leaving:
    """Knows who stays, and when that is over.

    going: the ids of what was declared no more, and runs all the same.
    part: called soon after something that stayed may leave; it is to give up the graph that runs for what is wanted.
    """

    part: Callable[[], object]

    def __init__(self, parts: Parts, outcomes: Outcomes) -> None:
        self._parts, self._outcomes = parts, outcomes
        self.going: set[str] = set()
        self._is_due = False
        self._next = 0.0  # no parting before that

    def stay(self, graph: Graph, before: Graph) -> tuple[Graph, set[int], set[str]]:
        """Return `graph`, which is to run next, with what of the running one `before` must not leave yet.

        Returns:
            Another graph if there is something, the vertices that are not finished with, and what will be `going`.

        """
        if before.resources.keys() <= graph.resources.keys():
            return graph, set(), set()
        index = self._parts.vertices.index
        gone = {index[id_]: id_ for id_ in before.resources if id_ not in graph.resources}
        unfinished = {v for v in gone if self._is_unfinished(v)}
        unknown = {id_ for id_ in gone.values() if graph.is_unknown(id_) and id_ not in self.going}
        going = {gone[v] for v in self._with_required(unfinished, gone.keys())} - unknown
        if unknown or going:
            graph = graph.copy()
            self._add(graph, before, unknown | going)
        return graph, unfinished, going

    def look(self) -> None:
        """Let those leave soon that are finished with, if there are any."""
        if not self._is_due and not all(map(self._is_unfinished, self._parts.scheduler.leaving)):
            self._is_due = True
            self._parts.timers.after(max(0.0, self._next - self._parts.now()), self._part)

    def _part(self) -> None:
        self._is_due = False
        if not self._parts.scheduler.stopped:
            began = perf_counter()
            self.part()
            self._next = self._parts.now() + PART * (perf_counter() - began)

    def _is_unfinished(self, v: int) -> bool:
        state = self._parts.vertices.state[v]
        if state in (DIRTY, WAIT):
            return bool(self._parts.vertices.pending[v]) and self._is_to_run_once(v)
        return state in (RUN, RERUN)

    def _is_to_run_once(self, v: int) -> bool:
        meta = self._parts.vertices.resource[v].meta
        noop = meta.noop or self._parts.options.noop
        return meta.realize and not noop and not self._outcomes.has_failed(v)

    def _with_required(self, unfinished: set[int], gone: Container[int]) -> set[int]:
        """Return the `unfinished` and all of the `gone` that they require, however far above."""
        found, stack = set(unfinished), list(unfinished)
        while stack:
            for p in self._parts.vertices.pred[stack.pop()]:
                if p in gone and p not in found:
                    found.add(p)
                    stack.append(p)
        return found

    def _add(self, graph: Graph, before: Graph, staying: set[str]) -> None:
        """Add those that are `staying`, and their edges as they were."""
        graph.add(*(before.resources[id_] for id_ in before.resources if id_ in staying))
        graph.receives |= {id_: before.receives[id_] for id_ in staying & before.receives.keys()}
        onwards: list[Edge] = []
        for edge in before.edges.values():
            if edge.then in staying and edge.first in graph.resources:
                graph.connect(edge)
            elif edge.first in staying and edge.then in graph.resources:
                onwards.append(edge)
        self._lead_on(graph, onwards)

    def _lead_on(self, graph: Graph, onwards: list[Edge]) -> None:
        """Let what the new graph declares wait for what leaves, unless they would wait for each other."""
        for edge in onwards:
            graph.connect(edge)
        try:
            graph.order()
        except CycleError:
            for edge in onwards:
                del graph.edges[edge.first, edge.then]
