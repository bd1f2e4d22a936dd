"""Hosts of one world share values and resources: written when they differ, withdrawn when nobody declares them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from setpoint.declarations import Declaration, Source
from setpoint.errors import SetpointError
from setpoint.expressions import UNKNOWN
from setpoint.following import Facts
from setpoint.host import Host
from setpoint.sharing import (
    PREFIX,
    Exported,
    Shared,
    Sharing,
    Snapshot,
    World,
    bring_in_line,
    exported,
    snapshot,
    unshared,
)
from setpoint.testing import FactSuite
from setpoint.values import Ref, Secret, Text
from setpoint.world import ConflictError, Entry, Write

CANARY = "s3cr3t-canary"
MOTD = Exported(kind="file", name="/etc/motd", params={"content": "hello"}, hosts=("web*",))


class TestWorld(FactSuite):
    @pytest.fixture
    def fact(self, host):
        self.count = 0
        return World(_host=host)

    async def change(self, fact):
        self.count += 1
        await bring_in_line(fact.host, "web", Shared({"count": self.count}))


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Callable[[str], Host]]:
    """Return what makes a host of one world."""
    made: list[Host] = []

    def make(name: str) -> Host:
        made.append(Host(state=tmp_path / "state", name=name))
        return made[-1]

    yield make
    for host in made:
        host.close()


class Seen:
    """What a host sees of the world, as a run follows it."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.facts = Facts(lambda name: self._news.set(), lambda *_: self._news.set())

    @property
    def now(self) -> Snapshot:
        return self.facts.values.get("world", Snapshot())

    async def until(self, reached: Callable[[Snapshot], bool]) -> Snapshot:
        async with asyncio.timeout(10):
            while not reached(self.now):
                self._news.clear()
                await self._news.wait()
        return self.now


@asynccontextmanager
async def seen_by(host: Host) -> AsyncIterator[Seen]:
    seen = Seen()
    seen.facts.want({"world": World(_host=host)})
    try:
        yield seen
    finally:
        await seen.facts.close()


async def shared(host: Host) -> Snapshot:
    found, unread = snapshot(await host.world.entries(PREFIX))
    assert unread == []
    return found


# -- the world


async def test_entries_are_those_below_a_prefix_and_no_others(host):
    world = host.world
    assert await world.entries("") == {}
    for key in ("a", "a/", "a/b", "a/b/\U0001f511", "a0", "b", "A/b"):
        await world.set(key, key)
    assert list(await world.entries("a/")) == ["a/", "a/b", "a/b/\U0001f511"]
    assert len(await world.entries("")) == 7


async def test_writes_are_done_together_or_not_at_all(host):
    world = host.world
    first = await world.write(Write("a", "1", 0), Write("b", "2", 0))
    assert await world.entries("") == {"a": Entry("1", first), "b": Entry("2", first)}
    with pytest.raises(ConflictError, match="'b' was to be at revision 0"):
        await world.write(Write("a", "x"), Write("c", "x"), Write("b", "x", 0))
    assert await world.entries("") == {"a": Entry("1", first), "b": Entry("2", first)}
    await world.write(Write("a", None, first), Write("b", "3", first))
    assert await world.entries("") == {"b": Entry("3", first + 1)}


# -- what hosts see of each other


async def test_hosts_see_each_others_values_within_milliseconds(hosts):
    one, two = hosts("one"), hosts("two")
    async with seen_by(two) as seen:
        await bring_in_line(one, "web", Shared({"backend": {"addr": "10.0.0.1:80"}}, [MOTD]))
        await bring_in_line(two, "web", Shared({"backend": {"addr": "10.0.0.2:80"}}))
        found = await seen.until(lambda now: len(now.published.get("backend", {})) == 2)
        assert found.published == {
            "backend": {"one": {"addr": "10.0.0.1:80"}, "two": {"addr": "10.0.0.2:80"}}
        }
        assert found.exported == {"one": {"file /etc/motd": MOTD}}
        times = []
        for number in range(10):
            await bring_in_line(one, "web", Shared({"backend": number}))
            began = time.perf_counter()
            await seen.until(lambda now, n=number: now.published["backend"].get("one") == n)
            times.append(time.perf_counter() - began)
        assert sorted(times)[5] < 0.1, times


async def test_only_what_differs_is_written(hosts):
    host = hosts("one")
    wanted = Shared({"a": 1, "b": {"x": 1, "y": 2}}, [MOTD])
    await bring_in_line(host, "web", wanted)
    before = await host.world.entries(PREFIX)
    await bring_in_line(host, "web", wanted)
    await bring_in_line(host, "web", Shared({"b": {"y": 2, "x": 1}, "a": 1}, [MOTD]))
    assert await host.world.entries(PREFIX) == before
    await bring_in_line(host, "web", Shared({"a": 1, "b": 5}, [MOTD]))
    after = await host.world.entries(PREFIX)
    assert {key for key in after if after[key] != before[key]} == {"shared/one/publish/b"}


async def test_what_is_declared_no_more_is_withdrawn(hosts):
    one, two = hosts("one"), hosts("two")
    for host in (one, two):
        await bring_in_line(host, "web", Shared({"a": 1, "b": 2}, [MOTD]))
    await bring_in_line(one, "web", Shared({"b": 2}))
    assert await shared(two) == Snapshot(
        published={"a": {"two": 1}, "b": {"one": 2, "two": 2}},
        exported={"two": {"file /etc/motd": MOTD}},
    )


async def test_what_is_not_known_yet_stays_as_it_is(hosts):
    host = hosts("one")
    other = Exported(kind="noop", name="x")
    await bring_in_line(host, "web", Shared({"a": 1}, [MOTD, other]))
    stays = {MOTD.id}.__contains__
    await bring_in_line(host, "web", Shared({"a": UNKNOWN, "b": UNKNOWN}, [], stays))
    found = await shared(host)
    assert found == Snapshot(published={"a": {"one": 1}}, exported={"one": {MOTD.id: MOTD}})


async def test_graphs_on_one_host_leave_what_is_not_theirs(hosts):
    host = hosts("one")
    await bring_in_line(host, "web", Shared({"a": 1, "same": 1}))
    problems = await bring_in_line(host, "db", Shared({"a": 2, "b": 2}))
    assert problems == [
        "publish a: the graph 'web' shares it on this host already, so it stays as it is; take it "
        "out of one, or run `setpoint world forget 'shared/one/publish/a'`"
    ]
    assert (await shared(host)).published == {"a": {"one": 1}, "b": {"one": 2}, "same": {"one": 1}}
    await bring_in_line(host, "db", Shared())
    assert (await shared(host)).published == {"a": {"one": 1}, "same": {"one": 1}}
    await bring_in_line(host, "web", Shared())
    assert await shared(host) == Snapshot()


async def test_an_entry_of_another_version_is_told_and_left_alone(hosts, caplog):
    host = hosts("one")
    wrong = {"publish/a": "{", "publish/b": '{"value": 1}', "new/c": '{"owner": "w", "value": 1}'}
    for key, value in wrong.items():
        await host.world.set(f"shared/one/{key}", value)
    async with seen_by(host) as seen:
        problems = await bring_in_line(host, "web", Shared({"a": 1, "c": 1}))
        assert [problem.partition(" shares")[0] for problem in problems] == [
            "publish a: something that this version cannot read"
        ]
        await seen.until(lambda now: now.published == {"c": {"one": 1}})
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"shared/one/{key} cannot be read, it is left out" for key in sorted(wrong)
    ]
    await bring_in_line(host, "web", Shared())
    assert len(await host.world.entries(PREFIX)) == 3


# -- keeping it in line


async def settled(sharing: Sharing) -> None:
    """Wait until all is written."""
    assert sharing._task is not None
    await asyncio.wait([sharing._task], timeout=10)


async def test_what_was_asked_for_last_is_shared_in_the_end(hosts):
    host, told = hosts("one"), []
    sharing = Sharing(host, "web", told.append)
    for number in range(50):
        sharing.share(Shared({"a": number}))
        await asyncio.sleep(0)
    await settled(sharing)
    assert (await shared(host)).published == {"a": {"one": 49}}
    sharing.share(Shared({"a": 50, "b": 1}))
    await sharing.close()
    assert (await shared(host)).published == {
        "a": {"one": 50},
        "b": {"one": 1},
    }  # an end withdraws nothing
    assert told == []


async def test_a_damaged_world_is_told_and_written_once_it_can_be(hosts, monkeypatch):
    host, told = hosts("one"), asyncio.Queue()
    host.state.mkdir(parents=True)
    path = host.state / "world.db"
    path.write_bytes(b"x" * 5000)
    async with seen_by(host) as seen:
        await seen.until(lambda _: "world.db: file is not a data" in str(seen.facts.problems))
        sharing = Sharing(host, "web", told.put_nowait)
        sharing.share(Shared({"a": 1}))
        async with asyncio.timeout(10):
            assert "is not written: " in await told.get()
        path.unlink()
        await settled(sharing)
        await seen.until(lambda now: now.published == {"a": {"one": 1}})
    await sharing.close()
    assert told.empty()


async def test_the_name_of_a_host_is_a_part_of_keys(hosts):
    with pytest.raises(SetpointError, match="letters, digits, dots and hyphens, not 'a/b'"):
        Sharing(hosts("a/b"), "web", print)
    assert hosts("").name == os.uname().nodename.partition(".")[0]


# -- writers that race, and die

COUNTING = """
import asyncio, sys
from setpoint.host import Host
from setpoint.sharing import Shared, bring_in_line

async def main(state, name, owner, rounds):
    host = Host(state=state, name=name)
    for number in range(1, rounds + 1):
        await bring_in_line(host, owner, Shared({f"{owner}{i}": number for i in range(5)}))
        print(number, flush=True)
    host.close()

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


def counting(host: Host, name: str, owner: str, rounds: int) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", COUNTING, host.root, name, owner, str(rounds)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


async def test_processes_that_write_at_once_lose_nothing(hosts):
    host = hosts("one")
    pairs = [("one", "web"), ("one", "db"), ("two", "web"), ("two", "db")]
    processes = [counting(host, *pair, 20) for pair in pairs]
    for process in processes:
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
    found = (await shared(host)).published
    assert found == {
        f"{owner}{i}": {"one": 20, "two": 20} for owner in ("web", "db") for i in range(5)
    }


async def test_a_graph_that_two_processes_run_at_once_is_shared_whole(hosts):
    """It is not meant to be, and yet each change is the one's or the other's."""
    host = hosts("one")
    processes = [counting(host, "one", "web", 20) for _ in range(2)]
    for process in processes:
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
    assert (await shared(host)).published == {f"web{i}": {"one": 20} for i in range(5)}


async def test_after_a_kill_there_is_what_was_before_or_after_a_change(hosts):
    host = hosts("one")
    for round_ in range(4):
        process = counting(host, "one", "web", 1_000_000)
        assert process.stdout is not None
        for _ in range(1 + 3 * round_):
            last = await asyncio.to_thread(process.stdout.readline)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        values = {one["one"] for one in (await shared(host)).published.values()}
        assert len(values) == 1, values  # the five are one change
        assert values.pop() >= int(last)
    await bring_in_line(host, "web", Shared({"web0": 0}))
    assert (await shared(host)).published == {"web0": {"one": 0}}


async def test_many_keys_cost_what_differs(hosts):
    host = hosts("one")
    many: dict[str, Any] = {f"v{number}": {"number": number} for number in range(5_000)}
    began = time.perf_counter()
    await bring_in_line(host, "web", Shared(many))
    first = time.perf_counter() - began
    before = (await host.world.entries(PREFIX)).values()
    began = time.perf_counter()
    await bring_in_line(host, "web", Shared({**many, "v7": 0}))
    again = time.perf_counter() - began
    after = (await host.world.entries(PREFIX)).values()
    assert len({entry.revision for entry in after} - {entry.revision for entry in before}) == 1
    assert first < 5, first
    assert again < 1, again
    with pytest.raises(SetpointError, match="up to 10000 values and resources, not 10001"):
        await bring_in_line(host, "web", Shared(dict.fromkeys(map(str, range(10_001)))))


# -- what can be shared


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"a": [1, 2.5, "x", True, None, 1 << 200]}, ""),
        (Secret(CANARY), "has a secret in it, "),
        ({"a": [Secret(CANARY)]}, "has a secret in it, "),
        ({"a": Text(("x", Secret(CANARY)))}, "has a secret in it, "),
        ([Ref("password db", "password")], "has what another resource sends in it, "),
        (float("nan"), "has infinity or a key in it that"),
        ([float("inf")], "has infinity or a key in it that"),
        ({"a": {1: 2}}, "has infinity or a key in it that"),
        (object(), "cannot be written as JSON, "),
        ("x" * 70_000, "must have up to 65536 bytes as JSON, not 70002; share less"),
    ],
)
def test_a_value_is_plain_json_and_no_secret(value, rule):
    found = unshared(value)
    assert found.startswith(rule) if rule else not found
    assert CANARY not in found


def declaration(
    meta: dict[str, Any] | None = None, name: str = "/etc/motd", **params: Any
) -> Declaration:
    return Declaration(f"file {name}", "file", name, params, Source("x"), meta=meta or {})


def test_a_resource_is_offered_as_it_is_declared():
    given = declaration({"noop": True}, content="hello", mode="0644")
    assert exported(given, ["web*"]) == Exported(
        kind="file",
        name="/etc/motd",
        params={"content": "hello", "mode": "0644"},
        meta={"noop": True},
        hosts=("web*",),
    )


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (declaration(content=Secret(CANARY)), "content has a secret in it, and all hosts can read"),
        (declaration(content=Ref("password db", "password")), "content has what another resource"),
        (declaration({"delay": float("inf")}), "meta.delay has infinity"),
        (declaration(name="/" + "x" * 5000), "its id must have up to 4096 characters"),
    ],
)
def test_a_resource_with_what_cannot_be_shared_is_not_offered(given, rule):
    with pytest.raises(SetpointError, match=rule) as caught:
        exported(given)
    assert CANARY not in str(caught.value)
