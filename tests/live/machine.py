"""A machine in memory, kinds of three speeds that keep it, and all that they did to it."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from setpoint import Change, Resource, hookimpl
from setpoint.watching import Subscription

ABSENT = "absent"
HALF = "half"


class Done(NamedTuple):
    """Something that was done: check, prior, try, apply, undo, restore, refresh, watch or unwatch.

    before, after: what the cell held; of a try and an undo, what it is to hold after.
    kept: whether what was before is to be put back.
    """

    id: str
    verb: str
    before: str = ""
    after: str = ""
    kept: bool = False


class Machine:
    """Cells, what is broken, and all that was done.

    root: the state directory of the process that lives; whoever has another one is dead.
    broken: pairs of a verb and an id.
    """

    def __init__(self) -> None:
        self.root = ""
        self.cells: dict[str, str] = {}
        self.broken: set[tuple[str, str]] = set()
        self.watchers: dict[str, Callable[[], None]] = {}
        self.log: list[Done] = []

    def disturb(self, id_: str, value: str) -> None:
        """Change a cell from outside."""
        self.cells[id_] = value
        if id_ in self.watchers:
            self.watchers[id_]()


class Watch(Subscription):
    """Follows one cell."""

    def __init__(self, machine: Machine, id_: str) -> None:
        self._machine, self._id = machine, id_

    def start(self, changed: Callable[[], None]) -> None:
        """Begin."""
        self._machine.log.append(Done(self._id, "watch"))
        self._machine.watchers[self._id] = self._changed = changed

    def stop(self) -> None:
        """End."""
        self._machine.log.append(Done(self._id, "unwatch"))
        if self._machine.watchers.get(self._id) is self._changed:
            del self._machine.watchers[self._id]


class Keeper(Resource):
    """Keeps one cell at a value.

    value: what it is to hold.
    restoring: this one puts back what was before.
    """

    kind = "abstract"
    machine: ClassVar[Machine]
    value: str = ABSENT
    restoring: bool = False

    @hookimpl
    def watch(self) -> Subscription:
        """Follow the cell."""
        return Watch(self.machine, self.id)

    def check(self) -> list[Change]:
        """Compare."""
        self._live("check")
        found = self._cell
        self._note("check", found, found)
        return [] if found == self.value else [Change("value", found, self.value)]

    def apply(self, changes: list[Change]) -> Any:
        """Write."""
        self._try()
        self._write(self.value)

    def reversed(self) -> Resource:
        """Return what brings back the cell as it is."""
        self._note("prior", self._cell, self._cell)
        return type(self)(self.name, value=self._cell, restoring=True)

    @hookimpl
    def refresh(self) -> None:
        """Note it."""
        self._live("refresh")
        self._note("refresh", self._cell, self._cell)

    @property
    def _cell(self) -> str:
        return self.machine.cells.get(self.id, ABSENT)

    def _live(self, verb: str) -> None:
        if self.host.root != self.machine.root:
            raise OSError("this process is dead")
        if (verb, self.id) in self.machine.broken:
            raise OSError(f"{verb} is broken")

    def _try(self) -> None:
        self._live("")
        self._note("undo" if self.restoring else "try", self._cell, self.value)
        self._live("apply")

    def _write(self, value: str) -> None:
        before = self._cell
        self.machine.cells[self.id] = value
        self._note("restore" if self.restoring else "apply", before, value)

    def _note(self, verb: str, before: str, after: str) -> None:
        self.machine.log.append(Done(self.id, verb, before, after, self.meta.reverse))


class Quick(Keeper):
    """On the loop."""

    kind = "quick"
    quick = True


class Plain(Keeper):
    """In a thread."""

    kind = "plain"


class Slow(Keeper):
    """In steps, between which it can be stopped."""

    kind = "slow"

    async def check(self) -> list[Change]:
        """Compare."""
        await asyncio.sleep(0)
        return super().check()

    async def apply(self, changes: list[Change]) -> Any:
        """Write half, then all."""
        self._try()
        self._write(HALF)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._live("")
        self._write(self.value)


KINDS = (Quick, Slow, Plain)
