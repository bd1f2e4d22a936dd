"""Reading inotify events and finding whom they are for, against reading them."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from time import process_time

from benchmarks.bench import Bench, Figure, Times, best, paths, tree
from setpoint.clock import Clock
from setpoint.watching import Watcher
from setpoint.watching.inotify import FULL, Inotify

FILES = 5_000  # two events each, which the kernel's queue of 16,384 holds


def _write(names: list[str]) -> None:
    """Give each file a MODIFY and a CLOSE_WRITE."""
    for name in names:
        fd = os.open(name, os.O_WRONLY)
        os.write(fd, b"drift")
        os.close(fd)


def dispatch(bench: Bench) -> Iterator[Figure]:
    """Read 10,000 events and call those who subscribed; all of them are called."""
    root = tree(bench.memory, FILES)
    names = paths(root, FILES)
    for name in names:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644))

    async def measure() -> Times:
        watcher, inotify = Watcher(Clock()), Inotify(lambda _: None)
        called, all_called = set[str](), asyncio.Event()

        def changed(name: str) -> None:
            called.add(name)
            if len(called) == FILES:
                all_called.set()

        for directory in {os.path.dirname(name) for name in names}:
            inotify.add(directory, FULL)
        for name in names:
            watcher.path(name).start(partial(changed, name))
        least: Times = {}
        for _ in range(bench.rounds * 2):
            called.clear()
            all_called.clear()
            _write(names)
            began = process_time()
            size = 0
            while events := inotify.read():
                size += len(events)
            middle = process_time()
            await all_called.wait()
            found = {"floor": middle - began, "ours": process_time() - middle}
            assert size == 2 * FILES * 32, "the floor has read other events"
            least = {name: min(took, least.get(name, took)) for name, took in found.items()}
        assert not watcher.overflows
        watcher.close()
        inotify.close()
        return least

    found = best(1, lambda: asyncio.run(measure()))
    per = 1e6 / (2 * FILES)
    what = "inotify: read and dispatch"
    yield Figure(what, found["ours"] * per, found["floor"] * per, "us/event", 3.5)


ROWS = {"events": dispatch}
