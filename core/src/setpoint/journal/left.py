"""What a former process left in the journal for the one that goes on."""

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.journal.database import Debt, as_text

if TYPE_CHECKING:
    import sqlite3


class Left(NamedTuple):
    """What was left.

    debts: the refreshes owed.
    intents: what was about to change something, each with the scope of its graph.
    trouble: whose last outcome is trouble, the same.
    sent: what resources sent, id to field to value.
    died: whether the run did not close its journal.
    mark, number: the highest of a debt, and of an entry of the trace.
    """

    debts: set[Debt]
    intents: dict[str, str]
    trouble: dict[str, str]
    sent: dict[str, dict[str, Any]]
    died: bool
    mark: int
    number: int


def read_left(database: "sqlite3.Connection") -> Left:
    """Return what is left in `database`.

    Raises:
        sqlite3.Error: it cannot be read.
        ValueError: what is in it makes no sense.

    """
    (mark,) = database.execute("SELECT coalesce(max(mark), 0) FROM debt").fetchone()
    (number,) = database.execute("SELECT coalesce(max(number), 0) FROM trace").fetchone()
    return Left(
        debts=set(read_debts(database)),
        intents=_scopes(database, "SELECT id, graph FROM intent"),
        trouble=_scopes(
            database, "SELECT id, graph FROM outcome WHERE state NOT IN ('changed', 'settled')"
        ),
        sent=read_sent(database),
        died=bool(database.execute("SELECT 1 FROM run WHERE ended = 0").fetchall()),
        mark=mark,
        number=number,
    )


def read_debts(database: "sqlite3.Connection") -> dict[Debt, float]:
    """Return the debts, each with the wall time since when it is owed, the oldest first."""
    rows = database.execute('SELECT first, "then", since FROM debt ORDER BY mark')
    return {Debt(as_text(first), as_text(then)): since for first, then, since in rows}


def _scopes(database: "sqlite3.Connection", query: str) -> dict[str, str]:
    return {as_text(resource): as_text(graph) for resource, graph in database.execute(query)}


def read_sent(database: "sqlite3.Connection") -> dict[str, dict[str, Any]]:
    """Return what resources sent last, id to field to value, without secrets."""
    rows = database.execute("SELECT id, fields FROM sent").fetchall()
    if not rows:
        return {}
    from setpoint.journal.sent import from_json

    return {as_text(resource): from_json(text) for resource, text in rows}
