"""What a run would change, found out without changing anything.

`checking` looks at every resource, in dependency order, those that do not wait for each other at the same time. What a
sender that is as declared would send, or sent in a former run, is received; a value that only the run itself makes is
"known while running".
`following` predicts from that, and from what a former run `left`, what else would happen along the edges. `model` is
what comes of it.
"""

import asyncio
from collections.abc import Callable, Mapping
from copy import copy
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from setpoint.engine.redaction import Redaction
from setpoint.graph import Graph
from setpoint.plan.checking import Checking
from setpoint.plan.following import Following
from setpoint.plan.left import left_to
from setpoint.plan.model import (
    Action,
    Blocked,
    Doubt,
    Plan,
    Reason,
    Refresh,
    Step,
    Trouble,
    Waiting,
)
from setpoint.plan.reasons import reasons
from setpoint.reversals import Reversals, undoing
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.graphfile.causes import Read
    from setpoint.host import Host
    from setpoint.plugins import Plugins

__all__ = [
    "Action",
    "Blocked",
    "Doubt",
    "Plan",
    "Reason",
    "Refresh",
    "Step",
    "Trouble",
    "Waiting",
    "plan",
]

NOTHING = (None, "absent")  # what a Change has on the side where there is nothing
Because = Callable[[str], "Mapping[str, Read]"]


async def plan(
    graph: Graph,
    *,
    plugins: "Plugins",
    host: "Host",
    redaction: Redaction | None = None,
    because: Because | None = None,
    key: bytes = b"",
) -> Plan:
    """Return what a run of `graph` would change; the graph, which may be running, stays as it is.

    Args:
        graph: what is declared.
        plugins: where its kinds come from.
        host: this machine, and the state directory of the run.
        redaction: gets to know the secrets that are come across.
        because: returns for an id what its declaration follows from: path to the value before and now.
        key: for `Step.mark`; empty: none.

    Raises:
        CycleError: the edges of the graph close a circle.
        JournalError: what a former run left cannot be read.

    """
    graph = _own(graph)
    left = await asyncio.to_thread(left_to, graph, host.root)
    Reversals(host, plugins).extend(graph, {})
    ranks = graph.order()
    checking = Checking(graph, plugins, host, redaction or Redaction(), key, sent=left.sent)
    for _, level in groupby(sorted(ranks, key=ranks.__getitem__), ranks.__getitem__):
        await checking.look_at(list(level))
    following = await asyncio.to_thread(Following, graph, ranks, checking, left)
    return _Writer(graph, checking, following, because or (lambda _: {})).plan(ranks)


def _own(graph: Graph) -> Graph:
    """Return a graph like `graph` with resources of its own."""
    own = copy(graph)
    own.resources = {id_: msgspec.structs.replace(r) for id_, r in graph.resources.items()}
    own.edges, own.warnings = dict(graph.edges), list(graph.warnings)
    return own


class _Writer:
    """Writes down what was found."""

    def __init__(
        self, graph: Graph, checking: Checking, following: Following, because: Because
    ) -> None:
        self._graph, self._checking, self._following = graph, checking, following
        self._because = because

    def plan(self, ranks: Mapping[str, int]) -> Plan:
        """Return it as a plan."""
        checking, following = self._checking, self._following
        blocked, differing = {one.id for one in following.blocked}, checking.differing
        ids = [id_ for id_ in ranks if id_ not in blocked]
        steps = [self._step(id_) for id_ in ids if id_ in differing]
        troubles = [self._trouble(id_) for id_ in ids if id_ in checking.errors]
        unchanged = len(ids) - len(steps) - len(troubles) - len(following.doubts)
        return Plan(
            steps=tuple(steps),
            refreshes=tuple(following.refreshes),
            troubles=tuple(troubles),
            unchanged=unchanged,
            waiting=tuple(self._waiting(id_) for id_ in sorted(self._graph.held)),
            doubts=tuple(following.doubts),
            blocked=tuple(following.blocked),
            left_out=tuple(sorted(self._graph.left_out)),
        )

    def _step(self, id_: str) -> Step:
        checking = self._checking
        changes = checking.found.get(id_, ())
        return Step(
            id_,
            _action(changes),
            changes,
            pending=checking.pending.get(id_, {}),
            noop=self._graph.resources[id_].meta.noop,
            after=self._following.after.get(id_, ""),
            because=self._reasons(id_),
            mark=checking.marks.get(id_, ""),
        )

    def _trouble(self, id_: str) -> Trouble:
        error, after = self._checking.errors[id_], self._following.after.get(id_, "")
        error = self._checking.bare.get(id_, error) if after else error
        return Trouble(id_, error, after, self._reasons(id_))

    def _waiting(self, id_: str) -> Waiting:
        return Waiting(
            id_, tuple(reason.path for reason in self._reasons(id_) if reason.now is None)
        )

    def _reasons(self, id_: str) -> tuple[Reason, ...]:
        return reasons(self._because(id_.removeprefix(undoing(""))), self._checking.redaction)


def _action(changes: tuple[Change, ...]) -> Action:
    if changes and all(change.before in NOTHING for change in changes):
        return "add"
    return "drop" if changes and all(change.after in NOTHING for change in changes) else "change"
