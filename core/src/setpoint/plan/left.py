"""What a former run left: refreshes owed, what was sent, and what it was about to change when it was killed."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from setpoint.graph import Graph


class Left(NamedTuple):
    """What is left to a graph.

    debts: id to those because of which it owes a refresh, each with the wall time since when.
    intents: the ids of those that may have changed without having told anybody.
    sent: what resources sent last, id to field to value, without secrets.
    """

    debts: Mapping[str, Mapping[str, float]] = {}
    intents: frozenset[str] = frozenset()
    sent: Mapping[str, Mapping[str, Any]] = {}


def left_to(graph: Graph, directory: str) -> Left:
    """Return what the journal in `directory` has for the resources of `graph`, without taking its lock; this blocks.

    Raises:
        JournalError: it is damaged, or we may not read it.

    """
    if not os.path.exists(os.path.join(directory, "journal.db")):
        return Left()
    from setpoint.journal import read_status

    found = read_status(directory)
    debts: dict[str, dict[str, float]] = {}
    for (first, then), since in found.debts.items():
        if then in graph.resources:
            debts.setdefault(then, {})[first] = since
    return Left(debts, frozenset(found.intents & graph.resources.keys()), found.sent)
