"""Message buses: one connection for each bus and host, however many resources speak over it.

    bus = self.host.shared(system_bus)
    [name] = await bus.call(HOSTNAMED, "/org/freedesktop/hostname1", PROPERTIES, "Get", "ss", HOSTNAMED, "Hostname")
    return bus.signals(Match(HOSTNAMED, "/org/freedesktop/hostname1", PROPERTIES, "PropertiesChanged"))

A plugin that uses it depends on `dbus-next`. From below:

- `errors` says what a refused call raises.
- `connection` is one connection by dbus-next, with what it lacks mended; it lasts until it is lost.
- `bus` keeps one: it connects again, listens again, and repeats calls that were under way.
- `systemd` calls systemd, `units` has the names and states of its units, `jobs` waits for what it was asked to do,
  `changes` tells who watches a unit; `manager` is all of it, and `effects` sees that what it did had its effect.
"""

from setpoint.dbus.bus import Bus, Match, system_bus, user_bus
from setpoint.dbus.errors import CallError

__all__ = ["PROPERTIES", "Bus", "CallError", "Match", "system_bus", "user_bus"]

PROPERTIES = "org.freedesktop.DBus.Properties"
