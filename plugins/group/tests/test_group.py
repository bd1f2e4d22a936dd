"""The group resource: a group as declared, made by the real tools on files of the test's own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import ParamError, Refused
from setpoint.accounts import ToolFailed
from setpoint.engine.events import Changed
from setpoint.host import Host
from setpoint.relations import Need, Thing
from setpoint.testing.engines import Engines
from setpoint.testing.resources import ResourceSuite
from setpoint_group import Group

pytestmark = pytest.mark.root

Declare = Callable[..., Group]


@pytest.fixture(autouse=True)
def own_machine(private: Callable[..., None]) -> None:
    private("/etc")


@pytest.fixture
def declare(host: Host) -> Declare:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def declare(name: str = "web", /, **params: Any) -> Group:
        resource = msgspec.convert({"name": name, **params}, Group)
        resource._host = host
        return resource

    return declare


def shell(command: str) -> None:
    """Run what somebody else does."""
    subprocess.run(command, shell=True, check=True, capture_output=True)


def line(name: str = "web") -> str:
    """Return a line of /etc/group, without the name; nothing if there is none."""
    for text in Path("/etc/group").read_text().splitlines():
        if text.startswith(f"{name}:"):
            return text.partition(":")[2]
    return ""


async def changed(group: Group, *, apply: bool = True) -> dict[str, tuple[Any, Any]]:
    """Return what a check finds and repairs: attribute to before and after."""
    return {c.attribute: (c.before, c.after) for c in await group.check_apply(apply=apply)}


class TestGroup(ResourceSuite):
    refuses_others = True

    @pytest.fixture
    def resource(self, host: Host) -> Group:
        shell("useradd -M ann; useradd -M bob")
        return Group("web", gid=4711, members=("ann", "bob"), membership="exact", _host=host)

    async def disturb(self, resource: Group) -> None:
        shell("groupdel web")

    def observe(self, resource: Group) -> object:
        return line()


async def test_all_that_is_declared_is_made(declare: Declare) -> None:
    web = declare(gid=4711, members=["games"])
    assert await changed(web) == {
        "state": ("absent", "exists"), "gid": (None, 4711), "members": (None, ["games"]),
    }  # fmt: skip
    assert line() == "x:4711:games"
    assert await changed(web) == {}


async def test_what_is_not_declared_is_left_alone(declare: Declare) -> None:
    shell("groupadd -g 4711 web; gpasswd -a games web")
    assert await changed(declare()) == {}
    assert await changed(declare(gid=4712)) == {"gid": (4711, 4712)}
    assert line() == "x:4712:games"


async def test_a_group_of_the_system_has_a_low_number(declare: Declare) -> None:
    await changed(declare(system=True))
    assert int(line().split(":")[1]) < 1000


async def test_members_stay_or_go_as_membership_says(declare: Declare) -> None:
    shell("groupadd -g 4711 web; gpasswd -M games,mail web")
    added = {"members": (["games", "mail"], ["games", "mail", "news"])}
    assert await changed(declare(members=["news", "mail"])) == added
    assert await changed(declare(members=["news"], membership="exact"))
    assert line() == "x:4711:news"
    assert await changed(declare(members=[], membership="exact")) == {"members": (["news"], [])}
    assert line() == "x:4711:"


async def test_a_member_who_is_no_user_is_named_with_the_nearest(declare: Declare) -> None:
    with pytest.raises(Refused, match="there is no user 'game'; did you mean 'games'"):
        await changed(declare(members=["game"]))
    assert not line()


async def test_a_duplicate_gid_is_allowed_only_if_declared(declare: Declare) -> None:
    with pytest.raises(Refused, match="gid 0 is that of group 'root'; choose another"):
        await changed(declare(gid=0))
    await changed(declare(gid=0, allow_duplicate_gid=True))
    assert line() == "x:0:"


async def test_one_that_is_absent_goes(declare: Declare) -> None:
    shell("groupadd web")
    assert await changed(declare(state="absent")) == {"state": ("exists", "absent")}
    assert await changed(declare(state="absent")) == {}


async def test_the_primary_group_of_a_user_is_not_removed(declare: Declare) -> None:
    shell("groupadd web; useradd -M -g web ann")
    with pytest.raises(ToolFailed, match=r"groupdel: it is in use.*exit code 8.*user 'ann'"):
        await changed(declare(state="absent"))


async def test_the_number_is_sent(declare: Declare) -> None:
    web = declare(gid=4711)
    assert await web.send() is None
    await changed(web)
    assert await web.send() == Group.Sends(gid=4711)


async def test_what_others_change_is_put_right_at_once(declare: Declare, engine: Engines) -> None:
    web = declare(gid=4711, members=["games"], membership="exact")
    async with engine.keeping(web) as kept:
        for command in (
            "gpasswd -a mail web",
            "sed -e '/^web:/s/4711/4712/' /etc/group >/etc/group.edit && mv /etc/group.edit /etc/group",
            "groupdel web",
        ):
            shell(command)
            await kept.told(Changed, "group web")
            assert await web.check_apply(apply=False) == [], command


async def test_a_member_who_appears_later_is_added_then(declare: Declare, engine: Engines) -> None:
    web = declare(members=["ann"])
    async with engine.keeping(web) as kept:  # which begins although it failed
        shell("useradd -M ann")
        await kept.told(Changed, "group web")
    assert line().endswith(":ann")


async def test_a_change_of_one_has_no_other_checked(declare: Declare, engine: Engines) -> None:
    checks: list[str] = []
    groups = [declare(f"g{n}") for n in range(20)]

    class Counted(Group):
        async def check(self) -> Any:
            checks.append(self.name)
            return await super().check()

    counted = [Counted(group.name, _host=group._host) for group in groups]
    async with engine.keeping(*counted) as kept:
        checks.clear()
        shell("groupdel g7")
        await kept.told(Changed, "group g7")
    assert set(checks) == {"g7"}


async def test_a_group_of_the_name_service_is_taken_as_it_is(declare: Declare) -> None:
    Path("/etc/userdb").mkdir()
    record = {"groupName": "remote", "gid": 64001, "disposition": "regular"}
    Path("/etc/userdb/remote.group").write_bytes(msgspec.json.encode(record))
    text = Path("/etc/nsswitch.conf").read_text()
    Path("/etc/nsswitch.conf").write_text(text.replace("group:", "group: files systemd #"))
    remote = declare("remote", gid=64001)
    assert await changed(remote) == {}
    assert await remote.send() == Group.Sends(gid=64001)
    for other in (declare("remote", gid=5), declare("remote", state="absent")):
        with pytest.raises(Refused, match="'remote' comes from the name service, not from /etc/gr"):
            await changed(other)


async def test_others_than_root_are_told_so(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="only root may change users and groups; run setpoint as"):
        await declare().apply([])


async def test_reversed_brings_back_what_was(declare: Declare, host: Host) -> None:
    shell("groupadd -g 4711 web; gpasswd -M games,mail web")
    for other in (
        declare(gid=4712, members=["news"], membership="exact"),
        declare(state="absent"),
    ):
        was = other.reversed()
        await changed(other)
        assert line() != "x:4711:games,mail"
        assert was is not None
        await changed(msgspec.structs.replace(was, _host=host))
        assert line() == "x:4711:games,mail"
    assert declare("new").reversed() == Group("new", state="absent")
    assert declare(gid=5).reversed() == Group("web", gid=4711)


def test_a_group_waits_for_its_members() -> None:
    web = Group("web", gid=5, members=("ann",))
    assert list(web.provides()) == [Thing("group", "web"), Thing("group", "5")]
    assert list(web.needs()) == [Need("user", "ann", "its member")]
    assert list(Group("web", state="absent").needs()) == []


@pytest.mark.parametrize("name", ["-web", "a b", "1000", "a" * 33, "a:b", "a\nb", "", "..", "a,b"])
def test_a_name_that_cannot_be_is_told_when_it_is_declared(name: str) -> None:
    with pytest.raises(ParamError, match="must"):
        Group(name)
    with pytest.raises(ParamError, match="members must"):
        Group("web", members=(name,))
