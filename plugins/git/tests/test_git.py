"""The git resource: a checkout at a branch, a tag or a commit of a real repository."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from setpoint import ParamError, Refused
from setpoint.clock import Clock
from setpoint.engine.events import Changed
from setpoint.host import Host
from setpoint.testing import ResourceSuite
from setpoint_git import Git


def shown(changes):
    return [str(change) for change in changes]


class TestGit(ResourceSuite):
    @pytest.fixture
    def resource(self, host, origin, tmp_path_factory):
        place = tmp_path_factory.mktemp(
            "place"
        )  # git writes when it was where, which is compared in tmp_path
        place.chmod(0o777)
        path = str(place / "checkout")
        return Git("it", path=path, source=str(origin.path), force=True, _host=host)

    def observe(self, resource):
        path = Path(resource.path)
        return path.is_dir() and {
            name.name: name.read_text() for name in (*path.glob("[a-z]*"), path / ".git/HEAD")
        }

    async def disturb(self, resource):
        Path(resource.path, "a").write_text("edited\n")

    async def undo(self, resource):
        shutil.rmtree(resource.path, ignore_errors=True)


# What is checked out.


async def test_the_first_time_it_is_fetched_and_then_left(make, origin, checkout):
    it = make()
    assert shown(await it.check_apply(apply=True)) == [f"commit: None -> '{origin.head}'"]
    assert (checkout.path / "a").read_text() == "first\n"
    assert await it.check_apply(apply=True) == []
    assert it.send() == it.Sends(commit=origin.head, changed=False)
    origin.commit(a="second\n")
    assert await it.check_apply(apply=True) == []
    assert await make().check_apply(apply=True) == []


async def test_with_an_interval_a_branch_is_followed(make, origin, checkout, host):
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    first, second = checkout.head, origin.commit(a="second\n")
    assert await it.check_apply(apply=True) == []
    host.clock.now += 60
    assert shown(await it.check_apply(apply=True)) == [f"commit: '{first}' -> '{second}'"]
    assert (checkout.path / "a").read_text() == "second\n"
    assert it.send() == it.Sends(commit=second, changed=True)
    third = origin.commit(a="third\n")
    await make(ref="main", interval=60).check_apply(apply=True)
    assert checkout.head == third


async def test_a_notification_asks_at_once(make, origin, checkout):
    it = make()
    await it.check_apply(apply=True)
    second = origin.commit(a="second\n")
    await it.check_apply(apply=True)
    await it.refresh()
    assert checkout.head == second
    assert it.send().changed
    assert await it.check_apply(apply=True) == []


async def test_branches_tags_and_commits_are_refs(make, origin, checkout):
    first = origin.head
    origin.git("tag", "light")
    origin.git("tag", "--annotate", "--message=x", "heavy")
    origin.git("checkout", "--quiet", "-b", "deep/branch")
    second = origin.commit(a="second\n")
    origin.git("checkout", "--quiet", "main")
    for ref, commit in {
        "deep/branch": second,
        "light": first,
        second: second,
        "heavy": first,
        "refs/heads/deep/branch": second,
        "HEAD": first,
    }.items():
        await make(ref=ref).check_apply(apply=True)
        assert checkout.head == commit, ref
        assert await make(ref=ref).check_apply(apply=False) == []


async def test_a_commit_in_no_branch_can_be_had(make, origin, checkout):
    lost = origin.commit(a="lost\n")
    origin.git("reset", "--quiet", "--hard", "HEAD^")
    await make(ref=lost).check_apply(apply=True)
    assert checkout.head == lost


async def test_a_history_that_was_rewritten_is_followed(make, origin, checkout, host):
    origin.commit(a="second\n")
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    origin.git("commit", "--quiet", "--amend", "--message=other")
    host.clock.now += 60
    await it.check_apply(apply=True)
    assert checkout.head == origin.head


async def test_only_as_much_history_as_asked_for_is_fetched(make, origin, checkout, host):
    for number in range(5):
        origin.commit(a=f"{number}\n")
    it = make(source=f"file://{origin.path}", depth=2, ref="main", interval=60)
    await it.check_apply(apply=True)
    assert checkout.git("rev-list", "--count", "HEAD") == "2"
    origin.commit(a="more\n")
    host.clock.now += 60
    await it.check_apply(apply=True)
    assert checkout.head == origin.head


async def test_another_source_is_taken(make, origin, checkout, new):
    await make().check_apply(apply=True)
    other = new("other")
    other.commit(a="other\n")
    changes = await make(source=str(other.path)).check_apply(apply=True)
    assert [change.attribute for change in changes] == ["source", "commit"]
    assert checkout.head == other.head
    assert checkout.git("remote", "get-url", "origin") == str(other.path)


async def test_submodules_come_at_their_commits(make, origin, checkout, new):
    part = new("part")
    origin.git("submodule", "--quiet", "add", str(part.path), "sub")
    origin.commit()
    it = make(submodules=True)
    await it.check_apply(apply=True)
    assert (checkout.path / "sub/a").read_text() == "first\n"
    shutil.rmtree(checkout.path / "sub")
    (checkout.path / "sub").mkdir()
    assert shown(await it.check_apply(apply=True)) == ["submodules: 'differ: sub' -> 'as named'"]
    assert (checkout.path / "sub/a").exists()


async def test_a_ref_that_is_not_there_names_the_nearest(make):
    with pytest.raises(Refused, match="has no branch or tag 'mian'; did you mean 'main'"):
        await make(ref="mian").check_apply(apply=True)


async def test_a_commit_that_is_not_there_is_refused(make, tmp_path):
    with pytest.raises(Refused, match="has no commit 0000"):
        await make(ref="0" * 40).check_apply(apply=True)
    assert sorted(os.listdir(tmp_path)) == ["origin"]


async def test_a_source_that_is_gone_stops_who_was_never_there_only(make, origin, host, caplog):
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    origin.path.rename(origin.path.with_name("gone"))
    host.clock.now += 60
    assert await it.check_apply(apply=True) == []
    assert "the source cannot be asked" in caplog.text
    with pytest.raises(OSError, match="does not appear to be a git repository"):
        await make(ref="other").check_apply(apply=True)


# What others do in there.


async def test_edited_files_are_named_and_kept_or_with_force_undone(make, checkout):
    await make().check_apply(apply=True)
    (checkout.path / "a").write_text("mine\n")
    (checkout.path / "b").unlink()
    with pytest.raises(Refused, match="were edited: a, b; undo that, or declare force: true"):
        await make().check_apply(apply=True)
    assert (checkout.path / "a").read_text() == "mine\n"
    changes = await make(force=True).check_apply(apply=True)
    assert shown(changes) == ["files: 'edited: a, b' -> 'as in the commit'"]
    assert (checkout.path / "a").read_text() == (checkout.path / "b").read_text() == "first\n"


async def test_files_that_were_moved_or_added_are_edited_too(make, checkout):
    await make().check_apply(apply=True)
    checkout.git("mv", "a", "with blank")
    (checkout.path / "new").write_text("new\n")
    checkout.git("add", "new")
    with pytest.raises(Refused, match="were edited: new, with blank"):
        await make().check_apply(apply=True)
    await make(force=True).check_apply(apply=True)
    assert sorted(os.listdir(checkout.path)) == [".git", "a", "b"]


async def test_other_files_stay_and_those_in_the_way_are_named(make, origin, checkout, host):
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    (checkout.path / "cache").write_text("mine\n")
    (checkout.path / "c").write_text("mine\n")
    origin.commit(c="theirs\n")
    host.clock.now += 60
    with pytest.raises(Refused, match="are in the way: c; move them, or declare force: true"):
        await it.check_apply(apply=True)
    assert (checkout.path / "c").read_text() == "mine\n"
    (checkout.path / "a").write_text("mine too\n")
    with pytest.raises(Refused, match="were edited: a"):
        await it.check_apply(apply=True)
    await make(ref="main", interval=60, force=True).check_apply(apply=True)
    assert (checkout.path / "c").read_text() == "theirs\n"
    assert (checkout.path / "cache").read_text() == "mine\n"


async def test_a_commit_in_no_branch_is_not_lost(make, origin, checkout):
    await make().check_apply(apply=True)
    mine = checkout.commit(a="mine\n")
    with pytest.raises(Refused, match=f"commit {mine} of .* is in no branch and would be lost"):
        await make().check_apply(apply=True)
    checkout.git("branch", "mine")
    await make().check_apply(apply=True)
    assert checkout.head == origin.head
    assert checkout.git("rev-parse", "mine") == mine


async def test_what_is_no_checkout_is_left_alone(make, checkout):
    checkout.path.mkdir()
    (checkout.path / "file").write_text("mine\n")
    with pytest.raises(Refused, match="must be a checkout or empty, it has other files; move them"):
        await make().check_apply(apply=True)
    (checkout.path / "file").unlink()
    await make().check_apply(apply=True)
    assert (checkout.path / "a").exists()


async def test_what_is_done_in_there_is_noticed(engine, origin, checkout):
    it = Git(str(checkout.path), source=str(origin.path), force=True)
    async with engine.keeping(it) as kept:
        (checkout.path / "a").write_text("edited\n")
        await kept.told(Changed)
        await _until(lambda: (checkout.path / "a").read_text() == "first\n")


# Being killed.


async def test_locks_of_the_dead_are_removed(make, origin, checkout, host):
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    for lock in ("index.lock", "HEAD.lock", "shallow.lock", "refs/remotes/origin/main.lock"):
        (checkout.path / ".git" / lock).touch()
    origin.commit(a="second\n")
    host.clock.now += 60
    await it.check_apply(apply=True)
    assert checkout.head == origin.head
    assert list((checkout.path / ".git").rglob("*.lock")) == []


async def test_a_git_that_works_in_there_is_waited_for(make, origin, checkout, host):
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    origin.commit(a="second\n")
    (checkout.path / ".git/index.lock").touch()
    git = await asyncio.create_subprocess_exec(
        *("git", "-C", checkout.path, "cat-file", "--batch"), stdin=asyncio.subprocess.PIPE
    )
    host.clock.now += 60
    moving = asyncio.create_task(it.check_apply(apply=True))
    await _until(lambda: f"waits for process {git.pid}" in " ".join(host.shown))
    assert not moving.done()
    git.stdin.close()
    await git.wait()
    await moving
    assert checkout.head == origin.head


async def test_files_that_were_half_moved_are_nobodys_work(make, origin, checkout, host):
    names = [f"file{number}" for number in range(50)]
    origin.commit(**dict.fromkeys(names, "first\n"))
    it = make(ref="main", interval=60)
    await it.check_apply(apply=True)
    gate = checkout.path.with_name("gate")
    os.mkfifo(gate)
    (checkout.path / ".git/info/attributes").write_text("file49 filter=slow\n")
    checkout.git("config", "filter.slow.smudge", f"cat; cat {gate}")
    origin.commit(**dict.fromkeys(names, "second\n"))
    host.clock.now += 60
    others = _all_below(os.getpid())
    moving = asyncio.create_task(it.check_apply(apply=True))
    await _until((checkout.path / ".git/index.lock").exists)
    await _until(lambda: (checkout.path / "file1").read_text() == "second\n")
    _kill(_all_below(os.getpid()) - others)
    with pytest.raises(OSError, match="git checkout"):
        await moving
    with suppress(OSError):  # whoever escaped that waits for a writer; there may be nobody
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    assert checkout.git("-c", "core.fsmonitor=", "status", "--porcelain") != ""
    checkout.git("config", "--unset", "filter.slow.smudge")
    await make(ref="main", interval=60).check_apply(apply=True)
    assert checkout.head == origin.head
    assert (checkout.path / "file49").read_text() == "second\n"
    assert await make(ref="main").check_apply(apply=True) == []


def _all_below(pid):
    """Return all processes that a process has started, and those that they have."""
    return set(psutil.Process(pid).children(recursive=True))


def _kill(processes):
    for process in processes:
        process.kill()


async def test_what_a_killed_fetch_left_is_made_anew(make, origin, checkout, tmp_path):
    leftover = tmp_path / ".checkout.setpoint-new"
    (leftover / ".git").mkdir(parents=True)
    (leftover / "a").write_text("half")
    await make().check_apply(apply=True)
    assert checkout.head == origin.head
    assert not leftover.exists()


# Who runs what.


async def test_nothing_of_a_checkout_is_run(make, origin, checkout, tmp_path, host):
    it = make(ref="main", interval=60, force=True)
    await it.check_apply(apply=True)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"):
        (checkout.path / ".git/hooks").mkdir(exist_ok=True)
        (checkout.path / ".git/hooks" / hook).symlink_to(trap)
    for key in ("core.fsmonitor", "core.sshCommand", "core.askPass", "credential.helper"):
        checkout.git("config", key, str(trap))
    shutil.rmtree(tmp_path / "sprung", ignore_errors=True)
    (tmp_path / "sprung").unlink(missing_ok=True)
    (checkout.path / "a").write_text("edited\n")
    origin.commit(a="second\n")
    host.clock.now += 60
    await it.check_apply(apply=True)
    assert checkout.path.joinpath("a").read_text() == "second\n"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.root
async def test_a_checkout_of_another_user_is_not_trusted(make, checkout):
    await make().check_apply(apply=True)
    os.chown(checkout.path / ".git", 65534, 65534)
    with pytest.raises(
        Refused, match="belongs to user nobody, who can have git run anything; decl"
    ):
        await make().check_apply(apply=True)


@pytest.mark.root
async def test_a_source_of_another_user_is_not_trusted(make, origin):
    os.chown(origin.path, 65534, 65534)
    with pytest.raises(Refused, match="origin belongs to user nobody, who can have git run"):
        await make().check_apply(apply=True)


@pytest.mark.root
async def test_it_may_belong_to_another_user(host, tmp_path, origin, monkeypatch):
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    it = Git(
        "it", path=str(tmp_path / "theirs"), source=str(origin.path), user="nobody", _host=host
    )
    await it.check_apply(apply=True)
    owners = {path.lstat().st_uid for path in (tmp_path / "theirs").rglob("*")}
    assert owners == {65534}
    assert await it.check_apply(apply=True) == []


# Where it comes from.


async def test_a_git_daemon_is_a_source(host, origin, tmp_path, unused_tcp_port):
    async with daemon(origin.path, unused_tcp_port):
        source = f"git://127.0.0.1:{unused_tcp_port}/origin"
        it = Git(str(tmp_path / "out"), source=source, depth=1, _host=host)
        await it.check_apply(apply=True)
        assert (tmp_path / "out/a").exists()
        assert await it.check_apply(apply=True) == []


@asynccontextmanager
async def daemon(path, port):
    """Run the daemon of git for the repositories beside `path`."""
    options = ("--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}")
    process = await asyncio.create_subprocess_exec(
        *("git", "daemon", "--verbose", *options, f"--base-path={path.parent}", path.parent),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        while b"Ready to rumble" not in await process.stderr.readline():
            assert process.returncode is None
        yield
    finally:
        _kill(_all_below(process.pid))
        process.terminate()
        await process.communicate()


@pytest.mark.root
async def test_over_ssh_a_key_opens_and_an_unknown_server_is_refused(
    host, origin, tmp_path, unused_tcp_port, private
):
    private("/run")
    async with sshd(tmp_path, unused_tcp_port) as known:
        source = f"ssh://root@127.0.0.1:{unused_tcp_port}{origin.path}"
        keys = {"key": str(tmp_path / "user key"), "host_keys": str(known)}
        it = Git(str(tmp_path / "out"), source=source, _host=host, **keys)
        await it.check_apply(apply=True)
        assert (tmp_path / "out/a").exists()
        known.write_text("")
        with pytest.raises(OSError, match="Host key verification failed"):
            await Git(str(tmp_path / "2"), source=source, _host=host, **keys).check_apply(
                apply=True
            )
        keys["key"] = str(tmp_path / "nothing")
        with pytest.raises(OSError, match="git ls-remote"):
            await Git(str(tmp_path / "2"), source=source, _host=host, **keys).check_apply(
                apply=True
            )


@asynccontextmanager
async def sshd(place, port):
    """Run an OpenSSH server that lets root in with a key; yield the file with its own key."""
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("server key", "user key"):
        await _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name))
    known = place / "known hosts"
    known.write_text(f"[127.0.0.1]:{port} {(place / 'server key.pub').read_text()}")
    shutil.copy(place / "user key.pub", place / "authorized")
    (place / "config").write_text(
        f'ListenAddress 127.0.0.1:{port}\nHostKey "{place}/server key"\nStrictModes no\nUsePAM no\n'
        f"AuthorizedKeysFile {place}/authorized\nPidFile none\nPermitRootLogin prohibit-password\n"
    )
    process = await asyncio.create_subprocess_exec(
        *("/usr/sbin/sshd", "-D", "-e", "-f", place / "config"), stderr=asyncio.subprocess.PIPE
    )
    try:
        while b"Server listening" not in (line := await process.stderr.readline()):
            assert line, "sshd has ended"
        yield known
    finally:
        process.terminate()
        await process.communicate()


async def _run(*words):
    process = await asyncio.create_subprocess_exec(*words)
    assert await process.wait() == 0


@pytest.mark.parametrize(
    "source",
    [
        "-u/tmp/evil",
        "--upload-pack=touch /tmp/evil",
        "ext::sh -c touch% /tmp/evil",
        "fd::17",
        "https://user:secret@example.org/x",
        "ssh://-oProxyCommand=evil/x",
        "ssh://-evil@host/x",
        "-evil@host:x",
        "host:-evil",
        "-oProxyCommand=evil:x",
        "ftp://host/x",
        "relative/path",
        "/a/../b",
        "https://host/a b",
        "https://host/a\nb",
        "file://host/x",
        "",
    ],
)
def test_a_source_that_would_be_more_than_one_is_refused(source):
    with pytest.raises(ParamError, match="source must"):
        Git("/x", source=source)


@pytest.mark.parametrize(
    "source",
    [
        "/srv/x.git",
        "https://host:8443/x.git",
        "git@host:a/b.git",
        "ssh://git@host:22/x",
        "host:x",
        "git@[::1]:x",
    ],
)
def test_a_source_is_a_path_a_url_or_a_place_for_ssh(source):
    assert Git("/x", source=source).source == source


@pytest.mark.parametrize(
    "ref",
    [
        "-f",
        "--upload-pack=x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "*",
        "@{1}",
        "/a",
        "a/",
        "x.lock",
        "",
        ".",
    ],
)
def test_a_ref_that_would_be_more_than_one_is_refused(ref):
    with pytest.raises(ParamError, match="ref must be a branch"):
        Git("/x", source="/y", ref=ref)


def test_what_it_needs_and_provides():
    it = Git("/srv/app", source="/srv/app.git", user="app", key="/root/key")
    assert ("directory", "/srv/app") in {tuple(thing) for thing in it.provides()}
    assert {(need.what, need.name) for need in it.needs()} == {
        ("directory", "/srv"),
        ("path", "/srv/app.git"),
        ("user", "app"),
        ("path", "/root/key"),
        ("package", "git"),
    }


class HandClock(Clock):
    """A clock that is moved by hand."""

    now = 1000.0

    def monotonic(self):
        return self.now


class Listening(Host):
    """A host that keeps what is shown as progress."""

    def __init__(self, **options):
        super().__init__(**options)
        self.shown = []

    def progress(self, resource, text):
        self.shown.append(text)


@pytest.fixture
def host(tmp_path_factory):
    host = Listening(state=tmp_path_factory.mktemp("state"), clock=HandClock())
    yield host
    host.close()


async def _until(condition):
    """Wait until `condition` is true; the test's timeout is the limit."""
    while not condition():  # noqa: ASYNC110 - there is no event of ours
        await asyncio.sleep(0.01)
