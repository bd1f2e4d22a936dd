"""One engine at a time, and anybody may look while it runs or after it died."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from setpoint.clock import Clock
from setpoint.errors import JournalError
from setpoint.journal import Debt, Journal, read_status
from setpoint.journal.lock import this_process


@contextmanager
def other_process(action: Callable[[], object]) -> Iterator[int]:
    """Fork a process that does `action` and then waits; give its pid; kill it at the end."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os.write(tell, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    try:
        assert os.read(ready, 1) == b"x"
        yield pid
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def leave_debts(directory: Path) -> None:
    journal = Journal(directory, Clock())
    journal.open()
    journal.resolve("file /a", ["svc x"])
    journal.summary({"graph": "web", "converged": True})
    journal.outcome("svc x", "blocked", "file /a failed")
    journal.intend_now(["file /b"])


def test_the_second_engine_is_told_who_is_there(tmp_path: Path) -> None:
    with other_process(Journal(tmp_path, Clock()).open) as pid:
        host = os.uname().nodename
        who = rf"the journal is in use by pid {pid} on {host} since \d{{4}}-\d\d-\d\d .* \(.*pytest"
        with pytest.raises(JournalError, match=who) as caught:
            Journal(tmp_path, Clock()).open()
    assert str(caught.value).startswith(f"{tmp_path}/lock: ")
    assert str(caught.value).endswith("stop that one, or choose another place with --prefix")


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    with other_process(Journal(tmp_path, Clock()).open):
        pass
    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.close()


def test_two_engines_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    with pytest.raises(JournalError, match=f"in use by pid {os.getpid()} "):
        Journal(tmp_path, Clock()).open()
    with pytest.raises(JournalError, match="in use"):
        journal.open()
    read_status(tmp_path)  # opens and closes the same files; must not give the lock away
    with pytest.raises(JournalError, match="in use"):
        Journal(tmp_path, Clock()).open()
    journal.close()


def test_a_program_that_is_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    journal.close()
    try:
        journal.open()
        journal.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_that_is_being_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    opened = {
        os.path.realpath(f"/proc/self/fd/{fd}"): int(fd) for fd in os.listdir("/proc/self/fd")
    }
    childs = os.dup(opened[f"{tmp_path}/lock"])  # as it has all files until exec has closed them
    journal.close()
    journal.open()
    journal.close()
    os.close(childs)


def test_an_unreadable_owner_is_another_engine(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    (tmp_path / "lock").write_bytes(b"{half")
    with pytest.raises(JournalError, match="in use by another engine; stop that one"):
        Journal(tmp_path, Clock()).open()
    journal.close()


def test_status_of_a_running_engine(tmp_path: Path) -> None:
    with other_process(lambda: leave_debts(tmp_path)) as pid:
        found = read_status(tmp_path)
    assert (found.running, found.died, found.rebooted) == (True, False, False)
    assert (found.owner.pid, found.intents) == (pid, {"file /b"})
    assert list(found.debts) == [Debt("file /a", "svc x")]


def test_status_after_a_crash(tmp_path: Path) -> None:
    with other_process(lambda: leave_debts(tmp_path)) as pid:
        pass
    found = read_status(tmp_path)
    assert (found.running, found.died, found.owner.pid) == (False, True, pid)
    assert list(found.debts) == [Debt("file /a", "svc x")]


def test_status_after_a_clean_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.summary({"graph": "web", "exit": 0})
    journal.close()
    found = read_status(tmp_path)
    assert (found.running, found.died) == (False, False)
    assert found.ended >= found.owner.since
    assert found.summary == {"graph": "web", "exit": 0}


def test_status_after_a_reboot(tmp_path: Path) -> None:
    import sqlite3

    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.close()
    database = sqlite3.connect(tmp_path / "journal.db")
    database.execute("""UPDATE run SET owner = json_set(owner, '$.boot', 'another')""")
    database.commit()
    database.close()
    assert read_status(tmp_path).rebooted


def test_status_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.db: there is no journal; run a graph first"):
        read_status(tmp_path / "nowhere")


def test_many_may_look_while_one_writes(tmp_path: Path) -> None:
    journal, ended = Journal(tmp_path, Clock()), threading.Event()
    journal.open()
    seen: list[int] = []

    def look() -> None:
        while not ended.is_set():
            found = read_status(tmp_path)
            assert {debt.first for debt in found.debts}.isdisjoint(found.intents)  # one moment
            seen.append(len(found.debts))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for number in range(200):
        journal.intend_now([f"file /{number}"])
        journal.resolve(f"file /{number}", ["svc x"])
    ended.set()
    for looker in lookers:
        looker.join()
    journal.close()
    assert len(seen) >= 3
    assert len(read_status(tmp_path).debts) == 200


def test_a_command_line_that_is_not_utf_8_can_be_written_down(monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["setpoint", os.fsdecode(b"\xff.yaml")])
    assert msgspec.json.decode(msgspec.json.encode(this_process(0.0)))["command"] == (
        "setpoint \\udcff.yaml"
    )
