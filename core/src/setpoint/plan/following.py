"""What follows from what was found: who would be refreshed, who may change after all, whom nothing comes to.

An answer is no, yes, or known while running. What changes for sure notifies for sure; what may change leaves open
whether its listeners are refreshed. A resource whose check reads what another one before it touches (`touching`) may
be found otherwise in the run, whatever was found now.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum

from setpoint.graph import Edge, Graph
from setpoint.plan.checking import Checking
from setpoint.plan.left import Left
from setpoint.plan.model import Blocked, Doubt, Refresh
from setpoint.plan.touching import Touching
from setpoint.resource import Resource, has_refresh
from setpoint.values import Ref


class Answer(IntEnum):
    """Whether something would happen."""

    NO = 0
    OPEN = 1  # known while running
    YES = 2


class Following:
    """Walks through a graph once, in order.

    after: id to what comes before it and may have it found otherwise, or explains why it cannot be checked.
    refreshes: who would be refreshed, or may be.
    doubts: who is as declared now, and may change.
    blocked: who is not come to.
    """

    def __init__(
        self, graph: Graph, ranks: Mapping[str, int], checking: Checking, left: Left
    ) -> None:
        self._graph, self._checking, self._left = graph, checking, left
        self._before: dict[str, list[Edge]] = {}
        for edge in graph.edges.values():
            self._before.setdefault(edge.then, []).append(edge)
        self._touching = Touching(self._before, ranks)
        self._news: dict[str, Answer] = {}  # what is heard of each by its listeners
        self._failed: set[str] = set()
        self._stuck: set[str] = set()  # blocked
        self.after: dict[str, str] = {}
        self.refreshes: list[Refresh] = []
        self.doubts: list[Doubt] = []
        self.blocked: list[Blocked] = []
        for id_ in ranks:
            self._visit(graph.resources[id_])

    def _visit(self, resource: Resource) -> None:
        id_ = resource.id
        self._touching.arrive(id_)
        if blocked := self._blocked(id_):
            self._stuck.add(id_)
            self.blocked.append(blocked)
            return
        changes = self._changes(resource)
        if id_ in self._failed:
            return
        told = self._told(resource)
        moves = Answer.NO if resource.meta.noop else max(changes, told)
        if moves:
            self._touching.add(resource)
        if id_ in self._left.intents and not resource.meta.noop:
            moves = Answer.OPEN if id_ in self._checking.errors else Answer.YES
        self._news[id_] = moves

    def _blocked(self, id_: str) -> Blocked | None:
        """Return what keeps a run from coming to `id_`; None if nothing does."""
        for edge in self._before.get(id_, ()):
            is_bad = edge.first in self._stuck or edge.first in self._failed
            if is_bad and edge.notify != "fire":
                return Blocked(id_, edge.first)
        for ref in self._received(id_) if id_ in self._checking.pending else ():
            if ref.sender in self._checking.silent and not self._may_move(ref.sender):
                return Blocked(id_, ref.sender, str(ref))
        return None

    def _changes(self, resource: Resource) -> Answer:
        """Return whether `resource` would change something; it fails if nothing explains why it cannot be checked."""
        id_, checking = resource.id, self._checking
        if id_ in checking.errors:
            self.after[id_] = self._touching.nearest(id_)
            if not self.after[id_]:
                self._failed.add(id_)
            return Answer.OPEN
        if id_ in checking.pending:
            return Answer.OPEN
        after = self._sender(id_) or self._touching.whom(resource)
        if not after:
            return Answer.YES if id_ in checking.found else Answer.NO
        self.after[id_] = after
        if id_ not in checking.found:
            self.doubts.append(Doubt(id_, after))
        return Answer.OPEN

    def _sender(self, id_: str) -> str:
        """Return one that sends a value to `id_`, and may send another one; empty if there is none."""
        senders = (ref.sender for ref in self._received(id_))
        return next(filter(self._may_move, senders), "")

    def _may_move(self, id_: str) -> bool:
        """Whether `id_` would change something, or may be found otherwise: then it may send something else."""
        return bool(self._news.get(id_)) or id_ in self.after

    def _received(self, id_: str) -> Iterator[Ref]:
        for source in self._graph.receives.get(id_, {}).values():
            yield from source.refs

    def _told(self, resource: Resource) -> Answer:
        """Return whether `resource` would be refreshed."""
        owed = self._owed(resource.id)
        notifying = [edge for edge in self._before.get(resource.id, ()) if edge.notify]
        sure = [e.first for e in notifying if self._news_of(e) == Answer.YES]
        perhaps = [e.first for e in notifying if self._news_of(e) == Answer.OPEN]
        if resource.id in self._checking.errors:  # it may fail before that
            sure, perhaps, owed = [], [*owed, *sure, *perhaps], {}
        by = tuple(dict.fromkeys((*sure, *owed)))
        answer = Answer.YES if by else Answer.OPEN if perhaps else Answer.NO
        if answer and not resource.meta.noop and has_refresh(type(resource)):
            rest = tuple(dict.fromkeys(id_ for id_ in perhaps if id_ not in by))
            self.refreshes.append(Refresh(resource.id, by, rest, owed))
        return answer

    def _news_of(self, edge: Edge) -> Answer:
        if edge.first in self._failed:  # it fires what it was about to change when it was killed
            return Answer.YES if edge.first in self._left.intents else Answer.NO
        return self._news.get(edge.first, Answer.NO)

    def _owed(self, id_: str) -> dict[str, float]:
        """Return whose notifications a former run left to `id_`, with the wall time since when."""
        owed = dict(self._left.debts.get(id_, {}))
        for edge in self._before.get(id_, ()):
            if edge.notify and edge.first in self._left.intents and self._news_of(edge):
                owed.setdefault(edge.first, 0.0)
        return owed
