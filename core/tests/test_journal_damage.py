"""What is wrong with the file or the disk under it is said plainly, and nothing is lost silently."""

import asyncio
import concurrent.futures.thread  # noqa: F401 - nothing can be imported on a small disk
import os
import random
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from setpoint.clock import Clock
from setpoint.errors import JournalError
from setpoint.journal import Debt, Journal, read_status, read_trace
from setpoint.journal.database import NETWORK, file_system


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A journal with many debts in it, closed."""
    journal = Journal(tmp_path, Clock())
    journal.open()
    for number in range(500):
        journal.resolve(f"file /{number}", ["svc x"])
    journal.close()
    return tmp_path


def refuses(state: Path, why: str) -> None:
    cure = r" move it and its -wal and -shm away \(mkdir .* && mv .*\): then owed refreshes"
    for look in (Journal(state, Clock()).open, lambda: read_status(state)):
        with pytest.raises(JournalError, match=rf"{state}/journal\.db: .*{why}.*{cure}"):
            look()
    assert not list(state.glob("*.new"))


def test_random_bytes_are_no_journal(state: Path) -> None:
    (state / "journal.db").write_bytes(random.Random(7).randbytes(50_000))
    refuses(state, "the journal is damaged, file is not a database")


def test_an_empty_file_is_no_journal(state: Path) -> None:
    os.truncate(state / "journal.db", 0)
    refuses(state, "the journal is damaged, it is empty")


def test_a_truncated_file_is_no_journal(state: Path) -> None:
    os.truncate(state / "journal.db", 3 * 4096)
    refuses(state, "the journal is damaged, ")


def test_a_page_of_rubbish_is_found(state: Path) -> None:
    with (state / "journal.db").open("r+b") as file:
        file.seek(5 * 4096)
        file.write(random.Random(7).randbytes(4096))
    refuses(state, "the journal is damaged, ")


def test_a_database_of_somebody_else_is_left_alone(state: Path) -> None:
    (state / "journal.db").unlink()
    database = sqlite3.connect(state / "journal.db")
    database.execute("CREATE TABLE theirs (a)")
    database.close()
    refuses(state, "the journal is damaged, it is not one of ours")


def test_a_directory_in_its_place_is_no_journal(state: Path) -> None:
    (state / "journal.db").unlink()
    (state / "journal.db").mkdir()
    with pytest.raises(JournalError, match="the journal is damaged, it is not a regular file"):
        Journal(state, Clock()).open()


def test_a_link_in_its_place_is_not_followed(state: Path, tmp_path: Path) -> None:
    (state / "journal.db").rename(tmp_path / "elsewhere.db")
    (state / "journal.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(JournalError, match="the journal is damaged, it is not a regular file"):
        Journal(state, Clock()).open()


async def test_a_journal_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    await journal.intend(["file /a"])
    journal.outcome("file /b", "failed", "no")
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.executescript(
            "ALTER TABLE intent DROP COLUMN graph; ALTER TABLE outcome DROP COLUMN graph;"
            "DROP TABLE trace;"
            "PRAGMA user_version = 1;"
        )
    assert (read_status(tmp_path).intents, read_trace(tmp_path)) == ({"file /a"}, [])
    journal.open()
    journal.adopt("site.yaml", ().__contains__)
    assert (journal.intents(), journal.troubled()) == ({"file /a"}, ["file /b"])
    journal.close()


def test_a_journal_of_the_future_is_left_alone(state: Path) -> None:
    database = sqlite3.connect(state / "journal.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    refuses(state, "the journal must be of version 3 at most, not 99; upgrade setpoint, or")


def test_a_wal_without_its_database_is_not_overwritten(state: Path) -> None:
    (state / "journal.db").unlink()
    (state / "journal.db-wal").write_bytes(b"debts")
    with pytest.raises(JournalError, match="it is gone, but its -wal is there"):
        Journal(state, Clock()).open()
    assert (state / "journal.db-wal").read_bytes() == b"debts"


def test_the_cure_that_is_told_helps(state: Path) -> None:
    state = state.rename(state.with_name("it's a place"))
    os.truncate(state / "journal.db", 0)
    (state / "journal.db-wal").write_bytes(b"debts")
    journal = Journal(state, Clock())
    with pytest.raises(JournalError) as caught:
        journal.open()
    command = str(caught.value).partition("(")[2].partition(")")[0]
    subprocess.run(command, shell=True, check=True)
    journal.open()
    assert not journal.debts()
    journal.close()


def test_a_broken_start_is_begun_anew(tmp_path: Path) -> None:
    for leftover in ("journal.db.new", "journal.db.new-wal", "journal.db.new-journal"):
        (tmp_path / leftover).write_bytes(b"half")
    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.close()
    assert {path.name for path in tmp_path.iterdir()} == {"journal.db", "lock"}


def test_a_refused_open_gives_the_lock_back(state: Path) -> None:
    content = (state / "journal.db").read_bytes()
    os.truncate(state / "journal.db", 0)
    journal = Journal(state, Clock())
    with pytest.raises(JournalError):
        journal.open()
    (state / "journal.db").write_bytes(content)
    journal.open()
    assert len(journal.debts()) == 500
    journal.close()


def test_a_directory_that_is_not_ours_is_named() -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(JournalError) as caught:
            Journal(directory, Clock()).open()
    finally:
        if is_root:
            os.seteuid(0)
        directory.rmdir()
    assert str(caught.value) == (
        f"{directory}/lock: the journal cannot be used, Permission denied;"
        " see that its directory can be written, or choose another place with --prefix"
    )


def test_a_file_system_is_told_by_its_device() -> None:
    mounts = (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "40 22 0:45 / /mnt/a\\040b rw master:2 - nfs4 server:/x rw,vers=4.2\n"
    )
    assert file_system(os.makedev(8, 1), mounts) == "ext4"
    assert file_system(os.makedev(0, 45), mounts).startswith(NETWORK)
    assert file_system(os.makedev(9, 9), mounts) == ""


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    here = file_system(tmp_path.stat().st_dev, mounts)
    monkeypatch.setattr("setpoint.journal.database.NETWORK", (here,))
    with pytest.raises(JournalError, match=f"must be on a local file system, not on '{here}'"):
        Journal(tmp_path, Clock()).open()


async def test_a_failing_callback_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, seen = Journal(tmp_path, Clock()), []
    monkeypatch.setattr("threading.excepthook", lambda args: seen.append(args.exc_value))
    journal.open()
    journal.steps = lambda step: 1 / 0  # type: ignore[assignment]
    with pytest.raises(JournalError):
        await journal.intend(["file /a"])
    with pytest.raises(JournalError):
        await asyncio.gather(journal.intend(["file /b"]), journal.flush())
    with pytest.raises(JournalError):
        journal.close()
    assert not seen or isinstance(seen[0], ZeroDivisionError)


def fill(disk: Path) -> Path:
    """Take all the room that is left on `disk`; return the file that has it."""
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return disk / "filler"


async def refusal(journal: Journal) -> tuple[str, str]:
    """Return the first intent that is refused, and why: files have some room of their own."""
    for number in range(5000):
        journal.resolve("file /a", ["svc x"])
        try:
            await journal.intend([f"file /{number}"])
        except JournalError as error:
            return f"file /{number}", str(error)
    raise AssertionError("never full")


async def goes_on_when_there_is_room(state: Path, journal: Journal, filler: Path) -> None:
    tried = threading.Event()
    journal.steps = lambda step: tried.set() if step == "resolve:durable" else None
    filler.unlink()
    assert await asyncio.to_thread(tried.wait, 10), "not tried again by itself"
    debts = set(read_status(state).debts)
    assert debts >= {Debt("file /held", "svc y"), Debt("file /a", "svc x")}


async def fares_on(disk: Path) -> str:
    """Let a journal meet a full `disk` while it is open, closed and made."""
    state, reasons = disk / "state", []
    journal = Journal(state, Clock())
    journal.failed = reasons.append
    journal.open()
    await journal.intend(["file /a"])
    filler = fill(disk)
    intent, reason = await refusal(journal)
    assert "make room on its file system" in reason
    journal.resolve("file /held", ["svc y"])
    with pytest.raises(JournalError):
        await journal.flush()
    assert reasons == [reason]
    await goes_on_when_there_is_room(state, journal, filler)
    assert intent not in read_status(state).intents
    fill(disk)
    for number in range(5000):
        journal.resolve(f"file /{number}", ["svc z"])
    with pytest.raises(JournalError, match="make room"):
        journal.close()
    filler.unlink()
    journal.open()
    assert Debt("file /held", "svc y") in journal.debts()
    journal.close()
    for path in state.iterdir():
        path.unlink()
    fill(disk)
    with pytest.raises(JournalError, match="make room"):
        journal.open()
    return "well"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a file system")
def test_a_full_disk_stops_changes_and_loses_nothing(on_small_disk) -> None:
    assert on_small_disk(lambda: asyncio.run(fares_on(Path("/"))), 1 << 19) == "well"
