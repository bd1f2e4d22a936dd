"""The journal as the engine sees it."""

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.clock import Clock
from setpoint.errors import JournalError
from setpoint.journal import statements
from setpoint.journal.database import Debt, as_bytes, open_database, problem, rows_of
from setpoint.journal.left import read_left
from setpoint.journal.lock import Lock, Owner, this_process
from setpoint.journal.tally import Tally
from setpoint.journal.trace import Trace
from setpoint.journal.writer import LOOK, Write, Writer
from setpoint.paths import absolute

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger("setpoint.journal")


class Journal:
    """The record in `directory`; the package's text tells what it is for and why it loses nothing.

    `open` comes first and `close` last; those two block. All else may be called from any thread,
    and waits only if it says so. Resources are named by their ids ("file /etc/motd").

    died: whether the former run ended without closing its journal; known once it is open.
    trace: what happened and why, for people.
    steps: called in the writer's thread with "intend:begin", "commit:begin" and so on, for tests to stop it there.
    failed: called in the writer's thread with the reason when writing begins to fail; logs it
        unless set.
    """

    def __init__(self, directory: str | os.PathLike[str], clock: Clock) -> None:
        self.directory = absolute(directory)
        self.died = False
        self.trace = Trace()
        self.steps: Callable[[str], None] = lambda step: None
        self.failed: Callable[[str], None] = log.error
        self._clock = clock
        self._path = os.path.join(self.directory, "journal.db")
        self._lock = Lock(os.path.join(self.directory, "lock"))
        self._writer: Writer | None = None
        self._debts: set[Debt] = set()
        self._intents: dict[str, str] = {}
        self._trouble: dict[str, str] = {}
        self._sent: dict[str, dict[str, Any]] = {}
        self._tally = Tally(set(), clock)
        self._marks = itertools.count(1)

    def open(self) -> None:
        """Take the lock, make what is missing, see that it is whole, read what was left.

        The directory is made 0700 if it is missing, the files in it 0600.

        Raises:
            JournalError: another engine has it, it is damaged, or not writable; tells the cure.

        """
        owner = this_process(self._clock.wall())
        try:
            os.makedirs(self.directory, 0o700, exist_ok=True)
            self._lock.take(owner)
        except OSError as error:
            raise problem(self._lock.path, error) from error
        try:
            self._start(self._recover(owner))
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Write what is queued, and give the journal back; nothing if it is not open.

        Raises:
            JournalError: what is queued could not be written; a refresh may come twice.

        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        done: Future[None] = Future()
        writer.close(Write("close", ((statements.END_RUN, [(self._clock.wall(),)]),), done))
        self._lock.release()
        done.result()

    @property
    def is_failing(self) -> bool:
        """Whether what was to be written last could not be."""
        return self._open_writer().is_failing

    def adopt(self, graph: str, may_have: Callable[[str], bool]) -> None:
        """Have what follows belong to `graph`, and forget what its former runs left about what it has no more.

        That is trouble, and intents; debts are kept, and so is what belongs to other graphs.

        Args:
            graph: its scope; empty if it has none, then nothing is forgotten.
            may_have: says of an id whether it is in the graph, or may be.

        """
        self._tally.graph = graph
        intents, trouble = (
            [id_ for id_, of in left.items() if of == graph != "" and not may_have(id_)]
            for left in (self._intents, self._trouble)
        )
        self._tally.forget(trouble)
        for gone in intents:
            del self._intents[gone]
        if intents or trouble:
            self._put(
                "forget",
                (statements.RESOLVE, rows_of(intents)),
                (statements.FORGET_OUTCOME, rows_of(trouble)),
            )

    def debts(self) -> set[Debt]:
        """Return the refreshes that a former process left owed, as found by `open`."""
        return set(self._debts)

    def intents(self) -> set[str]:
        """Return the resources that a former process may have changed without saying so.

        Each counts as one that changed: call `resolve` for it.
        """
        return set(self._intents)

    def sent(self) -> dict[str, dict[str, Any]]:
        """Return what resources sent in a former process, id to field to value, without secrets."""
        return {resource: dict(sent) for resource, sent in self._sent.items()}

    async def intend(self, ids: Sequence[str]) -> None:
        """Return when it is on disk that `ids` are about to change something.

        If this is cancelled, the intents may be written nevertheless.

        Raises:
            JournalError: it could not be written; then nothing may be changed.

        """
        done = asyncio.get_running_loop().create_future()
        self._intend(ids, done)
        await done

    def intend_now(self, ids: Sequence[str]) -> None:
        """Do what `intend` does, and block for it: for worker threads.

        Raises:
            JournalError: it could not be written; then nothing may be changed.

        """
        done: Future[None] = Future()
        self._intend(ids, done)
        done.result()

    def resolve(self, resource: str, owes: Sequence[str]) -> None:
        """Take the intent of `resource` away, if any, and record that `owes` owe a refresh.

        Args:
            resource: what changed, or what passes a notification on.
            owes: ids of those it notifies; empty if nothing was changed after all.

        """
        debts = self._debt_rows([Debt(resource, then) for then in owes])
        self._put("resolve", (statements.RESOLVE, rows_of([resource])), (statements.OWE, debts))

    def owe(self, debts: Iterable[Debt]) -> None:
        """Record `debts` of a resource that may change yet more: its intent stays."""
        self._put("owe", (statements.OWE, self._debt_rows(debts)))

    def mark(self) -> int:
        """Return a number between the debts recorded before now and those that come later."""
        return next(self._marks)

    def clear(self, debts: Iterable[Debt], mark: int | None = None) -> None:
        """Take `debts` away: the refresh that was owed has succeeded.

        Args:
            debts: also such as do not exist.
            mark: what `mark` returned before the refresh began. Debts recorded since then stay,
                because the refresh may have come too early for them. None: all until now go.

        """
        until = self.mark() if mark is None else mark
        rows = [(as_bytes(debt.first), as_bytes(debt.then), until) for debt in debts]
        self._put("clear", (statements.CLEAR, rows))

    def keep_sent(self, resource: str, values: Mapping[str, Any]) -> None:
        """Keep `values`, field to value, as all that `resource` sends, but for secrets.

        Raises:
            TypeError: a value is not one that JSON has.

        """
        from setpoint.journal.sent import as_json

        self._put("sent", (statements.KEEP_SENT, [(as_bytes(resource), as_json(values))]))

    def outcome(self, resource: str, state: str, detail: str = "") -> None:
        """Note how `resource` fared, for people; costs nothing if it was and is in its state.

        Args:
            resource: its id.
            state: "changed", "failed", "blocked" or "settled". The last one only ends trouble:
                over "changed" it is not written.
            detail: why; without secrets.

        """
        writer = self._open_writer()
        if self._tally.add(resource, state, detail):
            writer.put(LOOK)

    def troubled(self) -> list[str]:
        """Return the ids whose last outcome, of all runs, is "failed" or "blocked"."""
        return self._tally.troubled()

    def summary(self, values: Mapping[str, Any]) -> None:
        """Note `values`, which JSON has, as all there is to say about the run as a whole."""
        writer = self._open_writer()
        if self._tally.summarize(values):
            writer.put(LOOK)

    async def flush(self) -> None:
        """Return when all that was queued before is on disk.

        Raises:
            JournalError: it could not be written; it is tried again.

        """
        done = asyncio.get_running_loop().create_future()
        self._open_writer().put(Write("flush", (), done))
        await done

    def forget(self, ids: Iterable[str]) -> None:
        """Drop everything about `ids`, which left the graph.

        What others owe because one of them changed stays owed.
        """
        gone = tuple(ids)
        rows = rows_of(gone)
        self._tally.forget(gone)
        self._put("forget", *((sql, rows) for sql in statements.FORGET))

    def _recover(self, owner: Owner) -> "sqlite3.Connection":
        """Read what was left, and begin a run: that also shows whether the file can be written."""
        import sqlite3

        database = open_database(self._path)
        try:
            left = read_left(database)
            database.execute(statements.BEGIN_RUN, (msgspec.json.encode(owner).decode(),))
        except (sqlite3.Error, ValueError) as error:
            database.close()
            raise problem(self._path, error) from error
        self._debts, self._intents, self._trouble = left.debts, left.intents, left.trouble
        self._sent, self.died = left.sent, left.died
        self._tally = Tally(set(self._trouble), self._clock)
        self._marks = itertools.count(left.mark + 1)
        self.trace.begin(left.number + 1, lambda: self._open_writer().put(LOOK))
        return database

    def _start(self, database: "sqlite3.Connection") -> None:
        self._writer = Writer(
            database,
            self._path,
            self._tally,
            self.trace,
            steps=lambda step: self.steps(step),  # so that it may be set at any time
            failed=lambda reason: self.failed(reason),
        )

    def _intend(self, ids: Iterable[str], done: Any) -> None:
        graph = as_bytes(self._tally.graph)
        rows = [(as_bytes(resource), graph) for resource in ids]
        self._open_writer().put(Write("intend", ((statements.INTEND, rows),), done))

    def _debt_rows(self, debts: Iterable[Debt]) -> list[tuple[bytes, bytes, int, float]]:
        mark, now = self.mark(), self._clock.wall()
        return [(as_bytes(first), as_bytes(then), mark, now) for first, then in debts]

    def _put(self, step: str, *statements: tuple[str, Sequence[tuple[Any, ...]]]) -> None:
        self._open_writer().put(Write(step, statements))

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise JournalError(f"{self._path}: the journal is not open; open it first")
        return self._writer
