"""Functions over time remember, and say when they want to be asked again."""

from typing import Any

import pytest

from setpoint.expressions import UNKNOWN, Expression, ExpressionError, State
from setpoint.testing.clocks import HandClock
from setpoint.values import Secret


class Watched:
    """An expression about `facts.x`, evaluated at hand-made times."""

    def __init__(self, source: str) -> None:
        self.clock = HandClock()
        self.state = State(self.clock)
        self.expression = Expression(source)

    def at(self, now: float, x: object) -> Any:
        self.clock.now = now
        return self.expression.evaluate({"facts": {"x": x}}, state=self.state)


def test_a_condition_is_held_once_it_has_been_true_for_so_long() -> None:
    watched = Watched("held(facts.x > 4, 30)")
    assert (watched.at(0, 5), watched.state.wake_at) == (False, 30)
    assert (watched.at(29, 6), watched.state.wake_at) == (False, 30)
    assert (watched.at(30, 5), watched.state.wake_at) == (True, None)
    assert (watched.at(31, 1), watched.state.wake_at) == (False, None)
    assert (watched.at(40, 5), watched.state.wake_at) == (False, 70)


def test_what_is_unknown_for_a_while_does_not_begin_anew() -> None:
    watched = Watched("held(facts.x > 4, 30)")
    assert watched.at(0, 5) is False
    assert watched.at(20, UNKNOWN) is UNKNOWN
    assert watched.at(30, 5) is True


def test_nothing_is_missed_behind_an_and() -> None:
    watched = Watched("facts.x < 10 and held(facts.x > 4, 30)")
    assert watched.at(0, 50) is False
    assert watched.at(30, 5) is True


def test_an_average_weighs_values_by_how_long_they_were_there() -> None:
    watched = Watched("average(facts.x, 10)")
    assert (watched.at(0, 4), watched.state.wake_at) == (4, None)
    assert watched.at(8, 4) == 4
    assert (watched.at(8, 8), watched.state.wake_at) == (4, 8.5)
    assert watched.at(10, 8) == pytest.approx((8 * 4 + 2 * 8) / 10)
    assert watched.at(13, 8) == pytest.approx((5 * 4 + 5 * 8) / 10)
    assert (watched.at(18, 8), watched.state.wake_at) == (8, None)


def test_a_history_has_what_was_there_within_the_time() -> None:
    watched = Watched("history(facts.x, 10)")
    assert (watched.at(0, 1), watched.state.wake_at) == ([1], None)
    assert (watched.at(5, 2), watched.state.wake_at) == ([1, 2], 15)
    assert watched.at(14, 2) == [1, 2]
    assert (watched.at(15, 2), watched.state.wake_at) == ([2], None)


def test_the_time_of_the_last_change_is_known() -> None:
    watched = Watched("changed_at(facts.x)")
    assert [watched.at(now, x) for now, x in [(3, 1), (5, 1), (7, 2), (9, 2)]] == [3, 3, 7, 7]
    assert watched.state.wake_at is None


def test_one_can_look_at_another() -> None:
    watched = Watched("held(average(facts.x, 10) > 4, 5)")
    assert watched.at(0, 8) is False
    assert watched.at(5, 8) is True


def test_two_that_are_written_alike_are_apart() -> None:
    watched = Watched("[history(facts.x, 1), history(facts.x, 100)]")
    watched.at(0, 1)
    assert watched.at(50, 2) == [[1, 2], [1, 2]]
    assert watched.at(60, 2) == [[2], [1, 2]]


def test_what_was_a_secret_once_stays_one() -> None:
    watched = Watched("history(facts.x, 100)")
    assert isinstance(watched.at(0, Secret("hunter22")), Secret)
    assert isinstance(watched.at(1, "plain"), Secret)


def test_without_a_state_they_are_unknown() -> None:
    assert Expression("held(true, 1)").evaluate({}) is UNKNOWN
    assert Expression("held(true, 1)").is_timed
    assert not Expression("true").is_timed


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[held(x, 1) for x in [1]]", "held cannot be used in a comprehension"),
        ("held(true)", "held takes 2 arguments, not 1"),
        ("held(true, 0)", "a time is above 0 and up to 2678400 seconds, not 0"),
        ("held(true, 'x')", "a time is above 0"),
        ("average('a', 1)", "an average is of numbers, not of 'a'"),
        ("history([1], 1)", "a history is of numbers"),
    ],
)
def test_a_wrong_use_is_told(source: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Expression(source).evaluate({}, state=State(HandClock()))


def test_what_is_remembered_is_bounded() -> None:
    watched = Watched("len(history(facts.x, 1000))")
    for now in range(1200):
        count = watched.at(now / 10, now)
    assert count == 1000
