"""Processes by pattern, told by the kernel or looked at by a timer."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setpoint import ParamError
from setpoint.processes.proc import Selection
from setpoint.testing import FactSuite
from setpoint_sys import population as of_machine
from setpoint_sys.population import Population, Roll, Stir
from setpoint_sys.process import Process
from setpoint_sys.ticker import Ticker

NAME = f"fact{os.getpid() % 100000}"  # of this test's own programs


@pytest.fixture(params=["told", pytest.param("looked at", marks=pytest.mark.root)])
def way(request):
    """In a network of its own a process is told nothing, as in a container."""
    if request.param == "looked at":
        request.getfixturevalue("private")(net=True)
    return request.param


def copied(source: str, target: Path) -> Path:
    """Make a copy, unless it is there: what runs cannot be written."""
    if not target.exists():
        shutil.copy(source, target)
    return target


@pytest.fixture
def programs(tmp_path):
    """Start programs, by default of one name; all end with the test."""
    started = []

    def start(*arguments: str, name: str = NAME, user: int | None = None) -> subprocess.Popen:
        path = shutil.which("sleep")
        if user is None:  # others may not look into our directory
            path = copied(path, tmp_path / name)
        started.append(subprocess.Popen([name, "600", *arguments], executable=path, user=user))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


class TestProcess(FactSuite):
    @pytest.fixture
    def fact(self, host, way, programs):
        self.start, self.running = programs, None
        return Process(f"^{NAME}$", every=0.1, _host=host)

    async def change(self, fact):
        if self.running:
            self.running.kill()
            self.running.wait()
            self.running = None
        else:
            self.running = self.start()


async def test_processes_are_told_as_they_come_and_go(host, way, programs, follow):
    async with follow(Process(f"^{NAME}$", every=0.1, _host=host)) as values:
        value = await values.next()
        assert (value.count, value.pids) == (0, [])
        first = programs()
        assert (await values.next()).pids == [first.pid]
        second = programs()
        assert (await values.next()).pids == sorted([first.pid, second.pid])
        first.kill()  # it is not waited for: what has ended does not count
        value = await values.next()
        assert (value.count, value.pids) == (1, [second.pid])


async def test_in_a_storm_of_processes_none_is_missed(host, way, programs, follow):
    async with follow(Process(f"^{NAME}$", every=0.1, _host=host)) as values:
        await values.next()
        started = [programs() for _ in range(60)]
        for process in started[::2]:
            process.kill()
        expected = [process.pid for process in started[1::2]]
        assert (await values.until(lambda value: value.pids == sorted(expected))).count == 30


async def test_what_happens_during_a_look_is_taken_over(monkeypatch):
    looking, go = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(of_machine, "fits", lambda selection, pid: pid != 13)
    population = Population(None)
    population.is_told = True

    async def scan() -> set[int]:
        looking.set()
        await go.wait()
        return {1, 2, 13}

    roll = Roll(Selection(), population, scan)
    reading = asyncio.ensure_future(roll.read())
    await looking.wait()
    assert not roll.note(
        Stir({3, 13}, {2, 3})
    )  # 2 has ended, 3 was given to another, 13 was renamed
    go.set()
    assert await reading == [1, 3]
    assert roll.note(Stir({4}, set()))
    assert not roll.note(Stir({13}, {99}))
    assert await roll.read() == [1, 3, 4]
    assert roll.note(None)  # something was lost
    assert await roll.read() == [1, 2, 13]


async def test_the_command_line_can_be_searched(host, way, programs, follow):
    programs()
    second = programs("0.25")
    async with follow(
        Process(rf"{NAME} 600 0\.25$", cmdline=True, every=0.1, _host=host)
    ) as values:
        assert (await values.next()).pids == [second.pid]
        third = programs("0.25")
        assert (await values.next()).pids == sorted([second.pid, third.pid])


@pytest.mark.root
async def test_the_user_can_be_named(host, programs, follow):
    mine, other = programs(), programs(user=65534)
    for user, pids in (("nobody", [other.pid]), ("0", [mine.pid]), ("no-such-user", [])):
        fact = Process(f"^{NAME} 600$", cmdline=True, user=user, every=0.1, _host=host)
        async with follow(fact) as values:
            assert (await values.next()).pids == pids


async def test_a_name_longer_than_the_kernel_keeps_is_known_whole(host, programs, follow):
    name = "a-name-of-more-than-fifteen-bytes"
    async with follow(Process(f"^{name}$", every=0.1, _host=host)) as values:
        assert (await values.next()).count == 0
        process = programs(name=name)
        assert (await values.until(lambda value: value.count)).pids == [process.pid]


async def test_this_program_does_not_count(host, follow):
    async with follow(Process("python|pytest", _host=host)) as values:
        assert os.getpid() not in (await values.next()).pids
    async with follow(Process("", _host=host)) as values:
        assert os.getppid() in (await values.next()).pids


async def test_where_the_kernel_tells_nothing_is_done_in_between(host, follow):
    if os.geteuid():
        pytest.skip("the kernel may tell root only")
    async with follow(Process("^nothing$", _host=host)) as values:
        await values.next()
        assert host.shared(Ticker).timers == 0


def test_a_pattern_must_be_one():
    with pytest.raises(
        ParamError, match=r"^name must be a regular expression, not '\(': missing \)"
    ):
        Process("(")


def test_psutil_is_imported_when_it_is_needed():
    modules = "cpu datetime disks exec file hostname load memory net os process udev uptime users"
    names = ", ".join(f"setpoint_sys.{name}" for name in modules.split())
    code = (
        f"import sys, {names}; print(sorted({{'psutil', 'pyudev', 'zoneinfo'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
