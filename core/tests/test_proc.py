"""The table of processes: none is missed, and each is told from all others."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setpoint.processes import proc
from setpoint.processes.proc import (
    Entry,
    Selection,
    command_line,
    effective_user,
    everything,
    full_name,
    read,
)

Start = Callable[..., "subprocess.Popen[str]"]
VFORKING = """
import os, sys, threading
stdin = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)  # waits there for a writer
threads = [threading.Thread(target=os.read, args=(0, 1)) for _ in range(int(sys.argv[2]))]
for thread in threads: thread.start()
print(os.getpid(), flush=True)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[stdin])
"""


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begun(*words: str | Path, **options: object) -> "subprocess.Popen[str]":
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(words, **pipes, **options))  # type: ignore[call-overload]
        return started[-1]

    yield begun
    for child in started:
        child.kill()
        child.communicate()


def found(pid: int) -> Entry:
    entry = read(pid)
    assert entry is not None
    return entry


def test_all_there_are_are_listed_once_in_order(start: Start) -> None:
    children = {start("sleep", "100").pid for _ in range(5)}
    pids = [entry.pid for entry in everything()]
    assert pids == sorted(set(pids))
    assert {os.getpid(), *children} <= set(pids)


def test_what_forks_and_ends_during_the_look_does_not_hide_its_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = [7, 8]
    monkeypatch.setattr(proc, "_pids", lambda: list(present))

    def hops(pid: int) -> Entry | None:
        if pid < 10 and pid == present[-1]:
            present[-1] = pid + 1  # its child
            return None
        return Entry(pid, "hopper", "R", 1, 0, 100 + pid)

    monkeypatch.setattr(proc, "read", hops)
    assert [entry.pid for entry in everything()] == [7, 10]


def test_a_machine_on_which_some_always_end_is_looked_at_a_few_times_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pids = iter(range(1000))
    monkeypatch.setattr(proc, "_pids", lambda: [next(pids)])
    monkeypatch.setattr(proc, "read", lambda pid: None)
    assert everything() == []
    assert next(pids) == proc.LOOKS


@pytest.mark.parametrize("threads", [0, 2])
def test_who_waits_in_vfork_stands_still_once_it_and_its_child_are_stopped(
    start: Start, tmp_path: Path, threads: int
) -> None:
    os.mkfifo(tmp_path / "fifo")
    child = start(sys.executable, "-c", VFORKING, tmp_path / "fifo", str(threads))
    assert child.stdout
    child.stdout.readline()
    while not (young := [e for e in everything() if e.parent == child.pid]):
        assert child.poll() is None
    assert not found(child.pid).is_paused
    for number, stopped in ((signal.SIGSTOP, True), (signal.SIGCONT, False)):
        for pid in (child.pid, young[0].pid):
            os.kill(pid, number)
            while found(pid).is_paused != stopped:
                pass  # the test's own time limit ends it
    os.kill(young[0].pid, signal.SIGKILL)


LONG = "a-name-of-more-than-15-bytes"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([f"/some where/{LONG}", "-"], LONG),
        ([LONG], LONG),
        (["a-name-of-more-: waits for work"], "a-name-of-more-:"),  # written over its arguments
        (["another", "-"], "a-name-of-more-"),
    ],
)
def test_a_name_that_the_kernel_cut_is_in_the_arguments(
    start: Start, tmp_path: Path, arguments: list[str], name: str
) -> None:
    program = shutil.copy(shutil.which("cat") or "", tmp_path / LONG)
    child = start(*arguments, executable=program)
    assert child.stdin
    assert child.stdout
    child.stdin.write("\n")
    child.stdin.flush()
    child.stdout.readline()  # it has its arguments now, and runs
    entry = found(child.pid)
    assert (entry.name, full_name(entry)) == ("a-name-of-more-", name)
    assert command_line(child.pid) == " ".join(arguments)
    assert Selection(pattern=re.compile(re.escape(arguments[0])), whole=True).fits(entry)


def test_who_has_ended_has_neither_name_nor_user_and_fits_nothing(start: Start) -> None:
    child = start("true")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not Selection().fits(found(child.pid))  # it waits for its parent
    child.wait()
    assert read(child.pid) is None
    assert (command_line(child.pid), effective_user(child.pid)) == ("", None)
    assert proc.threads(child.pid) == []


def test_a_pid_that_is_pinned_means_the_process_that_has_it_now(start: Start) -> None:
    entry = found(start("sleep", "100").pid)
    pinned = Selection(pid=entry.pid).pinned()
    assert pinned.fits(entry)
    assert not pinned.fits(entry._replace(start=entry.start + 1))
    nobody = Selection(pid=2**22).pinned()
    assert not nobody.fits(entry._replace(pid=2**22))
    assert Selection(name="any").pinned() == Selection(name="any")
