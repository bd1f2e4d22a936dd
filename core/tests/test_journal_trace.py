"""The trace stays small, is written beside what matters, and is given up rather than in the way of it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from setpoint.clock import Clock
from setpoint.errors import JournalError
from setpoint.journal import Entry, Journal, read_trace
from setpoint.journal.trace import ALL, BYTES, EACH, PRUNED, SHORTENED, WAITING, First
from setpoint.journal.writer import LATE


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    journal = Journal(tmp_path, Clock())
    journal.open()
    yield journal
    journal.close()


def add(journal: Journal, id_: str, **given: Any) -> None:
    journal.trace.add(Entry(number=journal.trace.number(), id=id_, at=1.0, what="changed", **given))


async def test_a_resource_keeps_its_last_entries_and_others_keep_theirs(journal: Journal) -> None:
    add(journal, "file /quiet")
    for number in range(10_000):
        add(journal, "file /loud", text=str(number))
        if number % 1000 == 0:
            await journal.flush()
    await journal.flush()
    found = read_trace(journal.directory)
    assert [entry.id for entry in found].count("file /quiet") == 1
    loud = [entry.text for entry in found if entry.id == "file /loud"]
    assert EACH <= len(loud) <= EACH + SHORTENED
    assert loud == [str(number) for number in range(10_000 - len(loud), 10_000)]


async def test_all_together_are_bounded_in_number(journal: Journal) -> None:
    for number in range(ALL + 3 * PRUNED):
        add(journal, f"file /{number}")
        if number % 500 == 0:
            await journal.flush()
    await journal.flush()
    found = read_trace(journal.directory)
    assert ALL <= len(found) <= ALL + PRUNED
    assert found[-1].id == f"file /{ALL + 3 * PRUNED - 1}"


async def test_all_together_are_bounded_in_bytes(journal: Journal) -> None:
    for number in range(5000):
        add(journal, f"file /{number}", text="x" * 2000)
        if number % 500 == 0:
            await journal.flush()
    await journal.flush()
    size = sum(len(entry.text) for entry in read_trace(journal.directory))
    assert BYTES // 2 < size < BYTES + PRUNED * 2200


async def test_what_waits_is_bounded_while_nothing_can_be_written(journal: Journal) -> None:
    for number in range(2 * WAITING):
        add(journal, f"file /{number}")
    await journal.flush()
    assert read_trace(journal.directory)[-1].id == f"file /{2 * WAITING - 1}"
    assert len(read_trace(journal.directory)) <= ALL + PRUNED


async def test_first_changes_are_many_in_one_row_and_read_as_one_each(journal: Journal) -> None:
    for number in range(1200):
        first = First(journal.trace.number(), f"file /{number}", 1.0, "state, content", True)
        journal.trace.add_first(first)
    await journal.flush()
    with closing(sqlite3.connect(f"{journal.directory}/journal.db")) as database:
        assert database.execute("SELECT count(*) FROM trace").fetchone()[0] <= 4
    found = read_trace(journal.directory)
    assert [entry.id for entry in found] == [f"file /{number}" for number in range(1200)]
    assert {(entry.what, entry.why, entry.text) for entry in found} == {
        ("changed", "first", "state, content")
    }


async def test_swaps_do_not_push_out_first_changes(journal: Journal) -> None:
    journal.trace.add_first(First(journal.trace.number(), "file /a", 1.0, "state", True))
    await journal.flush()
    for _ in range(3 * EACH):
        add(journal, "")
    await journal.flush()
    assert read_trace(journal.directory)[0].id == "file /a"


async def test_numbers_go_on_in_the_next_run(journal: Journal) -> None:
    add(journal, "file /a")
    journal.close()
    journal.open()
    add(journal, "file /b")
    await journal.flush()
    assert [entry.number for entry in read_trace(journal.directory)] == [1, 2]


async def test_any_name_can_be_kept(journal: Journal) -> None:
    add(journal, "file /\udcff", text="\udcfe")
    await journal.flush()
    (entry,) = read_trace(journal.directory)
    assert (entry.id, entry.text) == ("file /\udcff", "\udcfe")


async def test_an_entry_rides_with_a_debt_and_never_with_an_intent(journal: Journal) -> None:
    steps: list[str] = []
    rode = asyncio.Event()
    loop = asyncio.get_running_loop()

    def follow(step: str) -> None:
        steps.append(step)
        if step == "trace:durable":
            loop.call_soon_threadsafe(rode.set)

    journal.steps = follow
    add(journal, "file /a")
    await journal.intend(["file /a"])
    assert "trace:begin" not in steps
    journal.resolve("file /a", ["svc b"])
    await asyncio.wait_for(rode.wait(), LATE / 2)


async def test_what_cannot_be_written_of_it_is_given_up_and_the_rest_is_kept(
    journal: Journal,
) -> None:
    def refuse(step: str) -> None:
        if step == "trace:begin":
            raise sqlite3.OperationalError("disk I/O error")

    told: list[str] = []
    journal.steps, journal.failed = refuse, told.append
    add(journal, "file /a")
    journal.resolve("file /a", ["svc b"])
    journal.outcome("file /a", "failed", "why")
    await journal.flush()
    assert not told
    journal.close()
    journal.steps = lambda step: None
    journal.open()
    assert journal.debts() == {("file /a", "svc b")}
    assert journal.troubled() == ["file /a"]
    assert read_trace(journal.directory) == []


def test_an_entry_that_makes_no_sense_is_damage(journal: Journal) -> None:
    with closing(sqlite3.connect(f"{journal.directory}/journal.db")) as database:
        database.execute("INSERT INTO trace VALUES (1, x'00', '{}')")
        database.commit()
    with pytest.raises(JournalError, match="the journal is damaged"):
        read_trace(journal.directory)
