"""A graph with other params in some of its resources, and nothing else different: the usual change of a fact."""

from collections.abc import Sequence
from typing import Any

from setpoint.declarations.building import Builder
from setpoint.declarations.instances import Made
from setpoint.declarations.model import Part
from setpoint.errors import Problem
from setpoint.graph import Graph
from setpoint.resource import Resource

_PARAMS_ONLY = frozenset({"resources", "troubles", "published", "exported"})


def patched(
    graph: Graph, moved: Sequence[tuple[Part | None, Part]], builder: Builder
) -> Graph | None:
    """Return `graph` with the params that are declared now; None if more is different than that.

    Args:
        graph: the last one that `builder` has built, with what was patched since.
        moved: what was declared before, and is declared now in its place.
        builder: keeps what is made.

    """
    if builder.troubles:  # one of these may be right by now
        return None
    problems: list[Problem] = []
    builder.instances.begin(problems)
    found: dict[str, Made] = {}
    for before, now in moved:
        if before is None or not _declare_alike(before, now):
            return None
        for declaration in now.resources:
            made = builder.instances.made(declaration)
            if problems or not _fits(graph, made, builder):
                return None
            found[declaration.id] = made
    builder.keep(found)
    if not found:
        return graph
    result = graph.copy()
    for id_, made in found.items():
        if id_ not in builder.held and made.resource is not None:
            result.resources[id_] = made.resource
            if made.tainted:
                result.tainted[id_] = made.tainted
            else:
                result.tainted.pop(id_, None)
    return result


def _declare_alike(before: Part, now: Part) -> bool:
    """Whether both declare the same, but for params."""
    if now.trials or [one.id for one in before.resources] != [one.id for one in now.resources]:
        return False
    mine, others = dict(now.filled), dict(before.filled)
    either = (mine.keys() | others.keys()) - _PARAMS_ONLY
    return all(mine.get(name) == others.get(name) for name in either)


def _fits(graph: Graph, made: Made, builder: Builder) -> bool:
    """Whether the resource can take the place of the one with the same id, with the same edges."""
    id_, resource = made.declaration.id, made.resource
    if id_ in builder.doubles:
        return False
    if id_ in builder.held:  # it stays as it is, or away
        return True
    old = graph.resources.get(id_)
    if old is None or resource is None or graph.receives.get(id_, {}) != made.received:
        return False
    return bool(_relations(old) == _relations(resource))


def _relations(resource: Resource) -> Any:
    """Return what automatic edges follow from; itself if it cannot be told."""
    try:
        return resource.meta.autoedge, (*resource.provides(),), (*resource.needs(),)
    except Exception:  # whatever a plugin raises: then all is built, and that is told
        return resource
