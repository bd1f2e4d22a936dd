"""Settings of the kernel: only those that a namespace has of its own, so that the machine keeps its."""

import os
from pathlib import Path

import pytest

from setpoint import Need, ParamError, Refused, Thing
from setpoint.engine.events import Changed
from setpoint.testing import ResourceSuite
from setpoint_sysctl import Sysctl
from setpoint_sysctl.keys import dotted, is_key, path_of
from setpoint_sysctl.polling import Table

pytestmark = pytest.mark.root
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
DOMAIN = Path("/proc/sys/kernel/domainname")
CONF = Path("/etc/sysctl.d/99-setpoint-net.ipv4.ip_forward.conf")
LINE = "net.ipv4.ip_forward = 1"


@pytest.fixture
def own(private):
    """An own network and hostname, and own files in /etc."""
    private("/etc", net=True, uts=True)
    for path in CONF.parent.glob("*.conf"):  # what the machine has does not matter
        path.unlink()
    Path("/etc/sysctl.conf").write_text("")
    FORWARD.write_text("0")


@pytest.fixture
def make(own, host):
    """Return a function that makes a resource on the host of the test."""
    return lambda name="net.ipv4.ip_forward", **params: Sysctl(name, **params, _host=host)


def settled(resource):
    """Apply `resource`, see that once is enough, and return what differed."""
    changes = resource.check()
    resource.apply(changes)
    assert resource.check() == []
    return [str(change) for change in changes]


class TestSysctl(ResourceSuite):
    @pytest.fixture
    def resource(self, make):
        return make(value=1)

    async def disturb(self, resource):
        FORWARD.write_text("0")
        CONF.unlink()

    def observe(self, resource):
        return FORWARD.read_text(), sorted(os.listdir(CONF.parent))


class TestAbsence(ResourceSuite):
    @pytest.fixture
    def resource(self, make):
        settled(make(value=1))
        return make(state="absent")

    async def disturb(self, resource):
        CONF.write_text(LINE)

    def observe(self, resource):
        return FORWARD.read_text(), CONF.exists()


def test_a_setting_is_made_and_kept_in_a_file_of_its_own(make):
    assert settled(make(value="1")) == ["value: '0' -> '1'", f"persist: None -> '{LINE}'"]
    assert FORWARD.read_text() == "1\n"
    assert CONF.read_text() == f"# This file is kept by setpoint.\n{LINE}\n"
    assert CONF.stat().st_mode & 0o777 == 0o644


def test_only_what_is_asked_for_is_touched(make):
    settled(make(value=1, runtime=False))
    assert FORWARD.read_text() == "0\n"
    CONF.unlink()
    settled(make(value=1, persist=False))
    assert FORWARD.read_text() == "1\n"
    assert not CONF.exists()


def test_absent_takes_the_line_out_and_leaves_the_kernel(make):
    settled(make(value=1))
    assert settled(make(state="absent")) == [f"persist: '{LINE}' -> None"]
    assert not CONF.exists()
    assert FORWARD.read_text() == "1\n"


def test_absent_with_a_value_gives_that_to_the_kernel(make):
    settled(make(value=1))
    settled(make(state="absent", value=0))
    assert FORWARD.read_text() == "0\n"


def test_blanks_count_as_one_and_numbers_as_numbers(make):
    PORTS.write_text("2000 3000")
    ports = make("net.ipv4.ip_local_port_range", value="2000\t 0xbb8", persist=False)
    assert ports.check() == []
    FORWARD.write_text("1")
    assert make(value="01", persist=False).check() == []


def test_a_text_can_be_set(make):
    settled(make("kernel.domainname", value="example.org"))
    assert DOMAIN.read_text() == "example.org\n"


def test_other_lines_of_a_shared_file_stay(make):
    path = Path("/etc/sysctl.d/site.conf")
    path.write_bytes(b"; caf\xe9\r\n-net/ipv4/ip_forward=0\r\nvm.swappiness = 10")
    shared = make(value=1, path=str(path))
    assert settled(shared)[1] == f"persist: '-net.ipv4.ip_forward = 0' -> '{LINE}'"
    assert path.read_bytes() == b"; caf\xe9\r\nnet.ipv4.ip_forward = 1\r\nvm.swappiness = 10"
    settled(make("net.ipv4.conf.lo.forwarding", value=1, path=str(path)))
    settled(make(state="absent", path=str(path)))
    text = b"; caf\xe9\r\nvm.swappiness = 10\nnet.ipv4.conf.lo.forwarding = 1\n"
    assert path.read_bytes() == text


def test_of_several_lines_the_last_one_counts(make):
    CONF.write_text("net.ipv4.ip_forward = 1\nnet.ipv4.ip_forward = 0\n")
    settled(make(value=1))
    assert CONF.read_text() == "net.ipv4.ip_forward = 1\nnet.ipv4.ip_forward = 1\n"


@pytest.mark.parametrize(
    ("file", "text", "wins"),
    [
        ("/etc/sysctl.d/99-zz.conf", "net/ipv4/ip_forward = 0", True),
        ("/run/sysctl.d/99-zz.conf", "-net.ipv4.ip_forward=0", True),
        ("/etc/sysctl.d/99-zz.conf", "net.ipv4.ip_forward = 1", False),
        ("/etc/sysctl.d/99-zz.conf", "# net.ipv4.ip_forward = 0", False),
        ("/etc/sysctl.d/50-aa.conf", "net.ipv4.ip_forward = 0", False),
        ("/etc/sysctl.d/99-zz.txt", "net.ipv4.ip_forward = 0", False),
    ],
)
def test_a_later_file_that_wins_is_reported_once(make, private, caplog, file, text, wins):
    private("/run")
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(text)
    forward = make(value=1)
    settled(forward)
    found = [record.message for record in caplog.records]
    assert found == (
        [
            f"{file} is read after {CONF} and sets {'-' * ('-' in text)}net.ipv4.ip_forward = 0;"
            " take that line out"
        ]
        if "zz.conf" in file and wins
        else []
    )


def test_sysctl_conf_is_read_last(make, caplog):
    Path("/etc/sysctl.conf").write_text("net.ipv4.ip_forward = 0")
    settled(make(value=1))
    assert "/etc/sysctl.conf is read after" in caplog.text


def test_a_key_that_is_missing_is_an_error_with_the_one_that_is_meant(make):
    with pytest.raises(FileNotFoundError, match=r"did you mean 'net.ipv4.ip_forward'\?"):
        make("net.ipv4.ip_forwards", value=1).check()
    with pytest.raises(FileNotFoundError, match=r"no such setting; .* optional: true"):
        make("net.bogus_protocol_family.zzz", value=1).check()


def test_a_key_that_is_optional_may_be_missing(make):
    bogus = make("net.ipv4.conf.eth9/100.forwarding", value=1, optional=True)
    line = "-net.ipv4.conf.eth9/100.forwarding = 1"
    assert settled(bogus) == [f"persist: None -> '{line}'"]
    file = Path("/etc/sysctl.d/99-setpoint-net.ipv4.conf.eth9%2F100.forwarding.conf")
    assert file.read_text().splitlines()[1] == line


def test_what_the_kernel_does_not_take_is_not_kept(make):
    ports = make("net.ipv4.ip_local_port_range", value="many")
    with pytest.raises(Refused, match="the kernel does not take 'many'"):
        ports.apply(ports.check())
    assert not Path(ports.file).exists()


def test_what_the_kernel_makes_of_a_value_is_told(make):
    ports = make("net.ipv4.ip_local_reserved_ports", value="80,81")
    with pytest.raises(Refused, match=r"the kernel made '80-81' of '80,81'.*declare what it makes"):
        ports.apply(ports.check())


def test_a_group_and_an_order_are_no_settings(make):
    with pytest.raises(Refused, match="is a group of settings; name one of them: all, default"):
        make("net.ipv4.conf", value=1).check()
    with pytest.raises(Refused, match="can only be written: it is an order"):
        make("net.ipv4.route.flush", value=1).check()


def test_who_is_not_root_is_told(make, host):
    pid = os.fork()
    if not pid:
        os.setresuid(12345, 12345, 12345)
        try:
            forward = make(value=1, persist=False)
            forward.apply(forward.check())
        except Refused as error:
            os._exit(0 if "only root may set net.ipv4.ip_forward" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize(
    ("file", "params"),
    [
        (None, {"value": 1}),
        ("net.ipv4.ip_forward = 0\n", {"value": 1}),
        ("net.ipv4.ip_forward = 0\n", {"state": "absent"}),
        (None, {"value": 1, "persist": False}),
        ("net.ipv4.ip_forward = 0\n", {"value": 1, "runtime": False}),
        (None, {"value": 1, "runtime": False}),
    ],
)
def test_what_is_put_back_is_what_was_there(make, file, params):
    if file:
        CONF.write_text(file)
    resource = make(**params)
    back = resource.reversed()
    settled(resource)
    assert (FORWARD.read_text(), CONF.exists() and CONF.read_text()) != ("0\n", file or False)
    settled(back)
    assert (FORWARD.read_text(), CONF.exists() and CONF.read_text()) == ("0\n", file or False)
    assert make(value=0, persist=False).reversed() is None


async def test_a_changed_value_is_repaired_while_an_engine_runs(engine, own):
    async with engine.keeping(Sysctl("net.ipv4.ip_forward", value=1)) as kept:
        FORWARD.write_text("0")
        await kept.told(Changed)
        assert FORWARD.read_text() == "1\n"


async def test_many_are_looked_at_with_one_timer(make, host):
    keys = ("net.ipv4.ip_forward", "net.ipv4.ip_local_port_range", "kernel.domainname")
    heard = dict.fromkeys(keys, 0)

    def listener(key):
        def hear():
            heard[key] += 1

        return hear

    watches = [make(key, value=1).watch() for key in keys]
    for key, watch in zip(keys, watches, strict=True):
        watch.start(listener(key))
    table = host.shared(Table)
    FORWARD.write_text("1")
    table._examine()
    table._examine()
    assert list(heard.values()) == [1, 0, 0]
    for watch in watches:
        watch.stop()
    assert table._timer is None


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("foo", "foo"),
    ],
)
def test_a_key_is_written_in_two_ways(key, path):
    assert is_key(key)
    assert path_of(key) == path
    assert path_of(dotted(path)) == path


@pytest.mark.parametrize(
    "key",
    ["", "a..b", "a/../b", "/a/b", "a.b.", "net.ipv4.conf.*.x", "a b", "a=b", "-a.b", "a./.b"],
)
def test_what_leads_elsewhere_is_no_key(key):
    with pytest.raises(ParamError, match="name must be a key"):
        Sysctl(key, value=1)


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({}, "value must be given"),
        ({"value": "1\n2"}, "value must be one line"),
        ({"value": 1, "runtime": False, "persist": False}, "persist and runtime are both false"),
        ({"value": 1, "path": "x.conf"}, "path must be an absolute path"),
    ],
)
def test_params_that_do_not_go_together_are_refused(params, rule):
    with pytest.raises(ParamError, match=rule):
        Sysctl("net.ipv4.ip_forward", **params)


def test_it_waits_for_the_directory_of_its_file():
    above = Need("directory", "/etc/sysctl.d", "the directory of its file", nearest=True)
    resource = Sysctl("net.ipv4.ip_forward", value=1)
    assert resource.needs() == (above,)
    assert resource.provides() == (Thing("path", str(CONF)),)
    shared = Sysctl("net.ipv4.ip_forward", value=1, path="/etc/sysctl.d/site.conf")
    assert shared.needs()[1] == Need("path", "/etc/sysctl.d/site.conf", "the file it is in")
    assert Sysctl("net.ipv4.ip_forward", value=1, persist=False).needs() == ()
