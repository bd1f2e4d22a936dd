"""The watcher: one inotify descriptor on the running loop, and the tree of what is subscribed."""

import asyncio
import errno
import os
from typing import TYPE_CHECKING

from setpoint.clock import Clock
from setpoint.watching.inotify import Inotify
from setpoint.watching.leaf import Leaf
from setpoint.watching.polling import Poller
from setpoint.watching.subscription import Subscription
from setpoint.watching.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

_READS = 64  # of 256 KiB; a flood that never ends may not keep the loop for ever
_LIMITS = {
    errno.ENOSPC: ("watches", "/proc/sys/fs/inotify/max_user_watches"),
    errno.EMFILE: ("instances or open files", "/proc/sys/fs/inotify/max_user_instances"),
    errno.ENFILE: ("open files", "/proc/sys/fs/file-max"),
    errno.ENOMEM: ("kernel memory", ""),
}


def _warn(message: str) -> None:
    import logging

    logging.getLogger("setpoint.watching").warning("%s", message)


class Watcher:
    """Says when paths may have changed, with one inotify descriptor for all of them.

    The descriptor is opened on the running loop when the first subscription begins. A process needs
    one watcher; the kernel gives only 128 descriptors to a user.

    Args:
        clock: tells the poller how long it has kept the loop.

    after: functions that are called each time the kernel's queue was read until it was empty and
        everybody concerned was called, or the poller has found something. Whoever repairs in there
        cannot make the queue overflow.
    degraded: called with a sentence when watching begins to fall back to polling.

    """

    def __init__(self, clock: Clock) -> None:
        self.after: list[Callable[[], None]] = []
        self.degraded: Callable[[str], None] = _warn
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inotify = Inotify(self._opened)
        self._poller = Poller(clock, self._settle)
        self._tree = Tree(self._inotify, self._poller, self._refused)

    def path(self, path: str | os.PathLike[str], *, recursive: bool = False) -> Subscription:
        """Return a subscription to what `path` leads to: to changes of it, and of the way.

        Written, its permissions, created, deleted, replaced; links and parents on the way made,
        removed, moved or pointed elsewhere. Of a directory also the names in it. What is moved away
        is left alone. Changes through another hard link or by mounting over are not seen.

        Args:
            path: need not exist, nor its parents; relative to the working directory of now.
            recursive: of a directory, everything below it too, links in it not followed.

        Raises:
            ValueError: there is a NUL in the path.

        """
        text = os.fspath(path)
        if "\0" in text:
            raise ValueError(f"path {text!r} must not have a NUL in it")
        if not text.startswith("/"):
            text = os.path.join(os.getcwd(), text)
        return Leaf(self._tree, text, recursive)

    @property
    def polling(self) -> int:
        """How many paths are polled, parents of what is subscribed among them; at best 0."""
        return self._poller.count

    @property
    def overflows(self) -> int:
        """How often the kernel dropped events, and everybody was told to look again."""
        return self._tree.overflows

    def close(self) -> None:
        """End all subscriptions and close the descriptor, while the loop it was opened on is open.

        The watcher can be used anew, also on another loop.
        """
        if self._loop and self._inotify.fd >= 0:
            self._loop.remove_reader(self._inotify.fd)
        self._inotify.close()
        self._tree.close()

    def _opened(self, descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        """Empty the kernel's queue, then see what is where, then let others repair."""
        for _ in range(_READS):
            events = self._inotify.read()
            if not events:
                break
            self._tree.dispatch(events)
        self._settle()

    def _settle(self) -> None:
        self._tree.settle()
        for function in tuple(self.after):
            function()

    def _refused(self, number: int) -> None:
        """Tell once, when it is known how many paths are concerned, that a limit was reached."""
        if not self._poller.is_limited:
            asyncio.get_running_loop().call_soon(self._tell_limit, number)

    def _tell_limit(self, number: int) -> None:
        if not self.polling:
            return  # it was stopped meanwhile
        what, where = _LIMITS[number]
        limit = _read_limit(where)
        self.degraded(
            f"inotify: no {what} left, {limit}, so {self.polling} paths are looked at every"
            f" {self._poller.interval:g} s; raise the limit"
        )


def _read_limit(where: str) -> str:
    try:
        with open(where, encoding="ascii") as file:
            return f"{where} is {file.read().strip()}"
    except OSError:
        return "limit unknown"
