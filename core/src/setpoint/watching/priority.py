"""Files of /proc that tell of their changes by POLLPRI: mountinfo, mounts, sys/kernel/hostname."""

import asyncio
import os
import select
from collections.abc import Callable

from setpoint.watching.subscription import Subscription


class Priority(Subscription):
    """Says when a file has changed of which the kernel tells that by POLLPRI; inotify hears nothing there.

    Such a file is always readable, so the loop cannot wait for it itself: it waits for an epoll that waits for nothing
    else. A change in the namespaces of the thread that starts this counts, which is that of the loop.

    Args:
        path: the file; it must exist when this starts.

    Source: proc_pid_mountinfo(5), poll(2), proc_sys_poll in fs/proc/proc_sysctl.c.

    """

    __slots__ = ("_epoll", "_file", "_loop", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change from now on."""
        if self._loop is not None:
            raise RuntimeError("this subscription has begun already")
        loop = asyncio.get_running_loop()
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._epoll = select.epoll()
        except OSError:
            os.close(self._file)
            raise
        self._epoll.register(self._file, select.EPOLLPRI)
        loop.add_reader(self._epoll.fileno(), self._tell, changed)
        self._loop = loop

    def stop(self) -> None:
        """Call no more, and close what was open."""
        if self._loop is None:
            return
        self._loop.remove_reader(self._epoll.fileno())
        self._loop = None
        self._epoll.close()
        os.close(self._file)

    def _tell(self, changed: Callable[[], None]) -> None:
        self._epoll.poll(
            0
        )  # finds nothing: the kernel says it once, and said it to the loop; but it clears
        changed()
