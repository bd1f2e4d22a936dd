"""What appears, stops, goes on and vanishes is noticed, with and without the kernel's help."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from setpoint.processes.connector import Connector
from setpoint_process import Process, observing
from setpoint_process.observing import observer

if TYPE_CHECKING:
    from conftest import Herd

    from setpoint.host import Host

Declare = Callable[..., Process]


def refuse(told: object) -> None:
    """Be a kernel that has no connector for us."""
    raise PermissionError(1, "Operation not permitted")


@pytest.fixture(params=["connector", "polling"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By what changes are noticed; where the kernel has no connector both are polling."""
    monkeypatch.setattr(observing, "INTERVAL", 0.02)
    if request.param == "polling":
        monkeypatch.setattr(observing, "Connector", refuse)
    return str(request.param)


class Listener:
    """A resource whose watch has begun, looked at once."""

    def __init__(self, resource: Process) -> None:
        self.resource, self._news = resource, asyncio.Event()
        self._watch = resource.watch()
        self._watch.start(self._news.set)
        self.look()

    def look(self) -> None:
        self.resource.check()
        self._news.clear()

    async def heard(self) -> None:
        """Wait until it is called, then look again."""
        await self._news.wait()
        self.look()

    def stop(self) -> None:
        self._watch.stop()


@pytest.fixture
async def listener(way: str, declare: Declare) -> AsyncIterator[Listener]:
    listener = Listener(declare("running"))
    yield listener
    listener.stop()


async def until(listener: Listener, pids: list[int]) -> None:
    """Wait until a look after a call finds just `pids`; a call too many is allowed."""
    while listener.resource.send().pids != sorted(pids):
        await listener.heard()


async def test_what_appears_and_what_vanishes_is_noticed(listener: Listener, herd: "Herd") -> None:
    pids = herd.sleepers(2)
    await until(listener, pids)
    os.kill(pids[0], signal.SIGKILL)
    await until(listener, pids[1:])


async def test_what_forks_without_a_new_program_is_noticed(
    listener: Listener, herd: "Herd", tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "never")
    herd.script(f"(read x < {tmp_path}/never) & wait")
    while len(listener.resource.send().pids) < 2:
        await listener.heard()
    herd.signal(signal.SIGKILL)
    await until(listener, [])


async def test_what_is_stopped_and_continued_by_others_is_noticed(
    listener: Listener, herd: "Herd"
) -> None:
    pids = herd.sleepers()
    await until(listener, pids)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        herd.signal(number)
        await listener.heard()
    assert not any(entry.is_paused for entry in herd.entries())


async def test_what_is_continued_by_others_is_paused_again(
    way: str, herd: "Herd", declare: Declare
) -> None:
    herd.sleepers()
    resource = declare("paused")
    listener = Listener(resource)
    await resource.check_apply(apply=True)
    herd.signal(signal.SIGCONT)
    while not await resource.check_apply(apply=True):
        await listener.heard()
    assert herd.states() == ["T"]
    listener.stop()


async def test_all_resources_of_a_host_share_one_observer_that_closes_with_the_last(
    host: "Host", declare: Declare
) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    first, second = Listener(declare("running")), Listener(declare("paused"))
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1
    first.stop()
    second.stop()
    assert sorted(os.listdir("/proc/self/fd")) == before
    again = Listener(declare("running"))
    assert observer(host) is again._watch.observer
    again.stop()


async def test_it_does_not_begin_twice(declare: Declare) -> None:
    listener = Listener(declare("running"))
    with pytest.raises(RuntimeError, match="begun already"):
        listener._watch.start(lambda: None)
    listener.stop()


async def test_if_the_kernel_lost_events_all_is_looked_at_again(declare: Declare) -> None:
    listener = Listener(declare("running"))
    listener._watch.observer._stir(set(), set(), True)
    await listener.heard()
    listener.stop()


async def test_the_kernel_tells_of_birth_and_death(herd: "Herd") -> None:
    news: asyncio.Queue[tuple[set[int], set[int], bool]] = asyncio.Queue()
    try:
        connector = Connector(lambda *args: news.put_nowait(args))
    except OSError:
        return  # in a container the kernel tells nobody; polling is tested above
    (pid,) = herd.sleepers()
    while pid not in (await news.get())[0]:
        pass
    herd.signal(signal.SIGKILL)
    while pid not in (await news.get())[1]:
        pass
    connector.close()
