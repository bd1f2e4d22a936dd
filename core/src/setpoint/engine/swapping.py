"""Putting another graph in the place of the one that runs, without disturbing what is the same in both.

The difference is by identity, kind and name: what is equal goes on untouched, with its watch and what it remembers;
changed params are set in place, or right after the run that is under way; what is new begins; what is gone leaves,
dependents first. What must not leave yet is still in the graph (see `leaving`).
"""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import compress
from operator import ne

import msgspec

from setpoint.engine.host import EngineHost
from setpoint.engine.modes import Modes
from setpoint.engine.parts import Parts
from setpoint.engine.redaction import secret_params
from setpoint.engine.states import GONE, RERUN, RUN
from setpoint.engine.vertices import Vertices
from setpoint.engine.watches import Watches
from setpoint.graph import Graph
from setpoint.resource import Resource
from setpoint.reversals import undoing


class Difference(msgspec.Struct, frozen=True):
    """What tells a new graph from the one that runs, as ids.

    shape: whether edges or received values differ, or something came or went.
    """

    added: list[str]
    changed: list[str]
    removed: list[str]
    shape: bool

    @property
    def declared(self) -> "Difference":
        """The same without what puts back others, which nobody declares."""
        added, changed, removed = map(_declared, (self.added, self.changed, self.removed))
        return Difference(added, changed, removed, self.shape)


def _declared(ids: list[str]) -> list[str]:
    prefix = undoing("")
    return [id_ for id_ in ids if not id_.startswith(prefix)]


class Resources(Mapping[str, Resource]):
    """The resources of `vertices` by id, without a copy."""

    def __init__(self, vertices: Vertices) -> None:
        self._vertices = vertices

    def __getitem__(self, id_: str) -> Resource:
        return self._vertices.resource[self._vertices.index[id_]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._vertices.index)

    def __len__(self) -> int:
        return len(self._vertices.index)


class Swapping:
    """Swaps graphs, one at a time.

    graph: the one that runs, as it was declared.
    """

    def __init__(self, parts: Parts, modes: Modes, watches: Watches, host: EngineHost) -> None:
        self._parts, self._modes, self._watches, self._host = parts, modes, watches, host
        self.graph = Graph()

    @property
    def name(self) -> str:
        """The name of the graph that runs."""
        return self.graph.name

    @property
    def resources(self) -> Mapping[str, Resource]:
        """The resources of the graph that runs, as they were declared and have received."""
        return Resources(self._parts.vertices)

    def may_have(self, id_: str) -> bool:
        """Whether the graph that runs has `id_`, leaves it out, or may have it once more facts are known."""
        return self.graph.may_have(id_)

    def swap(self, graph: Graph) -> Difference:
        """Run `graph` from now on.

        Raises:
            CycleError: its edges close a circle; then the old one goes on.

        """
        for resource in graph.resources.values():
            resource._host = self._host
        self._parts.redaction.adopt(graph, self.resources if graph.tainted else {})
        found = self._difference(graph)
        with _without_collector(len(found.added)):
            ranks = graph.order() if found.shape else {}
            self.graph = graph
            self._apply(found, ranks)
        return found

    def _difference(self, new: Graph) -> Difference:
        old = self.graph
        self._keep_received(new)
        names, before = new.resources, old.resources
        if list(names) == list(before):
            changed = list(compress(names, map(ne, names.values(), before.values())))
            added: list[str] = []
            removed: list[str] = []
        else:
            changed = [key for key in names if key in before and names[key] != before[key]]
            added = [key for key in names if key not in before]
            removed = [key for key in before if key not in names]
        rewired = self._rewired(new) - {*changed, *added}
        same = new.edges == old.edges and new.receives == old.receives
        shape = bool(added or removed) or not same
        return Difference(added, [*changed, *sorted(rewired)], removed, shape)

    def _rewired(self, new: Graph) -> set[str]:
        """Return the ids in `new` that receive from elsewhere than before, or no more."""
        before, after = self.graph.receives, new.receives
        if before == after:
            return set()
        either = before.keys() | after.keys()
        return {k for k in either if k in new.resources and before.get(k) != after.get(k)}

    def _keep_received(self, new: Graph) -> None:
        """Let receivers of the same values begin with what they have received."""
        index = self._parts.vertices.index
        for key, wanted in new.receives.items():
            if self.graph.receives.get(key) == wanted and key in index:
                live = self._parts.vertices.resource[index[key]]
                for param in wanted:
                    setattr(new.resources[key], param, getattr(live, param))
                    setattr(self.graph.resources[key], param, getattr(live, param))

    def _apply(self, found: Difference, ranks: Mapping[str, int]) -> None:
        graph, vertices = self.graph, self._parts.vertices
        gone = [(vertices.rank[vertices.index[key]], key) for key in found.removed]
        for _, key in sorted(gone, reverse=True):
            self._parts.scheduler.leave(vertices.remove(key))
            self._host.forget(key)
        fresh = self._add({key: graph.resources[key] for key in found.added})
        watched = self._watches.expect(fresh)
        asked = vertices.senders.keys()
        if found.shape:
            self._connect(graph, ranks)
            self._modes.begin(fresh)
        for key in found.changed:
            self._change(vertices.index[key], graph.resources[key])
        for v in vertices.senders.keys() - asked:  # what it sent before may be old
            self._parts.scheduler.mark(v)
        self._tell_peers((*found.added, *found.changed, *found.removed))
        self._put_back_again(found.removed)
        for v in watched:
            self._watches.begin(v)

    def _put_back_again(self, gone: Iterable[str]) -> None:
        """Let what puts back those that are `gone` run again if it has run already: they had come back meanwhile."""
        index = self._parts.vertices.index
        for v in [index[id_] for key in gone if (id_ := undoing(key)) in index]:
            self._parts.scheduler.mark(v)

    def _tell_peers(self, ids: Iterable[str]) -> None:
        """Have those that look at resources of the kinds of `ids` look again."""
        index = self._parts.vertices.index
        for v in [index[id_] for id_ in self._host.askers(ids) if id_ in index]:
            self._parts.causes.note(v, "peers")
            self._parts.scheduler.mark(v)

    def _add(self, resources: Mapping[str, Resource]) -> list[int]:
        """Make vertices of new `resources`."""
        parts = self._parts
        fresh = parts.vertices.add(resources)
        kinds = set(map(type, resources.values()))
        for resource in resources.values() if any(map(secret_params, kinds)) else ():
            parts.redaction.declare(resource)
        parts.ledger.inherit(zip(resources, fresh, strict=True))
        parts.scheduler.active += len(fresh)
        return fresh

    def _connect(self, graph: Graph, ranks: Mapping[str, int]) -> None:
        """Take over the edges of `graph`, and what travels along."""
        vertices = self._parts.vertices
        before = {*vertices.receives, *vertices.senders}
        vertices.connect(graph, ranks)
        self._parts.scheduler.reorder(self._watches.armed)
        for v in before ^ {*vertices.receives, *vertices.senders}:
            if vertices.state[v] != GONE:
                self._modes.update(v)

    def _change(self, v: int, new: Resource) -> None:
        """Give the resource of `v` the params of `new`, now or after the run that is under way."""
        scheduler = self._parts.scheduler
        if self._parts.vertices.state[v] in (RUN, RERUN):
            scheduler.after_run[v] = lambda: self._set_late(v, new)
            scheduler.mark(v)
        else:
            self._set(v, new)
            scheduler.mark(v)

    def _set_late(self, v: int, new: Resource) -> None:
        self._set(v, new)
        self._tell_peers([new.id])  # who looked since the swap saw the params of before

    def _set(self, v: int, new: Resource) -> None:
        live = self._parts.vertices.resource[v]
        changed = {f for f in new.__struct_fields__ if getattr(live, f) != getattr(new, f)}
        self._modes.leave_queue(v)
        self._parts.scheduler.wake(v)  # it may wait for what it need not, or no longer has to
        for field in changed:
            setattr(live, field, getattr(new, field))
        if changed != {"meta"}:
            self._parts.fights.forget(v)  # what is wanted changes, and nobody changes it back
            self._parts.redaction.forget_all_but_secrets(live)
        self._modes.update(v)
        if "meta" in changed or live.meta.rewatch or changed & rewatched(type(live)):
            self._watches.restart(v)


@cache
def rewatched(kind: type[Resource]) -> frozenset[str]:
    """Return the params of `kind` whose change needs the watch anew."""
    return frozenset(
        field.name
        for field in msgspec.structs.fields(kind)
        if any(meta.extra and meta.extra.get("rewatch") for meta in _metas(field.type))
    )


def _metas(annotated: object) -> list[msgspec.Meta]:
    found = getattr(annotated, "__metadata__", ())
    return [meta for meta in found if isinstance(meta, msgspec.Meta)]


@contextmanager
def _without_collector(added: int) -> Iterator[None]:
    """Let no collector walk a large graph while it is built, nor ever again after that."""
    if added < 1_000 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
