"""What is known of the machine while graph files are evaluated."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setpoint.clock import Clock
from setpoint.expressions import UNKNOWN

if TYPE_CHECKING:
    from setpoint.expressions import State


class Known(dict[str, Any]):
    """The values of facts by name; one that has not spoken is `UNKNOWN`.

    It also keeps what functions over time remember, from one evaluation to the next.

    Args:
        values: of the facts that have spoken.
        clock: for functions over time.

    """

    def __init__(self, values: Mapping[str, Any] | None = None, clock: Clock | None = None) -> None:
        super().__init__(values or {})
        self._clock = clock or Clock()
        self._states: dict[tuple[Any, ...], State] = {}
        self._used: set[tuple[Any, ...]] = set()

    def __missing__(self, name: str) -> Any:
        return UNKNOWN

    def begin(self, values: Mapping[str, Any]) -> None:
        """Begin another evaluation, with other values."""
        self.clear()
        self.update(values)
        self._states = {key: self._states[key] for key in self._used & self._states.keys()}
        self._used = set()

    def state(self, *place: Any) -> "State":
        """Return what the functions over time of the expression at a place remember."""
        from setpoint.expressions import State

        self._used.add(place)
        return self._states.setdefault(place, State(self._clock))

    @property
    def wake_at(self) -> float | None:
        """When to evaluate again though nothing has changed, by `clock.monotonic`; None: no need."""
        times = [self._states[key].wake_at for key in self._used]
        return min((time for time in times if time is not None), default=None)
