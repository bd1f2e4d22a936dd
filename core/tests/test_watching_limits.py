"""What a watcher does when the kernel has no events: a full queue, a limit, a file system without any."""

import asyncio
import ctypes
import errno
import logging
import os
import re
import resource
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from setpoint.clock import Clock
from setpoint.watching import Watcher, inotify

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl(2)
ROUND = 0.02  # seconds between two rounds of polling, so that tests are quick


class News:
    """Lets a test wait until it is told."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        self._told.set()

    async def of(self, change: Callable[[], object]) -> None:
        """Return when told, after `change`."""
        self._told.clear()
        change()
        await self._told.wait()


def polled(watcher: Watcher) -> Watcher:
    watcher._poller.interval = ROUND
    return watcher


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    watcher = polled(Watcher(Clock()))
    yield watcher
    watcher.close()


def start(watcher: Watcher, path: str | Path) -> News:
    news = News()
    watcher.path(path).start(news.tell)
    return news


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let every open fail with EMFILE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = max(int(name) for name in os.listdir("/proc/self/fd")) + 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def test_when_events_were_lost_everybody_is_told(watcher: Watcher, tmp_path: Path) -> None:
    told: set[str] = set()
    paths = [tmp_path / name for name in ("noisy", "noisier", "a/b/lost", "there")]
    paths[3].touch()
    for path in paths:
        watcher.path(path).start(lambda name=path.name: told.add(name))  # type: ignore[misc]
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    paths[0].touch()
    paths[1].touch()
    with paths[0].open("w") as one, paths[1].open("w") as other:
        for _ in range(limit // 2 + 1):  # in turn, because the kernel merges an event with its like
            os.write(one.fileno(), b"x")
            os.write(other.fileno(), b"x")
    paths[2].parent.mkdir(parents=True)  # no event says this
    read = asyncio.Event()
    watcher.after.append(read.set)
    await read.wait()
    assert told == {path.name for path in paths}
    assert watcher.overflows == 1
    await start(watcher, paths[2]).of(paths[2].touch)
    told.clear()
    read.clear()
    paths[2].write_text("found again")
    await read.wait()
    assert told == {"lost"}


async def test_without_descriptors_paths_are_polled_and_that_is_said_once(
    watcher: Watcher, tmp_path: Path
) -> None:
    said: list[str] = []
    watcher.degraded = said.append
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "link").symlink_to("a/file")
    with no_descriptor_left():
        file = start(watcher, tmp_path / "a/file")
        folder = start(watcher, tmp_path / "conf.d")
        link = start(watcher, tmp_path / "link")
    await file.of((tmp_path / "a").mkdir)
    await file.of((tmp_path / "a/file").touch)
    await link.of(lambda: (tmp_path / "a/file").write_text("x"))
    await file.of(lambda: (tmp_path / "a/file").chmod(0o600))
    await file.of((tmp_path / "a/file").unlink)
    await folder.of((tmp_path / "conf.d/10").mkdir)
    assert len(said) == 1
    assert re.fullmatch(
        r"inotify: no instances or open files left, /proc/sys/fs/inotify/max_user_instances is \d+,"
        r" so [1-9]\d* paths are looked at every 0.02 s; raise the limit",
        said[0],
    )


async def test_when_there_are_descriptors_again_events_are_used_again(
    watcher: Watcher, tmp_path: Path
) -> None:
    with no_descriptor_left():
        watcher.degraded = lambda _: None
        file = start(watcher, tmp_path / "a/file")
    await file.of((tmp_path / "a").mkdir)
    settled = asyncio.Event()
    watcher.after.append(settled.set)
    while watcher.polling:
        await settled.wait()
        settled.clear()
    assert watcher._poller._timer is None
    await file.of((tmp_path / "a/file").touch)


async def test_the_warning_is_logged_if_nobody_takes_it(
    watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with no_descriptor_left():
        news = start(watcher, tmp_path / "file")
    with caplog.at_level(logging.WARNING, "setpoint.watching"):
        await news.of((tmp_path / "file").touch)
    assert "inotify: no instances" in caplog.text


def run_without_watches(runner: asyncio.Runner, work: Coroutine[None, None, None]) -> None:
    """Run the loop in a thread of its own, to which the kernel gives no more watches: ENOSPC.

    Source: seccomp(2); a filter ends with its thread.
    """
    failures: list[BaseException] = []

    def refused() -> None:
        try:
            refuse_watches()
            runner.run(work)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=refused)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def refuse_watches() -> None:
    """Let inotify_add_watch(2) fail with ENOSPC from now on in this thread."""
    add_watch = {"x86_64": 254, "aarch64": 27}[os.uname().machine]
    load, equals, result, fail, allow = 0x20, 0x15, 0x06, 0x00050000, 0x7FFF0000
    lines = (load, 0, 0, 0), (equals, 0, 1, add_watch), (result, 0, 0, fail | errno.ENOSPC)
    code = b"".join(struct.pack("HBBI", *line) for line in (*lines, (result, 0, 0, allow)))
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, *arguments in (NO_NEW_PRIVILEGES, 1, 0), (SECCOMP, FILTER, program):
        if libc.prctl(option, *arguments, 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp is refused")


def test_out_of_watches_the_rest_is_polled_until_there_are_more(tmp_path: Path) -> None:
    said: list[str] = []
    watcher = polled(Watcher(Clock()))
    watcher.degraded = said.append
    files = [tmp_path / str(number) / "file" for number in range(40)]
    for file in files:
        file.parent.mkdir()
    news: dict[Path, News] = {}

    async def begin(some: list[Path]) -> None:
        news.update({file: start(watcher, file) for file in some})

    async def change(text: str) -> None:
        for file in files:
            await news[file].of(partial(file.write_text, text))

    async def heal() -> None:
        settled = asyncio.Event()
        watcher.after.append(settled.set)
        while watcher.polling:
            await settled.wait()
            settled.clear()

    async def end() -> None:
        watcher.close()

    with asyncio.Runner() as runner:
        runner.run(begin(files[:20]))
        run_without_watches(runner, begin(files[20:]))
        assert watcher.polling == 20
        run_without_watches(runner, change("first"))
        run_without_watches(runner, change("second"))
        assert watcher.polling == 20
        runner.run(heal())
        runner.run(change("third, by events"))
        runner.run(end())
    assert len(said) == 1
    assert said[0].startswith("inotify: no watches left")
    assert "/proc/sys/fs/inotify/max_user_watches is " in said[0]


async def test_a_process_that_ends_is_noticed_in_proc(watcher: Watcher) -> None:
    child = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        news = start(watcher, f"/proc/{child.pid}")
        child.kill()
        await child.wait()
        await news.of(lambda: None)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_a_file_of_the_kernel_may_always_have_changed(watcher: Watcher) -> None:
    await start(watcher, "/proc/sys/kernel/hostname").of(lambda: None)


async def test_polling_ends_with_the_last_subscription(watcher: Watcher) -> None:
    subscription = watcher.path("/proc/sys/kernel/hostname")
    subscription.start(lambda: None)
    assert watcher.polling
    subscription.stop()
    assert watcher.polling == 0
    assert watcher._poller._timer is None


async def test_no_timer_runs_while_nothing_is_polled(watcher: Watcher, tmp_path: Path) -> None:
    start(watcher, tmp_path / "a/b/c")
    assert watcher.polling == 0
    assert watcher._poller._timer is None


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Declare the file system of this test to be one that other machines change as well."""
    magic = subprocess.check_output(["stat", "-f", "-c", "%t", tmp_path], text=True)
    monkeypatch.setattr(inotify, "_REMOTE", {int(magic, 16)})
    return tmp_path


async def test_a_remote_file_system_is_polled_and_heard(watcher: Watcher, remote: Path) -> None:
    file, folder = start(watcher, remote / "file"), start(watcher, remote)
    await file.of((remote / "file").touch)  # made here: an event
    asyncio.get_running_loop().remove_reader(watcher._inotify.fd)  # made elsewhere: none
    await file.of(lambda: (remote / "file").write_text("x"))
    await folder.of((remote / "other").touch)


@pytest.fixture
def unreadable() -> Iterator[Path]:
    """Be nobody for a while; may go through the directory that is given, but not read it."""
    folder = Path(tempfile.mkdtemp(prefix="setpoint-watching-"))
    (folder / "file").touch()
    (folder / "file").chmod(0o666)
    folder.chmod(0o711)
    os.seteuid(65534)
    yield folder
    os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
async def test_in_a_directory_that_may_not_be_read_files_are_polled(
    watcher: Watcher, unreadable: Path
) -> None:
    news = start(watcher, unreadable / "file")
    await news.of(lambda: (unreadable / "file").write_text("x"))
    assert watcher.polling == 1


async def test_what_polling_finds_is_settled_before_anybody_repairs(
    watcher: Watcher, tmp_path: Path
) -> None:
    done: list[None] = []
    with no_descriptor_left():
        watcher.degraded = lambda _: None
        news = start(watcher, tmp_path / "file")
    watcher.after.append(lambda: done.append(None))
    await news.of((tmp_path / "file").touch)
    assert len(done) == 1
