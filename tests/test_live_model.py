"""Random facts and edits of a graph file against a simple model of what is there: with edges, errors and the unknown.

After each step the graph is also compared with that of the file read for the first time: what is carried over from one
evaluation to the next changes nothing.

`SETPOINT_EXAMPLES=20000 pytest tests/test_live_model.py --timeout 0` runs it long.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from setpoint import graphfile
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.plugins import Plugins

from .live.entries import (
    MOST,
    Decided,
    Entries,
    Entry,
    There,
    Values,
    decide,
    edges,
    entry,
    files,
    known,
    told,
    written,
)
from .live.machine import KINDS

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "150"))
PLUGINS = Plugins()
PLUGINS.add(*KINDS)

edits = st.integers(0, MOST - 1).flatmap(lambda n: st.tuples(st.just(n), st.none() | entry(n)))


@given(files(), st.lists(told | edits, max_size=8))
@example(  # what is there stays while nobody knows which there are, whatever it requires
    {
        0: Entry(0, reads="b"),
        1: Entry(1, each="b", requires=frozenset({0})),
        2: Entry(2, reads="a", requires=frozenset({1})),
    },
    [{"a": 0, "b": 1, "c": 0}, {"a": 1, "b": "bad", "c": 0}],
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_there_is_what_the_model_says(tmp_path_factory, entries, sequence):
    path = tmp_path_factory.getbasetemp() / "drawn.yaml"
    path.write_text(written(entries))
    live = graphfile.live([path], PLUGINS)
    values: Values = {}
    decided = decide(entries, values, {})
    judge(live.graph, decided, entries)
    before: dict[str, There] = {}  # nothing runs
    for step in sequence:
        if isinstance(step, dict):
            values = known(step)
        else:
            number, one = step
            others = {n: other for n, other in entries.items() if n != number}
            entries = others if one is None else {**others, number: one}
            path.write_text(written(entries))
            live, before = graphfile.live([path], PLUGINS), {}  # what runs is known to the engine
        decided = decide(entries, values, before)
        before = decided.there
        judge(live.evaluate(values), decided, entries)
        judge_as_read_anew(live, path, values, decided)


def judge(graph: Graph, decided: Decided, entries: Entries) -> None:
    """Assert that `graph` is what was decided."""
    found = {
        id_: There(one.value, one.meta.reverse, one.meta.realize)
        for id_, one in graph.resources.items()
    }
    assert found == decided.there
    assert graph.held == decided.held
    wanted = edges(entries, decided.there)
    ours = {pair: bool(edge.notify) for pair, edge in graph.edges.items()}
    assert {*ours} <= {*ours} & {(a, b) for a in found for b in found}
    sure = {pair for pair in {*wanted, *ours} if decided.kept.isdisjoint(pair)}
    assert {p: ours.get(p) for p in sure} == {p: wanted.get(p) for p in sure}
    graph.order()


def judge_as_read_anew(live: Live, path: Path, values: Values, decided: Decided) -> None:
    """Assert that the graph is that of the same file read for the first time, but for what is kept."""
    fresh = graphfile.live([path], PLUGINS)
    graph = fresh.evaluate(values)
    assert live.graph.resources.keys() - graph.resources.keys() == decided.kept
    for id_, one in graph.resources.items():
        assert live.graph.resources[id_] == one
        assert live.graph.places.get(id_) == graph.places.get(id_)
    assert list(graph.resources) == [id_ for id_ in live.graph.resources if id_ in graph.resources]
    assert graph.held - live.graph.held <= decided.kept
    assert [str(one) for one in live.troubles] == [str(one) for one in fresh.troubles]
    assert dict(live.facts) == dict(fresh.facts)
    for id_ in (
        f"{kind.kind} e{n}{end}" for kind in KINDS for n in range(MOST) for end in ("", "-1")
    ):
        assert live.graph.may_have(id_) == graph.may_have(id_)
