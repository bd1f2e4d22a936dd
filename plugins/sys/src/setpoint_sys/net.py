"""The fact `net`."""

import ipaddress
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from setpoint import Fact, Values
from setpoint_sys.netlink import Network
from setpoint_sys.reading import follow, patiently

UP, REJECT = 0x1, 0x200  # flags of a route: RTF_UP, RTF_REJECT
BYTE_ORDER = -1 if sys.byteorder == "little" else 1
V4_ROUTES, V6_ROUTES = "/proc/net/route", "/proc/net/ipv6_route"


class Interface(Values):
    """A network interface.

    name: as the kernel calls it: eth0.
    up: whether it is set up and has a carrier.
    loopback: whether it leads to this machine only.
    mac: hardware address; empty where there is none.
    ip: its first IPv4 address, without a prefix; empty without one.
    addresses: all of it with the lengths of their prefixes, IPv4 first: 192.0.2.7/24, 2001:db8::7/64.
    mtu: bytes that a packet may have.
    speed: in Mbit/s; 0 where it is not known.
    """

    name: str
    up: bool
    loopback: bool
    mac: str
    ip: str
    addresses: list[str]
    mtu: int
    speed: int


class Net(Fact):
    """The interfaces of this machine, with their addresses, and the way out.

    The kernel tells of every change of a link, an address or a route.

    name: empty.

    Source: rtnetlink(7), netdevice(7), ipv6(7), Documentation/networking/proc_net_tcp.rst.
    """

    kind = "net"

    class Value(Values):
        """The network.

        ip: the address of the interface with the default route, of IPv4 if it has one, else of IPv6; empty without
            a default route.
        ip6: its global IPv6 address, if the default route of IPv6 leads there; else empty.
        gateway: where the default route leads, IPv4 before IPv6; empty if there is none, or nobody in between.
        interface: the name of that interface; empty without a default route.
        interfaces: all of them, by name.
        """

        ip: str
        ip6: str
        gateway: str
        interface: str
        interfaces: dict[str, Interface]

    def watch(self) -> AsyncGenerator["Net.Value", None]:
        """Yield the network, then what it has become."""
        return follow(self.host.shared(Network).listen(), lambda: patiently(self, network))


class Route(NamedTuple):
    """A default route: by which interface, and through whom ("" is directly)."""

    interface: str = ""
    gateway: str = ""


def network() -> Net.Value:
    """Return what there is now."""
    found = interfaces()
    v4 = default_v4(_lines(V4_ROUTES, "\t00000000\t"))
    v6 = default_v6(_lines(V6_ROUTES, f"{0:032x} 00 "))
    ip = address_of(found.get(v4.interface), 4, v4.gateway)
    ip6 = address_of(found.get(v6.interface), 6, "")
    return Net.Value(
        ip=ip or ip6,
        ip6=ip6,
        gateway=v4.gateway or v6.gateway,
        interface=v4.interface or v6.interface,
        interfaces=found,
    )


def interfaces() -> dict[str, Interface]:
    """Return all interfaces by name."""
    import psutil  # 20 ms

    addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    return {
        name: interface(name, addresses.get(name, ()), state)
        for name, state in sorted(states.items())
    }


def interface(name: str, addresses: Iterable[Any], state: Any) -> Interface:
    """Return an interface as psutil tells it."""
    import psutil

    macs = [one.address for one in addresses if one.family == psutil.AF_LINK]
    found = [with_prefix(one) for one in addresses if one.family != psutil.AF_LINK]
    found.sort(key=lambda one: one.version)
    return Interface(
        name=name,
        up=state.isup,
        loopback="loopback" in state.flags.split(","),
        mac=next((mac for mac in macs if mac.strip("0:")), ""),
        ip=next((str(one.ip) for one in found if one.version == 4), ""),
        addresses=[str(one) for one in found],
        mtu=state.mtu,
        speed=state.speed,
    )


def with_prefix(one: Any) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """Return an address of psutil with the length of its prefix."""
    address = one.address.partition("%")[0]  # of a link-local one, the interface follows
    if not one.netmask:
        return ipaddress.ip_interface(address)
    bits = int(ipaddress.ip_address(one.netmask)).bit_count()
    return ipaddress.ip_interface(f"{address}/{bits}")


def address_of(found: Interface | None, version: int, gateway: str) -> str:
    """Return the address that `found` has in the network of its gateway, else its first one that leads out."""
    if found is None:
        return ""
    known = [ipaddress.ip_interface(text) for text in found.addresses]
    usable = [one for one in known if one.version == version and not one.is_link_local]
    near = [one for one in usable if gateway and ipaddress.ip_address(gateway) in one.network]
    return next((str(one.ip) for one in (*near, *usable)), "")


def _lines(path: str, sign: str) -> Iterator[str]:
    """Yield the lines with `sign` in them: a router has a million, and few are default routes."""
    with suppress(FileNotFoundError), open(path, encoding="ascii") as file:  # without IPv6, say
        yield from (line for line in file if sign in line)


def default_v4(lines: Iterable[str]) -> Route:
    """Return the default route with the lowest metric, of `lines` as in /proc/net/route."""
    best, lowest = Route(), 1 << 32
    for line in lines:
        name, target, gateway, flags, _, _, metric, mask = line.split()[:8]
        if int(target, 16) == int(mask, 16) == 0 and usable(flags) and int(metric) < lowest:
            # The kernel prints a number of the processor's byte order, of an address in the network's.
            there = ipaddress.ip_address(bytes.fromhex(gateway)[::BYTE_ORDER])
            best, lowest = Route(name, "" if int(there) == 0 else str(there)), int(metric)
    return best


def default_v6(lines: Iterable[str]) -> Route:
    """Return the default route with the lowest metric, of `lines` as in /proc/net/ipv6_route."""
    best, lowest = Route(), 1 << 32
    for line in lines:
        target, length, _, _, gateway, metric, _, _, flags, name = line.split()[:10]
        if int(target, 16) == int(length, 16) == 0 and usable(flags) and int(metric, 16) < lowest:
            there = ipaddress.ip_address(bytes.fromhex(gateway))
            best, lowest = Route(name, "" if int(there) == 0 else str(there)), int(metric, 16)
    return best


def usable(flags: str) -> bool:
    """Whether a route with these flags, a hexadecimal number, lets packets pass."""
    return int(flags, 16) & (UP | REJECT) == UP
