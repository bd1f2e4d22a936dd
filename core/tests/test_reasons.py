"""What a person is told as the cause of a change: what has moved, in a few words."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from setpoint.expressions import UNKNOWN
from setpoint.hiding import Secrets
from setpoint.plan.reasons import causes
from setpoint.values import Secret


class Disk(msgspec.Struct):
    name: str
    used: float


def told(found: Mapping[str, tuple[Any, Any]], secrets: Secrets | None = None) -> str:
    return causes(["noop a"], lambda _: found, secrets or Secrets())["noop a"]


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (1.5, 5.2, "facts.x 1.5 -> 5.2"),
        ("", "on", "facts.x (nothing) -> on"),
        (UNKNOWN, False, "facts.x (not known) -> false"),
        (7, UNKNOWN, "facts.x 7 -> (not known)"),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "facts.x.b 2 -> 3"),
        ({}, {"web1": {"port": 80}}, "facts.x.web1 (nothing) -> {\"port\":80}"),
        (["a"], ["a", "b"], 'facts.x ["a"] -> ["a","b"]'),
        ([Disk("a", 1.0), Disk("b", 2.0)], [Disk("a", 1.0), Disk("b", 3.0)], "facts.x[1].used 2.0 -> 3.0"),
        ([], [Disk("a" * 60, 1.0)], "facts.x [] -> 1 item"),
        (dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2),
         "facts.x.a 1 -> 2, facts.x.b 1 -> 2, facts.x.c 1 -> 2 and 2 more"),
    ],
)  # fmt: skip
def test_a_cause_names_what_has_moved_and_nothing_else(before: Any, now: Any, text: str) -> None:
    assert told({"facts.x": (before, now), "facts.same": (1, 1)}) == text


def test_long_texts_are_shown_where_they_differ() -> None:
    same = "the quick brown fox jumps over the lazy dog, " * 3
    assert told({"facts.x": (f"{same}one", f"{same}two")}) == (
        "facts.x the lazy dog, one -> the lazy dog, two"
    )


def test_what_is_as_it_is_because_time_has_passed_is_told_with_the_values_of_now() -> None:
    assert told({"facts.load.x1": (5.2, 5.2)}) == "facts.load.x1 is 5.2"
    assert told({}) == ""


def test_a_secret_is_another_one() -> None:
    secrets = Secrets()
    secrets.learn(Secret("hunter22"))
    assert told({"secrets.a": (Secret("hunter21"), Secret("hunter22"))}) == ("secrets.a changed")
    assert told({"secrets.a": (UNKNOWN, Secret("hunter22"))}) == (
        "secrets.a (not known) -> (secret)"
    )
    assert "hunter22" not in told({"facts.x": ({"a": 1}, {"a": "say hunter22"})}, secrets)
