"""The graph as the scheduler sees it: a vertex is an integer, its data lie in arrays indexed by it.

What every vertex has lies in lists and bytearrays; what few have lies in dictionaries. No object, task, lock or queue
per vertex: 100,000 of them cost about 300 bytes each and nothing while they are idle.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from setpoint.engine.states import DIRTY, GENERAL, GONE
from setpoint.graph import Edge, Graph, Policy
from setpoint.resource import Resource
from setpoint.values import Received

Check = Callable[[Any], Any]
NOBODY: Any = None  # in the place of what a vertex that left, or is about to come, does not have


class Vertices:
    """Arrays by vertex, and the sparse rest.

    resource, check: the resource, and its kind's `check` function.
    pred, succ: what it requires, and what requires it.
    rank: the number of edges on the longest way that leads to it.
    waiting: how many of `pred` have not passed yet, and 1 more until its watch has begun.
    pending: 1 until it passed once, that is until what requires it may run.
    state, mode: see `states`.
    notify: vertex to its listeners, and what to do for each when it fails.
    receives: vertex to its params that come from others.
    senders: vertices somebody receives from.
    """

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.resource: list[Resource] = []
        self.check: list[Check] = []
        self.pred: list[tuple[int, ...]] = []
        self.succ: list[tuple[int, ...]] = []
        self.rank: list[int] = []
        self.waiting: list[int] = []
        self.pending = bytearray()
        self.state = bytearray()
        self.mode = bytearray()
        self.notify: dict[int, dict[int, Policy]] = {}
        self.receives: dict[int, Mapping[str, Received]] = {}
        self.senders: dict[int, set[int]] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.index)

    def add(self, resources: Mapping[str, Resource]) -> list[int]:
        """Return the vertices that now hold `resources`; each is dirty, pending, and waits."""
        reused = [self._free.pop() for _ in range(min(len(self._free), len(resources)))]
        first, more = len(self.resource), len(resources) - len(reused)
        added = [*reused, *range(first, first + more)]
        self._grow(more)
        for v, resource in zip(added, resources.values(), strict=True):
            self.resource[v] = resource
            self.check[v] = type(resource).check
        for v in reused:
            self.waiting[v], self.pending[v] = 1, 1
            self.state[v], self.mode[v] = DIRTY, GENERAL
        self.index.update(zip(resources, added, strict=True))
        return added

    def _grow(self, more: int) -> None:
        """Make room for `more` vertices, all of them as new ones are."""
        self.resource += [NOBODY] * more
        self.check += [NOBODY] * more
        self.pred += [()] * more
        self.succ += [()] * more
        self.rank += [0] * more
        self.waiting += [1] * more
        self.pending += bytes((1,)) * more
        self.state += bytes((DIRTY,)) * more
        self.mode += bytes((GENERAL,)) * more

    def remove(self, key: str) -> int:
        """Take `key` out of the graph; its vertex, which is returned, is kept until `release`."""
        return self.index.pop(key)

    def release(self, v: int) -> None:
        """Give the number `v`, which is in the graph no more, to whom wants it."""
        self.resource[v] = NOBODY
        self.pred[v] = self.succ[v] = ()
        self.state[v], self.pending[v] = GONE, 0
        self._free.append(v)

    def connect(self, graph: Graph, ranks: Mapping[str, int]) -> None:
        """Take over edges and what travels along from `graph`, whose resources are all here.

        Args:
            graph: has no cycle.
            ranks: those of its resources, by id.

        """
        index = self.index
        pred: defaultdict[int, list[int]] = defaultdict(list)
        succ: defaultdict[int, list[int]] = defaultdict(list)
        for first, then in graph.edges:
            a, b = index[first], index[then]
            succ[a].append(b)
            pred[b].append(a)
        for key, v in index.items():
            self.rank[v] = ranks[key]
            self.pred[v] = self.succ[v] = ()
        for of, found in ((self.pred, pred), (self.succ, succ)):
            for v, others in found.items():
                of[v] = tuple(others)
        self._travels(graph.edges.values(), graph.receives)

    def _travels(
        self, edges: Iterable[Edge], receives: Mapping[str, Mapping[str, Received]]
    ) -> None:
        index = self.index
        self.notify, self.receives, self.senders = {}, {}, {}
        for first, then, policy, _ in edges:
            if policy:
                self.notify.setdefault(index[first], {})[index[then]] = policy
        for key, wanted in receives.items():
            v = self.receives_from(key, wanted)
            self.receives[v] = wanted

    def receives_from(self, key: str, wanted: Mapping[str, Received]) -> int:
        """Note that the vertex of `key` receives `wanted`; return it."""
        v = self.index[key]
        for value in wanted.values():
            for ref in value.refs:
                self.senders.setdefault(self.index[ref.sender], set()).add(v)
        return v

    def count_waiting(
        self, armed: Callable[[int], bool], excused: Collection[tuple[int, int]]
    ) -> list[int]:
        """Count anew what every pending vertex waits for; return dirty ones that wait for nothing.

        Args:
            armed: whether the watch of a vertex has begun.
            excused: pairs (first, then) of which the second does not wait for the first.

        """
        free = []
        pending = self.pending
        for v in self.index.values():
            if pending[v]:
                count = 0 if armed(v) else 1
                for p in self.pred[v]:
                    if pending[p] and not (excused and (p, v) in excused):
                        count += 1
                self.waiting[v] = count
                if not count and self.state[v] == DIRTY:
                    free.append(v)
        return free
