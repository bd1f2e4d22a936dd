"""A part of a graph that can be run alone: what somebody names, and all that belongs to it.

A part is closed in two ways. Whatever is in it has its prerequisites with it, or it might be done too early. Whatever
is in it has those with it that it notifies, and those that still owe a refresh because of it, or a notification would
be lost. All else is left out: it stays declared, so that nothing of it is put back or forgotten.
"""

from collections.abc import Iterable, Sequence

from setpoint.declarations.links import Names
from setpoint.errors import SetpointError
from setpoint.graph import Graph


def select(graph: Graph, references: Sequence[str], debts: Iterable[tuple[str, str]] = ()) -> Graph:
    """Return the part of `graph` that `references` stand for, closed; with none it is `graph`.

    Args:
        graph: is not changed; the part has the same resources.
        references: each an id, a glob over ids, or `module NAME`. One that stands for nothing is passed over, see
            `refuse_missing`.
        debts: who notified whom in former runs, as ids, without a refresh until now; the graph need not have them.

    """
    if not references:
        return graph
    names = _names(graph)
    found = {id_ for reference in references for id_ in names.find(reference)}
    return graph.part(_closed(graph, found & graph.resources.keys(), debts) | found & graph.held)


def refuse_missing(graph: Graph, references: Iterable[str]) -> None:
    """Do nothing if each of `references` stands for something in `graph`, or may do so at another time.

    Raises:
        SetpointError: one does not, with what may have been meant.

    """
    names = _names(graph)
    for reference in references:
        if not names.is_known(reference):
            raise SetpointError(f"--only {reference!r}: {names.missing(reference)}")


def _names(graph: Graph) -> Names:
    def may_be(reference: str) -> bool:
        return reference in graph.absent or reference in graph.undecided

    return Names([*graph.resources, *graph.held], may_be, graph.modules)


def _closed(graph: Graph, chosen: set[str], debts: Iterable[tuple[str, str]]) -> set[str]:
    """Return `chosen` with all that has to be with them."""
    wanted: dict[str, list[str]] = {}
    for first, then in graph.edges:
        wanted.setdefault(then, []).append(first)
    notified = [pair for pair, edge in graph.edges.items() if edge.notify]
    owed = [(first, then) for first, then in debts if then in graph.resources]
    for first, then in (*notified, *owed):
        wanted.setdefault(first, []).append(then)
    kept, reached = set(chosen), list(chosen)
    for id_ in reached:  # grows while it is walked
        new = [other for other in wanted.get(id_, ()) if other not in kept]
        kept.update(new)
        reached += new
    return kept
