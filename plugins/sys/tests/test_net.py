"""The network, in one of its own: links, addresses and routes, told by the kernel."""

import os
import sys

import pytest

from setpoint.testing import FactSuite
from setpoint_sys.net import Net, Route, default_v4, default_v6
from setpoint_sys.netlink import Network

pytestmark = pytest.mark.root


@pytest.fixture
def wired(private, ip):
    """Two interfaces that are one cable, in a network of this test's own."""
    private(net=True)
    ip("link set lo up")
    ip("link add one type veth peer name two")
    ip("link set one address 02:00:00:00:00:01")


class TestNet(FactSuite):
    @pytest.fixture
    def fact(self, host, wired, ip):
        self.ip, self.number = ip, 0
        return Net(_host=host)

    async def change(self, fact):
        self.number += 1
        self.ip(f"addr add 192.0.2.{self.number}/24 dev one")


async def test_links_addresses_and_routes_are_told_as_they_change(host, wired, ip, follow):
    async with follow(Net(_host=host)) as values:
        first = await values.next()
        assert (first.ip, first.ip6, first.gateway, first.interface) == ("", "", "", "")
        assert list(first.interfaces) == ["lo", "one", "two"]
        one = first.interfaces["one"]
        assert (one.up, one.loopback, one.mac, one.addresses) == (
            False,
            False,
            "02:00:00:00:00:01",
            [],
        )
        assert first.interfaces["lo"].loopback
        assert first.interfaces["lo"].mac == ""
        ip("link set one up")
        ip("link set two up")
        await values.until(lambda value: value.interfaces["one"].up)
        ip("addr add 192.0.2.7/24 dev one")
        found = await values.until(lambda value: value.interfaces["one"].ip)
        assert found.interfaces["one"].ip == "192.0.2.7"
        assert found.interfaces["one"].addresses[0] == "192.0.2.7/24"
        assert found.ip == ""
        ip("route add default via 192.0.2.1")
        found = await values.until(lambda value: value.ip)
        assert (found.ip, found.gateway, found.interface) == ("192.0.2.7", "192.0.2.1", "one")
        ip("route del default")
        assert (await values.until(lambda value: not value.ip)).interface == ""
        ip("link del one")
        assert list(
            (await values.until(lambda value: "one" not in value.interfaces)).interfaces
        ) == ["lo"]


async def test_ipv6_is_the_way_out_where_there_is_no_other(host, wired, ip, follow):
    for words in ("link set one up", "link set two up", "addr add 2001:db8::7/64 dev one nodad"):
        ip(words)
    ip("-6 route add default via 2001:db8::1 dev one")
    async with follow(Net(_host=host)) as values:
        found = await values.until(lambda value: value.ip)
    assert (found.ip, found.ip6, found.gateway) == ("2001:db8::7", "2001:db8::7", "2001:db8::1")
    assert found.interface == "one"
    assert "2001:db8::7/64" in found.interfaces["one"].addresses


async def test_the_route_with_the_lowest_metric_and_the_address_near_its_gateway_count(
    host, wired, ip, follow
):
    for name in ("one", "two"):
        ip(f"link set {name} up")
    ip("addr add 198.51.100.1/24 dev one")
    ip("addr add 192.0.2.7/24 dev one")
    ip("addr add 203.0.113.1/24 dev two")
    ip("route add default via 203.0.113.9 metric 200")
    ip("route add default via 192.0.2.1 metric 100")
    ip("route add unreachable default metric 50")
    async with follow(Net(_host=host)) as values:
        found = await values.next()
    assert (found.ip, found.gateway, found.interface) == ("192.0.2.7", "192.0.2.1", "one")


async def test_a_flood_that_the_socket_cannot_hold_is_not_missed(host, wired, ip, follow):
    async with follow(Net(_host=host)) as values:
        await values.next()
        lines = [f"addr add 10.{a}.{b}.1/32 dev one\n" for a in range(12) for b in range(250)]
        ip("-batch -", "".join(lines))  # the loop does not run meanwhile
        found = await values.until(lambda value: len(value.interfaces["one"].addresses) == 3000)
        assert found.interfaces["one"].ip == "10.0.0.1"


async def test_many_who_follow_it_share_one_socket(host, wired, follow):
    def sockets() -> int:
        with open("/proc/thread-self/net/netlink") as table:
            return sum(line.split()[1] == "0" and int(line.split()[3], 16) != 0 for line in table)

    facts = [Net(_host=host).watch() for _ in range(10)]
    for fact in facts:
        await anext(fact)
    assert sockets() == 1
    for fact in facts:
        await fact.aclose()
    assert sockets() == 0
    assert host.shared(Network)  # it can be begun anew


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is one of a little-endian machine")
def test_the_tables_of_routes_are_read_as_the_kernel_writes_them():
    v4 = [
        "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
        "ppp0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n",
        "eth1\t00000000\t010200C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n",  # not up
        "eth2\t00000000\t00000000\t0001\t0\t0\t1\t00000080\t0\t0\t0\n",  # half of everything
    ]
    assert default_v4(v4) == Route("ppp0", "")
    assert default_v4(v4[:1]) == Route("eth0", "192.0.2.1")
    assert default_v4([]) == Route()
    nobody, gateway = "0" * 32, "20010db8000000000000000000000001"
    v6 = [
        f"{nobody} 00 {nobody} 00 {nobody} ffffffff 00000001 00000000 00200200       lo\n",
        f"{nobody} 00 {nobody} 00 {gateway} 00000400 00000001 00000000 00000003     eth0\n",
    ]
    assert default_v6(v6) == Route("eth0", "2001:db8::1")
    assert default_v6(v6[:1]) == Route()
    assert os.path.exists("/proc/net/route")
