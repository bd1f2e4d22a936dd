"""Random scripts of changes against a simple model: what looks different afterwards was told.

`SETPOINT_EXAMPLES=100000 pytest core/tests/test_watching_model.py --timeout 0` runs it long.
"""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint.clock import Clock
from setpoint.watching import Watcher

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "60"))
NAMES = ("a", "b", "c")
LINKS = ("a", "b/c", "../a", "a/b/c", ".", "..", "a/../b", "{root}/b", "{root}/c/a", "b/../../c")
PATHS = [*NAMES, *(f"{one}/{two}" for one in NAMES for two in NAMES)]
PATHS += ["a/b/c", "b/c/a", "a/..", "b/../c", "a/b/../c"]
RECURSIVE = ("a", "b/c", ".")

Step = tuple[str, ...]
places = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
steps = st.one_of(
    st.tuples(st.sampled_from(("write", "replace", "make", "remove", "chmod")), places),
    st.tuples(st.sampled_from(("rename", "exchange")), places, places),
    st.tuples(st.just("link"), places, st.sampled_from(LINKS)),
    st.just(("look",)),
)
scripts = st.lists(steps, min_size=1, max_size=14)


def write(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def replace(path: Path) -> None:
    fresh = path.with_name(".fresh")
    fresh.write_text("fresh")
    fresh.rename(path)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name(".aside")
    one.rename(aside)
    try:
        other.rename(one)
    finally:
        aside.rename(other)


def run(root: Path, step: Step) -> None:
    """Do one step; one that is impossible now does nothing, or a part."""
    what, *rest = step
    path = root / rest[0]
    with suppress(OSError, shutil.Error):
        match what:
            case "write":
                write(path)
            case "replace":
                replace(path)
            case "make":
                path.mkdir(parents=True)
            case "remove":
                remove(path)
            case "chmod":
                path.chmod(path.stat().st_mode ^ 0o040)
            case "rename":
                path.rename(root / rest[1])
            case "exchange":
                exchange(path, root / rest[1])
            case "link":
                path.symlink_to(rest[1].format(root=root))


def seen(path: str) -> object:
    """Return all that a resource at `path` could see."""
    found: list[object] = []
    for look in (os.lstat, os.stat):
        with suppress(OSError):
            s = look(path)
            found.append((s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns))
    with suppress(OSError):
        found.append(os.readlink(path))
    with suppress(OSError):
        found += [(name, seen_itself(f"{path}/{name}")[:2]) for name in sorted(os.listdir(path))]
    return found


def seen_below(path: str) -> object:
    """Return all that is at `path` and below."""
    found = {path: seen(path)}
    for top, directories, files in os.walk(path):
        for name in directories + files:
            found[f"{top}/{name}"] = seen_itself(f"{top}/{name}")
    return found


def seen_itself(path: str) -> tuple[int, ...]:
    with suppress(OSError):
        s = os.lstat(path)
        if stat.S_ISDIR(s.st_mode):
            return s.st_ino, s.st_mode
        return s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns
    return ()


Key = tuple[str, bool]  # a path, and whether what is below counts


class Watched:
    """Every path of the model, subscribed, with what was seen of it after it was last told.

    eager: look at once, and not only when all events are read.
    """

    def __init__(self, root: Path, *, eager: bool = False) -> None:
        self.root = root
        self.watcher = Watcher(Clock())
        self.told: set[Key] = set()
        self.keys = [(path, False) for path in PATHS] + [(path, True) for path in RECURSIVE]
        for key in self.keys:
            path, below = key
            subscription = self.watcher.path(root / "tree" / path, recursive=below)
            subscription.start(partial(self.look if eager else self.told.add, key))
        self.seen = {key: self.observe(key) for key in self.keys}
        self.watcher.after.append(self.look_all)

    def look(self, key: Key) -> None:
        self.seen[key] = self.observe(key)

    def look_all(self) -> None:
        while self.told:
            self.look(self.told.pop())

    def observe(self, key: Key) -> object:
        path, below = key
        return (seen_below if below else seen)(f"{self.root}/tree/{path}")

    async def emptied(self) -> None:
        """Wait until every event up to now was read."""
        read = asyncio.Event()
        fence = self.watcher.path(self.root / "fence")
        fence.start(read.set)
        (self.root / "fence").touch()
        await read.wait()
        fence.stop()

    async def compare(self) -> None:
        """Check that who looks each time he is told has seen what is there now."""
        await self.emptied()
        assert [key for key in self.keys if self.seen[key] != self.observe(key)] == []


@contextmanager
def new_root(parent: Path) -> Iterator[Path]:
    """Yield a directory so deep that no link in its tree leads out of what is removed after."""
    top = Path(tempfile.mkdtemp(dir=parent))
    root = top / "d/d/d/d/d/d/d/d/d/d/d/d"
    (root / "tree").mkdir(parents=True)
    try:
        yield root
    finally:
        shutil.rmtree(top)


async def follow(root: Path, script: list[Step]) -> None:
    watched = Watched(root)
    try:
        for step in script:
            if step == ("look",):
                await watched.compare()
            else:
                run(root / "tree", step)
        await watched.compare()
        await probe(watched)
    finally:
        watched.watcher.close()


async def race(root: Path, before: list[Step], script: list[Step]) -> None:
    """Let the script run in a thread while events are read."""
    play(root, before)
    watched = Watched(root, eager=True)
    try:
        await asyncio.to_thread(play, root, script)
        await watched.compare()
        await probe(watched)
    finally:
        watched.watcher.close()


def play(root: Path, script: list[Step]) -> None:
    for step in script:
        if step != ("look",):
            run(root / "tree", step)


async def probe(watched: Watched) -> None:
    """Change each file that can be reached: every watch is where its path leads."""
    for path, _ in watched.keys:
        with suppress(OSError):
            write(watched.root / "tree" / path)
    await watched.compare()


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=EXAMPLES)
@given(script=scripts)
def test_whatever_looks_different_was_told(parent: Path, script: list[Step]) -> None:
    with new_root(parent) as root:
        asyncio.run(follow(root, script))


@settings(SETTINGS, max_examples=max(EXAMPLES // 6, 1))
@given(before=scripts, script=scripts)
def test_nothing_is_missed_while_things_change_under_the_reader(
    parent: Path, before: list[Step], script: list[Step]
) -> None:
    with new_root(parent) as root:
        asyncio.run(race(root, before, script))
