"""What the machine is called and what runs on it."""

import os
import socket
from pathlib import Path

import pytest

from setpoint.testing import FactSuite
from setpoint_sys.hostname import Hostname
from setpoint_sys.os import Os
from setpoint_sys.smallfiles import assignments, line_of
from setpoint_sys.virtual import virtualization


@pytest.mark.root
class TestHostname(FactSuite):
    @pytest.fixture
    def fact(self, host, private):
        private("/etc", uts=True)
        socket.sethostname("before.example.org")
        return Hostname(_host=host)

    async def change(self, fact):
        socket.sethostname("x" + socket.gethostname())


@pytest.mark.root
async def test_each_of_its_names_is_told_at_once(host, private, follow):
    private("/etc", uts=True)
    socket.sethostname("web1.example.org")
    static, info = Path("/etc/hostname"), Path("/etc/machine-info")
    static.write_text("# who we are\n\nweb1\n")
    info.unlink(missing_ok=True)
    async with follow(Hostname(_host=host)) as values:
        value = await values.next()
        assert (value.name, value.short, value.domain) == (
            "web1.example.org",
            "web1",
            "example.org",
        )
        assert (value.static, value.pretty) == ("web1", "")
        socket.sethostname("web2")
        value = await values.next()
        assert (value.name, value.short, value.domain) == ("web2", "web2", "")
        static.write_text("web3\n")
        assert (await values.until(lambda value: value.static == "web3")).name == "web2"
        info.write_text("CHASSIS=server\nPRETTY_HOSTNAME='Web \"three\"'\n")
        assert (await values.until(lambda value: value.pretty)).pretty == 'Web "three"'
        static.unlink()
        await values.until(lambda value: value.static == "")


@pytest.mark.root
async def test_what_hostnamed_is_told_over_dbus_is_heard(host, inside_systemd, follow):
    def call(method: str, name: str) -> None:
        place = ["org.freedesktop.hostname1", "/org/freedesktop/hostname1"]
        words = [*place, "org.freedesktop.hostname1", method, "sb", name, "false"]
        inside_systemd.run(["busctl", "call", *words])

    async with follow(Hostname(_host=host)) as values:
        await values.next()
        call("SetStaticHostname", "static-one")
        await values.until(lambda value: (value.name, value.static) == ("static-one", "static-one"))
        call("SetPrettyHostname", "Pretty one")
        await values.until(lambda value: value.pretty == "Pretty one")


@pytest.mark.root
class TestOs(FactSuite):
    @pytest.fixture
    def fact(self, host, private):
        private("/etc")
        return Os(_host=host)

    async def change(self, fact):
        release = Path("/etc/os-release")
        text = release.read_text()
        release.unlink()  # a link, on most machines
        release.write_text(f'{text}VERSION_ID="{os.urandom(4).hex()}"\n')


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "family", "version"),
    [
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID='24.04'\n", "debian", "24.04"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', "redhat", "9.4"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse", ""),
        ("ID=alpine\nVERSION_ID=3.20\n", "alpine", "3.20"),
        ("", "linux", ""),
    ],
)
async def test_distributions_are_of_families(host, private, follow, text, family, version):
    private("/etc")
    release = Path("/etc/os-release")
    release.unlink()
    release.write_text(text)
    async with follow(Os(_host=host)) as values:
        value = await values.next()
    assert (value.family, value.version) == (family, version)


async def test_the_kernel_is_that_which_runs(host, follow):
    async with follow(Os(_host=host)) as values:
        value = await values.next()
    assert (value.kernel, value.architecture) == (os.uname().release, os.uname().machine)
    assert value.init == Path("/proc/1/comm").read_text().strip()


@pytest.mark.root
def test_a_container_says_so(inside_systemd):
    assert inside_systemd.run(["systemd-detect-virt", "--container"], check=False).stdout
    Path("/run/systemd/container").write_text("lxc\n")
    assert virtualization() == "lxc"


def test_assignments_are_read_as_a_shell_reads_them():
    lines = ["# A=1", "B=two", 'C="three \\"3\\""', "D='four 4'", " E=5 ", 'F="open', "nothing", ""]
    found = {"B": "two", "C": 'three "3"', "D": "four 4", "E": "5", "F": '"open'}
    assert assignments(lines) == found


def test_a_file_that_is_not_there_has_no_line(tmp_path):
    assert line_of(str(tmp_path / "none")) == ""
