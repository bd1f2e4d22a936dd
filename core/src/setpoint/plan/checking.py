"""Checks of all resources of a graph that change nothing, not even the state directory."""

import asyncio
import hmac
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.engine.exchange import fitting
from setpoint.engine.general import was_cancelled
from setpoint.engine.host import GraphHost
from setpoint.engine.modes import is_plain
from setpoint.engine.outcomes import differences, explain
from setpoint.engine.redaction import Redaction
from setpoint.errors import Refused
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.resource import Fact, Resource, call
from setpoint.values import Change, Ref, reveal, secrets_in

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.plugins import Plugins

Outcome = list[Change] | BaseException

IN_JOB = 64  # plain checks that travel to a thread together
AT_ONCE = 64  # other checks at the same time


class _PlanHost(GraphHost):
    """A host on which a graph can be looked at, and no directory is made."""

    def __init__(self, base: Host, graph: Graph, redaction: Redaction) -> None:
        super().__init__(base, redaction)
        self._resources = graph.resources

    def state_directory(self, resource: Resource | Fact) -> "Path":
        """Return the directory that is `resource`'s alone, which may not be there."""
        return self.state_path(resource)

    def peers(self, resource: Resource, kind: str) -> Mapping[str, Resource]:
        """Return the resources of `kind` in the graph, by name."""
        return {r.name: r for r in self._resources.values() if r.kind == kind}


class Checking:
    """What was found of the resources of `graph`, which are to be looked at in order.

    found: id to the differences of those that are not as declared, secrets hidden.
    errors: id to why it cannot be checked.
    bare: the same without what to do about it, where an error tells these apart.
    pending: id to its params that are known while running, with what sends them.
    silent: the ids of senders that are as declared, or left as they are, and have nothing to send.
    marks: id to a digest, keyed by `key`, of what is hidden in what was found; none without a key.
    redaction: knows the secrets that were come across.
    """

    def __init__(
        self,
        graph: Graph,
        plugins: "Plugins",
        host: Host,
        redaction: Redaction,
        key: bytes = b"",
        *,
        sent: Mapping[str, Mapping[str, Any]] = {},
    ) -> None:
        self._graph, self._plugins, self._key, self._left = graph, plugins, key, sent
        self.found: dict[str, tuple[Change, ...]] = {}
        self.errors: dict[str, str] = {}
        self.bare: dict[str, str] = {}
        self.pending: dict[str, dict[str, str]] = {}
        self.marks: dict[str, str] = {}
        self.silent: set[str] = set()
        self._senders = {ref.sender for ref in _all_refs(graph)}
        self._sent: dict[Ref, Any] = {}
        self.redaction = redaction
        self._slots = asyncio.Semaphore(AT_ONCE)
        host = _PlanHost(host, graph, self.redaction)
        redaction.adopt(graph, {})
        for resource in graph.resources.values():
            resource._host = host
            self.redaction.declare(resource)

    @property
    def differing(self) -> set[str]:
        """The ids of what is not as declared, or may not be."""
        return self.found.keys() | self.pending.keys()

    async def look_at(self, ids: list[str]) -> None:
        """Check resources that do not wait for each other, and wait for none not looked at yet."""
        plain = [id_ for id_ in ids if self._is_plain(id_)]
        others = set(ids).difference(plain)
        jobs = [plain[at : at + IN_JOB] for at in range(0, len(plain), IN_JOB)]
        await asyncio.gather(*map(self._check_many, jobs), *map(self._check, others))

    def _is_plain(self, id_: str) -> bool:
        resource = self._graph.resources[id_]
        if id_ in self._graph.receives or id_ in self._senders or resource.meta.timeout:
            return False
        return is_plain(type(resource)) and not self._plugins.wraps("check_apply")

    async def _check_many(self, ids: list[str]) -> None:
        resources = [self._graph.resources[id_] for id_ in ids]
        outcomes = await asyncio.to_thread(lambda: list(map(self._outcome, resources)))
        for resource, outcome in zip(resources, outcomes, strict=True):
            self._note(resource, outcome)

    async def _check(self, id_: str) -> None:
        resource = self._graph.resources[id_]
        outcome: Outcome = []
        async with self._slots:
            try:
                async with asyncio.timeout(resource.meta.timeout or None):
                    if await self._receive(resource):
                        check = self._plugins.bind(resource, "check_apply")
                        found = await call(resource, check, False)
                        outcome = differences(found, resource, self._plugins)
                        if id_ in self._senders and (resource.meta.noop or not outcome):
                            await self._send(resource)
            except BaseException as error:  # whatever a plugin raises, SystemExit too, it is told
                if isinstance(error, KeyboardInterrupt) or was_cancelled():
                    raise
                outcome = error
        self._note(resource, outcome)

    def _outcome(self, resource: Resource) -> Outcome:
        """Return what a plain check finds, or raises."""
        try:
            return differences(resource.check(), resource, self._plugins)
        except BaseException as error:  # as above
            return error

    def _note(self, resource: Resource, outcome: Outcome) -> None:
        if isinstance(outcome, BaseException):
            why = explain(outcome, type(resource), self._plugins)
            self.errors[resource.id] = self.redaction.text(why)
            if isinstance(outcome, Refused):
                self.bare[resource.id] = self.redaction.text(outcome.why)
        elif outcome:
            shown = self.found[resource.id] = self.redaction.changes(resource, outcome)
            if self._key and shown != tuple(outcome):
                self.marks[resource.id] = _mark(self._key, outcome)

    # -- values

    async def _receive(self, resource: Resource) -> bool:
        """Give `resource` what it receives; return whether all of that is known."""
        types = {field.name: field.type for field in msgspec.structs.fields(type(resource))}
        values: dict[str, Any] = {}
        for param, source in self._graph.receives.get(resource.id, {}).items():
            if missing := [str(ref) for ref in source.refs if ref not in self._sent]:
                self.pending.setdefault(resource.id, {})[param] = ", ".join(missing)
                continue
            value = source.resolve(self._sent.__getitem__)
            values[param] = fitting(param, source, value, types[param])
            if any(secrets_in(value)):
                self.redaction.taint(resource, param, value)
        if resource.id in self.pending:
            return False
        if values:
            await call(resource, self._plugins.bind(resource, "recv"), values)
        return True

    async def _send(self, resource: Resource) -> None:
        """Keep what `resource`, which stays as it is, sends, or has sent; nothing if it cannot say now."""
        try:
            values = await call(resource, self._plugins.bind(resource, "send"))
        except Exception:  # then its receivers are known while running
            return
        sent = self._left.get(resource.id, {}) if values is None else msgspec.structs.asdict(values)
        if not sent:
            self.silent.add(resource.id)
        for field, value in sent.items():
            self._sent[Ref(resource.id, field)] = value


def _mark(key: bytes, changes: list[Change]) -> str:
    """Return a digest of `changes` with their secrets, which nobody can guess without `key`."""
    plain = [(c.attribute, reveal(c.before), reveal(c.after)) for c in changes]
    return hmac.digest(key, msgspec.json.encode(plain, enc_hook=str), "sha256").hex()


def _all_refs(graph: Graph) -> Iterator[Ref]:
    for wanted in graph.receives.values():
        for source in wanted.values():
            yield from source.refs
