"""Who owes a refresh: the debts of notifications, in memory and in the journal.

Before a resource with listeners changes something, its intent is durable. When it is settled, the intent becomes one
debt for each listener; when a listener has refreshed, its debts are cleared. An intent that is still open when the
process begins counts as a change. So whatever dies in between, no listener misses a change.

A debt has a number: one that was made while its listener was refreshing is newer than the refresh, and stays.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import NamedTuple

from setpoint.engine.vertices import Vertices
from setpoint.journal import Debt, Journal


class Owed(NamedTuple):
    """The debts of a listener as they were when its refresh began."""

    by: Mapping[str, int]  # id of the notifier to the number of the debt
    mark: int | None  # what the journal needs to tell newer debts apart


class Ledger:
    """The debts and open intents of the vertices.

    owed: vertex to its debts, id of the notifier to number.
    open: vertices whose intent is durable and not resolved.
    """

    def __init__(self, vertices: Vertices, journal: Journal | None) -> None:
        self._vertices, self._journal = vertices, journal
        self.owed: dict[int, dict[str, int]] = {}
        self.open: set[int] = set()
        self._spent: dict[int, set[int]] = {}  # open vertex to listeners already fired or dropped
        self._debts: dict[str, set[str]] = {}  # what a former process left, listener to notifiers
        self._intents: set[str] = set()  # the same
        self._numbers = count()

    def restore(self) -> None:
        """Read what a former process left, for those that are in the graph, or come later.

        What another graph left owed is neither paid nor forgotten: that graph may come back.
        """
        if self._journal is None:
            return
        for first, then in self._journal.debts():
            self._debts.setdefault(then, set()).add(first)
        self._intents = self._journal.intents()

    def inherit(self, new: Iterable[tuple[str, int]]) -> None:
        """Let `new` vertices, each with its id, take over what a former process left."""
        if not (self._debts or self._intents):
            return
        for key, v in new:
            for first in self._debts.pop(key, ()):
                self._owe(v, first)
            if key in self._intents:
                self._intents.discard(key)
                self.open.add(v)

    def intend(self, v: int) -> None:
        """Note that `v`, whose intent is durable, is about to change something: news for all."""
        self.open.add(v)
        self._spent.pop(v, None)

    def succeed(self, v: int, key: str, changed: bool) -> list[int]:
        """Note that `v` is settled, and `changed` something; return the listeners that now owe."""
        was_open = v in self.open
        if not changed and not was_open:
            return []
        self.open.discard(v)
        spent = self._spent.pop(v, set())
        listeners = [s for s in self._vertices.notify.get(v, ()) if s not in spent]
        if self._journal is not None and (listeners or was_open):
            self._journal.resolve(key, [self._vertices.resource[s].id for s in listeners])
        for s in listeners:
            self._owe(s, key)
        return listeners

    def fail(self, v: int, key: str) -> list[int]:
        """Note that `v` failed for good, after it may have changed something; return the listeners that now owe."""
        policies = self._vertices.notify.get(v, {})
        if v not in self.open:
            return []
        spent = self._spent.setdefault(v, set())
        fired = [s for s, policy in policies.items() if policy == "fire" and s not in spent]
        spent.update(s for s, policy in policies.items() if policy != "hold")
        for s in fired:
            self._owe(s, key)
        if self._journal is not None:
            self._journal.owe([Debt(key, self._vertices.resource[s].id) for s in fired])
        if spent >= policies.keys():
            self.succeed(v, key, changed=False)
        return fired

    def due(self, v: int) -> Owed | None:
        """Return what `v` owes now, to be handed to `refreshed`; None if it owes nothing."""
        if v not in self.owed:
            return None
        return Owed(dict(self.owed[v]), self._journal.mark() if self._journal else None)

    def refreshed(self, v: int, key: str, owed: Owed) -> None:
        """Note that `v` has refreshed itself for `owed`."""
        left = self.owed.get(v, {})
        for first, number in owed.by.items():
            if left.get(first) == number:
                del left[first]
        if not left:
            self.owed.pop(v, None)
        if self._journal is not None:
            self._journal.clear([Debt(first, key) for first in owed.by], owed.mark)

    def forget(self, v: int, key: str) -> None:
        """Forget `v`, which left the graph; what others owe because of it they still owe."""
        self.owed.pop(v, None)
        self.open.discard(v)
        self._spent.pop(v, None)

    def _owe(self, v: int, first: str) -> None:
        self.owed.setdefault(v, {})[first] = next(self._numbers)
