"""The run of one vertex with all there is to it: brakes, values, wrappers, refresh, time limits.

Workers are made when they are needed; each takes a vertex from the queue and awaits it. A vertex that need not wait for
anything costs no task of its own.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any

from setpoint.engine.exchange import NoValueError
from setpoint.engine.modes import Modes
from setpoint.engine.outcomes import Outcomes, differences
from setpoint.engine.parts import Parts
from setpoint.engine.workers import Workers
from setpoint.errors import PluginError
from setpoint.hookspecs import VERBS
from setpoint.resource import Resource, call, has_refresh
from setpoint.values import Values


class General:
    """Runs vertices, one at a time in each of several workers.

    intended: vertices that are about to change something, or have, in the run that is under way.
    """

    def __init__(self, parts: Parts, modes: Modes, outcomes: Outcomes) -> None:
        self._parts, self._modes, self._outcomes = parts, modes, outcomes
        self.intended: set[int] = set()
        self._holding: dict[int, tuple[str, ...]] = {}
        self._workers = Workers(parts, self._work)

    # -- before a run

    def take(self, v: int) -> None:
        """Run `v` as soon as its brakes and a worker allow it."""
        meta = self._parts.vertices.resource[v].meta
        pause = self._parts.fights.wait(v, self._parts.now())
        if not pause and meta.limit:
            pause = self._parts.limits.take(self._parts.key(v), meta, self._parts.now())
            self._parts.lasting.limited(v, pause)
        if pause:
            self._parts.scheduler.wait(
                v, self._parts.timers.after(pause, lambda: self._parts.scheduler.wake(v))
            )
            self._modes.let_by(v)
            return
        names = self._modes.semaphores(v)
        if names:
            if not self._parts.semaphores.take(v, names):
                self._parts.scheduler.wait(v)
                self._modes.let_by(v)
                return
            self._holding[v] = names
        self._workers.put(v)

    def start(self) -> None:
        """Have workers for what was taken."""
        self._workers.start()

    def drop_queue(self) -> None:
        """Start none of those that still wait for a worker."""
        for v in self._workers.drop_queue():
            self._parts.scheduler.unstart(v)

    async def close(self) -> None:
        """Cancel what runs, and wait until it is gone."""
        await self._workers.close()

    def _wake(self, vertices: list[int]) -> None:
        for v in vertices:
            self._parts.scheduler.wake(v)

    # -- a run

    async def _work(self, v: int) -> None:
        try:
            await self._run(v)
        finally:
            if v in self._holding:
                self._wake(self._parts.semaphores.give(self._holding.pop(v)))

    async def _run(self, v: int) -> None:
        resource = self._parts.vertices.resource[v]
        self.intended.discard(v)
        self._parts.causes.begin(v)
        began = perf_counter()
        try:
            async with asyncio.timeout(resource.meta.timeout or None):
                await self._receive(v, resource)
                resource.memory["notified"] = self._parts.ledger.due(v) is not None
                await self._check_apply(v, resource, began)
                await self._refresh(v, resource)
                await self._send(v, resource)
        except NoValueError as error:
            self._outcomes.no_value(v, error)
        except BaseException as error:  # a plugin's SystemExit is its failure, not ours
            if isinstance(error, KeyboardInterrupt) or was_cancelled():
                self._outcomes.stopped(v)
                raise
            self._outcomes.raised(v, self._told(resource, error))
        else:
            for told in ("changed", "notified"):
                resource.memory.pop(told, None)
            self._modes.update(v)
            self._outcomes.succeeded(v)

    def _told(self, resource: Resource, error: BaseException) -> BaseException:
        limit = resource.meta.timeout
        if limit and isinstance(error, TimeoutError) and not error.args:
            return TimeoutError(
                f"it took longer than {limit:g} s; raise meta.timeout if it needs more"
            )
        return error

    def _bound(self, resource: Resource, verb: str) -> Callable[..., Any]:
        assert verb in VERBS
        return self._parts.plugins.bind(resource, verb)

    async def _receive(self, v: int, resource: Resource) -> None:
        if v not in self._parts.vertices.receives:
            return
        values, secret = self._parts.exchange.incoming(v)
        if not values:
            return
        for param in secret.keys() & values.keys():
            self._parts.redaction.taint(resource, param, secret[param])
        await call(resource, self._bound(resource, "recv"), values)
        resource.memory["changed"] = resource.changed | values.keys()
        self._parts.fights.forget(v)  # what is wanted changes, and nobody changes it back

    async def _check_apply(self, v: int, resource: Resource, began: float) -> None:
        apply = not (resource.meta.noop or self._parts.options.noop)
        bound = self._bound(resource, "check_apply")
        reversals = self._parts.reversals
        async with reversals.alone(resource):
            found = [] if reversals.is_over(resource) else await call(resource, bound, apply)
        changes = differences(found, resource, self._parts.plugins)
        splits = type(resource).check_apply is Resource.check_apply
        trusted = not splits and not self._parts.plugins.wraps("check_apply")
        applied = v in self.intended or (apply and trusted)
        if changes:
            self._outcomes.changed(v, changes, applied, perf_counter() - began)
        if applied and changes:
            self._outcomes.owes(v, changed=True)
        elif apply:
            self._outcomes.owes(v, changed=False)

    async def _refresh(self, v: int, resource: Resource) -> None:
        owed = self._parts.ledger.due(v)
        if owed is None or resource.meta.noop or self._parts.options.noop:
            return
        if has_refresh(type(resource)):
            began = perf_counter()
            await call(resource, self._bound(resource, "refresh"))
            self._outcomes.refreshed(v, tuple(owed.by), perf_counter() - began)
        else:
            self._parts.tracing.passed(v, tuple(owed.by))
        self._outcomes.owes(v, changed=True)
        self._parts.ledger.refreshed(v, resource.id, owed)

    async def _send(self, v: int, resource: Resource) -> None:
        parts = self._parts
        if v not in parts.vertices.senders:
            return
        values = await call(resource, self._bound(resource, "send"))
        if values is None:
            return
        if not isinstance(values, Values):
            blamed = parts.plugins.blame(type(resource))
            raise PluginError(blamed, f"send of {resource} returned {type(values).__name__}")
        different = parts.exchange.deliver(resource.id, parts.redaction.sealed(values))
        if different:
            self._keep(resource.id)
            readers = parts.exchange.readers(v, resource.id, different)
            parts.tracing.sent(v, different, readers)
            for s in readers:
                parts.scheduler.mark(s)

    def _keep(self, key: str) -> None:
        sent = self._parts.exchange.values_of(key)
        if self._parts.journal is not None and sent is not None:
            self._parts.journal.keep_sent(key, sent)


def was_cancelled() -> bool:
    """Whether this task is to end; a plugin may raise CancelledError all by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
