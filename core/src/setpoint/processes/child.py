"""A running child: its pipes are read, its group is stopped, it is reaped."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from setpoint.processes.output import Completed, Kept, Lines
from setpoint.processes.spawn import ReapedElsewhere, Spawned

LINGER = 1.0  # seconds that open pipes outlast a child that has ended, and that a SIGKILL may take
CHUNK = 1 << 14  # bytes a read: a flood of short lines keeps the loop for few milliseconds

Sinks = tuple[Kept | Lines, ...]


class Child:
    """A running child: reads its pipes, stops it, reaps it. Made and used within one loop."""

    def __init__(
        self, spawned: Spawned, sinks: Sequence[Sinks], stop_signal: int, grace: float
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.pid, self.pidfd = spawned.pid, spawned.pidfd
        self.sinks = dict(zip(spawned.pipes, sinks, strict=True))
        self.stop_signal, self.grace = stop_signal, grace
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self.status = 0  # its exit code, or minus the signal that killed it
        self.reaped = self.stopping = self.expired = False
        self.held = True
        self.failure: Exception | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.loop.add_reader(self.pidfd, self._exited)
        self.hold(False)

    async def finish(self) -> None:
        """Wait for the end; if the waiting task is cancelled, stop the child first.

        Raises:
            Exception: what `on_line` raised.
            ChildProcessError: something else reaped it.

        """
        try:
            await asyncio.shield(self.ended)
        except asyncio.CancelledError:
            await self.gone()
            raise
        if self.failure:
            raise self.failure

    async def gone(self) -> None:
        """Stop it and wait for that; cancelled meanwhile, kill it."""
        self.stop()
        try:
            await asyncio.wait([self.ended])
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait([self.ended])
            raise

    def hold(self, held: bool) -> None:
        """Leave what it prints in its pipes, so that it has to wait; or read on."""
        held = held and not self.stopping
        if held == self.held:
            return
        self.held = held
        for fd in self.sinks:
            if held:
                self.loop.remove_reader(fd)
            else:
                self.loop.add_reader(fd, self._read, fd)

    def expire(self) -> None:
        """Stop it because its time is over."""
        if not self.reaped:
            self.expired = True
            self.stop()

    def stop(self) -> None:
        """Ask its group to end and kill it after the grace; nothing if that has begun already."""
        if self.stopping:
            return
        self.stopping = True
        self.hold(False)
        if self.reaped:
            self._let_go()
        else:
            self._signal(self.stop_signal)
            self._after(self.grace, self.kill)

    def kill(self) -> None:
        """Kill its group, and give it up if it has not ended after `LINGER` seconds."""
        self._signal(signal.SIGKILL)
        self._after(LINGER, self._let_go)

    def completed(self, stdout: Kept, stderr: Kept, output: Kept) -> Completed:
        """Return how it ended, with what was kept of its output."""
        code, killer = (128 - self.status, -self.status) if self.status < 0 else (self.status, 0)
        texts = stdout.text(), stderr.text(), output.text()
        return Completed(code, killer, *texts, output.dropped)

    def _signal(self, number: int) -> None:
        if self.reaped:
            return
        with suppress(ProcessLookupError, PermissionError):  # reaped by others; it became root
            signal.pidfd_send_signal(self.pidfd, 0)  # so that the id below is still its own
            os.killpg(self.pid, number)

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        if self.timer:
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, step)

    def _read(self, fd: int) -> None:
        chunk = os.read(fd, CHUNK)
        if chunk:
            self._hand_on(self.sinks[fd], chunk)
        else:
            self._close(fd)

    def _hand_on(self, sinks: Sinks, chunk: bytes) -> None:
        try:
            for sink in sinks:
                sink.add(chunk)
        except Exception as error:  # of `on_line`: it belongs to whoever waits for this child
            self.failure = self.failure or error
            self.stop()

    def _close(self, fd: int) -> None:
        self.loop.remove_reader(fd)
        os.close(fd)
        self._hand_on(self.sinks.pop(fd), b"")
        self._settle()

    def _exited(self) -> None:
        if self.stopping:
            self._signal(signal.SIGKILL)
        self.loop.remove_reader(self.pidfd)
        try:
            self.status = _reap(self.pidfd)
        except ReapedElsewhere as error:
            self.failure = self.failure or error
        os.close(self.pidfd)
        self.reaped = True
        self._after(LINGER, self._let_go)
        self._settle()

    def _settle(self) -> None:
        if self.reaped and not self.sinks and not self.ended.done():
            self.ended.set_result(None)
        if self.ended.done() and self.timer:
            self.timer.cancel()

    def _let_go(self) -> None:
        if self.held:  # its reader is slow, not its descendants
            self._after(LINGER, self._let_go)
            return
        while self.sinks:
            self._close(next(iter(self.sinks)))
        if not self.ended.done():
            self.ended.set_result(None)


def _reap(pidfd: int) -> int:
    """Return the exit code of the ended child, or minus the signal that killed it."""
    try:
        info = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        raise ReapedElsewhere from None
    assert info  # it is None only for those who do not wait
    return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
