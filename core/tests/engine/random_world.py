"""A machine in memory that writes down all that is done to it, and kinds of four speeds that keep it."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from setpoint import Change, Resource, Values, hookimpl
from setpoint.watching import Subscription


class Done(NamedTuple):
    """Something that a resource did; the numbers give the order."""

    id: str
    verb: str
    ok: bool
    began: int
    ended: int


class World:
    """Cells, what is broken, and all that was done."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.broken: set[tuple[str, str]] = set()
        self.watchers: dict[str, Callable[[], None]] = {}
        self.log: list[Done] = []
        self.inside: set[str] = set()
        self.twice: list[str] = []
        self.numbers = itertools.count()

    @contextmanager
    def doing(self, id: str, verb: str) -> Iterator[None]:
        if id in self.inside:
            self.twice.append(f"{verb} {id}")
        self.inside.add(id)
        began, ok = next(self.numbers), False
        try:
            yield
            if (verb, id) in self.broken:
                raise OSError(f"{verb} is broken")
            ok = True
        finally:
            self.log.append(Done(id, verb, ok, began, next(self.numbers)))
            self.inside.discard(id)

    def disturb(self, id: str, value: Any) -> None:
        self.cells[id] = value
        if id in self.watchers:
            self.watchers[id]()


class Watch(Subscription):
    def __init__(self, world: World, id: str) -> None:
        self.world, self.id = world, id

    def start(self, changed: Callable[[], None]) -> None:
        assert self.id not in self.world.watchers, "watched twice"
        self.world.watchers[self.id] = changed

    def stop(self) -> None:
        del self.world.watchers[self.id]


class Node(Resource):
    kind = "abstract"
    world: ClassVar[World]
    value: Any = None

    class Sends(Values):
        value: Any

    @hookimpl
    def watch(self) -> Subscription:
        return Watch(self.world, self.id)

    @hookimpl
    def send(self) -> Values:
        return self.Sends(value=self.value)

    def check(self) -> list[Change]:
        with self.world.doing(self.id, "check"):
            found = self.world.cells.get(self.id)
        return [] if found == self.value else [Change("value", found, self.value)]

    def apply(self, changes: list[Change]) -> None:
        with self.world.doing(self.id, "apply"):
            self.world.cells[self.id] = (
                "half" if ("apply", self.id) in self.world.broken else self.value
            )


class Mute(Node):
    kind = "mute"
    quick = True


class Dumb(Node):
    kind = "dumb"


class Plain(Node):
    kind = "plain"

    @hookimpl
    def refresh(self) -> None:
        with self.world.doing(self.id, "refresh"):
            pass


class Quick(Plain):
    kind = "quick"
    quick = True


class Slow(Node):
    kind = "slow"

    async def check(self) -> list[Change]:
        await asyncio.sleep(0)
        return super().check()

    async def apply(self, changes: list[Change]) -> None:
        with self.world.doing(self.id, "apply"):
            self.world.cells[self.id] = "half"
            await asyncio.sleep(0.01)
            if ("apply", self.id) not in self.world.broken:
                self.world.cells[self.id] = self.value

    @hookimpl
    async def refresh(self) -> None:
        with self.world.doing(self.id, "refresh"):
            await asyncio.sleep(0)


KINDS = {kind.kind: kind for kind in (Quick, Plain, Slow, Mute, Dumb)}
