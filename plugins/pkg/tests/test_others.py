"""Others at work: who holds a lock, what was interrupted, what somebody installs or removes by hand."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import psutil
import pytest

from setpoint import Refused
from setpoint.engine.events import Changed, Converged
from setpoint_pkg import Pkg, backend, dpkg
from setpoint_pkg.dpkg import ABSENT, Dpkg

pytestmark = pytest.mark.root

HOLD = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.lockf(file, fcntl.LOCK_EX)"
GATE = "mkfifo /var/gate; cat /var/gate"  # a script that waits until the test lets it go on
ONCE = "test -e /var/once || { touch /var/once; sleep 1000; }"  # or until it is killed


@contextmanager
def held(path: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock on `path`."""
    wait = f"{HOLD}; print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", wait, path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process


async def until(condition: Any) -> None:
    """Wait until `condition` is true; the test's timeout is the limit."""
    while not condition():  # noqa: ASYNC110 - there is no event of ours
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/cache/apt/archives/lock"]
)
async def test_a_lock_of_others_is_waited_for_and_its_holder_named(
    lock, machine, repository, pkg, host
):
    repository.add("sp-a")
    repository.publish()
    with held(lock) as holder:
        applying = asyncio.create_task(pkg("sp-a").check_apply(apply=True))
        await until(lambda: "waits" in host.said("sp-a"))
        assert host.said("sp-a").startswith(f"waits for {lock}, which is held by python")
        assert f"(pid {holder.pid})" in host.said("sp-a")
        assert not applying.done()
    await applying
    assert machine.version("sp-a") == "1.0"


@pytest.mark.parametrize("script", ["preinst", "postinst"])
async def test_what_a_killed_dpkg_left_is_finished(script, machine, repository, pkg):
    repository.add("sp-slow", **{script: ONCE})
    repository.add("sp-with", fields="Depends: sp-slow\n")
    repository.add("sp-other")
    repository.publish()
    await _kill_apt("install", "-y", "sp-with")
    assert machine.version("sp-with") == ""
    both = pkg("sp-with"), pkg("sp-other")
    await asyncio.gather(*(it.check_apply(apply=True) for it in both))
    assert [machine.version(name) for name in ("sp-slow", "sp-with", "sp-other")] == ["1.0"] * 3
    assert dpkg.updates() == ()
    for it in both:
        assert await it.check_apply(apply=False) == []


async def test_what_was_killed_half_installed_can_be_removed(machine, repository, pkg):
    repository.add("sp-slow", preinst=ONCE)
    repository.publish()
    await _kill_apt("install", "-y", "sp-slow")
    await pkg("sp-slow", "purged").check_apply(apply=True)
    assert machine.status("sp-slow") == ""


async def test_what_is_half_installed_and_not_declared_stands_in_nobodys_way(
    machine, repository, pkg
):
    for name, script in (("sp-slow", ONCE), ("sp-a", ""), ("sp-b", "")):
        repository.add(name, preinst=script)
    repository.publish()
    await pkg("sp-b").check_apply(apply=True)
    await _kill_apt("install", "-y", "sp-slow")
    await asyncio.gather(
        pkg("sp-a").check_apply(apply=True), pkg("sp-b", "absent").check_apply(apply=True)
    )
    assert (machine.version("sp-a"), machine.version("sp-b")) == ("1.0", "")
    assert machine.version("sp-slow") == "1.0"


async def test_a_removal_that_was_killed_is_taken_back(machine, repository, pkg):
    repository.add("sp-slow", prerm=ONCE)
    repository.publish()
    await pkg("sp-slow").check_apply(apply=True)
    await _kill_apt("remove", "-y", "sp-slow")
    assert machine.version("sp-slow") == ""
    await pkg("sp-slow").check_apply(apply=True)
    assert machine.version("sp-slow") == "1.0"


async def _kill_apt(*words: str) -> None:
    """Run apt-get until the script waits, then kill it with all its descendants."""
    apt = await asyncio.create_subprocess_exec(
        "apt-get", *words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    await until(Path("/var/once").exists)
    processes = [psutil.Process(apt.pid), *psutil.Process(apt.pid).children(recursive=True)]
    for process in processes:
        process.kill()
    await apt.wait()
    await until(lambda: all(map(_has_ended, processes)))


def _has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_a_transaction_is_not_cut_off_by_the_end_of_the_engine(
    machine, repository, pkg, host
):
    repository.add("sp-a", postinst=GATE)
    repository.publish()
    applying = asyncio.create_task(pkg("sp-a").check_apply(apply=True))
    await until(Path("/var/gate").exists)
    applying.cancel()
    host.close()
    await asyncio.wait([applying])
    assert machine.version("sp-a") == ""
    Path("/var/gate").write_text("go on")
    await until(lambda: machine.version("sp-a") == "1.0")
    await until(lambda: dpkg.updates() == ())


# Watching.


async def test_what_is_removed_by_hand_comes_back(machine, repository, engine):
    repository.add("sp-a")
    repository.add("sp-b")
    repository.publish()
    async with engine.keeping(Pkg("sp-a"), Pkg("sp-b", state="absent")) as kept:
        machine.run("apt-get", "remove", "-y", "sp-a")
        machine.run("apt-get", "install", "-y", "sp-b")
        await kept.told(Changed, "pkg sp-a")
        await kept.told(Changed, "pkg sp-b")
        await kept.told(Converged)
        assert (machine.version("sp-a"), machine.version("sp-b")) == ("1.0", "")
    assert kept.result.ok


async def test_newest_is_updated_when_somebody_refreshes_the_lists(machine, repository, engine):
    repository.add("sp-a", "1.0")
    repository.publish()
    async with engine.keeping(Pkg("sp-a", state="newest")) as kept:
        repository.add("sp-a", "2.0")
        repository.publish()
        await kept.heard(lambda event: isinstance(event, Changed) and "2.0" in str(event))
        await until(lambda: machine.version("sp-a") == "2.0")


async def test_of_many_packages_only_the_one_that_changed_is_told(machine, repository, host):
    for name in ("sp-a", "sp-b"):
        repository.add(name)
    repository.publish()
    machine.run("apt-get", "install", "-y", "sp-a", "sp-b")
    table, told = Dpkg(host), []
    names = ["sp-a", "sp-b", *(f"sp-{number}" for number in range(300))]
    watched = [table.changes(name) for name in names]
    for name, entry in zip(names, watched, strict=True):
        entry.start(lambda name=name: told.append(name))
        await table.find(name)
    read_before = dpkg.read.cache_info().misses
    machine.run("dpkg", "--remove", "sp-b")
    await until(lambda: told)
    assert set(told) == {"sp-b"}
    assert await table.find("sp-b") == ABSENT
    assert dpkg.read.cache_info().misses - read_before < 5
    for entry in watched:
        entry.stop()


def test_five_megabytes_are_read_in_less_than_150_ms(machine):
    status = Path("/var/lib/dpkg/status")
    filler = "".join(f" a line of text, number {number}\n" for number in range(40))
    status.write_text(
        "".join(
            f"Package: sp-{number}\nStatus: install ok installed\nPriority: optional\nArchitecture: amd64\n"
            f"Multi-Arch: same\nVersion: 1:{number}-1\nDescription: x\n{filler}\n"
            for number in range(5000)
        )
    )
    assert status.stat().st_size > 5_000_000
    began = time.thread_time()
    table = dpkg.read(dpkg.signature())
    assert time.thread_time() - began < 0.15
    assert table["sp-4999"] == table["sp-4999:amd64"] == ("installed", "1:4999-1", False, "")


def test_the_bare_name_is_that_of_the_machines_own_architecture(machine):
    stanza = "Package: sp-a\nStatus: install ok installed\nArchitecture: {}\nVersion: {}\n\n"
    Path("/var/lib/dpkg/arch").write_text("amd64\ni386\n")
    Path("/var/lib/dpkg/status").write_text(stanza.format("amd64", 1) + stanza.format("i386", 2))
    table = dpkg.read(dpkg.signature())
    assert table["sp-a"].version == table["sp-a:amd64"].version == "1"
    assert table["sp-a:i386"].version == "2"


def test_changes_that_dpkg_has_not_yet_gathered_count(machine):
    stanza = "Package: sp-a\nStatus: install {}\nArchitecture: all\nVersion: 1\n\n"
    Path("/var/lib/dpkg/status").write_text(stanza.format("ok installed"))
    Path("/var/lib/dpkg/updates/0003").write_text(stanza.format("reinstreq half-installed"))
    table = dpkg.read(dpkg.signature())
    assert table["sp-a"].state == "half-installed reinstreq"


# Who cannot.


async def test_who_is_not_root_is_told_so(machine, repository, pkg):
    repository.add("sp-a")
    repository.publish()
    os.seteuid(12345)
    try:
        with pytest.raises(
            Refused, match="only root may install and remove packages, not user 123"
        ):
            await pkg("sp-a").check_apply(apply=True)
    finally:
        os.seteuid(0)


async def test_a_machine_without_apt_is_told_so(monkeypatch, pkg):
    monkeypatch.setattr(backend.os.path, "exists", lambda path: False)
    with pytest.raises(Refused, match="this machine must have apt to install packages"):
        await pkg("sp-a").check_apply(apply=False)
    assert [thing.what for thing in pkg("sp-a").provides()] == ["package"]
