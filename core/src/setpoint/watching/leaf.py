"""What is subscribed to: a path (`Leaf`), and for directories what is in them (`Inside`)."""

import asyncio
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint.watching.directory import MAX_LINKS, Directory
from setpoint.watching.inotify import ISDIR, padded
from setpoint.watching.subscription import Subscription

if TYPE_CHECKING:
    from setpoint.watching.tree import Tree

_NOT_NAMES = frozenset(("", ".", ".."))  # no directory has an entry to watch for these
_LEADS_ON = frozenset((stat.S_IFDIR, stat.S_IFLNK))


def nothing() -> None:
    """Stand in for the function of a subscription that was stopped."""


class Leaf(Subscription):
    """A subscribed path. It is an entry of the directory that its last name is in, its home.

    If there is a link, a leaf for the path that it names goes with it; if there is a directory, an
    `Inside`. So this object and one slot in a table are all that a plain file costs.
    """

    __slots__ = ("_beyond", "_hops", "_tree", "changed", "home", "path", "recursive")

    def __init__(self, tree: "Tree", path: str, recursive: bool, hops: int = 0) -> None:
        self._tree, self.recursive, self._hops = tree, recursive, hops
        self.path = path.rstrip("/") or "/"
        self.changed: Callable[[], None] = nothing
        self.home: Directory | None = None
        self._beyond: Leaf | Inside | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Watch the path; see `Subscription.start`."""
        asyncio.get_running_loop()  # raises before anything is held
        if self.home or self._beyond:
            raise RuntimeError(f"{self.path}: already watched; stop it first")
        self.plant(changed)
        if self._tree.stale:
            self._tree.settle()

    def plant(self, changed: Callable[[], None]) -> None:
        """Take the place in the tree; watching has begun when the tree is settled."""
        self.changed = changed
        parent, _, name = self.path.rpartition("/")
        if name in _NOT_NAMES:
            self._beyond = Inside(self, self.path)
            return
        tree = self._tree
        self.home = tree.walk(parent)
        self.home.adopt(padded(name), self)
        if tree.stale:
            tree.mark(self, 0)
        else:
            self.look(0)  # its home has been looked at, and nothing else is to be done

    def stop(self) -> None:
        """Leave the tree; what nobody else needs of it is given back."""
        self.changed = nothing
        home, self.home = self.home, None
        self._leave_beyond()
        if home and not home.is_gone:
            home.disown(padded(self.path.rpartition("/")[2]), self)
            self._tree.forget(self)
            if not home.leaves:  # others need all that this one did
                self._tree.release(home)

    def look(self, mask: int) -> bool:
        """Go beyond a link or into a directory; it is news if that is another one than before."""
        if self.home is None:
            return False
        try:
            kind = stat.S_IFMT(os.lstat(self.path).st_mode)
        except OSError:
            kind = 0  # what comes in its place has an event
        if kind not in _LEADS_ON and self._beyond is None:
            return False
        return self._go_beyond(kind)

    def _go_beyond(self, kind: int) -> bool:
        into, before = kind == stat.S_IFDIR, self._beyond
        path = self.path if into else self._link() if kind == stat.S_IFLNK else None
        if path == (before and before.path) and into == isinstance(before, Inside):
            return False
        self._leave_beyond()
        if into:
            self._beyond = Inside(self, self.path)
        elif path is not None:
            self._beyond = Leaf(self._tree, path, self.recursive, self._hops + 1)
            self._beyond.plant(self.changed)
        return True

    def _link(self) -> str | None:
        """Return the path that the link here names, unless there were too many before it."""
        if self._hops == MAX_LINKS:
            return None
        try:
            return os.path.join(os.path.dirname(self.path), os.readlink(self.path))
        except OSError:
            return None

    def _leave_beyond(self) -> None:
        beyond, self._beyond = self._beyond, None
        if beyond:
            beyond.stop()


class Inside:
    """A directory whose entries count as changes of a leaf; if that is recursive, all below too."""

    __slots__ = ("_below", "_directory", "_leaf", "changed", "path")

    def __init__(self, leaf: Leaf, path: str) -> None:
        self._leaf, self.path = leaf, path
        self.changed = leaf.changed
        self._below: dict[str, Inside] = {}
        self._directory: Directory | None = leaf._tree.walk(path)
        self._directory.admit(self)
        self._directory.tree.mark(self, 0)

    @property
    def recursive(self) -> bool:
        """Whether what is in files, and in directories below, counts too."""
        return self._leaf.recursive

    def look(self, mask: int) -> bool:
        """Go into directories that are new; that is news, since things in them may be as new."""
        if self._directory is None or not self.recursive or (mask and not mask & ISDIR):
            return False
        found = _directories_in(self.path)
        for name in self._below.keys() - found:
            self._below.pop(name).stop()
        new = found - self._below.keys()
        for name in new:
            self._below[name] = Inside(self._leaf, f"{self.path.rstrip('/')}/{name}")
        return bool(new)

    def stop(self) -> None:
        """Leave this directory and all below."""
        leaving = [self]
        for inside in leaving:
            leaving += inside._below.values()
        for inside in reversed(leaving):
            inside._leave()

    def _leave(self) -> None:
        directory, self._directory = self._directory, None
        self.changed = nothing
        self._below = {}
        if directory:
            directory.expel(self)
            directory.tree.forget(self)
            directory.tree.release(directory)


def _directories_in(path: str) -> set[str]:
    try:
        with os.scandir(path) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:
        return set()
