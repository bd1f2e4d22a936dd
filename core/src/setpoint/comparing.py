"""What tells one graph from another, as they are declared: for people, who want to see every param.

The engine finds out for itself what to do (`engine.swapping`); this looks at what is written, never at the machine.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from setpoint.engine.redaction import Redaction
from setpoint.graph import Edge, Graph
from setpoint.resource import RESERVED, Meta, Resource, defaults
from setpoint.values import Change, Secret, Text


class Comparison(msgspec.Struct, frozen=True):
    """What is different in a new graph.

    comes: the ids of what was not there, in the order of the new graph.
    changes: id to the params that are declared otherwise, before and after, secrets hidden; meta params as "meta.noop".
    goes: the ids of what is not there any more.
    edges_come, edges_go: between resources that were there before and still are.
    """

    comes: tuple[str, ...] = ()
    changes: Mapping[str, tuple[Change, ...]] = {}
    goes: tuple[str, ...] = ()
    edges_come: tuple[Edge, ...] = ()
    edges_go: tuple[Edge, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)

    @property
    def ids(self) -> list[str]:
        """The ids of all resources that come, change or go."""
        return [*self.comes, *self.changes, *self.goes]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many come, change and go."""
        return len(self.comes), len(self.changes), len(self.goes)


def compare(old: Graph, new: Graph, redaction: Redaction | None = None) -> Comparison:
    """Return what is different in `new`; `redaction` gets to know the secrets in both."""
    hiding = redaction or Redaction()
    for graph in (old, new):
        hiding.adopt(graph, {})
    changes, either = {}, old.receives.keys() | new.receives.keys()
    for id_, resource in new.resources.items():
        before = old.resources.get(id_)
        if before is None or (before is resource and id_ not in either):
            continue  # an evaluation takes over what depends on nothing that has changed
        if found := list(_changes(id_, old, new)):
            changes[id_] = tuple(_hidden(found, before, resource, hiding))
    return Comparison(
        tuple(id_ for id_ in new.resources if id_ not in old.resources),
        changes,
        tuple(id_ for id_ in old.resources if id_ not in new.resources),
        tuple(_edges_only_in(new, old)),
        tuple(_edges_only_in(old, new)),
    )


def concerned(new: Graph, found: Comparison) -> Graph:
    """Return the part of `new` that has to be looked at to tell what `found` leads to on the machine.

    That is what comes or changes, who is notified by it, and whose values are received. All else is left out, but for
    what goes: that is to be put back, if it asked for that.
    """
    kept = {*found.comes, *found.changes}
    notified: dict[str, list[str]] = {}
    for edge in new.edges.values():
        if edge.notify:
            notified.setdefault(edge.first, []).append(edge.then)
    reached = list(kept)
    for id_ in reached:  # grows while it is walked
        senders = [ref.sender for one in new.receives.get(id_, {}).values() for ref in one.refs]
        more = [other for other in (*notified.get(id_, ()), *senders) if other not in kept]
        kept.update(more)
        reached += more
    return new.part(kept)


def _changes(id_: str, old: Graph, new: Graph) -> Iterator[Change]:
    before, after = old.resources[id_], new.resources[id_]
    was, is_ = old.receives.get(id_, {}), new.receives.get(id_, {})
    usual = defaults(type(after))
    for name in after.__struct_fields__:
        if name == "meta":
            yield from _meta(before.meta, after.meta)
        if name in RESERVED:
            continue
        one = _written(was[name]) if name in was else getattr(before, name, None)
        other = _written(is_[name]) if name in is_ else getattr(after, name)
        if one != other:
            default = usual[name]
            yield Change(name, _said(one, default), _said(other, default))


def _hidden(
    changes: list[Change], before: Resource, after: Resource, hiding: Redaction
) -> Iterator[Change]:
    """Yield `changes` without what is secret before or after."""
    for resource in (before, after):
        hiding.declare(resource)
    tainted = before.memory.get("tainted", frozenset())
    for change in changes:
        yield from hiding.changes(before if change.attribute in tainted else after, [change])


def _meta(before: Meta, after: Meta) -> Iterator[Change]:
    if before != after:
        usual = defaults(Meta)
        for name in after.__struct_fields__:
            one, other = getattr(before, name), getattr(after, name)
            if one != other:
                default = usual[name]
                yield Change(f"meta.{name}", _said(one, default), _said(other, default))


def _written(source: object) -> str:
    """Return a received value as it stands in a graph file."""
    if not isinstance(source, Text):
        return f"${{{{ {source} }}}}"
    return "".join(
        part if isinstance(part, str) else str(part) if isinstance(part, Secret) else _written(part)
        for part in source.parts
    )


def _said(value: Any, default: Any) -> Any:
    """Return `value`; None if it is the `default` and empty, as it is when nothing is declared."""
    says_something = value or isinstance(value, (int, float))
    return value if says_something or value != default else None


def _edges_only_in(one: Graph, other: Graph) -> Iterator[Edge]:
    """Yield the edges of `one` between what is in both, that `other` has not, or not alike."""
    for pair, edge in one.edges.items():
        there = other.edges.get(pair)
        if there is edge or (there is not None and there.notify == edge.notify):
            continue
        if pair[0] in other.resources and pair[1] in other.resources:
            yield edge
