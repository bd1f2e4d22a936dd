"""Repairs of quick vertices: at once on the loop, or after their intents are durable if somebody listens."""

from setpoint.engine.modes import Modes
from setpoint.engine.outcomes import Outcomes, differences
from setpoint.engine.parts import Parts
from setpoint.errors import PluginError
from setpoint.values import Change

Work = tuple[int, list[Change]]


class Quick:
    """Applies what quick checks found."""

    def __init__(self, parts: Parts, modes: Modes, outcomes: Outcomes) -> None:
        self._parts, self._modes, self._outcomes = parts, modes, outcomes
        self._intending: list[Work] = []
        self._busy = False

    def repair(self, v: int, found: list[Change] | None) -> bool:
        """Apply what was `found` to differ in `v`; False if it is not settled when this returns."""
        resource = self._parts.vertices.resource[v]
        try:
            changes = differences(found, resource, self._parts.plugins)
        except PluginError as error:
            self._outcomes.raised(v, error)
            return False
        if v in self._parts.vertices.notify:
            self._parts.causes.begin(v)
            self._parts.scheduler.hand_out(v)
            self._intending.append((v, changes))
            return False
        try:
            resource.apply(changes)
        except BaseException as error:  # a plugin's SystemExit is its failure, not ours
            self._outcomes.raised(v, error)
            return False
        self._outcomes.changed(v, changes, applied=True)
        return True

    def start(self) -> None:
        """Make the intents durable that have come together, then apply them."""
        if self._intending and not self._busy:
            self._busy = True
            self._parts.spawn(self._intend())

    async def _intend(self) -> None:
        try:
            while self._intending:
                work, self._intending = self._intending, []
                await self._apply(work)
        finally:
            self._busy = False

    async def _apply(self, work: list[Work]) -> None:
        parts = self._parts
        keys = [parts.key(v) for v, _ in work]
        try:
            if parts.journal is not None:
                await parts.journal.intend(keys)
        except Exception as error:
            for v, _ in work:
                self._outcomes.raised(v, error)
            return
        for v, changes in work:
            parts.ledger.intend(v)
            self._apply_one(v, changes)

    def _apply_one(self, v: int, changes: list[Change]) -> None:
        try:
            self._parts.vertices.resource[v].apply(changes)
        except BaseException as error:  # as above
            self._modes.update(v)
            self._outcomes.raised(v, error)
            return
        self._outcomes.changed(v, changes, applied=True)
        self._outcomes.owes(v, changed=True)
        self._outcomes.succeeded(v)
