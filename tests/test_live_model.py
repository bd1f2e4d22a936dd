"""Sequences of facts against a simple model of what is there: drawn at random, with edges, errors and the unknown."""

import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from setpoint import graphfile
from setpoint.plugins import Plugins

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "300"))
PLUGINS = Plugins()
FACTS = ("a", "b", "c")
UNKNOWN, WRONG = object(), object()

# What a fact tells: a number, a text where a number is wanted, or nothing yet.
values = st.sampled_from([0, 1, 2, 3, "bad", None])


@dataclass
class Entry:
    """One entry of a graph file, and what the model knows of it."""

    number: int
    when: str = ""
    each: str = ""
    reads: str = ""
    requires: list[int] = field(default_factory=list)

    def text(self) -> str:
        """Return it as it is written."""
        name = f"e{self.number}" + ("-${{ each.key }}" if self.each else "")
        lines = [f"  noop {name}:", f"    comment: c{self._comment()}"]
        if self.when:
            lines.append(f"    when: facts.{self.when}.content + 0 > 1")
        if self.each:
            lines.append(f"    for_each: range(facts.{self.each}.content)")
        if self.requires:
            named = [f'"noop e{other}*"' for other in self.requires]
            lines.append(f"    require: [{', '.join(named)}]")
        return "\n".join(lines)

    def _comment(self) -> str:
        return f"${{{{ facts.{self.reads}.content + 0 }}}}" if self.reads else ""

    def decided(self, facts: dict[str, Any], before: dict[str, str]) -> tuple[dict, set[str]]:
        """Return what is there by this entry, id to comment, and which ids wait."""
        own = {id_: text for id_, text in before.items() if self._is_own(id_)}
        wanted = number(facts, self.when) if self.when else 2
        count = number(facts, self.each) if self.each else None
        if count in (UNKNOWN, WRONG):
            return own, set()
        names = [f"noop e{self.number}"]
        if self.each:
            names = [f"noop e{self.number}-{key}" for key in range(count)]
        if wanted in (UNKNOWN, WRONG):
            return {id_: own[id_] for id_ in names if id_ in own}, set(names)
        if wanted <= 1:
            return {}, set()
        comment = number(facts, self.reads) if self.reads else ""
        if comment in (UNKNOWN, WRONG):
            return {id_: own[id_] for id_ in names if id_ in own}, set(names)
        return dict.fromkeys(names, f"c{comment}"), set()

    def is_counted(self, facts: dict[str, Any]) -> bool:
        """Return whether it is known which instances there are."""
        return not self.each or number(facts, self.each) not in (UNKNOWN, WRONG)

    def _is_own(self, id_: str) -> bool:
        return id_.removeprefix("noop ").partition("-")[0] == f"e{self.number}"


def number(facts: dict[str, Any], name: str) -> Any:
    """Return the number that a fact tells."""
    value = facts.get(name, {"content": UNKNOWN})["content"]
    return WRONG if isinstance(value, str) else value


def model(entries: list[Entry], facts: dict[str, Any], before: dict[str, str]) -> dict[str, str]:
    """Return what is there, id to comment."""
    found: dict[str, str] = {}
    waiting: set[str] = set()
    declared: dict[str, Entry] = {}
    for entry in entries:
        there, waits = entry.decided(facts, before)
        found |= there
        if entry.is_counted(facts):  # else nobody knows which there are: edges to them do nothing
            waiting |= waits
            declared |= dict.fromkeys((*there, *waits), entry)
    for id_, entry in declared.items():  # entries require earlier ones only
        needed = [other for other in declared if declared[other].number in entry.requires]
        if any(other in waiting for other in needed):
            waiting.add(id_)
    kept = {id_: before[id_] for id_ in waiting if id_ in before}
    return {id_: text for id_, text in found.items() if id_ not in waiting} | kept


@st.composite
def graphs(draw: st.DrawFn) -> list[Entry]:
    """Draw the entries of a graph file."""
    maybe = st.sampled_from(["", "", *FACTS])
    return [
        Entry(
            n,
            draw(maybe),
            draw(maybe),
            draw(maybe),
            draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True)) if n else [],
        )
        for n in range(draw(st.integers(1, 5)))
    ]


@given(graphs(), st.lists(st.fixed_dictionaries(dict.fromkeys(FACTS, values)), max_size=8))
@example(  # what is there stays while nobody knows which there are, whatever it requires
    [Entry(0, reads="b"), Entry(1, each="b", requires=[0]), Entry(2, reads="a", requires=[1])],
    [{"a": 0, "b": 1, "c": 0}, {"a": 1, "b": "bad", "c": 0}],
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_there_is_what_the_model_says(tmp_path_factory, entries, sequence):
    text = "facts:\n" + "".join(f"  {name}: {{ file: /{name} }}\n" for name in FACTS)
    text += "resources:\n" + "\n".join(entry.text() for entry in entries) + "\n"
    path = tmp_path_factory.getbasetemp() / "drawn.yaml"
    path.write_text(text)
    live = graphfile.live([path], PLUGINS)
    there: dict[str, str] = model(entries, {}, {})
    assert {id_: r.comment for id_, r in live.graph.resources.items()} == there
    for told in sequence:
        facts = {name: {"content": value} for name, value in told.items() if value is not None}
        there = model(entries, facts, there)
        graph = live.evaluate(facts)
        assert {id_: r.comment for id_, r in graph.resources.items()} == there, (text, facts)
        for first, then in graph.edges:
            assert {first, then} <= graph.resources.keys()
        graph.order()
