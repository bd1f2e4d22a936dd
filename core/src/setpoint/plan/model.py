"""What a plan says: plain data, in the order of the run. Secrets are hidden in all of it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from setpoint.values import Change

Action = Literal["add", "change", "drop"]


class Reason(msgspec.Struct, frozen=True):
    """One value that a declaration follows from.

    path: as an expression reads it, "facts.load.x1".
    now: what it is; None while it is not known.
    before: what it was at the evaluation before; None if it is the same, or was not known.
    """

    path: str
    now: str | None
    before: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One resource that is not as declared.

    action: "add" and "drop" if there is nothing before or after; else "change".
    changes: what would change, secrets hidden.
    pending: param to where its value comes from, for values that are known only while running.
    noop: its meta says noop, so that a run would leave it as it is.
    after: what comes before it, changes or may, and may have it found otherwise then; empty if nothing.
    because: what its declaration follows from.
    mark: a keyed digest of what is hidden in `changes`; empty if nothing is, or without a key.
    """

    id: str
    action: Action
    changes: tuple[Change, ...] = ()
    pending: Mapping[str, str] = {}
    noop: bool = False
    after: str = ""
    because: tuple[Reason, ...] = ()
    mark: str = ""


class Refresh(msgspec.Struct, frozen=True):
    """One resource that would be refreshed, or may be.

    by: those that would surely change something, be refreshed or pass a notification on.
    perhaps: those that may; if `by` is empty, whether it is refreshed is known while running.
    owed: of `by`, those whose notification a former run left, with the wall time since when; 0 for what that run was
        about to change when it was killed.
    """

    id: str
    by: tuple[str, ...]
    perhaps: tuple[str, ...] = ()
    owed: Mapping[str, float] = {}

    @property
    def certain(self) -> bool:
        """Whether it would be refreshed, whatever comes."""
        return bool(self.by)


class Trouble(msgspec.Struct, frozen=True):
    """One resource that cannot be checked.

    error: why, and what to do; only why if it may go well all the same.
    after: what it requires and would change first, so that it may go well then; empty if nothing.
    because: what its declaration follows from.
    """

    id: str
    error: str
    after: str = ""
    because: tuple[Reason, ...] = ()


class Doubt(msgspec.Struct, frozen=True):
    """One resource that is as declared now, and may be otherwise once `after` has changed."""

    id: str
    after: str


class Blocked(msgspec.Struct, frozen=True):
    """One resource that a run would not come to.

    by: what it requires, which cannot be checked, is blocked itself, or does not send what is to be received.
    missing: what `by` does not send, 'send["exec new id"].stdout'; empty if it is not that.
    """

    id: str
    by: str
    missing: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """One resource that is declared, and waits: for facts that are not known, or for something that does.

    facts: the paths of what is not known; empty if it waits for another resource, or is wrong as the facts are.
    """

    id: str
    facts: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """What a run would do, each part in the order of the run.

    unchanged: how many resources are as declared, and stay so.
    doubts: those that are as declared now, but may not be once others have changed.
    blocked: those that a run would not come to.
    left_out: the ids of those that are not in the part of the graph that is planned.
    """

    steps: tuple[Step, ...]
    refreshes: tuple[Refresh, ...]
    troubles: tuple[Trouble, ...]
    unchanged: int
    waiting: tuple[Waiting, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    left_out: tuple[str, ...] = ()

    def count(self, action: Action) -> int:
        """Return how many resources a run would treat with `action`."""
        return sum(step.action == action and not step.noop for step in self.steps)

    @property
    def changes_something(self) -> bool:
        """Whether a run would change something, or may."""
        moving = any(not step.noop for step in self.steps) or any(t.after for t in self.troubles)
        return moving or bool(self.refreshes)

    @property
    def failed(self) -> bool:
        """Whether something cannot be checked, and nothing that would change explains it."""
        return any(not trouble.after for trouble in self.troubles)
