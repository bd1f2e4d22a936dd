"""How each vertex is run: on the loop, many to a job in threads, or by the general coroutine."""

import inspect
from collections.abc import Iterable

from setpoint.engine.parts import Parts
from setpoint.engine.states import BATCH, GENERAL, QUICK
from setpoint.resource import DEFAULT, Resource, is_quick


class Modes:
    """Decides the mode of vertices, and knows their semaphores."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kinds: dict[type[Resource], int | None] = {}  # None: its params decide
        self._all = (f":{parts.options.sema}",) if parts.options.sema else ()
        self._general = parts.options.noop or bool(self._all) or self._wrapped()
        self._slow: set[type[Resource]] = set()

    def update(self, v: int) -> None:
        """Set the mode of `v` anew: what it owes, receives or fights with may have changed."""
        self._parts.vertices.mode[v] = self._mode(v)

    def begin(self, new: Iterable[int]) -> None:
        """Set the modes of `new` vertices, at once where that of the kind is theirs."""
        parts, vertices = self._parts, self._parts.vertices
        kinds = {} if self._general or parts.busy else self._kinds
        apart = {*vertices.receives, *vertices.senders, *parts.ledger.owed, *parts.ledger.open}
        for v in new:
            resource = vertices.resource[v]
            mode = kinds.get(type(resource)) if resource.meta is DEFAULT else None
            if mode is None or v in apart:
                self.update(v)
            else:
                vertices.mode[v] = mode

    def slow_down(self, kind: type[Resource]) -> None:
        """Run `kind`, which said it was quick and is not, in threads from now on."""
        self._slow.add(kind)
        self._kinds.pop(kind, None)
        vertices = self._parts.vertices
        for v in vertices.index.values():
            if type(vertices.resource[v]) is kind:
                self.update(v)

    def semaphores(self, v: int) -> tuple[str, ...]:
        """Return the names of the semaphores that `v` holds while it runs."""
        return self._parts.vertices.resource[v].meta.sema + self._all

    def let_by(self, v: int) -> None:
        """Let those try that wait for the semaphores of `v`, which cannot take them now."""
        names = self.semaphores(v)
        for w in self._parts.semaphores.next(names) if names else ():
            self._parts.scheduler.wake(w)

    def leave_queue(self, v: int) -> None:
        """Let `v` wait for none of its semaphores any more."""
        self._parts.semaphores.forget(v, self.semaphores(v))
        self.let_by(v)

    def _mode(self, v: int) -> int:
        parts = self._parts
        resource = parts.vertices.resource[v]
        if self._general or (resource.meta is not DEFAULT and resource.meta != DEFAULT):
            return GENERAL
        if v in parts.vertices.receives or v in parts.vertices.senders or v in parts.ledger.owed:
            return GENERAL
        if v in parts.fights.fighting or v in parts.ledger.open or id(resource) in parts.busy:
            return GENERAL
        kind = type(resource)
        if kind not in self._kinds:
            self._kinds[kind] = self._mode_of(kind)
        mode = self._kinds[kind]
        if mode is None:
            return QUICK if is_quick(resource) else BATCH
        return mode

    def _mode_of(self, kind: type[Resource]) -> int | None:
        if not is_plain(kind):
            return GENERAL
        if kind in self._slow or kind.quick is False:
            return BATCH
        return QUICK if kind.quick is True else None

    def _wrapped(self) -> bool:
        return self._parts.plugins.wraps("check_apply")


def is_plain(kind: type[Resource]) -> bool:
    """Whether `kind` has nothing but plain `check` and `apply`, which may run in any thread."""
    if kind.check_apply is not Resource.check_apply:
        return False
    return not any(map(inspect.iscoroutinefunction, (kind.check, kind.apply)))
