import asyncio
import grp
import hashlib
import os
import pwd
import socket
import stat

import pytest

from setpoint import Refused
from setpoint.host import Host
from setpoint_file import File, signatures
from setpoint_file.contents import SMALL

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


async def test_it_works_without_an_engine(tmp_path):
    file = File(f"{tmp_path}/x", content="hi")
    try:
        await file.check_apply(apply=False)
        assert os.listdir(tmp_path) == []
        await file.check_apply(apply=True)
        assert (tmp_path / "x").read_text() == "hi"
        assert await file.check_apply(apply=True) == []
    finally:
        file.host.close()


def test_a_missing_file_is_made_as_declared(make, settle, tmp_path):
    changes = settle(make(tmp_path / "f", content="grüß\n", mode="0640"))
    assert changes == {
        "state": (None, "file"),
        "content": (None, "grüß\n"),
        "mode": (None, "0640"),
    }
    assert (tmp_path / "f").read_text("utf-8") == "grüß\n"
    assert mode_of(tmp_path / "f") == 0o640


def test_each_attribute_that_differs_is_shown_and_repaired(make, settle, tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o600)
    assert settle(make(path, content="new")) == {"content": ("old", "new")}
    assert mode_of(path) == 0o600
    assert settle(make(path, mode="0644")) == {"mode": ("0600", "0644")}
    assert settle(make(path, mode="g=,o=")) == {"mode": ("0644", "0600")}
    assert path.read_text() == "new"


@pytest.mark.root
@needs_root
def test_owner_and_group_are_by_name_or_number(make, settle, tmp_path):
    path = tmp_path / "f"
    changes = settle(make(path, content="", owner="daemon", group="daemon"))
    assert changes["owner"] == (None, "daemon")
    assert os.stat(path).st_uid == pwd.getpwnam("daemon").pw_uid
    assert os.stat(path).st_gid == grp.getgrnam("daemon").gr_gid
    assert settle(make(path, owner="12345")) == {"owner": ("daemon", "12345")}
    assert settle(make(path, group="root", content="x"))["group"] == ("daemon", "root")
    assert os.stat(path).st_uid == 12345, "a new content took the owner away"


def test_an_owner_that_does_not_exist_is_shown_and_refused(make, tmp_path):
    for param in ("owner", "group"):
        file = make(tmp_path / param, content="", **{param: "nobody-knows"})
        changes = file.check()
        assert changes[-1].after == "nobody-knows"
        with pytest.raises(
            Refused, match=r"there is no (user|group) 'nobody-knows'; make it first"
        ):
            file.apply(changes)


def test_without_a_content_it_is_only_made_if_state_says_so(make, settle, tmp_path):
    assert settle(make(tmp_path / "f", state="exists")) == {"state": (None, "file")}
    (tmp_path / "f").write_text("kept")
    assert settle(make(tmp_path / "f", state="exists")) == {}
    assert (tmp_path / "f").read_text() == "kept"
    nothing = make(tmp_path / "none", mode="0644")
    with pytest.raises(Refused, match="is not there, and nothing says what it is; write state"):
        nothing.apply(nothing.check())
    assert settle(make(tmp_path / "nothing")) == {}


def test_a_directory_is_made_with_those_above_if_asked_for(make, settle, tmp_path):
    deep = make(tmp_path / "a/b/c", content="x")
    with pytest.raises(FileNotFoundError, match="/a/b is not there; declare it too, or write rec"):
        deep.apply(deep.check())
    assert settle(make(f"{tmp_path}/d/", state="exists", mode="2750"))["state"][1] == "directory"
    assert mode_of(tmp_path / "d") == 0o2750
    settle(make(f"{tmp_path}/x/y/", state="exists", recurse=True))
    settle(make(f"{tmp_path}/a/b/c", content="x", recurse=True))


def test_absence_is_kept(make, settle, tmp_path):
    (tmp_path / "f").write_text("")
    (tmp_path / "l").symlink_to("nowhere")
    (tmp_path / "d/sub").mkdir(parents=True)
    assert settle(make(tmp_path / "f", state="absent")) == {"state": ("file", None)}
    assert settle(make(tmp_path / "l", state="absent")) == {"state": ("symlink", None)}
    with pytest.raises(Refused, match="is not empty; write recurse: true"):
        make(f"{tmp_path}/d/", state="absent").check()
    with pytest.raises(Refused, match="is a directory, not a file; write force: true"):
        make(tmp_path / "d", state="absent").check()
    settle(make(f"{tmp_path}/d/", state="absent", recurse=True))
    settle(make(f"{tmp_path}/never/was/", state="absent"))
    assert os.listdir(tmp_path) == []


def test_something_else_is_replaced_only_with_force(make, settle, tmp_path):
    (tmp_path / "f").symlink_to("elsewhere")
    with pytest.raises(Refused, match="is a symlink, not a file; write force: true to replace it"):
        make(tmp_path / "f", content="x").check()
    assert settle(make(tmp_path / "f", content="x", force=True))["state"] == ("symlink", "file")
    settle(make(f"{tmp_path}/f/", state="exists", force=True))
    (tmp_path / "f/below").write_text("")
    settle(make(tmp_path / "f", symlink=True, source="/nowhere", force=True))
    with pytest.raises(Refused, match="is a symlink, not a file; write what it is to be"):
        make(tmp_path / "f", mode="0700", force=True).check()
    assert os.readlink(tmp_path / "f") == "/nowhere"


def test_pipes_sockets_and_devices_are_never_touched(make, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{tmp_path}/socket")
    for path in (tmp_path / "pipe", tmp_path / "socket", "/dev/null"):
        for params in ({"content": "x"}, {"state": "absent"}):
            with pytest.raises(Refused, match="is a device, pipe or socket; remove it by hand"):
                make(path, force=True, **params).check()


def test_a_link_leads_where_source_says(make, settle, tmp_path):
    link = tmp_path / "l"
    assert settle(make(link, symlink=True, source="a"))["target"] == (None, "a")
    assert settle(make(link, symlink=True, source="../b")) == {"target": ("a", "../b")}
    assert os.readlink(link) == "../b"


def test_a_source_gives_content_and_mode(make, settle, tmp_path):
    (tmp_path / "s").write_bytes(b"\xff\xfe" * SMALL)
    (tmp_path / "s").chmod(0o751)
    (tmp_path / "link").symlink_to("s")
    changes = settle(make(tmp_path / "f", source=f"{tmp_path}/link"))
    assert changes["content"] == (None, f"{2 * SMALL} bytes")
    assert mode_of(tmp_path / "f") == 0o751
    (tmp_path / "s").write_bytes(b"short")
    changes = settle(make(tmp_path / "f", source=f"{tmp_path}/s", mode="0600"))
    assert changes == {"content": (f"{2 * SMALL} bytes", "5 bytes"), "mode": ("0751", "0600")}


def test_fragments_are_joined_in_order(make, settle, tmp_path):
    (tmp_path / "parts/no").mkdir(parents=True)
    for name in ("20", "10", "30"):
        (tmp_path / f"parts/{name}").write_text(name)
    (tmp_path / "head").write_text("head")
    settle(make(tmp_path / "f", fragments=[f"{tmp_path}/head", f"{tmp_path}/parts/"]))
    assert (tmp_path / "f").read_text() == "head102030"
    (tmp_path / "parts/10").unlink()
    settle(make(tmp_path / "f", fragments=[f"{tmp_path}/head", f"{tmp_path}/parts/"]))
    assert (tmp_path / "f").read_text() == "head2030"


def test_large_contents_are_described_by_size_and_digest(make, settle, tmp_path):
    old, new = "a" * 3_000_000, "a" * 2_999_999 + "b"
    settle(make(tmp_path / "f", content=old))
    before, after = settle(make(tmp_path / "f", content=new))["content"]
    assert before == f"3000000 bytes, sha256 {hashlib.sha256(old.encode()).hexdigest()}"
    assert after == f"3000000 bytes, sha256 {hashlib.sha256(new.encode()).hexdigest()}"
    assert (tmp_path / "f").read_text() == new


def test_what_is_replaced_is_kept(make, settle, tmp_path):
    path = tmp_path / "f"
    for text in ("one", "two", "three"):
        settle(make(path, content=text, mode="0751", backup=True))
    assert (tmp_path / "f.~1~").read_text() == "one"
    assert (tmp_path / "f.~2~").read_text() == "two"
    assert mode_of(tmp_path / "f.~1~") == 0o751
    settle(make(path, state="absent", backup=f"{tmp_path}/kept/"))
    assert (tmp_path / f"kept{path}.~1~").read_text() == "three"
    assert mode_of(tmp_path / "kept") == 0o700
    (tmp_path / "d/sub").mkdir(parents=True)
    settle(make(tmp_path / "d", content="", force=True, backup=True))
    assert os.listdir(tmp_path / "d.~1~") == ["sub"]
    (tmp_path / "l").symlink_to("x")
    settle(make(tmp_path / "l", symlink=True, source="y", backup=True))
    assert os.readlink(tmp_path / "l.~1~") == "x"


def test_a_change_of_the_same_size_in_the_same_tick_is_seen(make, settle, tmp_path):
    file = make(tmp_path / "f", content="0000")
    settle(file)
    for i in range(1, 2000):
        with open(tmp_path / "f", "r+") as theirs:
            theirs.write(f"{i:04}")
        changes = file.check()
        assert [change.before for change in changes] == [f"{i:04}"]
        file.apply(changes)


def test_a_signature_is_worth_nothing_while_the_clock_of_files_stands(monkeypatch, make, tmp_path):
    monkeypatch.setattr(signatures, "_media", {})
    monkeypatch.setattr(signatures, "_MULTIGRAIN", set())
    file = make(tmp_path / "f", content="0000")
    file.apply(file.check())
    assert file.check() == []
    if "seen" in file.memory:  # only if more than 20 ms went by
        age = signatures.COARSE / 1e9
        assert os.lstat(tmp_path / "f").st_ctime < os.stat("/proc/self").st_ctime - age


def test_an_untouched_file_is_not_read_again(make, settle, tmp_path, monkeypatch):
    file = make(tmp_path / "f", content="x")
    settle(file)
    while signatures.medium(str(tmp_path)).local and "seen" not in file.memory:
        assert file.check() == []  # until it is older than the tick in which it was made
    monkeypatch.setattr(file.host, "files", None)
    assert file.check() == []


def test_a_new_declaration_is_looked_at(make, settle, tmp_path):
    file = make(tmp_path / "f", content="x")
    settle(file)
    asyncio.run(file.recv({"content": "y"}))
    assert [change.after for change in file.check()] == ["y"]


def test_what_is_small_and_local_is_quick(make, tmp_path):
    quick = make(tmp_path / "f", content="x")
    assert quick.quick == signatures.medium(str(tmp_path)).local
    assert make(tmp_path / "none/yet/f", content="x").quick == quick.quick
    assert not make("/proc/self/comm", content="x").quick
    for params in (
        {"content": "x" * (SMALL + 1)},
        {"content": "x", "fsync": True},
        {"source": "/etc/passwd"},
        {"fragments": ["/etc/passwd"]},
        {"content": "x", "recurse": True},
    ):
        assert not make(tmp_path / "f", **params).quick


@pytest.mark.root
@needs_root
def test_what_only_root_may_do_is_refused_to_others(tmp_path):
    def work():
        os.seteuid(12345)
        said = []
        for path, params in (
            (tmp_path / "mine/f", {"content": "x", "owner": "root"}),
            (tmp_path / "theirs/f", {"content": "x"}),
            (tmp_path / "secret/f", {"content": "x"}),
        ):
            file = File(str(path), _host=Host(state=tmp_path), **params)
            try:
                file.apply(file.check())
                said.append("done")
            except Refused as error:
                said.append(str(error))
        return "\n".join(said)

    for above in [tmp_path, *tmp_path.parents][:3]:
        above.chmod(0o755)
    for name, mode in (("mine", 0o700), ("theirs", 0o755), ("secret", 0o700)):
        (tmp_path / name).mkdir(mode=mode)
    os.chown(tmp_path / "mine", 12345, -1)
    owner, foreign, hidden = in_child(work).splitlines()
    assert owner.startswith(f"user 12345 may not change {tmp_path}/mine/f: ")
    assert owner.endswith("operation not permitted; run as root")
    assert foreign.endswith("permission denied; run as root")
    assert (
        hidden == f"user 12345 may not look at {tmp_path}/secret/f: permission denied; run as root"
    )
    assert os.listdir(tmp_path / "mine") == []


def in_child(work):
    """Return what `work` returns in a child process, where it may change who it is."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            answer = work()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer


async def test_a_change_of_the_file_or_its_source_is_told(make, tmp_path):
    (tmp_path / "s").write_text("")
    file = make(tmp_path / "f", source=f"{tmp_path}/s")
    events = aiter(file.watch())
    async with asyncio.timeout(10):
        await anext(events)
        (tmp_path / "f").write_text("drift")
        await anext(events)
        (tmp_path / "s").write_text("new")
        await anext(events)
    await events.aclose()


async def test_it_sends_what_it_holds(make, settle, tmp_path):
    file = make(tmp_path / "f", content="hi")
    settle(file)
    sent = file.send()
    assert sent == File.Sends(
        path=f"{tmp_path}/f", sha256=hashlib.sha256(b"hi").hexdigest(), size=2
    )
    assert make(f"{tmp_path}/").send().size == 0
    assert make(tmp_path / "none").send().sha256 == ""
