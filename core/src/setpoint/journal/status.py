"""What `setpoint status` reads: the journal, while an engine runs and after it died."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.errors import JournalError
from setpoint.journal.database import (
    Debt,
    as_text,
    check,
    check_file,
    problem,
)
from setpoint.journal.left import read_debts, read_sent
from setpoint.journal.lock import Owner, boot_id, is_held
from setpoint.journal.tally import Outcome
from setpoint.paths import absolute

if TYPE_CHECKING:
    import sqlite3


class Status(msgspec.Struct, frozen=True):
    """The run that goes on, or the last one.

    running: whether its process lives.
    owner: that process.
    ended: wall time when it closed the journal; 0 if it runs, or died.
    rebooted: whether the machine was started anew since it began.
    summary: what it said of itself as a whole; empty if nothing yet.
    outcomes: id to how it fared, for resources that were ever changed or in trouble, of all runs.
    debts: the refreshes owed, oldest first, each with the wall time since when.
    intents: what is being changed; if nothing runs, what was being changed when the process died.
    sent: what resources sent last, id to field to value, without secrets.
    """

    running: bool
    owner: Owner
    ended: float
    rebooted: bool
    summary: dict[str, Any]
    outcomes: dict[str, Outcome]
    debts: dict[Debt, float]
    intents: set[str]
    sent: dict[str, dict[str, Any]]

    @property
    def died(self) -> bool:
        """Whether the run ended without closing its journal."""
        return not self.running and not self.ended

    @property
    def held(self) -> set[str]:
        """The ids of what waited for facts when it last said how it stands, the first of them."""
        return set(self.summary.get("held", ()))


def read_status(directory: str | os.PathLike[str]) -> Status:
    """Return what the journal in `directory` says, without disturbing an engine that runs.

    Raises:
        JournalError: there is none, it is damaged, or we may not read it.

    """
    root = absolute(directory)
    lock = os.path.join(root, "lock")
    with reading(root) as database:
        was_held = is_held(lock)
        found = _read(database, os.path.join(root, "journal.db"))
        # asked twice: an engine that ends or begins meanwhile must not be called dead
        running = not found.ended and (was_held or is_held(lock))
    return msgspec.structs.replace(found, running=running)


@contextmanager
def reading(directory: str | os.PathLike[str]) -> Iterator["sqlite3.Connection"]:
    """Give the journal in `directory` as of one moment, without disturbing an engine that runs.

    Raises:
        JournalError: there is none, it is damaged, or we may not read it.

    """
    import sqlite3
    from pathlib import Path

    path = os.path.join(absolute(directory), "journal.db")
    try:
        if not os.path.lexists(path):
            raise _none(path)
        check_file(path)
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as database:
            database.execute("BEGIN")
            check(database, path)
            yield database
    except (sqlite3.Error, OSError, ValueError) as error:
        raise problem(path, error) from error


def _read(database: "sqlite3.Connection", path: str) -> Status:
    import json

    run = database.execute("SELECT owner, ended, summary FROM run").fetchone()
    if run is None:
        raise _none(path)
    owner = msgspec.json.decode(run[0], type=Owner)
    return Status(
        running=False,
        owner=owner,
        ended=run[1],
        rebooted=owner.boot != boot_id(),
        summary=json.loads(run[2]),
        outcomes=_read_outcomes(database),
        debts=read_debts(database),
        intents={as_text(resource) for (resource,) in database.execute("SELECT id FROM intent")},
        sent=read_sent(database),
    )


def _read_outcomes(database: "sqlite3.Connection") -> dict[str, Outcome]:
    rows = database.execute("SELECT id, state, detail, at, repairs FROM outcome ORDER BY id")
    return {
        as_text(resource): Outcome(state, as_text(detail), at, repairs)
        for resource, state, detail, at, repairs in rows
    }


def _none(path: str) -> JournalError:
    return JournalError(f"{path}: there is no journal; run a graph first, or give its --prefix")
