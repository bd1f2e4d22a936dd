"""What is subscribed to: a path (`Leaf`), and for directories what is in them (`Inside`)."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from setpoint.watching.directory import MAX_LINKS, Directory, Entry
from setpoint.watching.inotify import ISDIR, padded
from setpoint.watching.subscription import Subscription

if TYPE_CHECKING:
    from setpoint.watching.tree import Tree


def nothing() -> None:
    """Stand in for the function of a subscription that was stopped."""


class Leaf(Subscription):
    """A subscribed path. It is an entry of the directory that its last name is in, its home.

    If there is a link, a leaf for the path that it names goes with it; if there is a directory, an
    `Inside`. So this object and one slot in a table are all that a plain file costs.
    """

    __slots__ = ("_beyond", "_hops", "_tree", "changed", "home", "path", "recursive")

    def __init__(self, tree: "Tree", path: str, recursive: bool, hops: int = 0) -> None:
        self._tree, self.path, self.recursive, self._hops = tree, path, recursive, hops
        self.changed: Callable[[], None] = nothing
        self.home: Directory | None = None
        self._beyond: Leaf | Inside | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Watch the path; see `Subscription.start`."""
        asyncio.get_running_loop()  # raises before anything is held
        if self.home or self._beyond:
            raise RuntimeError(f"{self.path}: already watched; stop it first")
        self.plant(changed)
        self._tree.settle()

    def plant(self, changed: Callable[[], None]) -> None:
        """Take the place in the tree; watching has begun when the tree is settled."""
        self.changed = changed
        parent, _, name = self.path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):  # no directory has an entry that could be watched for these
            self._beyond = Inside(self, self.path)
            return
        idle = not self._tree.stale
        self.home = self._tree.walk(parent)
        self.home.leaves += 1
        self.home.put(padded(name), self)
        self.home.widen()
        if idle and not self._tree.stale:
            self.look(0)
        else:
            self._tree.mark(self, 0)

    def stop(self) -> None:
        """Leave the tree; what nobody else needs of it is given back."""
        self.changed = nothing
        home, self.home = self.home, None
        self._leave_beyond()
        if home:
            home.leaves -= 1
            home.take(padded(os.path.basename(self.path.rstrip("/"))), self)
            self._tree.forget(self)
            self._tree.release(home)

    @property
    def depth(self) -> int:
        """One more than that of its home, which is looked at first."""
        return self.home.depth + 1 if self.home else 0

    def dependants(self) -> Iterator[Entry]:
        """Yield nothing: what lies beyond depends on directories."""
        return iter(())

    def look(self, mask: int) -> bool:
        """Go beyond a link or into a directory; it is news if that is another one than before."""
        if self.home is None:
            return False
        path, into = self._see()
        beyond = self._beyond
        if (beyond.path if beyond else None) == path and isinstance(beyond, Inside) == into:
            return False
        self._leave_beyond()
        if into:
            self._beyond = Inside(self, self.path)
        elif path is not None:
            self._beyond = Leaf(self._tree, path, self.recursive, self._hops + 1)
            self._beyond.plant(self.changed)
        return True

    def _see(self) -> tuple[str | None, bool]:
        """Return the path to watch beyond this one, if any, and whether it is a directory's."""
        try:
            mode = os.lstat(self.path).st_mode
            if stat.S_ISLNK(mode) and self._hops < MAX_LINKS:
                link = os.readlink(self.path.rstrip("/"))
                return os.path.join(os.path.dirname(self.path.rstrip("/")), link), False
        except OSError:
            return None, False  # what came in its place has an event
        return (self.path, True) if stat.S_ISDIR(mode) else (None, False)

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

    @property
    def depth(self) -> int:
        """One more than that of the directory, which is looked at first."""
        return self._directory.depth + 1 if self._directory else 0

    def dependants(self) -> Iterator[Entry]:
        """Yield nothing: what is below depends on the directory."""
        return iter(())

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
