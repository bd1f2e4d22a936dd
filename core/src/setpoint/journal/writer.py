"""The one thread that writes: all that is queued in one transaction, then it tells who waits."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import JournalError
from setpoint.journal.database import problem

if TYPE_CHECKING:
    import sqlite3

    from setpoint.journal.tally import Tally
    from setpoint.journal.trace import Trace

Done = Future[None] | asyncio.Future[None]  # of a thread that blocks, or of an event loop

LATE = 0.5  # seconds that an outcome, or an entry of the trace, may wait for others
RETRY = (
    1.0  # seconds until what could not be written is tried again, unless something new comes first
)


class Write(NamedTuple):
    """Something to write.

    step: what it is, for those who follow the journal's steps.
    statements: each with the rows that it is run for.
    done: who waits until it is durable; None if nobody does.
    """

    step: str
    statements: Sequence[tuple[str, Sequence[Sequence[Any]]]] = ()
    done: "Done | None" = None


AT_ONCE = 1000  # outcomes in one transaction: an intent behind them waits for 3 ms, not for 300
LOOK = Write("look")  # writes nothing: says that the tally or the trace has something


class Writer:
    """A thread that owns `database` and writes what is put into its queue, in order.

    It sleeps until something is put. A timer runs only while outcomes wait, or after a failure.

    Args:
        database: the connection; closed with the writer.
        path: the file, for messages.
        tally: outcomes, written late.
        trace: what happened, written late, or with something else that nobody waits for; dropped if that fails.
        steps: called in this thread before and after each step of each write.
        failed: called in this thread when writing begins to fail, with the reason.

    is_failing: whether what was to be written last could not be.

    """

    def __init__(
        self,
        database: "sqlite3.Connection",
        path: str,
        tally: "Tally",
        trace: "Trace",
        steps: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        self._database, self._path = database, path
        self._tally, self._trace = tally, trace
        self._steps, self._failed = steps, failed
        self._queue: queue.SimpleQueue[Write] = queue.SimpleQueue()
        self._closing = False
        self._guard = threading.Lock()  # nothing is put behind the write that closes
        self._held: list[Write] = []  # could not be written, in order
        self.is_failing = False
        self._due: float | None = None  # when to write although nothing new came; None: never
        self._thread = threading.Thread(target=self._run, name="setpoint journal", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queue `write` behind all that was put before.

        Raises:
            JournalError: the journal is closed.

        """
        with self._guard:
            if self._closing:
                raise self._closed()
            self._queue.put(write)

    def close(self, last: Write) -> None:
        """Queue `last`, which is called "close"; wait until all is written, and end the thread.

        `last.done` tells whether it could be written.
        """
        with self._guard:
            self._closing = True
            self._queue.put(last)
        self._thread.join()
        _tell([last], self._closed())  # unless it has been told: then the thread died before

    def _closed(self) -> JournalError:
        return JournalError(f"{self._path}: the journal is closed; open it again")

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # also if `steps` or `failed` raised: nobody may wait for ever
            with self._guard:
                self._closing = True
            _tell(self._drain(), self._closed())
            self._database.close()

    def _serve(self) -> None:
        words: set[str] = set()
        while "close" not in words:
            new = self._collect()
            words = {write.step for write in new}
            if "look" in words and self._due is None:
                self._due = time.monotonic() + LATE
            batch = self._held + [write for write in new if write is not LOOK]
            rides = bool(batch) and not any(write.done for write in batch)
            batch += self._late(words, rides)
            if batch:
                self._write(batch)

    def _collect(self) -> list[Write]:
        """Return all that is queued, as soon as there is something or the time is due."""
        wait = None if self._due is None else max(0.0, self._due - time.monotonic())
        try:
            found = [self._queue.get(timeout=wait), *self._drain()]
        except queue.Empty:
            return []
        # who has been cancelled changes nothing, so its intent is not needed
        return [write for write in found if write.done is None or not write.done.cancelled()]

    def _drain(self) -> list[Write]:
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._queue.get_nowait())
        return found

    def _late(self, words: set[str], rides: bool) -> list[Write]:
        """Return outcomes and entries if it is time for some, all of them if somebody waits for them.

        Args:
            words: the steps of what is to be written now.
            rides: whether entries may go along before their time.

        """
        is_all = not words.isdisjoint(("flush", "close"))
        most = None if is_all else AT_ONCE
        if not is_all and (self._due is None or self._due > time.monotonic()):
            return self._trace.take(most) if rides else []
        taken = self._tally.take(most) + self._trace.take(most)
        self._due = time.monotonic() if self._tally or self._trace else None
        return taken

    def _write(self, batch: list[Write]) -> None:
        try:
            self._commit(batch)
        except Exception as error:  # whatever it is: those who wait must hear of it
            if self._database.in_transaction:
                self._database.rollback()
            needed = [write for write in batch if write.step != "trace"]
            if len(needed) == len(batch):
                self._give_up(batch, error)
            elif needed:  # nobody depends on the trace, and without it there may be room
                self._write(needed)
            return
        self._held, self.is_failing = [], False
        for write in batch:
            self._steps(f"{write.step}:durable")
        _tell(batch, None)
        self._steps("commit:told")

    def _commit(self, batch: list[Write]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        for write in batch:
            self._steps(f"{write.step}:begin")
            for sql, rows in write.statements:
                self._database.executemany(sql, rows)
        self._steps("commit:begin")
        self._database.execute("COMMIT")

    def _give_up(self, batch: list[Write], error: Exception) -> None:
        """Tell those who wait that `error` stands against it, and hold the rest for another try."""
        self._held = [write for write in batch if write.done is None]
        self._due = time.monotonic() + RETRY
        _tell(batch, error := problem(self._path, error))
        if not self.is_failing:
            self.is_failing = True
            self._failed(str(error))


def _tell(batch: list[Write], error: JournalError | None) -> None:
    """Wake who waits for `batch`; those in an event loop all at once, because a wake-up is dear."""
    inside: dict[asyncio.AbstractEventLoop, list[Done]] = {}
    for write in batch:
        if isinstance(write.done, asyncio.Future):
            inside.setdefault(write.done.get_loop(), []).append(write.done)
        elif write.done is not None:
            _finish([write.done], error)
    for loop, waiting in inside.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(_finish, waiting, error)


def _finish(waiting: "list[Done]", error: JournalError | None) -> None:
    for done in waiting:
        if done.done():  # cancelled
            continue
        if error is None:
            done.set_result(None)
        else:  # one for each, because raising it adds to its traceback
            done.set_exception(JournalError(*error.args))
