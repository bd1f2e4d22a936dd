"""The tree of directories that lead to what is subscribed, and how events travel in it."""

from collections.abc import Callable, Iterator
from itertools import chain
from operator import attrgetter

from setpoint.watching.directory import LIMITS, Directory, Watch
from setpoint.watching.entry import Entry, Held, entries_of, report, tell
from setpoint.watching.inotify import HEADER, HEADER_SIZE, ISDIR, MASK_ADD, RENAMED, Inotify, padded
from setpoint.watching.polling import Poller

_OVERFLOWED = -1  # what stands for a watch when the kernel's queue was full


class Tree:
    """All directories of one watcher, from the root, and the kernel watches on them.

    An event is a look-up in the table of its watch and a call. If a name may stand for something
    else now, its entries are *stale*. When all events are read, the tree is *settled*: what is
    stale looks at the file system, and after it all that depends on it, parents first. A watch is
    in place before what is in its directory is looked at, so whatever happens after a look has an
    event, and once nothing happens any more every watch is where its path leads.

    stale: what has to look, with the events that made it so; 0 for what has never looked.
    overflows: how often the kernel's queue was full; everything is told to look again then.
    """

    def __init__(self, inotify: Inotify, poller: Poller, refused: Callable[[int], None]) -> None:
        self._inotify, self._refused = inotify, refused
        self.poller = poller
        self._watches: dict[int, Watch] = {}
        self._find: dict[int, Callable[[bytes], Held | None]] = {_OVERFLOWED: self._overflowed}
        self.root = Directory(self, None, "")
        self._walked = ("", self.root)  # the last path: files of one directory come together
        self.stale: dict[Entry, int] = {}
        self.overflows = 0

    def walk(self, path: str, links: int = 0) -> Directory:
        """Return the directory of the absolute `path`, got by following `links`; what is new looks when settling."""
        before, directory = self._walked
        if path == before and directory.seen and directory.links <= links:
            return directory
        directory = self.root
        if not directory.seen:
            self.mark(directory, 0)
        for name in path.split("/"):
            if name and name != ".":
                directory = directory.children.get(name) or self._grow(directory, name, links)
                if links < directory.links:
                    directory.links = links
                    self.mark(directory, 0)  # it may be a link that was one too many
        self._walked = (path, directory)
        return directory

    def _grow(self, parent: Directory, name: str, links: int) -> Directory:
        child = parent.children[name] = Directory(self, parent, name, links)
        parent.put(padded(name), child)
        self.mark(child, 0)
        return child

    def mark(self, entry: Entry, mask: int) -> None:
        """Let `entry`, and then what depends on it, look when the tree is settled."""
        self.stale[entry] = self.stale.get(entry, 0) | mask

    def forget(self, entry: Entry) -> None:
        """Let `entry` not look: it left."""
        self.stale.pop(entry, None)

    def dispatch(self, events: bytes) -> None:
        """Call those whom `events` are for, and mark what may be something else now.

        Each is called once, however many of the events are for it: all of them have happened before this is called.
        """
        find, unpack = self._find, HEADER.unpack_from
        hits: dict[Held, None] = {}
        at, end = 0, len(events)
        while at < end:
            watch, mask, length = unpack(events, at)
            start = at + HEADER_SIZE
            at = start + length
            try:
                hit = find[watch](events[start:at])
            except KeyError:
                continue  # the watch was removed after this event
            if hit is None:
                continue
            hits[hit] = None
            if mask & RENAMED:
                for entry in entries_of(hit):
                    self.mark(entry, mask)
        for hit in hits:
            try:
                hit.changed()
            except Exception as error:
                report(error)

    def settle(self) -> None:
        """Let everything stale look, until nothing is; then tell those for whom that is news."""
        news: dict[Entry, None] = {}
        while self.stale:
            directories, entries = self._affected(news)
            self.stale.clear()
            for directory in sorted(directories, key=attrgetter("depth")):
                if not directory.is_gone:
                    directory.look(directories[directory])
            for entry, mask in entries.items():
                if entry.look(mask) and mask:
                    news[entry] = None
        for entry in news:
            tell(entry)

    def _affected(self, news: dict[Entry, None]) -> tuple[dict[Directory, int], dict[Entry, int]]:
        """Return all that is stale or depends on it; put into `news` whom events reach that way."""
        entries = self.stale.copy()
        queue = [entry for entry in entries if isinstance(entry, Directory)]
        directories = {directory: entries.pop(directory) for directory in queue}
        while queue:
            directory = queue.pop()
            mask = directories[directory] and RENAMED | ISDIR
            for near in chain(directory.children.values(), directory.followers):
                if near not in directories or mask & ~directories[near]:
                    directories[near] = directories.get(near, 0) | mask
                    queue.append(near)
            for entry in directory.listeners():
                entries[entry] = entries.get(entry, 0) | mask
                if mask:
                    news[entry] = None
        return directories, entries

    def _overflowed(self, _: bytes) -> Held:
        self.overflows += 1
        return self.root

    # What directories use to place their watches.

    def watch(self, path: str, mask: int) -> Watch:
        """Return the watch on the directory at `path`, which hears of at least `mask` from now on.

        Raises:
            OSError: nothing to watch is there, or the kernel gives no more watches.

        """
        number = self._inotify.add(path, mask | MASK_ADD)
        watch = self._watches.get(number)
        if watch is None:
            watch = self._watches[number] = Watch(number)
        watch.mask |= mask
        return watch

    def listen(self, watch: Watch) -> None:
        """Look names up anew in `watch`: those who listen there are others than before."""
        self._find[watch.number] = watch.finder()

    def leave(self, watch: Watch, directory: Directory) -> None:
        """Take `directory` from `watch`; the last one ends it."""
        watch.directories.remove(directory)
        if watch.directories:
            self.listen(watch)
        else:
            del self._watches[watch.number], self._find[watch.number]
            self._inotify.remove(watch.number)

    def narrow(self, directory: Directory) -> None:
        """Hear no more than is wanted of the directory; its other entries wake nobody then."""
        watch = directory.watch
        wanted = 0
        for other in watch.directories if watch else ():
            wanted |= other.wanted
        if watch is None or wanted == watch.mask:
            return
        try:
            number = self._inotify.add(directory.path, wanted)
        except OSError:
            return  # it is gone, and has an event that says so
        if number == watch.number:
            watch.mask = wanted
        else:
            self._restore(number)

    def _restore(self, number: int) -> None:
        """Undo that a path led to another directory, whose mask was narrowed by mistake."""
        watch = self._watches.get(number)
        if watch is None:
            self._inotify.remove(number)
            return
        watch.mask = 0
        for directory in watch.directories:
            directory.changed()
        self.settle()

    def refused(self, error: OSError) -> None:
        """Report that the kernel gave no watch, if that is for a limit that can be raised."""
        if error.errno in LIMITS:
            self._refused(error.errno)

    def release(self, directory: Directory) -> None:
        """Drop `directory` if no subscription needs it, and then those that it was needed for."""
        queue = [directory]
        while queue:
            place = queue.pop()
            if place.is_gone:
                continue
            if _is_needed(place):
                self.narrow(place)
            else:
                queue += place.drop()

    def close(self) -> None:
        """Forget everything: the descriptor is closed, and no watch is left.

        Every directory is gone then, so what is stopped later has nothing to give back.
        """
        self.poller.close()
        going = [self.root]
        for directory in going:
            going += directory.children.values()
            directory.children, directory.watch, directory.seen = {}, None, False
        self._watches.clear()
        self._find.clear()
        self._find[_OVERFLOWED] = self._overflowed
        self.stale.clear()
        self.root = Directory(self, None, "")
        self._walked = ("", self.root)


def _is_needed(directory: Directory) -> bool:
    """Whether a subscription is in the directory, below it, or beyond a link that leads to it."""
    seen: set[Directory] = set()
    paths: list[Iterator[Directory]] = [iter((directory,))]
    while paths:
        place = next(paths[-1], None)
        if place is None:
            paths.pop()
        elif place not in seen:
            if place.leaves or place.insiders:
                return True
            seen.add(place)
            paths.append(chain(place.children.values(), place.followers))
    return False
