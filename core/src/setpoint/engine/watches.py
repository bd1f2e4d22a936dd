"""Watches of vertices: begun before the first check, begun anew when they fail."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from setpoint.engine.events import Unwatched
from setpoint.engine.general import was_cancelled
from setpoint.engine.outcomes import Outcomes
from setpoint.engine.parts import Parts
from setpoint.engine.states import GONE
from setpoint.engine.timers import Timer
from setpoint.errors import PluginError
from setpoint.resource import Resource
from setpoint.watching import Subscription

PATIENCE = (
    5.0  # seconds in which a watch is to begin; after that its resource is checked all the same
)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a failed watch is begun anew


class Watches:
    """What is watched for each vertex: a subscription, a task, or a poll timer."""

    def __init__(self, parts: Parts, outcomes: Outcomes) -> None:
        self._parts, self._outcomes = parts, outcomes
        self._mark = self._noticed  # one bound method for all: each is 64 bytes
        self._subscriptions: dict[int, Subscription] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timers: dict[int, Timer] = {}
        self._pauses: dict[int, float] = {}
        self._unarmed: set[int] = set()
        self._watched: dict[type[Resource], bool] = {}
        self.failed: dict[int, str] = {}

    def armed(self, v: int) -> bool:
        """Whether the watch of `v` has begun, or is not waited for any more."""
        return v not in self._unarmed

    def expect(self, new: Iterable[int]) -> list[int]:
        """Return which of the `new` vertices `begin` is to be called for.

        They are not checked before that has had its effect. Of the others nobody says when to look.
        """
        if not self._parts.options.watch:
            return []
        resources = self._parts.vertices.resource
        expected = [v for v in new if self._says_when(resources[v])]
        self._unarmed.update(expected)
        return expected

    def begin(self, v: int) -> None:
        """Begin the watch of the new vertex `v`, and arm it when that has happened."""
        self._begin(v)

    def restart(self, v: int) -> None:
        """Begin the watch of `v` anew; what changed meanwhile is not missed."""
        self._stop(v)
        self._begin(v)
        self._look(v, "watch")

    def end(self, v: int) -> None:
        """Stop watching `v`, which left the graph."""
        self._stop(v)
        self._unarmed.discard(v)
        self._pauses.pop(v, None)
        self.failed.pop(v, None)

    async def close(self) -> None:
        """Stop all watches, and wait until they are gone."""
        self._parts.host.watcher.close()  # what then stops has nothing to give back
        tasks = list(self._tasks.values())
        for v in [*self._subscriptions, *self._tasks, *self._timers]:
            self._stop(v)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _noticed(self, v: int) -> None:
        self._parts.causes.noticed(v)
        self._parts.scheduler.mark(v)

    def _look(self, v: int, why: str) -> None:
        self._parts.causes.note(v, why)
        self._parts.scheduler.mark(v)

    def _begin(self, v: int) -> None:
        parts = self._parts
        resource = parts.vertices.resource[v]
        if not (parts.options.watch and self._says_when(resource)):
            self._arm(v)
        elif resource.meta.poll:
            self._poll(v, resource.meta.poll)
            self._arm(v)
        else:
            self._watch(v, resource)

    def _says_when(self, resource: Resource) -> bool:
        """Whether something says when to look at `resource`: its watch, a wrapper, or a timer."""
        kind = type(resource)
        known = self._watched.get(kind)
        if known is None:
            wrapped = self._parts.plugins.wraps("watch")
            known = self._watched[kind] = wrapped or kind.watch is not Resource.watch
        return known or resource.meta.poll > 0

    def _watch(self, v: int, resource: Resource) -> None:
        try:
            events: Any = self._parts.plugins.bind(resource, "watch")()
            if isinstance(events, Subscription):
                events.start(partial(self._mark, v))
        except BaseException as error:  # whatever a plugin raises, it is watched again later
            self._broken(v, error)
            return
        if isinstance(events, Subscription):
            self._subscriptions[v] = events
            self._arm(v)
        elif hasattr(events, "__aiter__"):
            self._tasks[v] = self._parts.loop.create_task(self._follow(v, events))
            self._timers[v] = self._parts.timers.after(PATIENCE, lambda: self._impatient(v))
        else:
            self._broken(v, self._nonsense(resource, events))

    async def _follow(self, v: int, events: AsyncIterator[None]) -> None:
        began = False
        try:
            async with aclosing(events) as stream:  # type: ignore[type-var]
                async for _ in stream:
                    if began:
                        self._noticed(v)
                    else:
                        began = True
                        self._has_begun(v)
        except BaseException as error:  # as above, and a plugin's SystemExit too
            if was_cancelled():
                raise
            self._tasks.pop(v, None)
            self._broken(v, error)
        else:
            self._has_begun(v)

    def _nonsense(self, resource: Resource, events: object) -> PluginError:
        blamed = self._parts.plugins.blame(type(resource))
        what = f"watch of {resource} returned {type(events).__name__}"
        return PluginError(blamed, what, "it must return a subscription or an async iterator")

    def _has_begun(self, v: int) -> None:
        if v in self._timers:
            self._timers.pop(v).cancel()
        if self.armed(v):
            self._look(v, "watch")  # it was checked without one
        self._arm(v)

    def _arm(self, v: int) -> None:
        self._pauses.pop(v, None)
        self.failed.pop(v, None)
        self._arm_only(v)

    def _arm_only(self, v: int) -> None:
        if v in self._unarmed:
            self._unarmed.discard(v)
            self._parts.scheduler.arm(v)

    def _poll(self, v: int, seconds: float) -> None:
        def tick() -> None:
            self._look(v, "poll")
            self._poll(v, seconds)

        self._timers[v] = self._parts.timers.after(seconds, tick)

    def _impatient(self, v: int) -> None:
        blamed = self._parts.plugins.blame(type(self._parts.vertices.resource[v]))
        text = f"its watch has not begun after {PATIENCE:g} s (plugin {blamed}); checked without it"
        self.failed[v] = text
        self._outcomes.warn(v, text)
        self._arm_only(v)

    def _broken(self, v: int, error: BaseException) -> None:
        parts = self._parts
        if parts.vertices.state[v] == GONE:
            return
        pause = self._pauses.get(v) or parts.vertices.resource[v].meta.delay or FIRST_PAUSE
        self._pauses[v] = min(pause * 2, LONGEST_PAUSE)
        self.failed[v] = self._outcomes.explain(v, error)
        parts.tracing.unwatched(v, self.failed[v], pause)
        parts.emit(Unwatched(parts.key(v), self.failed[v], pause))
        if v in self._timers:
            self._timers.pop(v).cancel()
        self._timers[v] = parts.timers.after(pause, lambda: self.restart(v))
        self._arm_only(v)

    def _stop(self, v: int) -> None:
        if v in self._subscriptions:
            self._subscriptions.pop(v).stop()
        if v in self._tasks:
            self._tasks.pop(v).cancel()
        if v in self._timers:
            self._timers.pop(v).cancel()
