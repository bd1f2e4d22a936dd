"""Jobs of systemd: what it was asked to do with a unit, and how that ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from setpoint.dbus.bus import Body
from setpoint.dbus.errors import CallError
from setpoint.dbus.systemd import NAME, PROPERTIES, Systemd

LOST = 5.0  # seconds; the end of a job is then asked for, in case its signal was lost


class Jobs:
    """Waits for jobs; `hear` is to be called with each signal JobRemoved."""

    def __init__(self, systemd: Systemd) -> None:
        self._systemd = systemd
        self._awaited: dict[str, asyncio.Future[str]] = {}
        self._ended: dict[str, str] = {}
        self._starting = 0

    async def run(self, member: str, name: str) -> str:
        """Have a job done, and return its result; empty if it ended while nobody could tell us.

        Args:
            member: "StartUnit" or the like.
            name: the full name of the unit.

        """
        with self._collecting():
            [path] = await self._systemd.ask(member, "ss", name, "replace")
            result = self._ended.get(path)
            if result is None and path not in self._awaited:
                self._awaited[path] = asyncio.get_running_loop().create_future()
        return result if result is not None else await self._wait_for(path)

    def hear(self, body: Body) -> None:
        """Take note that a job has ended."""
        _, path, _, result = body
        if (waiting := self._awaited.get(path)) is not None and not waiting.done():
            waiting.set_result(result)
        elif self._starting:
            self._ended[path] = result

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Keep the results of jobs while one is being asked for: it may end before we have its name."""
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1
            if not self._starting:
                self._ended.clear()

    async def _wait_for(self, path: str) -> str:
        """Return the result of a job, for which others may wait as well."""
        waiting = self._awaited[path]
        while True:
            done, _ = await asyncio.wait((waiting,), timeout=LOST)
            if done or not await self._is_there(path):
                self._awaited.pop(path, None)
                return waiting.result() if waiting.done() else ""

    async def _is_there(self, path: str) -> bool:
        try:
            await self._systemd.call(path, PROPERTIES, "GetAll", "s", f"{NAME}.Job")
        except CallError:
            return False
        return True
