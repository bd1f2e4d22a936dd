"""Load, uptime, memory and processors: what the kernel tells nobody, and the number of processors, which it does."""

import mmap
import os
import sys
from pathlib import Path

import pytest

from setpoint import Refused
from setpoint.testing import FactSuite
from setpoint.testing.namespaces import mount
from setpoint_sys.cpu import ONLINE, Cpu, Meter, in_list
from setpoint_sys.load import Load
from setpoint_sys.memory import Memory, memory
from setpoint_sys.uptime import Uptime

MS_BIND = 0x1000


class TestLoad(FactSuite):
    moves = False

    @pytest.fixture
    def fact(self, host):
        return Load(_host=host)


class TestUptime(FactSuite):
    moves = False

    @pytest.fixture
    def fact(self, host):
        return Uptime(_host=host)


class TestMemory(FactSuite):
    @pytest.fixture
    def fact(self, host):
        self.taken = []
        yield Memory(every=0.1, _host=host)
        for block in self.taken:
            block.close()

    async def change(self, fact):
        block = mmap.mmap(-1, 8 << 20)
        block.write(bytes(8 << 20))
        self.taken.append(block)


@pytest.mark.root
class TestCpu(FactSuite):
    """The kernel's event is a real one; which processors are online is written into a file over its own."""

    @pytest.fixture
    def fact(self, host, private, tmp_path):
        private()
        self.online = tmp_path / "online"
        self.online.write_text("0-1\n")
        mount(str(self.online), ONLINE, "", flags=MS_BIND)
        return Cpu(every=3600, _host=host)

    async def change(self, fact):
        self.online.write_text("0-1\n" if self.online.read_text() == "0-3,7\n" else "0-3,7\n")
        Path("/sys/devices/system/cpu/cpu0/uevent").write_text("change")


async def test_the_load_is_that_of_the_kernel(host, follow):
    async with follow(Load(_host=host)) as values:
        value = await values.next()
    assert value.x15 == pytest.approx(os.getloadavg()[2], abs=0.1)


async def test_the_load_is_looked_at_every_five_seconds(
    virtual_host, virtual_clock, follow, monkeypatch
):
    looks = []

    def averages():
        looks.append(virtual_clock.monotonic())
        return float(len(looks)), 0.123, 0.0

    monkeypatch.setattr(os, "getloadavg", averages)
    async with follow(Load(_host=virtual_host)) as values:
        told = [await values.next() for _ in range(100)]
    assert [value.x1 for value in told] == list(range(1, 101))
    assert told[0].x5 == 0.12
    assert looks[-1] - looks[1] == pytest.approx(98 * 5, abs=1)


async def test_the_uptime_moves(host, follow):
    async with follow(Uptime(every=0.1, _host=host)) as values:
        first, second = await values.next(), await values.next()
    assert second.seconds == first.seconds + 1
    assert second.boot == first.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.seconds == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=5)


def test_the_memory_is_what_the_table_says():
    table = """\
MemTotal:        4000000 kB
MemFree:          500000 kB
MemAvailable:    3000000 kB
SwapTotal:       1000000 kB
SwapFree:         750000 kB
HugePages_Total:       0
"""
    value = memory(table)
    assert (value.total, value.available, value.free) == (4096000000, 3072000000, 512000000)
    assert (value.used, value.used_percent) == (1024000000, 25.0)
    assert (value.swap_total, value.swap_used, value.swap_percent) == (1024000000, 256000000, 25.0)


def test_without_swap_none_of_it_is_used():
    table = "MemTotal: 10 kB\nMemFree: 1 kB\nMemAvailable: 11 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    value = memory(table)
    assert (value.available, value.used, value.swap_percent) == (10 << 10, 0, 0.0)


def test_the_memory_is_that_of_the_machine():
    psutil = pytest.importorskip("psutil")
    value, other = memory(Path("/proc/meminfo").read_text()), psutil.virtual_memory()
    assert value.total == other.total
    assert value.available == pytest.approx(other.available, rel=0.2)


@pytest.mark.parametrize(
    ("text", "number"), [("0\n", 1), ("0-1", 2), ("0-3,7", 5), ("0,2,4-5\n", 4), ("", 0)]
)
def test_processors_are_counted_in_lists(text, number):
    assert in_list(text) == number


async def test_the_number_of_processors_is_that_which_is_online(host, follow):
    async with follow(Cpu(_host=host)) as values:
        value = await values.next()
    assert value.count == os.sysconf("SC_NPROCESSORS_ONLN")


async def test_without_libudev_it_is_said_what_to_install(host, follow, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyudev", None)
    async with follow(Cpu(_host=host)) as values:
        with pytest.raises(Refused, match=r"^devices are told by libudev, .*; install libudev1$"):
            await values.next()


def test_the_usage_is_taken_between_two_looks():
    meter = Meter()
    assert 0 <= meter.read() <= 100  # since boot
    until = sum(os.times()[:2]) + 0.1
    while sum(os.times()[:2]) < until:
        pass
    busy = meter.read()
    assert 100 / (os.cpu_count() or 1) / 2 < busy <= 100
    assert meter.read() == pytest.approx(
        busy, abs=100
    )  # a look too soon after another is no trouble


async def test_the_usage_is_looked_at_by_a_timer(host, follow):
    async with follow(Cpu(every=0.1, _host=host)) as values:
        for _ in range(3):
            assert 0 <= (await values.next()).usage <= 100
