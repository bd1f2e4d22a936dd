"""The host that an engine gives to its resources: this machine, and what only an engine knows."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.engine.events import Progress
from setpoint.engine.redaction import Redaction, SafeLog
from setpoint.host import Host
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.engine.general import General
    from setpoint.engine.parts import Parts
    from setpoint.processes import Processes
    from setpoint.resource import Fact, Resource
    from setpoint.world import World

T = TypeVar("T")


class GraphHost(Host):
    """A `Host` for one graph, above one that outlives it; secrets of the graph are hidden.

    Args:
        base: the host below.
        redaction: knows the secrets.

    """

    def __init__(self, base: Host, redaction: Redaction) -> None:
        self.root, self.clock, self.name = base.root, base.clock, base.name
        self.watcher, self.files = base.watcher, base.files
        self._base, self._redaction = base, redaction

    def shared(self, make: Callable[[Host], T]) -> T:
        """Return what the host below keeps."""
        return self._base.shared(make)

    @cached_property
    def processes(self) -> "Processes":
        """Those of the host below, which knows all children of this process."""
        return self._base.processes

    @cached_property
    def world(self) -> "World":
        """That of the host below."""
        return self._base.world

    def log(self, resource: "Resource | Fact") -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger whose records carry the resource they are about, and no secret."""
        return SafeLog(super().log(resource), self._redaction)

    def hide(self, resource: "Resource", param: str, text: str) -> str:
        """Return `text`, made of `param` of `resource`, without secrets."""
        return self._redaction.hide(resource, param, text)


class EngineHost(GraphHost):
    """With the journal, the threads and the graph of one engine behind it."""

    def __init__(self, parts: "Parts") -> None:
        super().__init__(parts.host, parts.redaction)
        self._parts = parts
        self._thread = threading.get_ident()
        self._general: General | None = None
        self._askers: dict[str, set[str]] = {}  # kind to those that look at its resources

    def serve(self, general: "General") -> None:
        """Tell `general` of intents."""
        self._general = general

    def peers(self, resource: "Resource", kind: str) -> Mapping[str, "Resource"]:
        """Return the resources of `kind` in the graph that runs, by name."""
        self._askers.setdefault(kind, set()).add(resource.id)  # first, so that it misses no swap
        vertices = self._parts.vertices
        return {
            key[len(kind) + 1 :]: vertices.resource[v]
            for key, v in list(vertices.index.items())
            if key.startswith(kind + " ")
        }

    def askers(self, ids: Iterable[str]) -> list[str]:
        """Return the ids of those that have looked at the resources of a kind that one of `ids` has."""
        if not self._askers:
            return []
        kinds = {id_.partition(" ")[0] for id_ in ids}
        return [asker for kind in kinds for asker in tuple(self._askers.get(kind, ()))]

    def forget(self, id_: str) -> None:
        """Forget `id_`, which left the graph."""
        for askers in tuple(self._askers.values()):
            askers.discard(id_)

    def progress(self, resource: "Resource", text: str, *, if_lasting: bool = False) -> None:
        """Emit `text` as an event; may be called from any thread."""
        if not self._parts.listeners:
            return
        event = Progress(resource.id, self._redaction.text(text), if_lasting)
        if threading.get_ident() == self._thread:
            self._parts.emit(event)
        else:
            self._parts.loop.call_soon_threadsafe(self._parts.emit, event)

    def end(self, code: int) -> None:
        """Let what runs finish, start nothing, then end; may be called from any thread."""
        self._parts.exit_code = code
        self._parts.loop.call_soon_threadsafe(self._parts.stop)

    async def intend(self, resource: "Resource", changes: list[Change]) -> None:
        """Note, and make durable if somebody listens, that `resource` is about to change something."""
        assert self._general is not None
        v = self._parts.vertices.index.get(resource.id)
        if v is None:  # it left the graph while it ran
            return
        if resource.meta.reverse:
            after = [self._parts.key(p) for p in self._parts.vertices.pred[v]]
            listeners = [self._parts.key(s) for s in self._parts.vertices.notify.get(v, ())]
            await self._parts.reversals.keep(resource, after, listeners)
        if v in self._parts.vertices.notify:
            if self._parts.journal is not None:
                await self._parts.journal.intend([resource.id])
            self._parts.ledger.intend(v)
        self._general.intended.add(v)

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what `function`, a verb of a resource, returns from a worker thread.

        A call that outlives its run, which was cancelled or took too long, is waited for before the resource has
        another: never two at a time.
        """
        owner, busy = id(getattr(function, "__self__", function)), self._parts.busy
        if owner in busy:
            await asyncio.wait([busy[owner]])
        call = self._parts.threads.call(function, *args)
        try:
            result, error = await asyncio.shield(call)
        except asyncio.CancelledError:
            if not call.done():
                busy[owner] = call
                call.add_done_callback(lambda _: busy.pop(owner, None))
            raise
        if error is not None:
            raise error
        return result
