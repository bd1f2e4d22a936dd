"""The bus, against a dbus-daemon that is killed, stopped, slow, and missing."""

import asyncio
import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setpoint.dbus import Bus, CallError, Match
from setpoint.dbus import bus as bus_module

DRIVER = "org.freedesktop.DBus"
OWNERS = Match(DRIVER, "/org/freedesktop/DBus", DRIVER, "NameOwnerChanged")


class Daemon:
    """A dbus-daemon of the test's own; a config of the system's, since that has the limits."""

    def __init__(self, directory: Path, limit: str = "") -> None:
        self.path = directory / "bus"
        self.address = f"unix:path={self.path}"
        self._config = directory / "bus.conf"
        self._config.write_text(f"""
            <busconfig><type>system</type><listen>{self.address}</listen><auth>EXTERNAL</auth>
            <policy context="default">
              <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
            </policy>{limit}</busconfig>
        """)
        self.start()

    def start(self) -> None:
        argv = ["dbus-daemon", f"--config-file={self._config}", "--print-address", "--nofork"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout
        assert self.process.stdout.readline()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process.poll() is None:
        daemon.process.send_signal(signal.SIGCONT)
        daemon.kill()


@pytest.fixture
async def bus(daemon: Daemon):
    before = sorted(os.listdir("/proc/self/fd"))
    bus = Bus(daemon.address)
    yield bus
    bus.close()
    await asyncio.sleep(0)
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before


async def names(bus: Bus, **options) -> list[str]:
    return (await bus.call(DRIVER, "/org/freedesktop/DBus", DRIVER, "ListNames", **options))[0]


async def own(bus: Bus, name: str) -> None:
    await bus.call(DRIVER, "/org/freedesktop/DBus", DRIVER, "RequestName", "su", name, 0)


async def test_a_call_is_answered(bus):
    assert DRIVER in await names(bus)


async def test_a_refused_call_says_what_was_refused_and_why(bus):
    with pytest.raises(CallError, match=r"Nothing was refused: .*Nothing") as caught:
        await bus.call(DRIVER, "/org/freedesktop/DBus", DRIVER, "Nothing")
    assert caught.value.reason == "UnknownMethod"


async def test_many_calls_at_once_are_all_answered(bus):
    answers = await asyncio.gather(*(names(bus) for _ in range(2000)))
    assert len(answers) == 2000


async def test_calls_larger_than_the_socket_are_answered(bus):
    rule = f"type='signal',arg0='{'x' * 900}'"
    many = [
        bus.call(DRIVER, "/org/freedesktop/DBus", "a.b" + ".c" * 100, "Nothing", "s", rule * 100)
        for _ in range(200)
    ]
    answers = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(answer, CallError) for answer in answers)
    assert await names(bus)


async def test_without_a_bus_the_first_call_says_so_at_once(tmp_path):
    bus = Bus(f"unix:path={tmp_path}/none")
    with pytest.raises(FileNotFoundError):
        await names(bus)
    bus.close()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, '<limit name="max_connections_per_user">1</limit>')
    yield daemon
    daemon.kill()


async def test_a_bus_that_does_not_let_us_in_says_so(lonely):
    first, second = Bus(lonely.address), Bus(lonely.address)
    await names(first)
    with pytest.raises(ConnectionError, match=r"does not let us in: .*connections"):
        await names(second)
    first.close()
    second.close()


@pytest.mark.parametrize("patience", [0.1, 10.0])
async def test_a_bus_that_hangs_or_hangs_up_is_no_bus(tmp_path, monkeypatch, patience):
    monkeypatch.setattr("setpoint.dbus.connection.AUTHENTICATION", patience)

    async def hang(reader, writer):
        await reader.readline()
        if patience < 1:
            await reader.read()  # until the other one closes
        writer.close()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_unix_server(hang, tmp_path / "bus")
    bus = Bus(f"unix:path={tmp_path}/bus")
    with pytest.raises(ConnectionError, match="does not let us in"):
        await names(bus)
    await done.wait()
    bus.close()
    server.close()
    await server.wait_closed()


async def test_a_call_without_an_answer_ends(bus, daemon):
    await names(bus)
    daemon.process.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError, match=r"DBus has not answered ListNames in 0\.2 s"):
        await names(bus, timeout=0.2)
    daemon.process.send_signal(signal.SIGCONT)
    assert await names(bus)


async def test_calls_that_nobody_waits_for_make_room_for_others(bus, daemon):
    await names(bus)
    daemon.process.send_signal(signal.SIGSTOP)
    late = await asyncio.gather(
        *(names(bus, timeout=0.2) for _ in range(200)), return_exceptions=True
    )
    assert all(isinstance(one, TimeoutError) for one in late)
    daemon.process.send_signal(signal.SIGCONT)
    assert await names(bus)


async def test_a_call_waits_while_the_bus_is_away(bus, daemon):
    await names(bus)
    daemon.kill()
    call = asyncio.create_task(names(bus))
    await asyncio.sleep(0.05)
    assert not call.done()
    daemon.start()
    assert DRIVER in await call


async def test_a_signal_is_heard(bus):
    changed = aiter(bus.signals(OWNERS._replace(argument="a.b")))
    await anext(changed)
    await asyncio.wait_for(anext(changed), 5)  # listening has begun
    await own(bus, "not.meant")
    await own(bus, "a.b")
    await asyncio.wait_for(anext(changed), 5)
    await changed.aclose()


async def test_who_listens_is_told_when_the_bus_is_back(bus, daemon):
    told: list[int] = []
    news = asyncio.Event()
    listening = bus.signals(OWNERS)

    def changed() -> None:
        told.append(1)
        news.set()

    listening.start(changed)
    for _ in range(20):
        await asyncio.wait_for(news.wait(), 5)
        news.clear()
        daemon.kill()
        daemon.start()
    await asyncio.wait_for(news.wait(), 5)
    news.clear()
    await own(bus, "after.all.that")
    await asyncio.wait_for(news.wait(), 5)
    listening.stop()


async def test_more_signals_can_be_listened_to_than_there_may_be_rules(bus, monkeypatch):
    heard = asyncio.Event()
    many = [OWNERS._replace(path=f"/none/{number}") for number in range(1000)]
    listening = [bus.signals(match) for match in (*many, OWNERS)]
    for one in listening[:-1]:
        one.start(lambda: None)
    listening[-1].start(heard.set)
    assert len(bus._rules) == bus_module.MOST_RULES + 1
    await asyncio.wait_for(heard.wait(), 5)
    heard.clear()
    await own(bus, "a.b")
    await asyncio.wait_for(heard.wait(), 5)
    for one in listening:
        one.stop()
    assert not bus._rules
    assert not bus._listeners


async def test_who_stopped_is_not_told(bus):
    told: list[int] = []
    listening = bus.signals(OWNERS)
    listening.start(lambda: told.append(1))
    await names(bus)
    listening.stop()
    told.clear()
    await own(bus, "a.b")
    assert not told


def test_a_bus_serves_one_loop_after_the_other(daemon):
    bus = Bus(daemon.address)
    assert DRIVER in asyncio.run(names(bus))
    assert DRIVER in asyncio.run(names(bus))
    bus.close()
