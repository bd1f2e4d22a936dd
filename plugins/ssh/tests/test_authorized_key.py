"""The ssh:authorized_key resource: a key lets in as declared, and nobody leads root astray meanwhile."""

import asyncio
import base64
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import ParamError, Refused
from setpoint.engine.events import Changed, Failed
from setpoint.host import Host
from setpoint.relations import Need, Thing
from setpoint.testing.engines import Engines
from setpoint.testing.resources import ResourceSuite
from setpoint_ssh import AuthorizedKey

pytestmark = pytest.mark.root

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIKfEGpDcgQXzFRwfPVOZSSsmlzP0ZwYvrTuT0DnSYHqE"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIBVOM9RIN8eB5WsPGwiB2z0C9VJ0xhKeRYvbBAuDgQGF"
LINE = f"ssh-ed25519 {KEY} ann@laptop"
UID = 4711
HOME = Path("/home/ann")
DIRECTORY, FILE = HOME / ".ssh", HOME / ".ssh/authorized_keys"

Declare = Callable[..., AuthorizedKey]


@pytest.fixture(autouse=True)
def own_machine(private: Callable[..., None]) -> None:
    private("/etc", "/home")
    shell(
        f"useradd -M -u {UID} -s /bin/sh ann; mkdir -m 755 /home/ann; chown {UID}:{UID} /home/ann"
    )


@pytest.fixture
def declare(host: Host) -> Declare:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def declare(name: str = "ann@laptop", /, **params: Any) -> AuthorizedKey:
        given = {"name": name, "user": "ann", "key": KEY, **params}
        resource = msgspec.convert(given, AuthorizedKey)
        resource._host = host
        return resource

    return declare


def shell(command: str) -> None:
    """Run what somebody else does."""
    subprocess.run(command, shell=True, check=True, capture_output=True)


def hers(text: str) -> None:
    """Write the file, as she would."""
    DIRECTORY.mkdir(mode=0o700, exist_ok=True)
    FILE.write_text(text)
    FILE.chmod(0o600)
    for path in (DIRECTORY, FILE):
        os.chown(path, UID, UID)


async def changed(key: AuthorizedKey, *, apply: bool = True) -> dict[str, tuple[Any, Any]]:
    """Return what a check finds and repairs: attribute to before and after."""
    return {c.attribute: (c.before, c.after) for c in await key.check_apply(apply=apply)}


class TestAuthorizedKey(ResourceSuite):
    refuses_others = True

    @pytest.fixture
    def resource(self, host: Host) -> AuthorizedKey:
        options = ("no-pty", 'from="127.0.0.*"')
        return AuthorizedKey("ann@laptop", user="ann", key=KEY, options=options, _host=host)

    async def disturb(self, resource: AuthorizedKey) -> None:
        shutil.rmtree(DIRECTORY)

    def observe(self, resource: AuthorizedKey) -> object:
        return FILE.exists() and (FILE.read_text(), FILE.stat().st_mode, DIRECTORY.stat().st_mode)


async def test_file_and_directory_are_made_and_hers(declare: Declare) -> None:
    assert await changed(declare()) == {
        "state": ("absent", "exists"), "directory": (None, "0700"),
    }  # fmt: skip
    assert FILE.read_text() == f"{LINE}\n"
    for path, mode in ((DIRECTORY, 0o700), (FILE, 0o600)):
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (UID, UID, mode)
    assert await changed(declare()) == {}


async def test_other_lines_stay(declare: Declare) -> None:
    hers(f"# mine\nssh-ed25519 {OTHER} bob\n\n???")
    await changed(declare())
    assert FILE.read_text() == f"# mine\nssh-ed25519 {OTHER} bob\n\n???\n{LINE}\n"
    assert FILE.stat().st_uid == UID
    await changed(declare(state="absent"))
    assert FILE.read_text() == f"# mine\nssh-ed25519 {OTHER} bob\n\n???\n"


async def test_another_key_takes_the_place_of_the_old_one(declare: Declare) -> None:
    hers(f"no-pty ssh-ed25519 {OTHER} ann@laptop\n# end\n")
    found = await changed(declare())
    assert found == {"key": tuple(map(told_by_ssh_keygen, (OTHER, KEY)))}
    assert FILE.read_text() == f"no-pty {LINE}\n# end\n"


def told_by_ssh_keygen(key: str) -> str:
    argv = ["ssh-keygen", "-lf", "-"]
    said = subprocess.run(argv, input=f"ssh-ed25519 {key}", capture_output=True, text=True).stdout
    return said.split()[1]


async def test_options_and_comment_are_put_right_and_copies_go(declare: Declare) -> None:
    hers(f'ssh-ed25519 {KEY} old\n{LINE}\nfrom="a,b" {LINE}\n')
    found = await changed(declare(options=["no-pty", 'command="a \\"b\\", c"']))
    assert found == {
        "key_comment": ("old", "ann@laptop"),
        "options": ([], ["no-pty", 'command="a \\"b\\", c"']),
        "lines": (3, 1),
    }
    assert FILE.read_text() == f'no-pty,command="a \\"b\\", c" {LINE}\n'
    assert await changed(declare(options=[])) == {
        "options": (["no-pty", 'command="a \\"b\\", c"'], [])
    }
    assert FILE.read_text() == f"{LINE}\n"


async def test_a_key_is_taken_out_by_comment_or_key(declare: Declare) -> None:
    hers(f"ssh-ed25519 {OTHER} ann@laptop\nssh-ed25519 {KEY} x\n# end\n")
    assert await changed(declare(state="absent", key="")) == {"state": ("exists", "absent")}
    assert FILE.read_text() == f"ssh-ed25519 {KEY} x\n# end\n"
    await changed(declare(state="absent"))
    assert FILE.read_text() == "# end\n"
    shutil.rmtree(DIRECTORY)
    assert await changed(declare(state="absent")) == {}
    assert await changed(declare(state="absent", user="nobody-yet")) == {}


async def test_what_sshd_would_ignore_is_closed_to_others(declare: Declare) -> None:
    hers(f"{LINE}\n")
    FILE.chmod(0o664)
    DIRECTORY.chmod(0o775)
    assert await changed(declare()) == {
        "directory mode": ("0775", "0700"), "mode": ("0664", "0600"),
    }  # fmt: skip
    DIRECTORY.chmod(0o755)
    FILE.chmod(0o644)
    assert await changed(declare()) == {}


async def test_a_directory_that_was_only_made_is_given_away(declare: Declare) -> None:
    DIRECTORY.mkdir(mode=0o700)
    assert (await changed(declare()))["directory owner"] == ("root", "ann")
    assert (DIRECTORY.stat().st_uid, DIRECTORY.stat().st_gid) == (UID, UID)


async def test_a_file_elsewhere_is_of_root(declare: Declare, tmp_path: Path) -> None:
    path = tmp_path / "keys-of-ann"
    key = declare(target=str(path))
    assert await changed(key) == {"state": ("absent", "exists")}
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (0, 0o644)
    assert await changed(key) == {}
    assert not DIRECTORY.exists()


# Nobody leads root astray.


@pytest.mark.parametrize("state", ["exists", "absent"])
async def test_a_link_of_hers_is_not_followed(declare: Declare, state: str) -> None:
    victim = Path("/etc/victim")
    victim.write_text(f"{LINE} root's\n")
    for link, target in ((FILE, victim), (DIRECTORY, Path("/etc"))):
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        if link == FILE:
            DIRECTORY.mkdir(mode=0o700)
            os.chown(DIRECTORY, UID, UID)
        link.symlink_to(target)
        os.chown(link, UID, UID, follow_symlinks=False)
        with pytest.raises(Refused, match=f"symlink .* which user {UID} can turn elsewhere"):
            await changed(declare(state=state))
        assert victim.read_text() == f"{LINE} root's\n"
        assert not Path("/etc/authorized_keys").exists()
        link.unlink()


async def test_a_link_of_root_is_followed(declare: Declare) -> None:
    store = Path("/home/store")
    store.mkdir(mode=0o700)
    os.chown(store, UID, UID)
    DIRECTORY.symlink_to(store)
    await changed(declare())
    assert (store / "authorized_keys").read_text() == f"{LINE}\n"
    assert DIRECTORY.is_symlink()


async def test_a_file_of_others_is_not_handed_to_her(declare: Declare) -> None:
    secret = HOME / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    DIRECTORY.mkdir(mode=0o700)
    os.chown(DIRECTORY, UID, UID)
    os.link(secret, FILE)
    with pytest.raises(Refused, match="belongs to root and is not for 'ann'; give it to 'ann', or"):
        await changed(declare())
    os.chown(secret, 1, 1)
    with pytest.raises(Refused, match="belongs to the user with uid 1"):
        await changed(declare())
    FILE.unlink()
    os.mkfifo(FILE)
    with pytest.raises(Refused, match="is not a regular file"):
        await changed(declare())
    assert secret.read_text() == "of root"


async def test_links_swapped_meanwhile_lead_nowhere(declare: Declare) -> None:
    victim = Path("/etc/authorized_keys")
    victim.write_text("untouched\n")
    hers("")
    swapping = asyncio.create_subprocess_exec(
        "sh", "-c",
        "while :; do mv .ssh a; ln -s /etc .ssh; rm .ssh; mv a .ssh;"
        " mv .ssh/authorized_keys b; ln -s /etc/authorized_keys .ssh/authorized_keys;"
        " rm .ssh/authorized_keys; mv b .ssh/authorized_keys; done",
        cwd=HOME, user=UID, group=UID, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    swapper = await swapping
    try:
        for number in range(300):
            try:
                await changed(declare(state="absent" if number % 2 else "exists"))
            except (Refused, OSError):
                continue
    finally:
        swapper.kill()
        await swapper.wait()
    assert victim.read_text() == "untouched\n"
    assert victim.stat().st_uid == 0
    assert Path("/etc").stat().st_uid == 0


# Who is missing, and who may not.


async def test_a_missing_user_is_named_with_the_nearest(declare: Declare) -> None:
    assert await changed(declare(user="anna"), apply=False) == {"state": ("absent", "exists")}
    with pytest.raises(Refused, match="there is no user 'anna'; did you mean 'ann'"):
        await changed(declare(user="anna"))


async def test_a_missing_home_is_told(declare: Declare) -> None:
    HOME.rmdir()
    with pytest.raises(Refused, match="'ann' has no home directory /home/ann; declare the user"):
        await changed(declare())


async def test_two_that_would_fight_are_refused(declare: Declare, engine: Engines) -> None:
    same = declare("b", options=["no-pty"])
    result = await engine.converge(declare("a"), same)
    failed = [event.error for event in engine.events if isinstance(event, Failed)]
    assert not result.ok
    assert "has the same key or comment; keep one of them" in str(failed[0])


async def test_others_than_root_are_told_so(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="only root may change who gets in as 'ann'; run setpoint as"):
        await declare().apply([])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"key": ""}, "key must be given, found none"),
        ({"key": LINE}, "key must be a whole public key in base64.*write the second word"),
        ({"key": KEY[:-8]}, "key must be a whole public key"),
        ({"type": "ssh-rsa"}, "type must be 'ssh-ed25519' as the key has it, not 'ssh-rsa'"),
        ({"type": "ssh-ed2519"}, "did you mean 'ssh-ed25519'"),
        ({"key": "AAAAB3NzaC1kc3MAAAABAQ=="}, "type that sshd takes, not 'ssh-dss'"),
        ({"options": ("no-pti",)}, "sshd.8., not 'no-pti'; did you mean 'no-pty'"),
        ({"options": ("no-pty,pty",)}, "options must be options of sshd"),
        ({"options": ("command=ls",)}, "options must have values in quotes"),
        ({"options": ('command="a"b"',)}, "options must have values in quotes"),
        ({"options": ('command="a\nb"',)}, "options must have values in quotes"),
        ({"key_comment": "a\nb"}, "key_comment must be one line"),
        ({"target": "keys"}, "target must be absolute"),
        ({"user": "../x"}, "user must be a name"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_declared(params: Any, message: str) -> None:
    with pytest.raises(ParamError, match=message):
        AuthorizedKey("x", **{"user": "ann", "key": KEY, **params})


def test_a_key_waits_for_its_user_and_the_directory() -> None:
    key = AuthorizedKey("x", user="ann", key=KEY)
    assert list(key.provides()) == [Thing("path", "/home/ann/.ssh/authorized_keys")]
    assert list(key.needs()) == [
        Need("user", "ann", "the user it lets in"),
        Need("directory", "/home/ann/.ssh", "the directory of its file", nearest=True),
    ]
    assert AuthorizedKey("x", user="root", key=KEY)._likely_path == "/root/.ssh/authorized_keys"


# Others who change things, and the program that reads it.


async def test_what_others_change_is_put_right_at_once(declare: Declare, engine: Engines) -> None:
    key = declare(options=["no-pty"])
    async with engine.keeping(key) as kept:
        for command in (
            f"sed -i s/no-pty/pty/ {FILE}",
            f"rm {FILE}",
            f"rm -r {DIRECTORY}",
            f"chmod g+w {FILE}",
            "mkdir -p /home/b; chown ann /home/b; usermod -d /home/b ann",
        ):
            shell(command)
            await kept.told(Changed, key.id)
            assert await key.check_apply(apply=False) == [], command
        moved = Path("/home/b/.ssh/authorized_keys")
        moved.write_text("")
        await kept.told(Changed, key.id)
    assert moved.read_text() == f"no-pty {LINE}\n"


async def test_many_keys_of_one_user_lose_none(declare: Declare, engine: Engines) -> None:
    hers("# mine\n")
    start = base64.b64decode(KEY)[:-1]
    made = [base64.b64encode(start + bytes([n])).decode() for n in range(100)]
    keys = [declare(f"key {n}", key=key) for n, key in enumerate(made)]
    assert (await engine.converge(*keys)).ok
    lines = FILE.read_text().splitlines()
    assert lines[0] == "# mine"
    assert {line.split(" ", 2)[2] for line in lines[1:]} == {key.name for key in keys}
    assert len(lines) == 101


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[list[str]]:
    """A real sshd on loopback; what to run a command through it, as ann."""
    for name in ("hostkey", "mine"):
        shell(f"ssh-keygen -q -t ed25519 -N '' -C '' -f {tmp_path / name}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {tmp_path}/hostkey\nPort {port}\nListenAddress 127.0.0.1\nUsePAM no\nPidFile none\n"
    )
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=log)
    options = "StrictHostKeyChecking=no UserKnownHostsFile=/dev/null BatchMode=yes LogLevel=ERROR"
    words = [word for option in options.split() for word in ("-o", option)]
    try:
        yield [
            "ssh",
            "-F",
            "none",
            *words,
            "-i",
            f"{tmp_path}/mine",
            "-p",
            str(port),
            "ann@127.0.0.1",
        ]
    finally:
        server.terminate()
        server.wait()


async def test_sshd_lets_in_whom_it_should(
    declare: Declare, sshd: list[str], tmp_path: Path
) -> None:
    shell("usermod -p '*' ann")
    mine = (tmp_path / "mine.pub").read_text().split()[1]

    async def said(command: str) -> tuple[int, str]:
        async with asyncio.timeout(10):
            while True:
                child = await asyncio.create_subprocess_exec(*sshd, command, stdout=-1, stderr=-1)
                out, errors = await child.communicate()
                if b"Connection refused" not in errors:  # it is still about to listen
                    return child.returncode or 0, out.decode().strip()

    assert (await said("id -un"))[0] == 255
    await changed(declare(key=mine))
    assert await said("id -un") == (0, "ann")
    await changed(declare(key=mine, options=["restrict", 'command="echo \\"a, b\\"; true"']))
    assert await said("id -un") == (0, "a, b")
    await changed(declare(key=mine, state="absent"))
    assert (await said("id -un"))[0] == 255
