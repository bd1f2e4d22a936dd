"""What a run would change, found out without changing anything.

`checking` looks at every resource, in dependency order, those that do not wait for each other at the same time. What a
sender that is as declared would send is received; a value that only the run itself makes is "known while running".
`plan` predicts from that which notifications would follow along the edges.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import msgspec

from setpoint.engine.redaction import Redaction
from setpoint.graph import Edge, Graph
from setpoint.plan.checking import Checking
from setpoint.resource import has_refresh
from setpoint.reversals import Reversals
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.plugins import Plugins

Action = Literal["add", "change", "drop"]

NOTHING = (None, "absent")  # what a Change has on the side where there is nothing


class Step(msgspec.Struct, frozen=True):
    """One resource that is not as declared.

    action: "add" and "drop" if there is nothing before or after; else "change".
    changes: what would change, secrets hidden.
    pending: param to where its value comes from, for values that are known only while running.
    noop: its meta says noop, so that a run would leave it as it is.
    """

    id: str
    action: Action
    changes: tuple[Change, ...] = ()
    pending: Mapping[str, str] = {}
    noop: bool = False


class Refresh(msgspec.Struct, frozen=True):
    """One resource that would be refreshed, because `by` would change something or be refreshed."""

    id: str
    by: tuple[str, ...]


class Trouble(msgspec.Struct, frozen=True):
    """One resource that cannot be checked.

    error: why, and what to do; only why if it may go well all the same.
    after: what it requires and would change first, so that it may go well then; empty if nothing.
    """

    id: str
    error: str
    after: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What a run would do, each part in the order of the run.

    unchanged: how many resources are as declared.
    waiting: the ids of those that wait for facts, or for something that does.
    """

    steps: tuple[Step, ...]
    refreshes: tuple[Refresh, ...]
    troubles: tuple[Trouble, ...]
    unchanged: int
    waiting: tuple[str, ...] = ()

    def count(self, action: Action) -> int:
        """Return how many resources a run would treat with `action`."""
        return sum(step.action == action and not step.noop for step in self.steps)

    @property
    def changes_something(self) -> bool:
        """Whether a run would change something, or may."""
        return any(not step.noop for step in self.steps) or any(t.after for t in self.troubles)

    @property
    def failed(self) -> bool:
        """Whether something cannot be checked, and nothing that would change explains it."""
        return any(not trouble.after for trouble in self.troubles)


async def plan(
    graph: Graph, *, plugins: "Plugins", host: "Host", redaction: Redaction | None = None
) -> Plan:
    """Return what a run of `graph` would change; its resources belong to the plan from now on.

    `redaction` gets to know the secrets that it comes across.

    Raises:
        CycleError: the edges of the graph close a circle.

    """
    Reversals(host, plugins).extend(graph, {})
    ranks = graph.order()
    checking = Checking(graph, plugins, host, redaction or Redaction())
    for _, level in groupby(sorted(ranks, key=ranks.__getitem__), ranks.__getitem__):
        await checking.look_at(list(level))
    after, refreshes = _follow(graph, checking.differing)
    steps = [_step(graph, checking, id_) for id_ in ranks if id_ in checking.differing]
    troubles = [
        _trouble(checking, id_, after.get(id_, "")) for id_ in ranks if id_ in checking.errors
    ]
    unchanged = len(ranks) - len(steps) - len(troubles)
    return Plan(
        tuple(steps), tuple(refreshes), tuple(troubles), unchanged, tuple(sorted(graph.held))
    )


def _step(graph: Graph, checking: Checking, id_: str) -> Step:
    changes = checking.found.get(id_, ())
    noop = graph.resources[id_].meta.noop
    return Step(id_, _action(changes), changes, checking.pending.get(id_, {}), noop)


def _trouble(checking: Checking, id_: str, after: str) -> Trouble:
    error = checking.errors[id_]
    return Trouble(id_, checking.bare.get(id_, error) if after else error, after)


def _action(changes: tuple[Change, ...]) -> Action:
    if changes and all(change.before in NOTHING for change in changes):
        return "add"
    return "drop" if changes and all(change.after in NOTHING for change in changes) else "change"


def _follow(graph: Graph, differing: set[str]) -> tuple[dict[str, str], list[Refresh]]:
    """Return who would be refreshed, in order, if those in `differing` change.

    Returns:
        For each resource with something that changes before it the nearest of that; the refreshes.

    """
    moving = {id_ for id_ in differing if not graph.resources[id_].meta.noop}
    before: dict[str, list[Edge]] = {}
    for edge in graph.edges.values():
        before.setdefault(edge.then, []).append(edge)
    after: dict[str, str] = {}
    refreshes: list[Refresh] = []
    for id_ in graph.order():
        resource = graph.resources[id_]
        by = [e.first for e in before.get(id_, ()) if e.notify and e.first in moving]
        if by and not resource.meta.noop:
            moving.add(id_)
            if has_refresh(type(resource)):
                refreshes.append(Refresh(id_, tuple(by)))
        for first in (edge.first for edge in before.get(id_, ())):
            if first in moving or first in after:
                after[id_] = first if first in moving else after[first]
    return after, refreshes
