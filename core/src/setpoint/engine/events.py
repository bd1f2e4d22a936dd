"""What an engine tells those who listen: one small class for each kind of event.

Every event names the resource by its id. Differences and texts have secrets replaced already.
"""

import msgspec

from setpoint.values import Change


class Event(msgspec.Struct, frozen=True, tag=True):
    """Something happened to the resource `id`."""

    id: str


class Changed(Event, frozen=True):
    """It was not as declared and has been repaired, or with `applied` false would have been.

    seconds: how long the run took.
    """

    changes: tuple[Change, ...]
    applied: bool = True
    seconds: float = 0.0


class Refreshed(Event, frozen=True):
    """It was notified by the resources `by`, and has refreshed itself."""

    by: tuple[str, ...]


class Failed(Event, frozen=True):
    """A run failed. `retry_in` is in how many seconds it is tried again; negative: not until an event."""

    error: str
    retry_in: float = -1.0


class Blocked(Event, frozen=True):
    """It cannot run because of `by`, which failed, is blocked itself, or sends no value yet."""

    by: str
    why: str = "failed"


class Recovered(Event, frozen=True):
    """It had failed, and is as declared again."""


class Fighting(Event, frozen=True):
    """It was repaired `repairs` times in a short while: something else changes it back.

    pause: seconds for which it is left alone.
    """

    repairs: int
    pause: float


class Unwatched(Event, frozen=True):
    """Its watch failed with `error`; it is begun anew in `retry_in` seconds."""

    error: str
    retry_in: float


class Progress(Event, frozen=True, repr_omit_defaults=True):
    """One line about what it is doing; `if_lasting`: of no interest unless it goes on for half a second."""

    text: str
    if_lasting: bool = False


class Warned(Event, frozen=True):
    """Something that a person should know; `id` may be empty, or name a plugin."""

    text: str


class Converged(Event, frozen=True):
    """Nothing is dirty, running or owed any more; `id` is empty.

    failed, blocked: how many resources are not as declared.
    waiting: how many more wait for facts that are not known, or for something that does.
    """

    failed: int
    blocked: int
    resources: int
    waiting: int = 0


class Swapped(Event, frozen=True):
    """The graph was replaced; `id` is empty. The numbers count resources, but not those that put back others."""

    added: int
    changed: int
    removed: int
