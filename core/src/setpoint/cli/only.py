"""`--only`: a part of a graph, for commands that run or look at one."""

import os
from collections.abc import Sequence

import click

from setpoint.graph import Graph
from setpoint.selection import refuse_missing, select

ONLY = click.option(
    "--only",
    multiple=True,
    metavar="REF",
    help="Only KIND NAME, a glob, or module NAME, with what that requires and notifies; repeatable.",
)


def part(graph: Graph, only: Sequence[str], state: str) -> Graph:
    """Return the part of `graph` that `only` stands for, with those that owe a refresh because of it.

    Args:
        graph: the whole.
        only: as given on the command line; empty is the whole.
        state: the state directory, whose journal says who owes what.

    Raises:
        SetpointError: one of `only` stands for nothing, with what may have been meant.

    """
    if not only:
        return graph
    refuse_missing(graph, only)
    return select(graph, only, debts(state))


def debts(state: str) -> list[tuple[str, str]]:
    """Return who owes a refresh because of whom since former runs, as pairs (because of, owes).

    Raises:
        JournalError: the journal in the state directory cannot be read.

    """
    from setpoint.journal import read_status

    if not os.path.exists(os.path.join(state, "journal.db")):
        return []
    return [(debt.first, debt.then) for debt in read_status(state).debts]


def left_out(graph: Graph) -> str:
    """Return how much of the whole is not in `graph`; empty if all is."""
    number = len(graph.left_out)
    whole = number + len(graph.resources) + len(graph.held)
    return f"left out: {number:,} of {whole:,} resources" if number else ""
