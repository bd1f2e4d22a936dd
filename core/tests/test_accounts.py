"""The users and groups of a machine: one parse for all who ask, and only those are told whom a change concerns."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint import ParamError, Refused
from setpoint.accounts import Accounts, Group, News, Shadow, Tables, User, check_name
from setpoint.accounts.tables import File, Groups
from setpoint.clock import Clock
from setpoint.host import Host
from setpoint.watching import Aimed


def tables(passwd: dict[str, str] | None = None, group: dict[str, str] | None = None,
           shadow: dict[str, str] | None = None) -> Tables:  # fmt: skip
    return Tables(passwd or {}, Groups(group or {}), shadow)


def test_a_line_is_what_the_manual_says() -> None:
    found = tables(
        {"ann": "x:1000:100:Ann,,:/home/ann:/bin/sh", "odd": "x:y"},
        {"web": "x:4000:ann,bob", "dev": "x:4001:ann", "none": "x:4002:"},
        {"ann": "$6$a:1:0:99999:7::22279:", "bob": "!:1:0:99999:7:::"},
    )
    assert found.user("ann") == User("ann", 1000, 100, "Ann,,", "/home/ann", "/bin/sh")
    assert (found.user("odd"), found.user("bob")) == (None, None)
    assert found.group("web") == Group("web", 4000, ("ann", "bob"))
    assert found.group("none") == Group("none", 4002, ())
    assert found.shadow("ann") == Shadow("$6$a", 22279)
    assert found.shadow("bob") == Shadow("!", None)
    assert found.groups_of("ann") == {"web", "dev"}
    assert (found.users_with(1000), found.groups_with(4001)) == (["ann"], ["dev"])


def test_what_is_secret_is_not_printed() -> None:
    assert "$6$a" not in repr(Shadow("$6$a", None))


def test_who_may_not_read_secrets_is_told() -> None:
    with pytest.raises(Refused, match="only root may read /etc/shadow; run setpoint as root"):
        tables().shadow("ann")


def test_a_trace_differs_with_what_it_is_of_and_nothing_else() -> None:
    before = tables({"ann": "a"}, {"web": "x:1:bob", "dev": "x:2:"}, {"ann": "s"})
    same = tables({"ann": "a", "bob": "b"}, {"web": "x:1:", "dev": "x:2:bob"}, {"ann": "s"})
    assert before.trace_of_user("ann", ["web"]) == same.trace_of_user("ann", ["web"])
    for other in (
        tables({"ann": "b"}, {"web": "x:1:"}, {"ann": "s"}),
        tables({"ann": "a"}, {"web": "x:2:"}, {"ann": "s"}),
        tables({"ann": "a"}, {"web": "x:1:ann"}, {"ann": "s"}),
        tables({"ann": "a"}, {"web": "x:1:"}, {"ann": "t"}),
        tables({"ann": "a"}, {}, {"ann": "s"}),
    ):
        assert other.trace_of_user("ann", ["web"]) != same.trace_of_user("ann", ["web"])
    assert before.trace_of_group("web") != same.trace_of_group("web")
    assert before.trace_of_group("none", ["bob"]) != same.trace_of_group("none", ["bob"])


class HandClock(Clock):
    """A clock that is moved by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_a_file_that_stands_still_is_read_no_more(tmp_path: Path) -> None:
    path, clock = tmp_path / "passwd", HandClock()
    path.write_text("ann:1\nbob:2\nann:3\n\nbroken\n")
    file = File(str(path), clock)
    assert file.read()
    assert file.entries == {"ann": "1", "bob": "2"}
    assert not file.is_fresh  # it may be written again within the same tick
    clock.now += 0.1
    assert not file.read()
    assert file.is_fresh
    entries = file.entries
    path.write_text("ann:2\n")
    assert not file.is_fresh
    assert file.read()
    assert file.entries is not entries


def test_a_change_within_a_tick_is_seen(tmp_path: Path) -> None:
    path, clock = tmp_path / "passwd", HandClock()
    path.write_text("ann:1\n")
    file = File(str(path), clock)
    file.read()
    before = path.stat()
    path.write_text("ann:2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not file.is_fresh
    file.read()
    assert file.entries == {"ann": "2"}


def test_a_file_that_is_missing_has_no_entries(tmp_path: Path) -> None:
    file = File(str(tmp_path / "none"), Clock())
    file.read()
    assert file.entries == {}


@pytest.mark.root
async def test_only_those_are_told_whom_a_change_concerns(
    private: Callable[..., None], host: Host
) -> None:
    private("/etc")
    accounts = host.shared(Accounts)
    told: asyncio.Queue[str] = asyncio.Queue()
    seen: dict[str, int] = {}
    followers = {}
    for name in ("root", "ann"):

        def sees(tables: Tables, name: str = name) -> bool:
            return tables.trace_of_user(name) != seen[name]

        followers[name] = News(accounts, sees)
        followers[name].start(lambda name=name: told.put_nowait(name))  # type: ignore[misc]
        seen[name] = (await accounts.read()).trace_of_user(name)
    for text in ("ann:x:4711:100::/:/bin/sh\n", "bob:x:4712:100::/:/bin/sh\n"):
        with Path("/etc/passwd").open("a") as file:
            file.write(text)
        async with asyncio.timeout(5):
            assert await told.get() == "ann"  # again, as long as nobody has looked
    assert told.empty()
    with pytest.raises(RuntimeError, match="it has begun already"):
        followers["ann"].start(lambda: None)
    for news in followers.values():
        news.stop()
        news.stop()


async def test_an_aimed_watch_follows_the_path_of_now(host: Host, tmp_path: Path) -> None:
    told = asyncio.Event()
    watch = Aimed(host.files.changes)
    watch.start(told.set)
    with pytest.raises(RuntimeError, match="it has begun already"):
        watch.start(told.set)
    for name in ("a", "b"):
        watch.aim(str(tmp_path / name))
        watch.aim(str(tmp_path / name))
        (tmp_path / name).touch()
        async with asyncio.timeout(5):
            await told.wait()
        told.clear()
    watch.stop()
    watch.aim(str(tmp_path / "c"))
    watch.start(told.set)
    (tmp_path / "c").touch()
    async with asyncio.timeout(5):
        await told.wait()
    watch.aim("")
    watch.stop()


@pytest.mark.parametrize("name", ["ann", "_x", "a.b-c_d", "A1", "pc$", ".x", "a" * 32])
def test_names_of_useradd_are_taken(name: str) -> None:
    check_name("name", name)


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a:b", "a/b", "..", ".", "12", "a\n", "a$b", "ä"]
)
def test_others_are_not(name: str) -> None:
    with pytest.raises(ParamError, match="name must"):
        check_name("name", name)
