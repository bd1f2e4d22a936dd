"""What a person is told as the cause of a change: what has moved, in a few words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import graphfile
from setpoint.comparing import Comparison, compare
from setpoint.expressions import UNKNOWN
from setpoint.graph import Graph
from setpoint.graphfile.causes import Read
from setpoint.graphfile.known import SHARED
from setpoint.hiding import Secrets
from setpoint.plan.reasons import causes
from setpoint.plugins import Plugins
from setpoint.sharing import Snapshot
from setpoint.values import Secret


class Disk(msgspec.Struct):
    name: str
    used: float


def told(found: Mapping[str, tuple[Any, Any]], secrets: Secrets | None = None) -> str:
    graph = Graph()
    graph.secrets = secrets or graph.secrets
    read = {path: Read(*pair) for path, pair in found.items()}
    return causes(Comparison(comes=("noop a",)), lambda _: read, graph)["noop a"]


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


def told_of(path: Path, text: str, *values: dict[str, Any]) -> dict[str, str]:
    """Return the causes of what is different with the last of `values` of facts."""
    (path / "site.yaml").write_text(text)
    live = graphfile.live([path / "site.yaml"], Plugins())
    before, now = [live.evaluate(one) for one in ({}, *values)][-2:]
    return causes(compare(before, now), live.because, now)


@pytest.mark.parametrize(
    "resources",
    [
        "resources: {'noop ${{ each.key }}': {for_each: '[d for d in world.disks.web1 if d.used > 90]'}}",
        "resources: {'noop ${{ each.value.name }}': {for_each: world.disks.web1, when: each.value.used > 90}}",
        "vars: {full: '${{ [d.name for d in world.disks.web1 if d.used > 90] }}'}\n"
        "resources: {'noop ${{ each.value }}': {for_each: vars.full}}",
    ],
)
def test_what_is_looked_up_in_an_item_is_named_first(tmp_path: Path, resources: str) -> None:
    def disks(free: int, used: float) -> dict[str, Any]:
        items = [{"name": name, "free": free, "used": 5.0} for name in "abcd"]
        web1 = [*items, {"name": "e", "free": free, "used": used}]
        return {SHARED: Snapshot(published={"disks": {"web1": web1}})}

    said = told_of(tmp_path, resources, disks(10, 5.0), disks(9, 95.0))
    web1 = "world.disks.web1"
    free = f"{web1}[0].free 10 -> 9, {web1}[1].free 10 -> 9 and 3 more"
    assert said == {"noop e": f"{web1}[4].used 5.0 -> 95.0, {free}"}


def test_what_waited_for_something_that_comes_has_the_cause_of_that(tmp_path: Path) -> None:
    text = """\
facts: {n: {file: /n}, m: {file: /m}}
resources:
  noop last: {require: noop middle}
  noop middle: {when: facts.m.content == "same", require: noop first}
  noop first: {comment: "${{ facts.n.content }}"}
"""
    m = {"m": {"content": "same"}}
    cause = "facts.n.content (not known) -> 1"
    said = told_of(tmp_path, text, m, m | {"n": {"content": "1"}})
    assert said == dict.fromkeys(("noop first", "noop middle", "noop last"), cause)
