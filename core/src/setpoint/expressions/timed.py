"""Functions over time: what they remember between evaluations, and when they want to be asked again.

All of an expression's are asked at each evaluation, whether the result needs them then or not, so that nothing is
missed behind an `and`. That is why they cannot stand within a comprehension. While what they look at is unknown, or an
error, they remember what they did before.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from setpoint.clock import Clock
from setpoint.expressions.faults import ExpressionError, NotKnownError, show
from setpoint.expressions.frame import NUMBERS, SCALARS, Frame
from setpoint.expressions.operators import pay_all, shown

LONGEST = 31 * 24 * 3600.0  # seconds
MOST = 50  # functions over time in one expression
KEPT = 1_000  # values of one function; older ones are forgotten earlier then
MAX_KEPT_TEXT = 1_000  # characters
STEPS = 20  # times in its span that a moving average is asked for
SHORTEST = 0.05  # seconds between two of them at least


class State:
    """What the functions over time in one expression remember.

    Args:
        clock: where the time comes from.

    wake_at: when the expression is to be evaluated again even if nothing has changed, by
        `clock.monotonic`; None if there is no need.

    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wake_at: float | None = None
        self.now = 0.0
        self._memories: dict[int, Memory] = {}

    def begin(self) -> None:
        """Begin an evaluation: it is `now`, and nobody wants to wake up yet."""
        self.now = self.clock.monotonic()
        self.wake_at = None

    def wake(self, at: float) -> None:
        """Have the expression evaluated again at `at`, or before."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)

    def copy(self) -> "State":
        """Return one that remembers the same, and can go on from there by itself."""
        made = State(self.clock)
        made._memories = {number: memory.copy() for number, memory in self._memories.items()}
        return made

    def memory(self, number: int) -> "Memory":
        """Return what the function `number` of the expression remembers."""
        return self._memories.setdefault(number, Memory())


class Memory:
    """What one function has seen: values and since when each was there, the last one last."""

    __slots__ = ("secret", "seen", "since")

    def __init__(self) -> None:
        self.seen: deque[tuple[float, Any]] = deque(maxlen=KEPT)
        self.since = 0.0  # wall time of the last change
        self.secret = False

    def copy(self) -> "Memory":
        """Return one that has seen the same."""
        made = Memory()
        made.seen, made.since, made.secret = self.seen.copy(), self.since, self.secret
        return made

    def see(self, state: State, value: Any) -> None:
        """Remember `value` as of now, unless it is the one that was there already."""
        if not self.seen or self.seen[-1][1] != value or type(self.seen[-1][1]) is not type(value):
            self.seen.append((state.now, value))
            self.since = state.clock.wall()

    def forget(self, before: float) -> None:
        """Forget the values that something else had replaced at the time `before`."""
        while len(self.seen) > 1 and self.seen[1][0] <= before:
            self.seen.popleft()


Timed = Callable[[Frame, State, Memory, Any, float], Any]


def _held(frame: Frame, state: State, memory: Memory, condition: Any, seconds: float) -> bool:
    memory.see(state, bool(condition))
    while len(memory.seen) > 1:
        memory.seen.popleft()
    since = memory.seen[0][0]
    if not condition:
        return False
    if state.now < since + seconds:
        state.wake(since + seconds)
        return False
    return True


def _average(frame: Frame, state: State, memory: Memory, value: Any, seconds: float) -> float:
    if type(value) not in NUMBERS:
        raise ExpressionError(f"an average is of numbers, not of {shown(frame, value)}")
    memory.see(state, value)
    first = state.now - seconds
    memory.forget(first)
    if len(memory.seen) > 1:
        state.wake(state.now + max(seconds / STEPS, SHORTEST))
    total, until = 0.0, state.now
    for since, seen in reversed(memory.seen):
        total += seen * (until - max(since, first))
        until = since
    length = state.now - max(memory.seen[0][0], first)
    return total / length if length > 0 else float(value)


def _history(frame: Frame, state: State, memory: Memory, value: Any, seconds: float) -> list[Any]:
    if type(value) not in SCALARS or (type(value) is str and len(value) > MAX_KEPT_TEXT):
        what = "a history is of numbers, true, false and texts"
        raise ExpressionError(f"{what} of up to {MAX_KEPT_TEXT:,} characters")
    memory.see(state, value)
    memory.forget(state.now - seconds)
    if len(memory.seen) > 1:
        state.wake(memory.seen[1][0] + seconds)
    frame.pay(len(memory.seen))
    return [seen for _, seen in memory.seen]


def _changed_at(frame: Frame, state: State, memory: Memory, value: Any, seconds: float) -> float:
    pay_all(frame, value)
    memory.see(state, value)
    while len(memory.seen) > 1:
        memory.seen.popleft()
    return memory.since


FUNCTIONS: Final[dict[str, Timed]] = {
    "held": _held,
    "average": _average,
    "history": _history,
    "changed_at": _changed_at,
}


class Watched:
    """One call of a function over time in an expression.

    Args:
        name: the function.
        value: gives what it looks at.
        seconds: gives over how long; None for `changed_at`.
        number: which one of those in the expression it is.

    """

    def __init__(
        self,
        name: str,
        value: Callable[[Frame], Any],
        seconds: Callable[[Frame], Any] | None,
        number: int,
    ) -> None:
        self._function = FUNCTIONS[name]
        self._value, self._seconds, self._number = value, seconds, number

    def ask(self, frame: Frame, state: State) -> Any:
        """Return what the function gives now, or the error that whoever reads it is to raise."""
        memory = state.memory(self._number)
        try:
            value = self._value(frame)
            seconds = checked(self._seconds(frame), frame) if self._seconds else 0.0
            return self._function(frame, state, memory, value, seconds)
        except (ExpressionError, NotKnownError) as error:
            return error
        finally:
            memory.secret = frame.tainted = memory.secret or frame.tainted


def checked(seconds: Any, frame: Frame | None = None) -> float:
    """Return `seconds`, what a function over time is given.

    Raises:
        ExpressionError: they are no time.

    """
    if type(seconds) in (int, float) and 0 < seconds <= LONGEST:
        return float(seconds)
    found = shown(frame, seconds) if frame else show(seconds)
    raise ExpressionError(f"a time is above 0 and up to {LONGEST:.0f} seconds, not {found}")
