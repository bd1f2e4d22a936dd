"""Noticing that something was mounted, unmounted or remounted: the kernel tells it of mountinfo, once for a host."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint.watching import Priority, Subscription

if TYPE_CHECKING:
    from setpoint.host import Host


class Events:
    """Tells all who listen of each change; they are few, and a look is cheap."""

    def __init__(self, _: "Host") -> None:
        self._listeners: dict[Listening, Callable[[], None]] = {}
        self._source = Priority("/proc/self/mountinfo")

    def add(self, listening: "Listening", changed: Callable[[], None]) -> None:
        """Call `changed` after each change from now on."""
        if not self._listeners:
            self._source.start(self._tell)
        self._listeners[listening] = changed

    def remove(self, listening: "Listening") -> None:
        """Call it no more."""
        if self._listeners.pop(listening, None) and not self._listeners:
            self._source.stop()

    def close(self) -> None:
        """Listen no more."""
        self._listeners.clear()
        self._source.stop()

    def _tell(self) -> None:
        for changed in tuple(self._listeners.values()):
            changed()


class Listening(Subscription):
    """Says when something was mounted or unmounted, wherever that is."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change from now on."""
        self._events.add(self, changed)

    def stop(self) -> None:
        """Call no more."""
        self._events.remove(self)
