"""Devices, as the kernel and udevd tell of them."""

from pathlib import Path

import pytest

from setpoint.testing import FactSuite
from setpoint.testing.namespaces import mount
from setpoint_sys.udev import Udev

pytestmark = pytest.mark.root


@pytest.fixture
def wired(private):
    """A network of this test's own, and a /sys that shows it."""
    private(net=True)
    mount("sysfs", "/sys", "sysfs")


class TestUdev(FactSuite):
    @pytest.fixture
    def fact(self, host, wired, ip):
        self.ip, self.is_there = ip, False
        return Udev("net", _host=host)

    async def change(self, fact):
        self.ip("link del one" if self.is_there else "link add one type veth peer name two")
        self.is_there = not self.is_there


async def test_devices_are_told_as_they_come_and_go(host, wired, ip, follow):
    async with follow(Udev("net", _host=host)) as values:
        (first,) = await values.next()
        assert (first.name, first.path, first.subsystem) == (
            "lo",
            "/sys/devices/virtual/net/lo",
            "net",
        )
        assert (first.node, first.driver, first.properties["INTERFACE"]) == ("", "", "lo")
        ip("link add one type veth peer name two")
        found = await values.until(lambda devices: len(devices) == 3)
        assert [one.name for one in found] == ["lo", "one", "two"]
        ip("link del one")
        await values.until(lambda devices: len(devices) == 1)


async def test_properties_choose_among_them(host, wired, ip, follow):
    async with follow(
        Udev("net", match={"INTERFACE": "o*", "IFINDEX": "?*"}, _host=host)
    ) as values:
        assert await values.next() == []
        ip("link add one type veth peer name two")
        assert [one.name for one in await values.next()] == ["one"]


async def test_a_change_that_changes_nothing_is_no_value(host, follow):
    async with follow(Udev("mem", _host=host)) as values:
        found = await values.next()
        null = next(one for one in found if one.name == "null")
        assert (null.node, null.properties["DEVNAME"]) == ("/dev/null", "/dev/null")
        Path("/sys/class/mem/null/uevent").write_text("change")
        await values.none_for(0.3)


async def test_all_subsystems_can_be_had(host, follow):
    async with follow(Udev(match={"DEVNAME": "/dev/null"}, _host=host)) as values:
        assert [one.name for one in await values.next()] == ["null"]


async def test_where_udevd_runs_it_is_heard_after_its_rules(host, systemd_udev, ip, follow):
    rules = systemd_udev.root / "run/udev/rules.d"
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "99-fact.rules").write_text('SUBSYSTEM=="net", ENV{OF_A_RULE}="yes"\n')
    systemd_udev.run(["udevadm", "control", "--reload"])
    with systemd_udev.inside():
        async with follow(Udev("net", match={"OF_A_RULE": "yes"}, _host=host)) as values:
            assert await values.next() == []
            ip("link add one type veth peer name two")
            found = await values.until(lambda devices: "one" in [one.name for one in devices])
            assert all(one.properties["OF_A_RULE"] == "yes" for one in found)
            ip("link del one")
            await values.until(lambda devices: devices == [])
