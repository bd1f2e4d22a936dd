"""What the journal keeps, and that it finds it again."""

import asyncio
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from setpoint.clock import Clock
from setpoint.errors import JournalError
from setpoint.journal import Debt, Journal, read_status
from setpoint.values import Secret

CANARY = "corvus-corax-7319"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "state", Clock())
    opened.open()
    yield opened
    opened.close()


def reopen(journal: Journal) -> None:
    journal.close()
    journal.open()


async def test_an_intent_is_found_until_it_is_resolved(journal: Journal) -> None:
    await journal.intend(["file /a", "file /b"])
    journal.resolve("file /a", ["svc x"])
    reopen(journal)
    assert journal.intents() == {"file /b"}
    assert journal.debts() == {Debt("file /a", "svc x")}


def test_a_thread_can_intend_too(journal: Journal) -> None:
    journal.intend_now(["file /a"])
    assert read_status(journal.directory).intents == {"file /a"}


async def test_an_intent_that_changed_nothing_leaves_no_debt(journal: Journal) -> None:
    await journal.intend(["file /a"])
    journal.resolve("file /a", [])
    reopen(journal)
    assert (journal.intents(), journal.debts()) == (set(), set())


def test_a_notification_is_passed_on_without_an_intent(journal: Journal) -> None:
    journal.resolve("noop between", ["svc x"])
    reopen(journal)
    assert journal.debts() == {Debt("noop between", "svc x")}


async def test_who_failed_half_way_owes_and_stays_an_intent(journal: Journal) -> None:
    await journal.intend(["file /a"])
    journal.owe([Debt("file /a", "svc x")])
    reopen(journal)
    assert journal.intents() == {"file /a"}
    assert journal.debts() == {Debt("file /a", "svc x")}


def test_a_cleared_debt_is_gone(journal: Journal) -> None:
    journal.resolve("file /a", ["svc x", "svc y"])
    journal.clear([Debt("file /a", "svc x"), Debt("file /a", "never owed")])
    reopen(journal)
    assert journal.debts() == {Debt("file /a", "svc y")}


def test_a_change_during_the_refresh_still_owes_one(journal: Journal) -> None:
    journal.resolve("file /a", ["svc x"])
    mark = journal.mark()  # svc x begins to refresh
    journal.resolve("file /a", ["svc x"])
    journal.clear([Debt("file /a", "svc x")], mark)
    reopen(journal)
    assert journal.debts() == {Debt("file /a", "svc x")}


def test_marks_go_on_where_the_last_process_left_them(journal: Journal) -> None:
    journal.resolve("file /a", ["svc x"])
    reopen(journal)
    journal.clear([Debt("file /a", "svc x")], journal.mark())
    reopen(journal)
    assert not journal.debts()


async def test_what_its_graph_declares_no_more_is_forgotten_but_for_debts(journal: Journal) -> None:
    for graph in ("/other.yaml", "/site.yaml"):
        journal.adopt(graph, ().__contains__)
        await journal.intend([f"svc gone {graph}", f"svc there {graph}"])
        journal.outcome(f"pkg gone {graph}", "failed", "no")
        journal.outcome(f"pkg there {graph}", "blocked", "by it")
        journal.owe([Debt("a", f"svc gone {graph}")])
        reopen(journal)
    journal.adopt("/site.yaml", {"svc there /site.yaml", "pkg there /site.yaml"}.__contains__)
    rest = {"svc gone /other.yaml", "svc there /other.yaml", "svc there /site.yaml"}
    assert journal.intents() == rest
    reopen(journal)
    assert journal.intents() == rest
    found = read_status(journal.directory)
    troubled = ["pkg gone /other.yaml", "pkg there /other.yaml", "pkg there /site.yaml"]
    assert list(found.outcomes) == sorted(journal.troubled()) == troubled
    assert {debt.then for debt in found.debts} == {"svc gone /other.yaml", "svc gone /site.yaml"}


async def test_who_declares_it_now_decides_what_becomes_of_an_intent(journal: Journal) -> None:
    for graph in ("/first.yaml", "/second.yaml"):
        journal.adopt(graph, {"file /a"}.__contains__)
        await journal.intend(["file /a"])
        reopen(journal)
    journal.adopt("/first.yaml", ().__contains__)
    assert journal.intents() == {"file /a"}
    journal.adopt("", ().__contains__)
    assert journal.intents() == {"file /a"}


def test_sent_values_are_found_again(journal: Journal) -> None:
    journal.keep_sent("exec e", {"code": 0, "lines": ["a", "ü"], "old": 1})
    journal.keep_sent("exec e", {"code": 1, "lines": ["a", "ü"], "ratio": float("inf")})
    reopen(journal)
    assert journal.sent() == {"exec e": {"code": 1, "lines": ["a", "ü"], "ratio": float("inf")}}


def test_a_value_that_json_has_not_is_refused_at_once(journal: Journal) -> None:
    with pytest.raises(TypeError, match="must be one that JSON has, not a object"):
        journal.keep_sent("exec e", {"x": object()})


async def test_a_secret_is_in_no_file(journal: Journal) -> None:
    journal.keep_sent("password p", {"deep": {"in": [Secret(CANARY)]}, "length": 17})
    journal.keep_sent("password q", {"password": Secret(CANARY)})
    await journal.flush()
    files = {path.name: path.read_bytes() for path in Path(journal.directory).iterdir()}
    assert {"journal.db", "journal.db-wal", "journal.db-shm", "lock"} <= set(files)
    assert not [name for name, content in files.items() if CANARY.encode() in content]
    reopen(journal)
    assert journal.sent() == {"password p": {"length": 17}, "password q": {}}
    assert CANARY.encode() not in Path(journal.directory, "journal.db").read_bytes()


async def test_what_left_the_graph_is_forgotten(journal: Journal) -> None:
    await journal.intend(["file /a"])
    journal.resolve("file /b", ["file /a", "svc x"])
    journal.resolve("file /a", ["svc y"])
    journal.keep_sent("file /a", {"size": 1})
    journal.outcome("file /a", "failed")
    journal.outcome("file /b", "failed")
    journal.forget(["file /a"])
    reopen(journal)
    # svc y has not heard of the change yet; that the one who changed is gone does not alter this
    assert journal.debts() == {Debt("file /b", "svc x"), Debt("file /a", "svc y")}
    assert (journal.intents(), journal.sent()) == (set(), {})
    assert set(read_status(journal.directory).outcomes) == {"file /b"}


def test_a_name_may_hold_anything(journal: Journal) -> None:
    for name in ("file /\udcff\ud800", "file /ünï\x00'\"\n", ""):
        journal.resolve(name, [name])
    reopen(journal)
    assert {debt.then for debt in journal.debts()} == {
        "file /\udcff\ud800",
        "file /ünï\x00'\"\n",
        "",
    }


async def test_directory_and_files_are_for_their_owner_alone(journal: Journal) -> None:
    await journal.intend(["file /a"])
    assert stat.S_IMODE(Path(journal.directory).stat().st_mode) == 0o700
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(journal.directory).iterdir()
    }
    assert set(modes.values()) == {0o600}, modes


def test_a_closed_journal_refuses(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match=r"journal\.db: the journal is not open; open it first"):
        journal.resolve("file /a", [])


async def test_an_intent_becomes_debts_in_one_write(journal: Journal) -> None:
    steps: list[str] = []
    await journal.intend(["file /a"])
    journal.steps = steps.append
    journal.resolve("file /a", ["svc x", "svc y"])
    await journal.flush()
    assert [step for step in steps if step.endswith(":begin")].count("resolve:begin") == 1
    assert {step.partition(":")[0] for step in steps} == {"resolve", "flush", "commit"}


async def test_intents_of_one_moment_share_a_transaction(journal: Journal) -> None:
    steps: list[str] = []
    await journal.flush()
    journal.steps = steps.append
    await asyncio.gather(*(journal.intend([f"file /{n}"]) for n in range(50)))
    assert steps.count("intend:durable") == 50
    assert steps.count("commit:begin") <= 10


async def test_a_cancelled_intent_stops_nobody(journal: Journal) -> None:
    held = threading.Event()
    journal.steps = lambda step: held.wait(10) and None
    first, second = (asyncio.create_task(journal.intend([f"file /{n}"])) for n in range(2))
    await asyncio.sleep(0)
    first.cancel()
    held.set()
    await second
    assert first.cancelled()


def test_a_loop_that_is_gone_stops_nobody(journal: Journal) -> None:
    held = threading.Event()
    journal.steps = lambda step: held.wait(10) and None
    loop = asyncio.new_event_loop()
    task = loop.create_task(journal.intend(["file /a"]))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    held.set()
    journal.intend_now(["file /b"])


async def test_settled_resources_cost_no_row(journal: Journal) -> None:
    steps: list[str] = []
    await journal.flush()
    journal.steps = steps.append
    for n in range(1000):
        journal.outcome(f"file /{n}", "settled")
    await journal.flush()
    assert "outcome:begin" not in steps
    assert not read_status(journal.directory).outcomes


async def test_an_outcome_tells_trouble_and_its_end(journal: Journal) -> None:
    journal.outcome("file /a", "failed", "no space")
    await journal.flush()
    found = read_status(journal.directory).outcomes["file /a"]
    assert (found.state, found.detail, found.repairs) == ("failed", "no space", 0)
    reopen(journal)
    journal.outcome("file /a", "settled")
    await journal.flush()
    assert read_status(journal.directory).outcomes["file /a"].state == "settled"


async def test_repairs_are_counted_over_all_runs(journal: Journal) -> None:
    for _ in range(3):
        journal.outcome("file /a", "changed")
    await journal.flush()
    reopen(journal)
    journal.outcome("file /a", "changed")
    journal.outcome("file /a", "settled")
    await journal.flush()
    found = read_status(journal.directory).outcomes["file /a"]
    assert (found.state, found.repairs) == ("changed", 4)


async def test_outcomes_are_written_without_being_asked_for(journal: Journal) -> None:
    written = threading.Event()
    journal.steps = lambda step: written.set() if step == "outcome:durable" else None
    for n in range(2500):  # more than one transaction's worth
        journal.outcome(f"file /{n}", "changed")
    assert await asyncio.to_thread(written.wait, 10)
    await journal.flush()
    assert len(read_status(journal.directory).outcomes) == 2500


def test_an_idle_journal_sleeps(journal: Journal) -> None:
    told = threading.Event()
    journal.outcome("file /a", "changed")  # starts the only timer there is
    journal.intend_now(["file /b"])
    journal.steps = lambda step: told.set() if step == "commit:told" else None
    assert told.wait(10)  # the outcome has been written
    writer = next(t for t in threading.enumerate() if t.name == "setpoint journal")
    switches = ["before", _switches(writer)]
    while switches[-1] != switches[-2]:  # ends when nothing happened for longer than any timer
        threading.Event().wait(0.7)
        switches.append(_switches(writer))


def _switches(thread: threading.Thread) -> str:
    return "".join(
        line
        for line in Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
        if "ctxt_switches" in line
    )


WORDS = st.sampled_from(["file /a", "svc b", "noop c", "\udcff"])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("intend"), st.lists(WORDS, max_size=3)),
        st.tuples(st.just("resolve"), WORDS, st.lists(WORDS, max_size=3)),
        st.tuples(st.just("owe"), st.lists(st.builds(Debt, WORDS, WORDS), max_size=3)),
        st.tuples(st.just("clear"), st.lists(st.builds(Debt, WORDS, WORDS), max_size=3)),
        st.tuples(st.just("late clear"), st.builds(Debt, WORDS, WORDS), WORDS),
        st.tuples(st.just("sent"), WORDS, st.dictionaries(st.text(max_size=2), st.integers())),
        st.tuples(st.just("forget"), st.lists(WORDS, max_size=2)),
        st.tuples(st.just("reopen")),
    ),
    max_size=25,
)


class Model:
    """What a journal should hold, in plain sets."""

    def __init__(self) -> None:
        self.intents: set[str] = set()
        self.debts: set[Debt] = set()
        self.sent: dict[str, dict[str, int]] = {}

    def resolve(self, first: str, owes: list[str]) -> None:
        self.intents.discard(first)
        self.debts |= {Debt(first, then) for then in owes}

    def forget(self, gone: list[str]) -> None:
        self.intents -= set(gone)
        self.debts = {debt for debt in self.debts if debt.then not in gone}
        self.sent = {key: value for key, value in self.sent.items() if key not in gone}


def play(journal: Journal, model: Model, operation: tuple) -> None:  # type: ignore[type-arg]
    match operation:
        case ("intend", ids):
            journal.intend_now(ids)
            model.intents |= set(ids)
        case ("resolve", first, owes):
            journal.resolve(first, owes)
            model.resolve(first, owes)
        case ("owe", debts):
            journal.owe(debts)
            model.debts |= set(debts)
        case ("clear", debts):
            journal.clear(debts)
            model.debts -= set(debts)
        case ("late clear", debt, other):
            mark = journal.mark()
            journal.resolve(debt.first, [other])
            journal.clear([debt], mark)
            model.debts.discard(debt)
            model.resolve(debt.first, [other])
        case ("sent", resource, values):
            journal.keep_sent(resource, values)
            model.sent[resource] = values
        case ("forget", gone):
            journal.forget(gone)
            model.forget(gone)
        case _:
            reopen(journal)


@given_settings(max_examples=30, deadline=None, print_blob=True)
@given(operations=OPERATIONS)
def test_a_journal_is_what_a_few_sets_would_be(
    tmp_path_factory: pytest.TempPathFactory,
    operations: list[tuple],  # type: ignore[type-arg]
) -> None:
    journal, model = Journal(tmp_path_factory.mktemp("journal"), Clock()), Model()
    journal.open()
    try:
        for operation in operations:
            play(journal, model, operation)
        reopen(journal)
        assert journal.intents() == model.intents
        assert journal.debts() == model.debts
        assert journal.sent() == model.sent
    finally:
        journal.close()
