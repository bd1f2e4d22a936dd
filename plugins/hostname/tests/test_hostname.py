"""Names of a machine, in namespaces and files of the test, and with the real systemd-hostnamed."""

import os
import re
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import ParamError, Refused
from setpoint.engine.events import Changed
from setpoint.testing import ResourceSuite
from setpoint_hostname import Hostname
from setpoint_hostname.names import fault, mended

pytestmark = pytest.mark.root
STATIC, INFO = Path("/etc/hostname"), Path("/etc/machine-info")
NAMES = {"hostname": "web-1.example.org", "pretty_hostname": 'The "first" $web\\server'}


@pytest.fixture
def own(private):
    """An own name, and own files."""
    private("/etc", "/run", uts=True)
    shutil.rmtree("/run/systemd", ignore_errors=True)  # what the machine runs does not matter
    socket.sethostname("before")
    STATIC.write_text("before\n")
    INFO.write_text("ICON_NAME=computer\n")


def names():
    info = INFO.read_text() if INFO.exists() else ""
    return STATIC.read_text(), socket.gethostname(), info


async def settled(resource):
    """Apply `resource`, see that once is enough, and return what differed."""
    changes = await resource.check_apply(apply=True)
    assert await resource.check_apply(apply=False) == []
    return [change.attribute for change in changes]


class TestHostname(ResourceSuite):
    @pytest.fixture
    def resource(self, own, host):
        return Hostname("it", **NAMES, _host=host)

    async def disturb(self, resource):
        socket.sethostname("other")

    def observe(self, resource):
        return names()


class TestHostnameWithSystemd(ResourceSuite):
    @pytest.fixture
    def resource(self, inside_systemd, host):
        STATIC.write_text("before\n")
        socket.sethostname("before")
        INFO.unlink(missing_ok=True)
        return Hostname("it", **NAMES, _host=host)

    async def disturb(self, resource):
        STATIC.write_text("other\n")

    def observe(self, resource):
        return names()


async def test_files_and_kernel_get_the_names(own, host):
    changed = await settled(Hostname("it", **NAMES, _host=host))
    assert changed == ["static_hostname", "transient_hostname", "pretty_hostname"]
    pretty = r'PRETTY_HOSTNAME="The \"first\" \$web\\server"'
    text = f"ICON_NAME=computer\n{pretty}\n"
    assert names() == ("web-1.example.org\n", "web-1.example.org", text)


async def test_only_what_is_given_is_touched(own, host):
    await settled(Hostname("it", static_hostname="web-1", _host=host))
    assert names() == ("web-1\n", "before", "ICON_NAME=computer\n")
    await settled(Hostname("it", hostname="web-2", transient_hostname="web-3", _host=host))
    assert names()[:2] == ("web-2\n", "web-3")


async def test_a_comment_in_the_file_is_no_name(own, host):
    STATIC.write_text("# my machine\n\n web-1 \n")
    assert Hostname("it", static_hostname="web-1", _host=host).check() == []


@pytest.mark.parametrize(
    "text",
    ["PRETTY_HOSTNAME=one\n", "PRETTY_HOSTNAME='one'", 'A="\nPRETTY_HOSTNAME="one"\n'],
)
async def test_a_pretty_name_is_quoted_in_many_ways(own, host, text):
    INFO.write_text(text)
    assert Hostname("it", pretty_hostname="one", _host=host).check() == []
    await settled(Hostname("it", pretty_hostname="two", _host=host))
    assert INFO.read_text() == re.sub("PRETTY.*\n?", "", text) + 'PRETTY_HOSTNAME="two"\n'


async def test_each_change_from_outside_is_repaired_while_an_engine_runs(own, engine):
    async with engine.keeping(Hostname("it", **NAMES)) as kept:
        for change in (
            lambda: socket.sethostname("other"),
            lambda: STATIC.write_text("other\n"),
            INFO.unlink,
        ):
            change()
            await kept.told(Changed)
        assert names()[:2] == ("web-1.example.org\n", "web-1.example.org")


async def test_systemd_hostnamed_is_told(inside_systemd, systemd, host):
    await settled(Hostname("it", **NAMES, _host=host))
    shown = {
        which: systemd.run(["hostnamectl", f"--{which}"]).stdout.strip()
        for which in ("static", "transient", "pretty")
    }
    name = NAMES["hostname"]
    assert shown == {"static": name, "transient": name, "pretty": NAMES["pretty_hostname"]}


async def test_a_transient_name_may_differ_from_the_static_one_with_systemd(inside_systemd, host):
    names_ = {"static_hostname": "web-7", "transient_hostname": "web-8"}
    await settled(Hostname("it", **names_, _host=host))
    assert names()[:2] == ("web-7\n", "web-8")


async def test_without_hostnamed_the_files_are_written(inside_systemd, systemd, host):
    unit = "systemd-hostnamed.service"
    systemd.run(["systemctl", "mask", "--now", "--runtime", unit])
    try:
        await settled(Hostname("it", hostname="web-9", _host=host))
    finally:
        systemd.run(["systemctl", "unmask", "--runtime", unit])
    assert names()[:2] == ("web-9\n", "web-9")


def test_who_is_not_root_is_told(own, host):
    pid = os.fork()
    if not pid:
        import asyncio

        os.setresuid(12345, 12345, 12345)
        try:
            asyncio.run(Hostname("it", transient_hostname="x").check_apply(apply=True))
        except Refused as error:
            os._exit(0 if "only root may name this machine" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("web_1", "letters, digits and hyphens between dots, not 'web_1'; write 'web-1'"),
        ("-web", "write 'web'"),
        ("web.", r"not 'web\.'; write 'web'"),
        ("a..b", r"write 'a\.b'"),
        ("192.0.2.1", "must be a name, not the address"),
        ("a" * 65, "must have 64 characters at most, not 65"),
        ("a" * 64, "letters, digits"),
        ("b\u00fccher", "write 'b-cher'"),
        ("...", r"not '\.\.\.'$"),
    ],
)
def test_what_is_no_name_is_refused_with_the_one_that_is_meant(name, rule):
    for param in ("hostname", "static_hostname", "transient_hostname"):
        with pytest.raises(ParamError, match=f"^{param} .*{rule}"):
            Hostname("it", **{param: name})


def test_names_are_needed_and_pretty_ones_are_text():
    with pytest.raises(ParamError, match="hostname must be given"):
        Hostname("it")
    with pytest.raises(ParamError, match="pretty_hostname must be one line of text"):
        Hostname("it", pretty_hostname="a\nb")


@given(st.text("ab1-._ \u00fc", max_size=70))
def test_what_is_meant_is_a_name(name):
    assert mended(name) == "" or fault(mended(name)) == ""
    if fault(name) == "":
        assert mended(name) == name.replace("--", "-") or "--" in name
