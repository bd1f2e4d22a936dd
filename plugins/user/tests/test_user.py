"""The user resource: an account as declared, made by the real tools on files of the test's own."""

import asyncio
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import ParamError, Refused, Secret
from setpoint.accounts import Accounts, ToolFailed, tools
from setpoint.autoedges import connect
from setpoint.engine.events import Changed
from setpoint.host import Host
from setpoint.relations import Need, Thing
from setpoint.testing.engines import Engines
from setpoint.testing.resources import ResourceSuite
from setpoint_group import Group
from setpoint_user import User

pytestmark = pytest.mark.root

HASH = "$6$saltsalt$" + "Canary7" * 12 + "ab"
OTHER = "$6$saltsalt$" + "Another" * 12 + "ab"

Declare = Callable[..., User]


@pytest.fixture(autouse=True)
def own_machine(private: Callable[..., None]) -> None:
    private("/etc", "/home", "/var")


@pytest.fixture
def declare(host: Host) -> Declare:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def declare(name: str = "ann", /, **params: Any) -> User:
        password = params.pop("password", None)
        resource = msgspec.convert({"name": name, **params}, User)
        resource._host = host
        if password is not None:
            resource.password = Secret(password)
            resource.__post_init__()
        return resource

    return declare


def shell(command: str) -> str:
    """Run what somebody else does."""
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def running_as(uid: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"], user=uid)


def line(file: str, name: str = "ann") -> str:
    """Return a line of one of the files, without the name; nothing if there is none."""
    for text in Path("/etc", file).read_text().splitlines():
        if text.startswith(f"{name}:"):
            return text.partition(":")[2]
    return ""


def groups(name: str = "ann") -> set[str]:
    lines = (text.split(":") for text in Path("/etc/group").read_text().splitlines())
    return {group for group, _, _, members in lines if name in members.split(",")}


async def changed(user: User, *, apply: bool = True) -> dict[str, tuple[Any, Any]]:
    """Return what a check finds and repairs: attribute to before and after."""
    return {c.attribute: (c.before, c.after) for c in await user.check_apply(apply=apply)}


class TestUser(ResourceSuite):
    refuses_others = True

    @pytest.fixture
    def resource(self, host: Host) -> User:
        shell("groupadd web; groupadd dev")
        return User(
            "ann",
            uid=4711,
            group="web",
            groups=("dev",),
            membership="exact",
            homedir="/home/ann",
            create_home=True,
            shell="/bin/sh",
            comment="Ann",
            password=Secret(HASH),
            expiry="2030-12-31",
            _host=host,
        )

    async def disturb(self, resource: User) -> None:
        shell("userdel ann; rm -rf /home/ann")

    def observe(self, resource: User) -> object:
        home = Path("/home/ann")
        files = tuple(line(file) for file in ("passwd", "group", "shadow"))
        return files, groups(), home.exists() and sorted(os.listdir(home))


# What is made.


async def test_all_that_is_declared_is_made(declare: Declare) -> None:
    shell("groupadd web; groupadd dev")
    ann = declare(
        uid=4711, group="web", groups=["dev"], homedir="/home/a", shell="/bin/sh",
        comment="Ann S.", password=HASH, expiry="2030-12-31", create_home=True,
    )  # fmt: skip
    assert (await changed(ann))["state"] == ("absent", "exists")
    gid = line("group", "web").split(":")[1]
    assert line("passwd") == f"x:4711:{gid}:Ann S.:/home/a:/bin/sh"
    shadow = line("shadow").split(":")
    assert (shadow[0], shadow[6]) == (HASH, "22279")
    assert groups() == {"dev"}
    assert await changed(ann) == {}


async def test_each_attribute_is_put_right_and_no_other_is_touched(declare: Declare) -> None:
    shell("groupadd web; useradd -M -c Old -s /bin/sh -d /home/x -G users ann")
    before = line("passwd").split(":")
    wanted = {"uid": 4712, "comment": "New", "homedir": "/home/y", "shell": "/bin/bash"}
    for number, (param, value) in enumerate(wanted.items()):
        assert set(await changed(declare(**{param: value}))) == {param}, param
        after = line("passwd").split(":")
        differs = [
            i for i, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]
        ]
        assert len(differs) == 1, (number, before, after)
        before = after
    assert await changed(declare(group="web")) == {"group": ("ann", "web")}
    assert await changed(declare(comment="")) == {"comment": ("New", "")}
    assert groups() == {"users"}
    assert line("shadow").startswith("!:")


async def test_a_group_of_the_same_name_becomes_the_primary_one(declare: Declare) -> None:
    shell("groupadd -g 4800 ann")
    await changed(declare())
    assert line("passwd").split(":")[2] == "4800"


async def test_a_user_of_the_system_has_a_low_number(declare: Declare) -> None:
    await changed(declare(system=True))
    assert int(line("passwd").split(":")[1]) < 1000


async def test_other_groups_stay_or_go_as_membership_says(declare: Declare) -> None:
    shell("groupadd a; groupadd b; groupadd c; useradd -M -G a,b ann")
    assert await changed(declare(groups=["b", "c"])) == {"groups": (["a", "b"], ["a", "b", "c"])}
    assert groups() == {"a", "b", "c"}
    exact = declare(groups=["c"], membership="exact")
    assert await changed(exact) == {"groups": (["a", "b", "c"], ["c"])}
    assert groups() == {"c"}
    await changed(declare(groups=[], membership="exact"))
    assert groups() == set()


async def test_the_primary_group_among_the_others_is_no_difference(declare: Declare) -> None:
    shell("groupadd web")
    both = declare(group="web", groups=["web"], membership="exact")
    await changed(both)
    assert await changed(both) == {}
    shell("groupadd bob")
    own = declare("bob", groups=["bob"], membership="exact")
    await changed(own)
    assert await changed(own) == {}


async def test_a_duplicate_uid_is_allowed_only_if_declared(declare: Declare) -> None:
    with pytest.raises(Refused, match="uid 0 is that of user 'root'; choose another"):
        await changed(declare(uid=0))
    await changed(declare(uid=0, allow_duplicate_uid=True))
    assert line("passwd").startswith("x:0:")


async def test_a_missing_group_is_named_with_the_nearest(declare: Declare) -> None:
    shell("groupadd webmasters")
    with pytest.raises(Refused, match="no group 'webmaster'; did you mean 'webmasters'"):
        await changed(declare(groups=["webmaster"]))
    with pytest.raises(Refused, match="no group with gid 4999; declare one"):
        await changed(declare(gid=4999))
    assert not line("passwd")


async def test_a_plan_may_name_groups_that_are_still_to_be_made(declare: Declare) -> None:
    found = await changed(declare(group="later", groups=["latest"]), apply=False)
    assert found["group"] == (None, "later")
    assert found["groups"] == (None, ["latest"])


async def test_one_who_is_absent_goes_and_the_home_stays(declare: Declare) -> None:
    await changed(declare(create_home=True))
    assert await changed(declare(state="absent")) == {"state": ("exists", "absent")}
    assert not line("passwd")
    assert Path("/home/ann/.profile").exists()
    assert await changed(declare(state="absent")) == {}


async def test_one_whose_processes_run_is_not_removed(declare: Declare) -> None:
    await changed(declare(create_home=True, uid=4711))
    running = running_as(4711)
    try:
        with pytest.raises(ToolFailed, match=r"userdel: it is in use.*exit code 8.*process"):
            await changed(declare(state="absent"))
        with pytest.raises(OSError, match=f"must have no processes, found {running.pid}"):
            await changed(declare(state="absent", remove_home=True))
        assert Path("/home/ann/.profile").exists()
    finally:
        running.kill()
        running.wait()


async def test_the_numbers_are_sent(declare: Declare) -> None:
    ann = declare(uid=4711, homedir="/home/a")
    assert await ann.send() is None
    await changed(ann)
    assert await ann.send() == User.Sends(uid=4711, gid=4711, homedir="/home/a")


# Passwords, locks, expiry.


async def test_a_password_is_put_right_and_never_an_argument(
    declare: Declare, host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []
    run = host.processes.run

    async def spy(argv: Any, **options: Any) -> Any:
        ran.append((list(argv), options.get("env")))
        return await run(argv, **options)

    monkeypatch.setattr(host.processes, "run", spy)
    caplog.set_level(0)
    ann = declare(password=HASH)
    found = await ann.check_apply(apply=True)
    shell(f"echo 'ann:{OTHER}' | chpasswd -e")
    found += await ann.check_apply(apply=True)
    assert line("shadow").startswith(f"{HASH}:")
    shown = f"{ran} {found} {caplog.text} {ann!r} {ann.memory} {await ann.send()}"
    assert ["chpasswd", "-e"] in [argv for argv, _ in ran]
    assert "Canary" not in shown
    assert "Another" not in shown


async def test_a_refused_password_is_not_in_the_message(declare: Declare) -> None:
    for clear in ("Canary7", "abcdefghijklm", "", "$6$short", f"{HASH}:0", f"{HASH}\nroot:x"):
        with pytest.raises(ParamError, match="must be encrypted") as caught:
            declare(password=clear)
        assert not clear or clear not in str(caught.value)


async def test_a_password_of_a_known_method_is_taken(declare: Declare) -> None:
    made = shell("openssl passwd -6 x; openssl passwd -5 x; openssl passwd -1 x").split()
    for text in (*made, "*", "!", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9S"):
        assert await changed(declare(password=text), apply=False)


async def test_locking_keeps_the_password(declare: Declare) -> None:
    await changed(declare(password=HASH))
    assert await changed(declare(locked=True)) == {"locked": (False, True)}
    assert line("shadow").startswith(f"!{HASH}:")
    assert await changed(declare(locked=False)) == {"locked": (True, False)}
    assert line("shadow").startswith(f"{HASH}:")
    assert await changed(declare(password=HASH, locked=True)) == {"locked": (False, True)}
    assert await changed(declare(password=HASH, locked=True)) == {}
    assert await changed(declare(password=HASH)) == {"locked": (True, False)}


async def test_without_a_password_nobody_is_unlocked(declare: Declare) -> None:
    with pytest.raises(Refused, match="no password to unlock; declare one"):
        await changed(declare(locked=False))
    assert await changed(declare(locked=True), apply=False) == {"state": ("absent", "exists")}


async def test_expiry_is_a_day_or_never(declare: Declare) -> None:
    await changed(declare())
    assert await changed(declare(expiry="never")) == {}
    assert await changed(declare(expiry="2031-01-01")) == {"expiry": ("never", "2031-01-01")}
    assert await changed(declare(expiry="never")) == {"expiry": ("2031-01-01", "never")}
    with pytest.raises(ParamError, match="expiry must be a day such as"):
        User("ann", expiry="2031-02-30")


# Home directories.


async def test_a_home_is_made_of_its_skeleton(declare: Declare, tmp_path: Path) -> None:
    skeleton = tmp_path / "skel"
    (skeleton / "bin").mkdir(parents=True, mode=0o750)
    (skeleton / "bin/run").write_text("run")
    (skeleton / "bin/run").chmod(0o755)
    (skeleton / "link").symlink_to("bin/run")
    await changed(declare(uid=4711, create_home=True, skeleton=str(skeleton)))
    home = Path("/home/ann")
    found = {str(path.relative_to(home)): path.lstat() for path in (home, *home.rglob("*"))}
    assert set(found) == {".", "bin", "bin/run", "link"}
    assert {status.st_uid for status in found.values()} == {4711}
    assert (found["bin"].st_mode & 0o7777, found["bin/run"].st_mode & 0o7777) == (0o750, 0o755)
    assert os.readlink(home / "link") == "bin/run"
    assert os.listdir("/home").count("ann") == 1
    assert not [name for name in os.listdir("/home") if "unfinished" in name]


async def test_the_mode_of_a_home_is_that_of_login_defs(declare: Declare) -> None:
    with Path("/etc/login.defs").open("a") as file:
        file.write("\nHOME_MODE\t0710\n")
    await changed(declare(create_home=True))
    assert Path("/home/ann").stat().st_mode & 0o7777 == 0o710


async def test_a_home_of_which_half_was_made_is_made_anew(declare: Declare) -> None:
    shell("useradd -M ann; mkdir /home/.ann.setpoint-unfinished")
    Path("/home/.ann.setpoint-unfinished/.bashrc").write_text("half")
    assert set(await changed(declare(create_home=True))) == {"create_home"}
    assert Path("/home/ann/.bashrc").read_text() == Path("/etc/skel/.bashrc").read_text()
    assert not Path("/home/.ann.setpoint-unfinished").exists()


async def test_a_home_where_others_may_write_is_refused(declare: Declare) -> None:
    open_to_all = Path("/home/open")
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(Refused, match="others than root may write to /home/open"):
        await changed(declare(homedir="/home/open/ann", create_home=True))
    with pytest.raises(Refused, match="there is no directory /home/none"):
        await changed(declare("bob", homedir="/home/none/bob", create_home=True))


async def test_a_home_goes_with_its_user_if_declared(declare: Declare) -> None:
    await changed(declare(create_home=True))
    Path("/home/ann/deep/er").mkdir(parents=True)
    Path("/home/ann/etc").symlink_to("/etc")
    await changed(declare(state="absent", remove_home=True))
    assert not Path("/home/ann").exists()
    assert Path("/etc/passwd").exists()
    assert not line("passwd")


async def test_a_home_of_others_is_not_removed(declare: Declare) -> None:
    gone = {"state": "absent", "remove_home": True}
    shell("useradd -M -d /home/ann ann; mkdir /home/ann; useradd -M -d /home/ann/bob bob")
    with pytest.raises(Refused, match="/home/ann is not a directory of user 'ann'"):
        await changed(declare(**gone))
    shell("chown ann /home/ann")
    with pytest.raises(Refused, match="the home directory of user 'bob' is in /home/ann"):
        await changed(declare(**gone))
    shell("userdel bob; rm -r /home/ann; ln -s /etc /home/ann")
    with pytest.raises(Refused, match="/home/ann is not a directory"):
        await changed(declare(**gone))
    assert line("passwd")


# Others who change things.


async def test_what_others_change_is_put_right_at_once(declare: Declare, engine: Engines) -> None:
    ann = declare(shell="/bin/bash", create_home=True, password=HASH)
    async with engine.keeping(ann) as kept:
        for command in (
            "usermod -s /bin/sh ann",
            "sed -e '/^ann:/s/bash/dash/' /etc/passwd >/etc/passwd.edit && mv /etc/passwd.edit /etc/passwd",
            "rm -r /home/ann",
            f"echo 'ann:{OTHER}' | chpasswd -e",
            "userdel ann",
        ):
            shell(command)
            await kept.told(Changed, "user ann")
            assert await ann.check_apply(apply=False) == [], command
    assert line("passwd").endswith("/bin/bash")
    assert line("shadow").startswith(f"{HASH}:")
    assert Path("/home/ann").is_dir()


async def test_a_lock_of_others_is_waited_for(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Path("/etc/passwd.lock")
    lock.write_text(f"{os.getpid()}\0")
    monkeypatch.setattr(tools, "PAUSE", 0.02)
    ann = declare()
    waiting = asyncio.Event()
    ann.host.progress = lambda _, text: waiting.set()  # type: ignore[method-assign,assignment]
    applying = asyncio.create_task(changed(ann))
    async with asyncio.timeout(10):
        await waiting.wait()
        assert not line("passwd")
        lock.unlink()
        await applying
    assert line("passwd")


async def test_a_lock_that_is_never_given_back_is_told(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Path("/etc/passwd.lock")
    lock.write_text(f"{os.getpid()}\0")
    monkeypatch.setattr(tools, "PAUSE", 0.02)
    monkeypatch.setattr(tools, "PATIENCE", 0.1)
    with pytest.raises(TimeoutError, match=r"unlocked within 0.1 s.*passwd.lock already used"):
        await changed(declare())
    lock.unlink()


@pytest.fixture
def remote() -> Iterator[None]:
    """A user and a group that the name service has and the files have not."""
    records = Path("/etc/userdb")
    records.mkdir()
    user = {"userName": "remo", "uid": 64001, "gid": 64001, "homeDirectory": "/home/remo"}
    for path, record in (
        ("remo.user", {**user, "shell": "/bin/sh", "disposition": "regular"}),
        ("remogroup.group", {"groupName": "remogroup", "gid": 64001, "disposition": "regular"}),
    ):
        (records / path).write_bytes(msgspec.json.encode(record))
    text = Path("/etc/nsswitch.conf").read_text()
    for database in ("passwd", "group"):
        text = text.replace(f"{database}:", f"{database}: files systemd #")
    Path("/etc/nsswitch.conf").write_text(text)
    assert pwd.getpwnam("remo").pw_uid == 64001
    return


async def test_a_user_of_the_name_service_is_taken_as_it_is(declare: Declare, remote: None) -> None:
    assert await changed(declare("remo", shell="/bin/sh")) == {}
    assert (await declare("remo").send()).uid == 64001  # type: ignore[union-attr]
    with pytest.raises(Refused, match="'remo' comes from the name service, not from /etc/passwd"):
        await changed(declare("remo", shell="/bin/bash"))
    with pytest.raises(Refused, match="comes from the name service"):
        await changed(declare("remo", state="absent"))
    assert set(await changed(declare("remo", create_home=True))) == {"create_home"}
    assert Path("/home/remo").stat().st_uid == 64001
    await changed(declare(group="remogroup"))
    assert line("passwd").split(":")[2] == "64001"
    with pytest.raises(Refused, match="group 'remogroup' comes from the name service"):
        await changed(declare("bob", groups=["remogroup"]))


async def test_others_than_root_are_told_so(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="only root may change users and groups; run setpoint as"):
        await declare().apply([])
    with pytest.raises(Refused, match="only root"):
        await declare(state="absent").apply([])


# Undone again.


async def test_reversed_brings_back_what_was(declare: Declare, host: Host) -> None:
    shell("groupadd a; groupadd b; useradd -M -u 4711 -c Old -s /bin/sh -G a,b ann")
    before = line("passwd"), groups()
    ann = declare(uid=4712, comment="New", groups=["a"], membership="exact", shell="/bin/bash")
    was = ann.reversed()
    assert was is not None
    assert was.homedir == ""
    await changed(ann)
    await changed(msgspec.structs.replace(was, _host=host))
    assert (line("passwd"), groups()) == before
    was = declare(state="absent").reversed()
    await changed(declare(state="absent"))
    assert was is not None
    await changed(msgspec.structs.replace(was, _host=host))
    assert (line("passwd"), groups()) == before
    was = declare("bob").reversed()
    assert was is not None
    assert was == User("bob", state="absent")


async def test_reversed_can_be_written_down(declare: Declare) -> None:
    await changed(declare(password=HASH, expiry="2030-01-01", locked=True))
    was = declare(password=OTHER, expiry="never", locked=False).reversed()
    assert was is not None
    assert was.expiry == "2030-01-01"
    assert was.locked is True
    assert b"$6$" not in msgspec.json.encode(msgspec.structs.replace(was, _host=None))


# What waits for what.


def test_a_user_waits_for_groups_shell_and_the_place_of_the_home() -> None:
    ann = User("ann", group="web", groups=("dev",), create_home=True, shell="/bin/zsh", uid=5)
    assert set(ann.provides()) == {
        Thing("user", "ann"), Thing("user", "5"),
        Thing("path", "/home/ann"), Thing("directory", "/home/ann"),
    }  # fmt: skip
    assert {(need.what, need.name, need.after) for need in ann.needs()} == {
        ("group", "web", False), ("group", "dev", False), ("path", "/bin/zsh", False),
        ("directory", "/home", False), ("directory", "/etc/skel", False),
    }  # fmt: skip
    assert Need("group", "ann", "its group") in User("ann").needs()


def test_groups_are_removed_after_their_users() -> None:
    gone = User("ann", state="absent", groups=("dev",), gid=7)
    needs = [(need.name, need.after) for need in gone.needs()]
    assert needs == [("ann", True), ("7", True), ("dev", True)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "-ann"}, "name must be a name of useradd"),
        ({"name": "a b"}, "name must be a name of useradd"),
        ({"name": "1000"}, "must be a name, not the number '1000'"),
        ({"name": "a" * 33}, "at most 32 characters, not 33"),
        ({"name": "ann", "group": "1000"}, "group must be a name, not the number"),
        ({"name": "ann", "groups": ("a:b",)}, "groups must be a name"),
        ({"name": "ann", "group": "a", "gid": 1}, "group must not go with gid"),
        ({"name": "ann", "homedir": "home"}, "homedir must be absolute"),
        ({"name": "ann", "shell": "/bin/a:b"}, "shell must be one line without ':'"),
        ({"name": "ann", "comment": "a:b"}, "comment must be one line without ':'"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_declared(params: Any, message: str) -> None:
    with pytest.raises(ParamError, match=message):
        User(**params)


# Many.


async def test_a_hundred_users_with_their_groups_converge(host: Host, engine: Engines) -> None:
    graph = engine.graph()
    for n in range(100):
        graph.add(User(f"u{n}", groups=(f"g{n}",), create_home=True), Group(f"g{n}"))
    connect(graph)
    async with asyncio.timeout(18):
        assert (await engine.make(graph, converged_timeout=0).run()).ok
    assert all(groups(f"u{n}") == {f"g{n}"} for n in range(100))
    assert len(os.listdir("/home")) >= 100


async def test_ten_thousand_users_are_parsed_once_for_all(declare: Declare, host: Host) -> None:
    with Path("/etc/passwd").open("a") as file:
        file.writelines(f"u{n}:x:{20000 + n}:100::/home/u{n}:/bin/sh\n" for n in range(10_000))
    all_ = [declare(f"u{n}", uid=20000 + n) for n in range(0, 10_000, 100)]
    await changed(all_[0])
    accounts = host.shared(Accounts)
    async with asyncio.timeout(5):
        tables = await accounts.read()
        while await accounts.read() is not tables:  # once the kernel's clock has ticked
            tables = await accounts.read()
    for user in all_:
        assert await changed(user) == {}
        assert await accounts.read() is tables
