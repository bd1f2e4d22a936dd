"""Directories: as the kernel knows them (`Watch`), and as paths lead to them (`Directory`)."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from setpoint.watching.entry import Entry, Held, Several, entries_of, together
from setpoint.watching.inotify import ENTRIES, FULL, LISTING, NAMES, RENAMED, padded, silence

if TYPE_CHECKING:
    from setpoint.watching.leaf import Inside
    from setpoint.watching.tree import Tree

# Nothing is there that could be watched; whatever changes that has an event in the parent.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
LIMITS = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
MAX_LINKS = 40  # how many the kernel follows in one path


class Watch:
    """A directory's inode with a kernel watch, shared by all paths that lead to it."""

    __slots__ = ("directories", "mask", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.mask = 0
        self.directories: list[Directory] = []

    def finder(self) -> Callable[[bytes], Held | None]:
        """Return what gives the entries for a name; for one path it is its table's own `get`."""
        if len(self.directories) == 1 and not self.directories[0].insiders:
            return self.directories[0].table.get
        return self._find

    def _find(self, name: bytes) -> Held | None:
        hits: list[Entry] = []
        for directory in self.directories:
            hits += entries_of(directory.table.get(name))
            if name:
                hits += directory.insiders
        return together(hits)


class Directory:
    """A path that is, or may become, a directory; it is itself an entry of its parent.

    It depends on its parent, and if it is a link on the directory that the link names. Whenever one
    of these had an event this one looks where its path leads, and moves its watch there.

    table: name to those who want to hear of it; b"" is the name of the directory itself.
    insiders: those who want to hear of every name.
    blind: why nothing is heard and it is polled instead: "limit", "denied", "remote" or "pseudo".
    followers: the links that lead here.
    links: how many were followed to have this walked to; none if a subscription names it.
    """

    __slots__ = (
        "blind", "children", "depth", "followers", "hops", "insiders", "leaves", "links", "name",
        "parent", "path", "seen", "table", "target", "tree", "watch",
    )  # fmt: skip

    def __init__(self, tree: "Tree", parent: "Directory | None", name: str, links: int = 0) -> None:
        self.tree, self.parent, self.name, self.links = tree, parent, name, links
        self.path: str = f"{parent.path.rstrip('/')}/{name}" if parent else "/"
        self.depth: int = parent.depth + 1 if parent else 0
        self.table: dict[bytes, Held] = {b"": self}
        self.children: dict[str, Directory] = {}
        self.followers: set[Directory] = set()
        self.insiders: tuple[Inside, ...] = ()
        self.target: Directory | None = None
        self.watch: Watch | None = None
        self.leaves = self.hops = 0
        self.blind = ""
        self.seen = False

    def changed(self) -> None:
        """Look again with everything below, also for what does not rename: a permission."""
        self.tree.mark(self, RENAMED)

    @property
    def is_gone(self) -> bool:
        """Whether it was dropped."""
        return self.parent is not None and self.parent.children.get(self.name) is not self

    def listeners(self) -> Iterator[Entry]:
        """Yield those who hear of names here, without the directories that are named."""
        yield from self.insiders
        for hit in self.table.values():
            for entry in entries_of(hit):
                if not isinstance(entry, Directory):
                    yield entry

    def entries(self, key: bytes) -> tuple[Entry, ...]:
        """Return those who want to hear of the name `key`; of `LISTING`, of every name."""
        return self.insiders if key == LISTING else entries_of(self.table.get(key))

    def put(self, key: bytes, entry: Entry) -> None:
        """Let `entry` hear of the name `key`."""
        old = self.table.get(key)
        self.table[key] = Several((*entries_of(old), entry)) if old else entry
        if self.blind:
            self.tree.poller.remember(self, key)

    def take(self, key: bytes, entry: Entry) -> None:
        """Let `entry` hear of the name `key` no more."""
        held = self.table.pop(key, None)
        if held is entry:
            return
        left = together(other for other in entries_of(held) if other is not entry)
        if left:
            self.table[key] = left

    def adopt(self, key: bytes, leaf: Entry) -> None:
        """Let `leaf`, which subscribes to the name `key`, hear of it in full."""
        self.leaves += 1
        self.put(key, leaf)
        if self.leaves == 1:
            self.widen()

    def disown(self, key: bytes, leaf: Entry) -> None:
        """Let `leaf` hear no more."""
        self.leaves -= 1
        self.take(key, leaf)

    def admit(self, inside: "Inside") -> None:
        """Let `inside` hear of every name."""
        self._let_in((*self.insiders, inside))
        if self.blind:
            self.tree.poller.remember(self, LISTING)
        self.widen()

    def expel(self, inside: "Inside") -> None:
        """Let `inside` hear no more."""
        self._let_in(tuple(other for other in self.insiders if other is not inside))

    def _let_in(self, insiders: "tuple[Inside, ...]") -> None:
        self.insiders = insiders
        if self.watch:
            self.tree.listen(self.watch)

    @property
    def wanted(self) -> int:
        """The mask of events that those who listen here need."""
        mask = FULL if self.leaves else NAMES
        for inside in self.insiders:
            mask |= FULL if inside.recursive else ENTRIES
        return mask

    def widen(self) -> None:
        """See that what is wanted now is heard."""
        if not self.seen:
            return  # it is about to look
        if self.watch and self.wanted & ~self.watch.mask:
            before = self.watch
            self.arm()
            if self.watch is not before:
                self.changed()

    def look(self, mask: int) -> bool:
        """Follow the path anew. What differs is told to those below, so it is no news itself."""
        before = (self.target, self.watch, self.blind)
        self._follow()
        self.arm()
        if before != (self.target, self.watch, self.blind):
            for follower in self.followers:
                self.tree.mark(follower, mask)
            if self.seen and not mask:
                self.changed()
        self.seen = True
        return False

    def _follow(self) -> None:
        """Make the directory that the link here names, if it is one, tell this one."""
        link = self._link()
        parent, before = self.parent, self.target
        if not link or parent is None or max(parent.hops, self.links) >= MAX_LINKS:
            self.target, self.hops = None, parent.hops if parent else 0
        else:
            self.target = self.tree.walk(os.path.join(parent.path, link), self.links + 1)
            start = parent.hops if link.startswith("/") else 0
            self.hops = min(start + 1 + self.target.hops, MAX_LINKS)
        if self.target is not before:
            if self.target:
                self.target.followers.add(self)
            if before:
                before.followers.discard(self)
                self.tree.release(before)

    def _link(self) -> str:
        if self.parent is None or self.name == ".." or not self.parent.is_there:
            return ""
        try:
            return os.readlink(self.path)
        except OSError:
            return ""

    @property
    def is_there(self) -> bool:
        """Whether the path led to a directory when it was looked at."""
        return self.watch is not None or self.blind != ""

    def arm(self) -> None:
        """Watch the directory that the path leads to, with all that is wanted; else poll it."""
        found, blind = None, ""
        if self.parent is None or self.parent.is_there:
            try:
                found = self.tree.watch(self.path, self.wanted)
            except OSError as error:
                if error.errno not in ABSENT:
                    blind = "limit" if error.errno in LIMITS else "denied"
                    self.tree.refused(error)
        if found is not self.watch:
            self._move(found)
        if found or blind:
            blind = blind or silence(self.path)
        self._poll(blind)

    def _move(self, watch: Watch | None) -> None:
        if self.watch:
            self.tree.leave(self.watch, self)
        self.watch = watch
        if watch:
            watch.directories.append(self)
            self.tree.listen(watch)

    def _poll(self, blind: str) -> None:
        self.blind = blind
        if blind:
            self.tree.poller.begin(self)
        else:
            self.tree.poller.end(self)

    def drop(self) -> "list[Directory]":
        """Give back everything; return those who may be of no use now. Root stays, unwatched."""
        near = [*self.children.values(), *self.followers]
        if self.target:
            self.target.followers.discard(self)
            near.append(self.target)
        if self.parent:
            self.parent.children.pop(self.name, None)
            self.parent.take(padded(self.name), self)
            near.append(self.parent)
        self.target, self.seen = None, False
        self._move(None)
        self._poll("")
        self.tree.forget(self)
        return near
