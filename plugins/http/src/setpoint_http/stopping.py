"""Ending what runs in a thread, and threads that may be left behind."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from setpoint.host import Host

T = TypeVar("T")
MOST = 8  # transfers at once; more of them would only be slower each


class StoppedError(Exception):
    """What ran was told to end."""


class Stop:
    """Tells a transfer that it is to end, also while it waits for a server."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._breaking: Callable[[], None] | None = None

    def tell(self) -> None:
        """Have it end as soon as it can."""
        self._told.set()
        breaking = self._breaking
        if breaking:
            with suppress(OSError, ValueError, RuntimeError):  # it has just been closed
                breaking()

    def look(self) -> None:
        """Raise StoppedError if it is to end."""
        if self._told.is_set():
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Wait for so long; raise StoppedError if it is to end meanwhile."""
        if self._told.wait(seconds):
            raise StoppedError

    @contextmanager
    def breaks(self, breaking: Callable[[], None]) -> Iterator[None]:
        """Call `breaking`, from another thread, if it is to end while the block runs."""
        self._breaking = breaking
        try:
            self.look()
            yield
        finally:
            self._breaking = None


class Pool:
    """Runs transfers in threads of their own, a few at a time; one for all resources: `host.shared(Pool)`.

    A slow mirror so keeps no thread from other kinds. The threads are daemons: a server that says nothing does not
    hold up the end of the process.
    """

    def __init__(self, host: Host) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stops: dict[str, Stop] = {}
        self._busy: dict[str, asyncio.Future[Any]] = {}

    async def run(self, owner: str, function: Callable[..., T], *args: Any) -> T:
        """Return what `function(*args, stop)` returns; if this is cancelled, `stop` is told.

        Args:
            owner: has one at a time: the next waits until one that was cancelled is over.
            function: runs in a thread.
            args: its arguments.

        """
        while owner in self._busy:
            await asyncio.wait([self._busy[owner]])
        over: asyncio.Future[tuple[Any, BaseException | None]]
        over = self._busy[owner] = asyncio.get_running_loop().create_future()
        stop = self._stops[owner] = Stop()
        over.add_done_callback(lambda _: self._forget(owner))
        self._submit(over, function, *args, stop)
        try:
            result, error = await asyncio.shield(over)
        except asyncio.CancelledError:
            stop.tell()
            raise
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """End all transfers and threads, as soon as they can."""
        for stop in self._stops.values():
            stop.tell()
        for _ in self._threads:
            self._jobs.put(None)

    def _forget(self, owner: str) -> None:
        del self._busy[owner], self._stops[owner]

    def _submit(
        self, over: "asyncio.Future[Any]", function: Callable[..., Any], *args: Any
    ) -> None:
        loop = asyncio.get_running_loop()

        def job() -> None:
            try:
                result, error = function(*args), None
            except BaseException as raised:  # a thread must not end of it
                result, error = None, raised
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                loop.call_soon_threadsafe(_settle, over, (result, error))

        self._jobs.put(job)
        if len(self._threads) < min(MOST, len(self._busy)):
            name = f"setpoint-http-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while job := self._jobs.get():
            job()


def _settle(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)
