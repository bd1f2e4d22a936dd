"""Noticing that a value is another one: the kernel has no events for that, so all are looked at once a second.

One timer for all sysctl resources of a host, and who is told is only the one whose value differs.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint import Refused
from setpoint.watching import Subscription
from setpoint_sysctl import kernel

if TYPE_CHECKING:
    from setpoint.host import Host

INTERVAL = 1.0  # seconds


class Table:
    """What is looked at; used on the loop, where a look takes microseconds."""

    def __init__(self, _: "Host") -> None:
        self._polled: set[Polled] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, polled: "Polled") -> None:
        """Look at it too."""
        self._polled.add(polled)
        if self._timer is None:
            self._wait()

    def remove(self, polled: "Polled") -> None:
        """Look at it no more."""
        self._polled.discard(polled)
        if not self._polled:
            self.close()

    def close(self) -> None:
        """Look at nothing."""
        self._polled.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._examine)

    def _examine(self) -> None:
        self._wait()
        for polled in tuple(self._polled):
            polled.examine()


class Polled(Subscription):
    """Says when the value of one key is another one than that which was noted last.

    Args:
        table: of the host.
        path: of the key, as from `setpoint_sysctl.keys`.

    """

    def __init__(self, table: Table, path: str) -> None:
        self._table, self._path = table, path
        self._known: str | None = None
        self._changed: Callable[[], None] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` at most `INTERVAL` seconds after a change."""
        self._known, self._changed = _look(self._path), changed
        self._table.add(self)

    def stop(self) -> None:
        """Call no more."""
        self._changed = None
        self._table.remove(self)

    def note(self, value: str | None) -> None:
        """Take `value` as what is known; called by whoever has looked or written, from any thread.

        Without it a value that we change, and somebody changes back before the next look, would not differ.
        """
        self._known = value

    def examine(self) -> None:
        """Look, and call if there is another value."""
        now = _look(self._path)
        if now != self._known and self._changed is not None:
            self._known = now
            self._changed()


def _look(path: str) -> str | None:
    try:
        return kernel.read(path)
    except (OSError, Refused) as error:
        return str(error)
