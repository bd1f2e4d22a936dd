"""Who watches a unit is told when its state has become another one.

The states that were last seen are kept, by whoever looked. A signal about a unit tells who watches it if it says
anything else. When signals may have been missed (the bus was away, systemd read its files anew) or say nothing about
which unit (a unit file was enabled), all watched units are read in one call, and only those that differ are told of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from setpoint.dbus.bus import Body, Bus, Listener, Match
from setpoint.dbus.systemd import NAME, PROPERTIES
from setpoint.dbus.units import Unit, path_of
from setpoint.watching import Subscription

if TYPE_CHECKING:
    from setpoint.dbus.manager import Manager

SHOWN = ("ActiveState", "SubState", "MainPID")
PAUSE = 0.05  # seconds between two reviews: what reports changes comes in crowds
AGAIN = 1.0  # seconds until a review that failed is tried again


class Changes:
    """The units of a manager that are watched.

    Args:
        bus: on which its signals come.
        review: reads the units with these names, and the states of the unit files of these, and calls `see` of each.

    """

    def __init__(
        self, bus: Bus, review: Callable[[Iterable[str], Iterable[str]], Awaitable[None]]
    ) -> None:
        self._bus, self._read = bus, review
        self._watched: dict[str, list[UnitChanges]] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._listeners: dict[str, dict[str, Listener]] = {}
        self._reviewing: asyncio.Task[None] | None = None
        self._is_due = False

    def begin(self, one: "UnitChanges") -> None:
        """Tell `one` of changes from now on."""
        self._watched.setdefault(one.name, []).append(one)
        self._listen(one.name, path_of(one.name))

    def end(self, one: "UnitChanges") -> None:
        """Tell `one` no more."""
        watching = self._watched.get(one.name, [])
        if one in watching:
            watching.remove(one)
        if not watching:
            self._watched.pop(one.name, None)
            self._seen.pop(one.name, None)
            for listener in self._listeners.pop(one.name, {}).values():
                self._bus.ignore(listener)

    def see(self, name: str, unit: Unit) -> None:
        """Remember what was read of a unit; if it was another before, tell who watches."""
        if name in self._watched:
            self._listen(name, unit.path)  # that of its own name, if this is an alias
            values = (unit.active_state, unit.sub_state, unit.load_state)
            self._learn(name, dict(zip((*SHOWN[:2], "LoadState"), values, strict=True)))

    def see_file(self, name: str, state: str) -> None:
        """Remember what was read of a unit's file."""
        if name in self._watched:
            self._learn(name, {"UnitFileState": state})

    def review(self) -> None:
        """Read all that is watched, soon."""
        self._is_due = True
        if self._watched and (self._reviewing is None or self._reviewing.done()):
            self._reviewing = asyncio.create_task(self._review())

    def close(self) -> None:
        """Stop reading."""
        if self._reviewing is not None and not self._reviewing.get_loop().is_closed():
            self._reviewing.cancel()

    def _listen(self, name: str, path: str) -> None:
        listeners = self._listeners.setdefault(name, {})
        if path in listeners:
            return

        def hear(body: Body) -> None:
            found = {key: body[1][key].value for key in SHOWN if key in body[1]}
            self._note(name, found)

        match = Match(NAME, path, PROPERTIES, "PropertiesChanged")
        listeners[path] = Listener(match, hear, _nothing)
        self._bus.listen(listeners[path])

    def _learn(self, name: str, found: Mapping[str, Any]) -> None:
        """Remember what was read; that of which nothing was known is no news to who has read it."""
        self._seen[name] = {**found, **self._seen.get(name, {})}
        self._note(name, found)

    def _note(self, name: str, found: Mapping[str, Any]) -> None:
        """Remember what is so now, and tell who watches if that is news."""
        seen = self._seen.setdefault(name, {})
        differs = any(seen.get(key) != value for key, value in found.items())
        seen.update(found)
        if differs:
            for one in tuple(self._watched.get(name, ())):
                one.changed()

    async def _review(self) -> None:
        while self._is_due and self._watched:
            await asyncio.sleep(PAUSE)
            self._is_due = False
            files = [name for name, some in self._watched.items() if any(one.files for one in some)]
            try:
                await self._read(list(self._watched), files)
            except OSError:  # systemd is away
                self._is_due = True
                await asyncio.sleep(AGAIN)


class UnitChanges(Subscription):
    """Says when a unit may have changed.

    Args:
        manager: whose unit.
        name: its full name; there need not be such a unit.
        files: whether it is to be enabled that counts too.

    """

    def __init__(self, manager: "Manager", name: str, files: bool) -> None:
        self.name, self.files = name, files
        self._manager = manager
        self.changed: Callable[[], None] = _nothing

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change.

        Raises:
            RuntimeError: it has begun already.

        """
        if self.changed is not _nothing:
            raise RuntimeError(f"watching {self.name} has begun already")
        self.changed = changed
        self._manager.watch(self)

    def stop(self) -> None:
        """Call no more."""
        if self.changed is not _nothing:
            self._manager.unwatch(self)
            self.changed = _nothing


def _nothing() -> None:
    """What is called where nobody wants to know."""
