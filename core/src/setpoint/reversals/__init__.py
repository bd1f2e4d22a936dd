"""Putting back what resources have changed, once nobody declares them any more.

Before a resource with `meta.reverse` changes something for the first time, it is asked for the resource that would undo
that (`Resource.reversed`), and the answer is written down in its state directory, readable by its owner only. The
record outlives the process, and is not overwritten.

A graph of the same scope in which the resource is declared no more gets a `Reversal` in its place. That applies the
prior state if what we wrote still stands, else it leaves all as it is and says so; then the record goes. Reversals run
in the opposite order of what they undo, and notify who was notified by that; one that fails blocks nobody else.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from glob import escape, iglob
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec

from setpoint.declarations.params import convert
from setpoint.graph import CycleError, Edge, Graph, order
from setpoint.hookspecs import hookimpl
from setpoint.resource import Meta, Resource, call
from setpoint.reversals.records import RECORD, Record, forget, plain
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.plugins import Plugins


class Reversal(Resource):
    """Puts back what a resource has changed that is declared no more.

    name: the id of that resource.
    declared: that resource, as it was declared last.
    earlier: the same, as it was when it changed something: what was declared since was perhaps not done.
    prior: the one that undoes it; None if there is nothing to undo.
    """

    kind = "reverse"

    declared: Any
    earlier: tuple[Any, ...] = ()
    prior: Any

    @hookimpl
    async def check_apply(self, apply: bool) -> list[Change]:
        """Apply what was before, if what we wrote still stands; that is done once."""
        record = os.path.join(self.host.state_path(self.declared), RECORD)
        if not os.path.exists(record):
            return []
        changes: list[Change] = []
        if await self._stands():
            changes = await self._put_back(apply)
        else:
            self.host.log(self).warning("somebody else has changed it since; it stays as it is")
        if apply:
            await self.host.in_thread(forget, self.host, self.declared)
        return changes

    async def _stands(self) -> bool:
        """Whether all is as it was declared."""
        for declared in (self.declared, *self.earlier):
            declared._host = self.host
            if not await call(declared, declared.check_apply, False):
                return True
        return False

    async def _put_back(self, apply: bool) -> list[Change]:
        if self.prior is None:
            return []
        self.prior._host = self.host
        changes: list[Change] = await call(self.prior, self.prior.check_apply, False)
        if changes and apply:
            await self.intend(changes)
            await call(self.prior, self.prior.check_apply, True)
        return changes


def undoing(id_: str) -> str:
    """Return the id of what puts back the resource `id_`."""
    return f"{Reversal.kind} {id_}"


class Reversals:
    """The records below one state directory.

    wanted: the graph that is to run, whose scope tells its records from those of others.
    """

    def __init__(self, host: "Host", plugins: "Plugins") -> None:
        self._host, self._plugins = host, plugins
        self.wanted = Graph()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._records: dict[str, Record] | None = None  # path to what is there; read once

    def alone(self, resource: Resource) -> AbstractAsyncContextManager[Any]:
        """Return what keeps a resource and its reversal from running at the same time."""
        if isinstance(resource, Reversal):
            return self._lock(resource.name)
        return self._lock(resource.id) if resource.meta.reverse else nullcontext()

    def is_over(self, resource: Resource) -> bool:
        """Whether `resource` would put back what is declared again: it may be finishing while that comes."""
        return isinstance(resource, Reversal) and resource.name in self.wanted.resources

    def _lock(self, id_: str) -> asyncio.Lock:
        lock = self._locks.get(id_)
        if lock is None:
            lock = self._locks[id_] = asyncio.Lock()
        return lock

    async def keep(
        self, resource: Resource, after: list[str], notifies: Sequence[str] = ()
    ) -> None:
        """Write down what `resource` is about to do, and how to undo it unless that is known already.

        Args:
            resource: what it is about.
            after: the ids of those that it requires.
            notifies: the ids of those that it notifies.

        Raises:
            OSError: it cannot be found out, or written.
            Refused: the kind cannot put this back.

        """
        path = os.path.join(self._host.state_directory(resource), RECORD)
        declared = plain(resource, without=resource.memory.get("tainted", ()))
        earlier = None
        if os.path.exists(path):
            old = self._read(path)
            prior, earlier = old.prior, old.declared if old.declared != declared else old.earlier
        else:
            undoing = await call(resource, resource.reversed)
            prior = None if undoing is None else plain(undoing)
        record = Record(
            graph=self.wanted.scope,
            kind=resource.kind,
            name=resource.name,
            declared=declared,
            earlier=earlier,
            prior=prior,
            after=after,
            notifies=list(notifies),
        )
        content = msgspec.json.encode(record)
        await self._host.in_thread(partial(self._host.files.write, path, content, mode=0o600))
        if self._records is not None:
            self._records[path] = record

    def _read(self, path: str) -> Record:
        return msgspec.json.decode(self._host.files.read(path), type=Record)

    def are_due(self, graph: Graph) -> bool:
        """Whether there is something to put back that `graph` does not declare; it may get warnings."""
        return next(self._due(graph), None) is not None

    def extend(
        self, graph: Graph, live: Mapping[str, Resource], edges: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Add to `graph` the reversals of what it does not declare any more.

        Args:
            graph: gives the scope.
            live: the resources of the graph before it, which know best what was declared last.
            edges: those of the graph before it, pairs of ids.

        """
        records = {record.id: record for record in self._due(graph)}
        if not records:
            return
        leaving = records.keys() & live.keys()
        for id_ in leaving:
            records[id_].after = []
        for first, then in edges:
            if then in leaving:  # noted, for `first` may leave later
                records[then].after.append(first)
        found = {id_: self._found(graph, record, live) for id_, record in records.items()}
        made = {id_: reversal for id_, reversal in found.items() if reversal is not None}
        graph.add(*(one for one in made.values() if one.id not in graph.resources))
        turned = [
            Edge(reversal.id, made[first].id, None, "reverse")
            for id_, reversal in made.items()
            for first in records[id_].after
            if first in made
        ]
        for edge in _without_circles([one.id for one in made.values()], turned):
            graph.connect(edge)
        for id_, reversal in made.items():
            for listener in graph.resources.keys() & records[id_].notifies:
                graph.connect(Edge(reversal.id, listener, "fire", "reverse"))

    def drop_unwanted(self, graph: Graph) -> None:
        """Forget how to put back what `graph` declares, but not to be put back any more."""
        for path, record in [*self._known(graph).items()]:
            resource = graph.resources.get(record.id)
            if record.graph == graph.scope and resource is not None and not resource.meta.reverse:
                forget(self._host, resource)
                del self._known(graph)[path]

    def _due(self, graph: Graph) -> Iterator[Record]:
        """Yield those of this scope that are to be put back."""
        for path, record in [*self._known(graph).items()]:
            if record.graph == graph.scope and not graph.may_have(record.id):
                if os.path.exists(path):
                    yield record
                else:  # that was done
                    del self._known(graph)[path]

    def _known(self, graph: Graph) -> dict[str, Record]:
        """Return all records, of other scopes too; `graph` gets warnings of those that cannot be read."""
        if self._records is None:
            self._records = {}
            where = os.path.join(escape(self._host.root), "resources", "*", "*", RECORD)
            for path in iglob(where):
                try:
                    self._records[path] = self._read(path)
                except (OSError, msgspec.DecodeError) as error:
                    graph.warn(path, f"cannot be read, {error}; what it is about stays as it is")
        return self._records

    def _found(self, graph: Graph, record: Record, live: Mapping[str, Resource]) -> Resource | None:
        """Return the resource that does what `record` is for; None if it cannot be made."""
        id_ = undoing(record.id)
        if id_ in graph.resources:  # it runs, and has to finish
            return graph.resources[id_]
        before = live.get(id_)
        known = before.declared if isinstance(before, Reversal) else live.get(record.id)
        return self._made(graph, record, known)

    def _made(self, graph: Graph, record: Record, known: Resource | None) -> Reversal | None:
        try:
            declared = known or self._resource(record, record.declared)
            prior = None if record.prior is None else self._resource(record, record.prior)
            earlier = self._earlier(record, plain(declared))
        except Exception as error:  # the plugin is gone, or another version of it
            graph.warn(record.id, f"cannot be put back, {error}")
            return None
        once = Meta(realize=False)
        return Reversal(record.id, meta=once, declared=declared, earlier=earlier, prior=prior)

    def _earlier(self, record: Record, declared: dict[str, Any]) -> tuple[Resource, ...]:
        """Return the resource as it was when it changed something, if that says as much as what was `declared`."""
        found = [values for values in (record.declared, record.earlier) if values is not None]
        alike = (v for v in found if v != declared and v.keys() >= declared.keys())
        return tuple(self._resource(record, values) for values in alike)

    def _resource(self, record: Record, values: dict[str, Any]) -> Resource:
        kind = self._plugins.kind(record.kind)
        types = {field.name: field.type for field in msgspec.structs.fields(kind)}
        return kind(record.name, **{name: convert(v, types[name]) for name, v in values.items()})


def _without_circles(ids: list[str], edges: list[Edge]) -> list[Edge]:
    """Return `edges` without those that close a circle: they may be of different graphs."""
    while True:
        try:
            order(ids, edges)
        except CycleError as error:
            edges = [edge for edge in edges if edge != error.edges[0]]
        else:
            return edges
