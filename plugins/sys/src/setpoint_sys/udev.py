"""The fact `udev`."""

from collections.abc import AsyncGenerator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from setpoint import Fact, Values
from setpoint_sys.devices import Devices, libudev
from setpoint_sys.reading import follow, patiently


class Device(Values):
    """A device.

    name: as the kernel calls it, within its subsystem: sda, ttyUSB0, 1-1.4.
    path: its directory in /sys, which no two share.
    subsystem: of the kernel: block, net, usb.
    node: its file in /dev; empty without one.
    driver: that drives it; empty without one.
    properties: what the kernel and the rules of udev know of it: ID_BUS, ID_SERIAL_SHORT, DEVLINKS.
    """

    name: str
    path: str
    subsystem: str
    node: str
    driver: str
    properties: dict[str, str]


class Udev(Fact):
    """The devices of a subsystem, in the order of their paths, with their properties.

    The kernel tells of devices that come, go and change; where udevd runs, it does so after its rules.

    name: the subsystem: block, net, tty, usb, cpu. Empty is all of them, which takes a tenth of a second.
    match: properties that a device must have, with a value or a pattern as the shell has them: ID_BUS, usb or
        ID_SERIAL, Logitech*. Empty is any device.

    Source: udev(7), libudev(3), Documentation/ABI/stable/sysfs-devices.
    """

    kind = "udev"
    Value = list[Device]
    match: dict[str, str] = msgspec.field(default_factory=dict)

    def watch(self) -> AsyncGenerator[list[Device], None]:
        """Yield the devices, then what they have become."""
        changes = self.host.shared(Devices).of(self.name)
        return follow(changes, lambda: patiently(self, self._look), needs=libudev)

    def _look(self) -> list[Device]:
        import pyudev  # type: ignore[import-untyped]  # it has no types

        only = {"subsystem": self.name} if self.name else {}
        found = map(device, pyudev.Context().list_devices(**only))
        return sorted(filter(self._fits, found), key=lambda one: one.path)

    def _fits(self, one: Device) -> bool:
        return all(
            name in one.properties and fnmatchcase(one.properties[name], pattern)
            for name, pattern in self.match.items()
        )


def device(found: Any) -> Device:
    """Return what is told of a device of pyudev."""
    return Device(
        name=found.sys_name,
        path=found.sys_path,
        subsystem=found.subsystem or "",
        node=found.device_node or "",
        driver=found.driver or "",
        properties=dict(found.properties),
    )
