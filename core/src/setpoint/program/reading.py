"""What a `@graph` function reads of the machine while it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class NotKnownYet(BaseException):
    """A fact that a `@graph` function reads has not told anything yet; no error, so `except Exception` lets it pass."""


class Reading:
    """The facts that one run of a function reads.

    Args:
        values: of the facts that are known, by name.

    places: where each was asked for at first, in order.

    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.places: dict[str, int] = {}

    def value(self, name: str, at: int) -> Any:
        """Return the value of the fact `name`, which is asked for at the place `at`.

        Raises:
            NotKnownYet: it has none.

        """
        self.places.setdefault(name, at)
        if name not in self._values:
            raise NotKnownYet(name)
        return self._values[name]


_READING: ContextVar[Reading | None] = ContextVar("setpoint_reading", default=None)


def reading() -> Reading | None:
    """Return what the function reads that runs now; None if none does."""
    return _READING.get()


@contextmanager
def read_by(known: Reading) -> Iterator[None]:
    """Let a function read `known`."""
    token = _READING.set(known)
    try:
        yield
    finally:
        _READING.reset(token)
