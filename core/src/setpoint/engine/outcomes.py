"""What follows from how a run ended: who is told, who becomes dirty, what is tried again."""

from typing import TYPE_CHECKING, Any

import msgspec

from setpoint import oserrors
from setpoint.engine.brakes import FIGHT_REPAIRS
from setpoint.engine.events import (
    Blocked,
    Changed,
    Failed,
    Fighting,
    Recovered,
    Refreshed,
    Warned,
)
from setpoint.engine.exchange import NoValueError
from setpoint.engine.modes import Modes
from setpoint.engine.parts import Parts
from setpoint.errors import JournalError, ParamError, PluginError, Refused, SetpointError, text_of
from setpoint.plugins.loading import line_within
from setpoint.resource import Resource
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.plugins import Plugins

UNWRITTEN = 1.0  # seconds between looks whether the journal can be written again
SAME = 1.0  # seconds in which the same refusal again is no news: one change has several events

# What says all there is to say by itself; of anything else the plugin is told that it came from.
TELLING = (SetpointError, PluginError, ParamError, msgspec.ValidationError, OSError)


class Outcomes:
    """Turns results of runs into states, debts, retries and events.

    failed: vertex to why it failed, for all that are failed now.
    """

    def __init__(self, parts: Parts, modes: Modes) -> None:
        self._parts, self._modes = parts, modes
        self.failed: dict[int, str] = {}
        self.told_blocked: dict[int, str] = {}
        self._tries: dict[int, int] = {}
        self._refused: dict[
            int, tuple[str, float]
        ] = {}  # vertex to why, and until when that is no news
        self._unwritten: dict[int, None] = {}  # failed because the journal could not be written
        self._is_looking = False  # whether it can be again

    def changed(self, v: int, changes: list[Change], applied: bool, seconds: float = 0.0) -> None:
        """Tell that `v` was not as declared, count the repair, and mark whom it notifies."""
        parts = self._parts
        resource = parts.vertices.resource[v]
        now = parts.last_change = parts.now()
        if parts.listeners or parts.tracing.is_kept:
            shown = parts.redaction.changes(resource, changes)
            parts.tracing.changed(v, shown, applied, seconds)
            parts.emit(Changed(resource.id, shown, applied, seconds))
        if not applied:
            return
        parts.repairs += 1
        if not parts.vertices.pending[v]:
            self._record(v, "changed")
            if not resource.rechecks:  # those change of their own accord, and nobody fights them
                self._repaired_again(v, now)
        if resource.rechecks:
            for s in parts.vertices.succ[v]:
                parts.tracing.required(s, v)
                parts.scheduler.mark(s)

    def owes(self, v: int, changed: bool) -> None:
        """Record what follows from `v` being settled for those that it notifies."""
        parts = self._parts
        if changed or v in parts.ledger.open:
            if not changed:
                parts.tracing.interrupted(v)
            self._notify(v, parts.ledger.succeed(v, parts.key(v), changed))

    def refreshed(self, v: int, by: tuple[str, ...], seconds: float) -> None:
        """Tell that `v` has refreshed itself for `by`, which took `seconds`."""
        self._parts.last_change = self._parts.now()
        self._parts.tracing.refreshed(v, by, seconds)
        self._parts.emit(Refreshed(self._parts.key(v), by))

    def succeeded(self, v: int) -> None:
        """Note that all of a run of `v` went well, and settle it."""
        if v in self._tries:
            if v not in self.failed:  # of those the scheduler knows
                self._parts.tracing.recovered(v)
            if self._parts.vertices.resource[v].meta.retry_reset:
                del self._tries[v]
        self._parts.scheduler.settle(v)

    def recovered(self, v: int) -> None:
        """Tell that `v`, which had failed or been blocked, is as declared; the scheduler calls this."""
        self.failed.pop(v, None)
        self.told_blocked.pop(v, None)
        self._parts.last_change = self._parts.now()
        self._record(v, "settled")
        self._parts.tracing.recovered(v)
        self._parts.emit(Recovered(self._parts.key(v)))

    def raised(self, v: int, error: BaseException) -> None:
        """Try `v` again if its meta says so, else let it fail."""
        parts = self._parts
        meta = parts.vertices.resource[v].meta
        tried = self._tries.get(v, 0)
        parts.last_change = parts.now()
        why = self.explain(v, error)
        if not isinstance(error, Refused) and (meta.retry < 0 or tried < meta.retry):
            self._tries[v] = tried + 1
            parts.tracing.failed(v, why, meta.delay)
            parts.emit(Failed(parts.key(v), why, meta.delay))
            parts.scheduler.wait(v, parts.timers.after(meta.delay, lambda: parts.scheduler.wake(v)))
            return
        if isinstance(error, JournalError):
            self._unwritten[v] = None
            self._look_later()
        self._fail(v, error, why)

    def _fail(self, v: int, error: BaseException, why: str) -> None:
        parts = self._parts
        is_news = not self._is_told(v, error, why) or v not in self.failed
        self.failed[v] = why
        self.told_blocked.pop(v, None)
        self._record(v, "failed", why)
        if is_news:
            parts.tracing.failed(v, why)
            parts.emit(Failed(parts.key(v), why))
            if v in parts.ledger.open:
                parts.tracing.kept_back(v)
        self._notify(v, parts.ledger.fail(v, parts.key(v)))
        parts.scheduler.fail(v)

    def stopped(self, v: int) -> None:
        """Let `v` fail because the engine ends in the middle of its run."""
        resource = self._parts.vertices.resource[v]
        blamed = self._parts.plugins.blame(type(resource))
        self.raised(
            v,
            Refused(f"it was stopped in the middle (plugin {blamed})", "a meta.timeout limits it"),
        )

    def no_value(self, v: int, missing: NoValueError) -> None:
        """Let `v` wait for a value that does not exist."""
        sender = self._parts.vertices.index[missing.ref.sender]
        self._tell_blocked(v, str(missing), missing.ref.sender)
        self._parts.scheduler.block(v, v if sender not in self._parts.scheduler.bad else sender)

    def blocked(self, v: int, by: int) -> None:
        """Tell that `v` is blocked by `by`; the scheduler calls this."""
        parts = self._parts
        if v != by:
            self._tell_blocked(v, "failed" if by in self.failed else "blocked", parts.key(by))
        self.failed.pop(v, None)
        self._modes.let_by(v)

    def forget(self, v: int) -> None:
        """Forget `v`, which left the graph."""
        for known in (self.failed, self.told_blocked, self._tries, self._refused, self._unwritten):
            known.pop(v, None)

    def has_failed(self, v: int) -> bool:
        """Whether `v` has failed, be it that it was or will be tried again."""
        return v in self.failed or v in self._tries

    def explain(self, v: int, error: BaseException) -> str:
        """Return why `v` failed, in one line if a person caused it, with the culprit if a plugin did."""
        parts = self._parts
        kind = type(parts.vertices.resource[v])
        return parts.redaction.text(explain(error, kind, parts.plugins))

    def _is_told(self, v: int, error: BaseException, why: str) -> bool:
        """Whether the same refusal of `v` was told a moment ago; if not, it is from now on."""
        now = self._parts.now()
        told, until = self._refused.get(v, ("", now))
        if told == why and now < until:
            return True
        if isinstance(error, Refused):
            self._refused[v] = (why, now + SAME)
        return False

    def _look_later(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._parts.timers.after(UNWRITTEN, self._look)

    def _look(self) -> None:
        """Try those again that failed because of the journal, if it can be written: it tries by itself."""
        self._is_looking = False
        parts = self._parts
        if parts.journal is not None and parts.journal.is_failing:
            self._look_later()
            return
        unwritten, self._unwritten = self._unwritten, {}
        for v in unwritten.keys() & self.failed.keys():
            parts.causes.note(v, "retry")
            parts.scheduler.mark(v)

    def _tell_blocked(self, v: int, why: str, by: str) -> None:
        if self.told_blocked.get(v) != by:
            self.told_blocked[v] = by
            self._record(v, "blocked", f"by {by}: {why}")
            self._parts.tracing.blocked(v, by, why)
            self._parts.emit(Blocked(self._parts.key(v), by, why))

    def _notify(self, v: int, listeners: list[int]) -> None:
        """Let `listeners` run, which owe a refresh because of `v`."""
        self._parts.tracing.owed(listeners, v)
        for s in listeners:
            self._modes.update(s)
            self._parts.scheduler.mark(s)

    def _repaired_again(self, v: int, now: float) -> None:
        parts = self._parts
        pause = parts.fights.repaired(v, now)
        if pause:
            self._modes.update(v)
            parts.tracing.fighting(v, pause)
            parts.emit(Fighting(parts.key(v), FIGHT_REPAIRS, pause))

    def _record(self, v: int, state: str, detail: str = "") -> None:
        if self._parts.journal is not None:
            self._parts.journal.outcome(self._parts.key(v), state, detail)

    def warn(self, v: int, text: str) -> None:
        """Tell a person something about `v` that is no failure."""
        self._parts.emit(Warned(self._parts.key(v), self._parts.redaction.text(text)))


def explain(error: BaseException, kind: type[Resource], plugins: "Plugins") -> str:
    """Return why a verb of `kind` failed: what a person can set right, or which plugin is the culprit."""
    name, text = type(error).__name__, text_of(error)
    if isinstance(error, OSError):
        text = oserrors.told(error)
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, TELLING):
        return (text or name) + notes
    where = line_within(kind.__module__, error)
    if notes and not where:  # it came up in a wrapper, which the note names
        return f"{name}: {text}".removesuffix(": ") + notes
    said = f"plugin {plugins.blame(kind)}: {name}: {text}".removesuffix(": ")
    return (f"{said} at {where}" if where else said) + notes


def differences(found: Any, resource: Resource, plugins: "Plugins") -> list[Change]:
    """Return `found`, which the check of `resource` returned.

    Raises:
        PluginError: it is not what a check may return.

    """
    if type(found) is list:
        for one in found:
            if type(one) is not Change:
                break
        else:
            return found  # so it is nearly always, and this is half the time of what follows
    shown = type(found).__name__
    if isinstance(found, list):
        wrong = [type(one).__name__ for one in found if not isinstance(one, Change)]
        if not wrong:
            return found
        shown = f"a list with {wrong[0]}"
    what = f"check of {resource} returned {shown}"
    raise PluginError(plugins.blame(type(resource)), what, "it must return a list of Change")
