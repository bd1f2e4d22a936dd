"""The graph files that an engine was started on: watched, so that one that is saved is loaded again."""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from setpoint import graphfile
from setpoint.errors import GraphError

if TYPE_CHECKING:
    from setpoint.watching import Subscription, Watcher

QUIET = 0.05  # seconds without a change after which a saved file is taken as whole

Stamp = tuple[int, ...] | None


class Saved:
    """Tells when one of several files was saved, by whatever way an editor does that.

    Args:
        watcher: hears of changes.
        warn: called with what a person should know: a file that cannot be watched.

    news: set as long as there may be something to be told.

    """

    def __init__(self, watcher: "Watcher", warn: Callable[[str], None]) -> None:
        self._watcher, self._warn = watcher, warn
        self._watched: dict[str, Subscription] = {}
        self._stamps: Mapping[str, Stamp] = {}
        self._is_asked = False
        self.news = asyncio.Event()

    def follow(self, files: Iterable[str], stamps: Mapping[str, Stamp]) -> None:
        """Watch `files` and no others from now on; one that is not as in `stamps` counts as saved."""
        wanted = dict.fromkeys(files)
        for path in self._watched.keys() - wanted.keys():
            self._watched.pop(path).stop()
        for path in wanted:
            if path not in self._watched:
                self._watch(path)
        self._stamps = {path: stamps.get(path) for path in wanted}
        self.news.set()

    def follow_too(self, files: Collection[str]) -> None:
        """Watch `files` as well, each as it is now."""
        self.follow({**self._stamps, **dict.fromkeys(files)}, {**stamps(files), **self._stamps})

    def _watch(self, path: str) -> None:
        subscription = self._watcher.path(path)
        try:
            subscription.start(self.news.set)
        except OSError as error:
            self._warn(f"{path}: cannot be watched, {error}; `setpoint reload` loads it again")
        else:
            self._watched[path] = subscription

    def ask(self) -> None:
        """Let the files count as saved, whether they were or not."""
        self._is_asked = True
        self.news.set()

    async def next(self) -> str:
        """Return, once files were saved, what to call that: "site.yaml was saved", "reload was asked for"."""
        while True:
            await self.news.wait()
            while self.news.is_set():  # an editor writes in several steps
                self.news.clear()
                await asyncio.sleep(QUIET)
            now = stamps(self._stamps)
            saved = [path for path, stamp in now.items() if stamp != self._stamps[path]]
            self._stamps, is_asked, self._is_asked = now, self._is_asked, False
            if saved:
                return _called(saved)
            if is_asked:
                return "reload was asked for"


def stamps(files: Iterable[str]) -> dict[str, Stamp]:
    """Return what changes with each file when it is saved; None for one that cannot be read."""
    found: dict[str, Stamp] = {}
    for path in files:
        try:
            status = os.stat(path)
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def stamps_of(texts: Mapping[str, str]) -> dict[str, Stamp]:
    """Return the stamps of files that were read, path to text; None for one that is another by now."""
    found = stamps(texts)
    for path, text in texts.items():
        try:
            is_same = graphfile.text_of(path) == text
        except GraphError:
            is_same = False
        if not is_same:
            found[path] = None
    return found


def _called(saved: list[str]) -> str:
    if len(saved) > 1:
        return f"{len(saved)} files were saved"
    return f"{os.path.basename(saved[0])} was saved"
