"""Which processes are meant, and which are never touched."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from setpoint.processes.proc import Selection, full_name, read
from setpoint_process.table import ancestry, fits_untouchable, is_ordinary, scan, untouchable

if TYPE_CHECKING:
    from conftest import Herd


def test_a_process_is_told_by_pid_and_start(herd: "Herd") -> None:
    first, second = (herd.entry(pid) for pid in herd.sleepers(2))
    assert first.identity != second.identity
    assert first.identity == herd.entry(first.pid).identity
    assert first.name == herd.name
    assert first.parent == os.getpid()


def test_a_pid_that_nobody_has_is_nothing(herd: "Herd") -> None:
    (pid,) = herd.sleepers()
    herd.signal(signal.SIGKILL)
    herd.children[0].wait()
    assert read(pid) is None


def test_a_name_with_blanks_and_parentheses_is_read_whole(tmp_path: Path) -> None:
    code = "open('/proc/self/comm', 'w').write('a) (R b'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        entry = read(child.pid)
        assert entry is not None
        assert entry.name == "a) (R b"
        assert entry.parent == os.getpid()
        child.communicate(b"\n")


def test_what_is_stopped_is_paused_and_what_has_ended_is_meant_by_nobody(herd: "Herd") -> None:
    (pid,) = herd.sleepers()
    assert not herd.entry(pid).is_paused
    herd.stop()
    assert herd.entry(pid).is_paused
    herd.signal(signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert not herd.entry(pid).is_alive
    assert scan(herd.selection) == []


def test_a_name_is_exact_and_a_pattern_is_searched(herd: "Herd") -> None:
    pids = sorted(herd.sleepers(2))

    def found(selection: Selection) -> list[int]:
        return [entry.pid for entry in scan(selection)]

    assert found(Selection(name=herd.name)) == pids
    assert found(Selection(name=herd.name[:-1])) == []
    assert found(Selection(pattern=re.compile(f"^{herd.name[:-1]}"))) == pids
    assert found(Selection(pattern=re.compile(herd.name[2:]))) == pids
    assert found(Selection(pattern=re.compile(f"^{herd.name[2:]}"))) == []
    assert found(Selection(pattern=re.compile(f"{herd.name} 1000"), whole=True)) == pids
    assert found(Selection(pattern=re.compile(f"{herd.name} 1000"))) == []
    assert found(Selection(pid=pids[0])) == pids[:1]
    assert found(Selection(name=herd.name, pid=os.getppid())) == []


def test_the_user_may_be_a_name_or_a_number_and_an_unknown_one_fits_nothing(herd: "Herd") -> None:
    (pid,) = herd.sleepers()
    me = psutil.Process().username()
    for user, fits in ((me, True), (str(os.geteuid()), True), ("nobody-like-this", False)):
        found = [entry.pid for entry in scan(Selection(name=herd.name, user=user))]
        assert found == ([pid] if fits else [])


def test_a_name_that_the_kernel_cut_is_read_from_the_first_argument(tmp_path: Path) -> None:
    program = tmp_path / "a-name-of-more-than-fifteen-bytes"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "1000"]) as child:
        try:
            while not Path(f"/proc/{child.pid}/cmdline").read_bytes():
                pass  # it is inside execve, which gives it its arguments last
            entry = read(child.pid)
            assert entry is not None
            assert entry.name == "a-name-of-more-"
            assert full_name(entry) == program.name
            assert [e.pid for e in scan(Selection(name=program.name))] == [child.pid]
        finally:
            child.kill()


def test_this_process_and_all_that_it_descends_from_is_untouchable() -> None:
    parents = {parent.pid for parent in psutil.Process().parents()}
    assert untouchable() >= {1, os.getpid(), *parents}
    assert list(ancestry(os.getpid()))[:2] == [os.getpid(), os.getppid()]


def test_the_leader_of_the_session_is_untouchable() -> None:
    assert os.getsid(0) in {0} | untouchable()


@pytest.mark.parametrize("pattern", ["", "."])
def test_a_pattern_that_fits_all_leaves_the_untouchable_out(pattern: str) -> None:
    selection = Selection(pattern=re.compile(pattern))
    found = {entry.pid for entry in scan(selection)}
    assert not found & untouchable()
    assert fits_untouchable(selection)


def test_threads_of_the_kernel_are_left_out() -> None:
    threads = [e for e in map(read, psutil.pids()) if e is not None and not is_ordinary(e)]
    if os.path.exists("/proc/2") and read(2).name == "kthreadd":  # type: ignore[union-attr]
        assert threads  # a container shows none
    found = {entry.pid for entry in scan(Selection())}
    assert not found & {entry.pid for entry in threads}
