"""What a subscription hears of, with the kernel's own events."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from setpoint.clock import Clock
from setpoint.watching import Many, Still, Subscription, Watcher


class Heard:
    """How often a subscription said that something changed."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.times = 0
        subscription.start(self.add)

    def add(self) -> None:
        self.times += 1

    def taken(self) -> int:
        """Return how often since the last call."""
        times, self.times = self.times, 0
        return times


class Rig:
    """A watcher, and a place to change things in."""

    def __init__(self, root: Path) -> None:
        self.root = root / "watched"
        self.root.mkdir()
        self.fence = root / "fence"
        self.watcher = Watcher(Clock())

    def hear(self, path: str | Path, *, recursive: bool = False) -> Heard:
        return Heard(self.watcher.path(self.root / path, recursive=recursive))

    async def emptied(self) -> None:
        """Wait until every event up to now was read, and what followed from it was done."""
        read = asyncio.Event()
        fence = self.watcher.path(self.fence)
        fence.start(read.set)
        self.fence.touch()
        await read.wait()  # events are in order, and this goes on when all that were read are done
        fence.stop()

    async def after(self, change: Callable[[], object], *heard: Heard) -> list[int]:
        """Return how often each was told of `change`."""
        for one in heard:
            one.taken()
        change()
        await self.emptied()
        return [one.taken() for one in heard]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.watcher.close()


def replace(path: Path, text: str = "new") -> None:
    """Write another file and rename it over, as editors do."""
    fresh = path.with_name(path.name + "~fresh")
    fresh.write_text(text)
    fresh.rename(path)


async def test_a_file_is_heard_when_it_is_made_written_and_removed(rig: Rig) -> None:
    path = rig.root / "motd"
    heard = rig.hear(path)
    for change in (
        path.touch,
        lambda: path.write_text("hello"),
        lambda: path.chmod(0o600),
        lambda: os.utime(path, (0, 0)),
        lambda: os.truncate(path, 1),
        path.unlink,
        lambda: path.write_text("again"),
    ):
        assert (await rig.after(change, heard))[0]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
async def test_a_change_of_owner_is_heard(rig: Rig) -> None:
    (rig.root / "motd").touch()
    heard = rig.hear("motd")
    assert (await rig.after(lambda: os.chown(rig.root / "motd", 12345, 12345), heard))[0]


async def test_nothing_is_heard_before_something_changes(rig: Rig) -> None:
    (rig.root / "a").mkdir()
    (rig.root / "link").symlink_to("a")
    heard = [rig.hear(path) for path in ("file", "a", "a/b/c", "link", "link/x")]
    heard.append(rig.hear("a", recursive=True))
    assert await rig.after(lambda: None, *heard) == [0] * 6


async def test_neighbours_and_reading_are_not_heard(rig: Rig) -> None:
    (rig.root / "motd").write_text("hello")
    heard = rig.hear("motd")
    assert await rig.after((rig.root / "motd").read_text, heard) == [0]
    assert await rig.after((rig.root / "motd2").touch, heard) == [0]


async def test_a_file_is_heard_on_after_something_was_renamed_over_it(rig: Rig) -> None:
    path = rig.root / "motd"
    path.touch()
    heard = rig.hear(path)
    assert (await rig.after(lambda: replace(path), heard))[0]
    assert (await rig.after(lambda: path.write_text("later"), heard))[0]
    assert (await rig.after(lambda: replace(path), heard))[0]


async def test_an_editor_that_keeps_a_backup_is_heard_to_the_end(rig: Rig) -> None:
    path = rig.root / "motd"
    path.write_text("old")
    heard = rig.hear(path)
    assert (await rig.after(lambda: path.rename(path.with_name("motd~")), heard))[0]
    assert (await rig.after(lambda: path.write_text("new"), heard))[0]
    assert await rig.after(lambda: path.with_name("motd~").write_text("x"), heard) == [0]


async def test_a_file_that_was_renamed_away_is_left_alone(rig: Rig) -> None:
    path = rig.root / "motd"
    path.touch()
    heard = rig.hear(path)
    assert (await rig.after(lambda: path.rename(rig.root / "old"), heard))[0]
    assert await rig.after(lambda: (rig.root / "old").write_text("x"), heard) == [0]


async def test_a_path_without_parents_is_heard_when_they_are_made_at_once(rig: Rig) -> None:
    path = rig.root / "a/b/c/d/file"
    heard = rig.hear(path)
    assert (await rig.after(lambda: path.parent.mkdir(parents=True), heard))[0]
    assert (await rig.after(path.touch, heard))[0]
    assert (await rig.after(lambda: shutil.rmtree(rig.root / "a"), heard))[0]

    def all_at_once() -> None:
        path.parent.mkdir(parents=True)
        path.write_text("x")

    assert (await rig.after(all_at_once, heard))[0]
    assert (await rig.after(lambda: path.write_text("y"), heard))[0]


async def test_a_parent_that_is_made_anew_is_heard(rig: Rig) -> None:
    path = rig.root / "a/b/file"
    path.parent.mkdir(parents=True)
    path.touch()
    heard = rig.hear(path)

    def anew() -> None:
        shutil.rmtree(rig.root / "a")
        path.parent.mkdir(parents=True)

    assert (await rig.after(anew, heard))[0]
    assert (await rig.after(path.touch, heard))[0]
    assert (await rig.after(lambda: path.write_text("x"), heard))[0]


async def test_what_happens_in_a_parent_that_was_moved_away_is_not_heard(rig: Rig) -> None:
    path = rig.root / "a/b/file"
    path.parent.mkdir(parents=True)
    path.touch()
    heard = rig.hear(path)
    assert (await rig.after(lambda: (rig.root / "a").rename(rig.root / "z"), heard))[0]
    assert await rig.after(lambda: (rig.root / "z/b/file").write_text("x"), heard) == [0]
    assert await rig.after(lambda: shutil.rmtree(rig.root / "z"), heard) == [0]
    assert (await rig.after(lambda: path.parent.mkdir(parents=True), heard))[0]
    assert (await rig.after(path.touch, heard))[0]


async def test_a_parent_that_comes_back_is_heard_again(rig: Rig) -> None:
    path = rig.root / "a/file"
    path.parent.mkdir()
    path.touch()
    heard = rig.hear(path)
    assert (await rig.after(lambda: (rig.root / "a").rename(rig.root / "z"), heard))[0]
    assert (await rig.after(lambda: (rig.root / "z").rename(rig.root / "a"), heard))[0]
    assert (await rig.after(lambda: path.write_text("x"), heard))[0]


async def test_a_file_in_the_place_of_a_parent_is_heard_and_survived(rig: Rig) -> None:
    path = rig.root / "a/file"
    path.parent.mkdir()
    heard = rig.hear(path)

    def file_for_folder() -> None:
        path.parent.rmdir()
        path.parent.touch()

    def folder_for_file() -> None:
        path.parent.unlink()
        path.parent.mkdir()

    assert (await rig.after(file_for_folder, heard))[0]
    assert (await rig.after(folder_for_file, heard))[0]
    assert (await rig.after(path.touch, heard))[0]


async def test_a_link_is_heard_when_it_is_swapped_and_when_its_target_changes(rig: Rig) -> None:
    (rig.root / "one").write_text("1")
    (rig.root / "two").write_text("2")
    link = rig.root / "link"
    link.symlink_to("one")
    heard = rig.hear(link)
    assert (await rig.after(lambda: (rig.root / "one").write_text("x"), heard))[0]

    def swap() -> None:
        (rig.root / "fresh").symlink_to(rig.root / "two")
        (rig.root / "fresh").rename(link)

    assert (await rig.after(swap, heard))[0]
    assert (await rig.after(lambda: (rig.root / "two").write_text("x"), heard))[0]
    assert await rig.after(lambda: (rig.root / "one").write_text("y"), heard) == [0]
    assert (await rig.after(lambda: link.rename(rig.root / "away"), heard))[0]
    assert await rig.after(lambda: (rig.root / "two").write_text("y"), heard) == [0]


async def test_a_link_into_nothing_is_heard_when_its_target_appears(rig: Rig) -> None:
    (rig.root / "link").symlink_to("far/away/file")
    heard = rig.hear("link")
    assert (await rig.after(lambda: (rig.root / "far/away").mkdir(parents=True), heard))[0]
    assert (await rig.after(lambda: (rig.root / "far/away/file").touch(), heard))[0]


async def test_a_chain_of_links_is_followed_to_its_end(rig: Rig) -> None:
    (rig.root / "d").mkdir()
    (rig.root / "d/end").touch()
    (rig.root / "d/middle").symlink_to("../d/end")
    (rig.root / "first").symlink_to(rig.root / "d/middle")
    heard = rig.hear("first")
    assert (await rig.after(lambda: (rig.root / "d/end").write_text("x"), heard))[0]
    (rig.root / "other").touch()

    def swap() -> None:
        (rig.root / "d/middle").unlink()
        (rig.root / "d/middle").symlink_to("../other")

    assert (await rig.after(swap, heard))[0]
    assert (await rig.after(lambda: (rig.root / "other").write_text("x"), heard))[0]


async def test_a_volume_as_kubernetes_keeps_it_is_heard_at_each_swap(rig: Rig) -> None:
    def publish(version: str) -> None:
        (rig.root / version).mkdir()
        (rig.root / version / "config").write_text(version)
        (rig.root / "..data_tmp").symlink_to(version)
        (rig.root / "..data_tmp").rename(rig.root / "..data")

    publish("..1")
    (rig.root / "config").symlink_to("..data/config")
    heard = rig.hear("config")
    for before, now in (("..1", "..2"), ("..2", "..3")):
        assert (await rig.after(partial(publish, now), heard))[0]
        assert await rig.after(partial(shutil.rmtree, rig.root / before), heard) == [0]
        assert (await rig.after((rig.root / now / "config").touch, heard))[0]


async def test_a_parent_that_is_a_link_is_heard_when_it_is_swapped(rig: Rig) -> None:
    for name in ("one", "two"):
        (rig.root / name / "conf").mkdir(parents=True)
    (rig.root / "current").symlink_to("one")
    heard = rig.hear("current/conf/file")
    assert (await rig.after((rig.root / "one/conf/file").touch, heard))[0]

    def swap() -> None:
        (rig.root / "fresh").symlink_to("two")
        (rig.root / "fresh").rename(rig.root / "current")

    assert (await rig.after(swap, heard))[0]
    assert (await rig.after((rig.root / "two/conf/file").touch, heard))[0]
    assert await rig.after(lambda: (rig.root / "one/conf/file").write_text("x"), heard) == [0]


async def test_the_target_of_a_parent_link_is_heard_when_it_moves(rig: Rig) -> None:
    (rig.root / "x/y/real").mkdir(parents=True)
    (rig.root / "link").symlink_to("x/y/real")
    heard = rig.hear("link/file")
    assert (await rig.after(lambda: (rig.root / "x").rename(rig.root / "gone"), heard))[0]
    assert await rig.after((rig.root / "gone/y/real/file").touch, heard) == [0]
    assert (await rig.after(lambda: (rig.root / "x/y/real").mkdir(parents=True), heard))[0]
    assert (await rig.after((rig.root / "x/y/real/file").touch, heard))[0]


async def test_dots_are_followed_as_the_kernel_does(rig: Rig) -> None:
    (rig.root / "far/away").mkdir(parents=True)
    (rig.root / "link").symlink_to("far/away")
    heard = rig.hear("link/../file")
    assert (await rig.after((rig.root / "far/file").touch, heard))[0]
    assert await rig.after((rig.root / "file").touch, heard) == [0]


async def test_links_in_a_circle_end_nothing_and_leave_nothing(rig: Rig) -> None:
    (rig.root / "a").symlink_to("b")
    (rig.root / "b").symlink_to("a")
    (rig.root / "c").symlink_to("c/c")
    (rig.root / "here").symlink_to(".")
    (rig.root / "grows").symlink_to("here/grows/x")
    heard = [rig.hear(path) for path in ("a", "a/x", "c/x", "grows/x", "here/here/f", "grows")]
    assert all(await rig.after((rig.root / "f").touch, heard[4]))

    def straighten() -> None:
        (rig.root / "b").unlink()
        (rig.root / "b").mkdir()
        (rig.root / "b/x").touch()

    assert all(await rig.after(straighten, *heard[:2]))
    for one in heard:
        one.subscription.stop()
    await rig.emptied()
    assert rig.watcher._tree.root.children.keys() == set()


async def test_a_link_that_leads_to_itself_by_an_ever_longer_path_ends_soon(rig: Rig) -> None:
    # it would end when the path is as long as paths can be: after minutes
    (rig.root / "a").mkdir()
    (rig.root / "b").symlink_to("a/../b/../b")
    heard = rig.hear("b/x")

    def straighten() -> None:
        (rig.root / "a").rename(rig.root / "aside")
        (rig.root / "a").symlink_to("aside/more/c")

    assert all(await rig.after(straighten, heard))


async def test_a_directory_is_heard_when_its_entries_change(rig: Rig) -> None:
    folder = rig.root / "conf.d"
    folder.mkdir()
    heard = rig.hear(f"{folder}/")
    file = folder / "10.conf"
    for change in (
        file.touch,
        lambda: file.chmod(0o600),
        lambda: file.rename(folder / "20.conf"),
        (folder / "20.conf").unlink,
        lambda: folder.chmod(0o700),
        folder.rmdir,
        folder.mkdir,
        file.touch,
    ):
        assert (await rig.after(change, heard))[0]


async def test_root_can_be_watched_like_any_directory(rig: Rig) -> None:
    heard = Heard(rig.watcher.path("/"))
    assert await rig.after(lambda: None, heard) == [0]
    heard.subscription.stop()


async def test_what_is_deep_in_a_directory_is_heard_if_recursive(rig: Rig) -> None:
    (rig.root / "tree/a/b").mkdir(parents=True)
    flat, deep = rig.hear("tree"), rig.hear("tree", recursive=True)
    file = rig.root / "tree/a/b/file"
    assert await rig.after(file.touch, flat) == [0]
    for change in (
        lambda: file.write_text("x"),
        lambda: file.chmod(0o600),
        lambda: (rig.root / "tree/a").rename(rig.root / "tree/z"),
        lambda: (rig.root / "tree/z/b/file").write_text("y"),
        lambda: shutil.copytree(rig.root / "tree/z", rig.root / "tree/copy/of/z"),
        lambda: (rig.root / "tree/copy/of/z/b/file").write_text("z"),
        lambda: (rig.root / "tree/m/n/o/p").mkdir(parents=True),
        (rig.root / "tree/m/n/o/p/q").touch,
    ):
        assert (await rig.after(change, deep))[0]


async def test_what_was_moved_out_of_a_tree_is_left_alone(rig: Rig) -> None:
    (rig.root / "tree/a/b").mkdir(parents=True)
    deep = rig.hear("tree", recursive=True)
    assert (await rig.after(lambda: (rig.root / "tree/a").rename(rig.root / "out"), deep))[0]
    assert await rig.after((rig.root / "out/b/file").touch, deep) == [0]


async def test_directories_that_appear_while_they_are_looked_at_are_heard(rig: Rig) -> None:
    """Trees are built in a thread while events are read; every last file has to be watched."""
    deep = rig.hear("tree", recursive=True)

    def build() -> None:
        for number in range(40):
            os.makedirs(rig.root / f"tree/{number % 5}/{number}/x/y")

    await asyncio.to_thread(build)
    await rig.emptied()
    for number in range(40):
        file = rig.root / f"tree/{number % 5}/{number}/x/y/file"
        assert (await rig.after(file.touch, deep))[0], number


async def test_two_subscriptions_to_one_file_hear_both_and_stop_alone(rig: Rig) -> None:
    one, two, three = rig.hear("file"), rig.hear("file"), rig.hear("other")
    assert await rig.after((rig.root / "file").touch, one, three) != [0, 0]
    assert all(await rig.after(lambda: (rig.root / "file").write_text("x"), one, two))
    one.subscription.stop()
    told = await rig.after(lambda: (rig.root / "file").write_text("y"), one, two)
    assert told[0] == 0
    assert told[1]


async def test_a_directory_by_two_paths_is_heard_by_both(rig: Rig) -> None:
    (rig.root / "real").mkdir()
    (rig.root / "link").symlink_to("real")
    straight, linked = rig.hear("real/file"), rig.hear("link/file")
    inside = rig.hear("link")
    assert all(await rig.after((rig.root / "real/file").touch, straight, linked, inside))
    straight.subscription.stop()
    told = await rig.after(lambda: (rig.root / "real/file").write_text("x"), straight, linked)
    assert told[0] == 0
    assert told[1]


async def test_a_watch_is_for_a_directory_and_shared(rig: Rig) -> None:
    (rig.root / "link").symlink_to(".")
    before = len(rig.watcher._tree._watches)
    for number in range(100):
        rig.hear(f"file{number}")
        rig.hear(f"link/file{number}")
    assert len(rig.watcher._tree._watches) - before == len(rig.root.parts)


async def test_noise_beside_a_parent_wakes_nobody(rig: Rig) -> None:
    (rig.root / "a").mkdir()
    (rig.root / "noisy").touch()
    rig.hear("a/file")
    rig.hear("neighbour").subscription.stop()  # and with it the wish to hear all that happens here
    (rig.root / "noisy").write_text("x")
    (rig.root / "noisy").chmod(0o600)
    assert not rig.watcher._inotify.read()


async def test_a_subscription_may_be_stopped_by_another_one_that_is_told(rig: Rig) -> None:
    heard: list[str] = []
    subscriptions = {name: rig.watcher.path(rig.root / "file") for name in ("one", "two")}

    def stopper(name: str) -> Callable[[], None]:
        def stop_all() -> None:
            heard.append(name)
            for subscription in subscriptions.values():
                subscription.stop()

        return stop_all

    for name, subscription in subscriptions.items():
        subscription.start(stopper(name))
    (rig.root / "file").touch()
    (rig.root / "file").write_text("x")
    await rig.emptied()
    assert heard == ["one"]


async def test_a_subscription_may_begin_while_another_one_is_told(rig: Rig) -> None:
    later: list[Heard] = []
    rig.watcher.path(rig.root / "a").start(lambda: later.append(rig.hear("a/b")))
    (rig.root / "a").mkdir()
    await rig.emptied()
    assert all(await rig.after((rig.root / "a/b").touch, *later))


async def test_a_subscriber_that_fails_is_reported_and_keeps_nobody_else_from_hearing(
    rig: Rig,
) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["exception"])
    )
    first = rig.hear("file")

    def fail() -> None:
        raise ZeroDivisionError

    rig.watcher.path(rig.root / "file").start(fail)
    last = rig.hear("file")
    assert all(await rig.after((rig.root / "file").touch, first, last))
    assert isinstance(reported[0], ZeroDivisionError)


async def test_all_are_told_before_anybody_repairs(rig: Rig) -> None:
    heard = [rig.hear(f"file{number}") for number in range(500)]
    told: list[int] = []
    rig.watcher.after.append(lambda: told.append(sum(one.times > 0 for one in heard)))
    for number in range(500):
        (rig.root / f"file{number}").touch()
    await rig.emptied()
    assert told[0] == 500


async def test_stopping_twice_and_beginning_anew_are_fine_but_not_beginning_twice(rig: Rig) -> None:
    heard = rig.hear("file")
    with pytest.raises(RuntimeError, match="already watched"):
        heard.subscription.start(heard.add)
    heard.subscription.stop()
    heard.subscription.stop()
    assert await rig.after((rig.root / "file").touch, heard) == [0]
    heard.subscription.start(heard.add)
    assert (await rig.after(lambda: (rig.root / "file").write_text("x"), heard))[0]


async def test_stopping_gives_back_all_watches_and_directories(rig: Rig) -> None:
    (rig.root / "a/b").mkdir(parents=True)
    (rig.root / "link").symlink_to("a/b")
    heard = [rig.hear(path, recursive=True) for path in ("a", "a/b/c", "link", "link/../x/y")]
    for one in heard:
        one.subscription.stop()
    tree = rig.watcher._tree
    assert not tree._watches
    assert not tree.root.children
    assert not tree.stale


async def test_a_loop_hears_that_watching_began_and_then_of_changes_together(rig: Rig) -> None:
    path = rig.root / "file"
    async with aclosing(aiter(rig.watcher.path(path))) as changes:
        await anext(changes)
        path.touch()
        path.write_text("x")
        await anext(changes)
        path.unlink()
        await anext(changes)
    assert not rig.watcher._tree.root.children


async def test_many_are_heard_as_one_and_stop_as_one(rig: Rig) -> None:
    heard = Heard(Many(rig.watcher.path(rig.root / "a"), rig.watcher.path(rig.root / "b"), Still()))
    assert (await rig.after((rig.root / "a").touch, heard))[0]
    assert (await rig.after((rig.root / "b").touch, heard))[0]
    heard.subscription.stop()
    assert await rig.after((rig.root / "a").unlink, heard) == [0]


async def test_many_begin_together_or_not_at_all(rig: Rig) -> None:
    taken = rig.hear("b").subscription
    first = rig.watcher.path(rig.root / "a")
    with pytest.raises(RuntimeError):
        Many(first, taken).start(lambda: None)
    first.start(lambda: None)


async def test_nothing_ever_changes_for_what_is_still() -> None:
    heard = Heard(Still())
    heard.subscription.stop()
    async with aclosing(aiter(Still())) as changes:
        await anext(changes)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(changes)


async def test_a_relative_path_is_one_in_the_directory_of_then(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rig.root)
    heard = Heard(rig.watcher.path("file"))
    monkeypatch.chdir("/")
    assert (await rig.after((rig.root / "file").touch, heard))[0]


def test_a_path_with_a_nul_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match="must not have a NUL"):
        Watcher(Clock()).path("/etc\0/motd")


async def test_names_that_are_not_text_are_heard(rig: Rig) -> None:
    name = os.fsdecode(b"caf\xe9")
    heard, long = rig.hear(name), rig.hear("n" * 255)
    assert (await rig.after((rig.root / name).touch, heard))[0]
    assert (await rig.after((rig.root / ("n" * 255)).touch, long))[0]


async def test_closing_leaves_no_descriptor_and_no_callback(rig: Rig) -> None:
    await rig.emptied()
    before = set(os.listdir("/proc/self/fd"))
    watcher = Watcher(Clock())
    heard = Heard(watcher.path(rig.root / "file"))
    watcher.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert await rig.after((rig.root / "file").touch, heard) == [0]
    heard.subscription.stop()
    heard.subscription.start(heard.add)  # it can be used anew
    told = asyncio.Event()
    watcher.after.append(told.set)
    (rig.root / "file").write_text("x")
    await told.wait()
    assert heard.taken()
    watcher.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_nothing_is_opened_before_something_is_watched() -> None:
    before = os.listdir("/proc/self/fd")
    watcher = Watcher(Clock())
    subscription = watcher.path("/etc/motd")
    with pytest.raises(RuntimeError, match="no running event loop"):
        subscription.start(lambda: None)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    watcher.close()
