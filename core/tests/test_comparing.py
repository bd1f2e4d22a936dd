"""What tells one graph from another, for people."""

import msgspec

from setpoint import Change, Resource, Secret
from setpoint.comparing import compare, concerned
from setpoint.engine.redaction import Redaction
from setpoint.graph import Edge, Graph
from setpoint.resource import Meta
from setpoint.values import HIDDEN, Ref, Text


class Thing(Resource):
    """A thing.

    size: how large.
    key: what opens it.
    tags: words; empty says nothing.
    state: how it is to be.
    """

    kind = "thing"

    size: int = 0
    key: Secret[str] | str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    state: str = "exists"

    def check(self) -> list[Change]:
        return []


def graph_of(*things: Thing, edges: tuple[Edge, ...] = ()) -> Graph:
    graph = Graph()
    graph.add(*things)
    for edge in edges:
        graph.connect(edge)
    return graph


A, B, C = "thing a", "thing b", "thing c"


def test_what_comes_changes_and_goes_is_told_by_id() -> None:
    old = graph_of(Thing("a", size=1), Thing("b"), Thing("c"))
    new = graph_of(Thing("d"), Thing("a", size=2), Thing("b"))
    found = compare(old, new)
    assert (found.comes, list(found.changes), found.goes) == (("thing d",), [A], (C,))
    assert found.changes[A] == (Change("size", 1, 2),)
    assert (found.ids, found.counts) == (["thing d", A, C], (1, 1, 1))


def test_what_is_declared_alike_is_no_difference_wherever_it_lives() -> None:
    one, other = Thing("a", size=1), Thing("a", size=1)
    one._host = object()
    assert not compare(graph_of(one), graph_of(other))


def test_meta_params_are_told_one_by_one() -> None:
    found = compare(graph_of(Thing("a")), graph_of(Thing("a", meta=Meta(noop=True, retry=3))))
    assert found.changes[A] == (Change("meta.noop", False, True), Change("meta.retry", 0, 3))


def test_what_is_not_declared_is_nothing_and_not_an_empty_text() -> None:
    said = {"size": 1, "key": "x", "tags": ["b"], "state": "absent"}
    full = graph_of(Thing("a", **said, meta=Meta(sema=("db",))))
    said["meta.sema"] = ("db",)
    usual = {"size": 0, "state": "exists"}  # what says something is shown
    (come,) = compare(graph_of(Thing("a")), full).changes.values()
    (go,) = compare(full, graph_of(Thing("a"))).changes.values()
    assert set(map(str, come)) == {
        str(Change(name, usual.get(name), x)) for name, x in said.items()
    }
    assert set(map(str, go)) == {str(Change(name, x, usual.get(name))) for name, x in said.items()}


def test_received_values_are_told_as_they_are_written() -> None:
    old, new = graph_of(Thing("a"), Thing("b")), graph_of(Thing("a"), Thing("b"))
    old.receives[A] = {"size": Ref(B, "size")}
    old.resources[A].size = 7  # what it has received is no difference of what is declared
    new.receives[A] = {"size": Text(("x", Ref(B, "other"), "y"))}
    (change,) = compare(old, new).changes[A]
    assert change.before == '${{ send["thing b"].size }}'
    assert change.after == 'x${{ send["thing b"].other }}y'


def test_secrets_are_hidden_before_and_after() -> None:
    old = graph_of(Thing("a", key=Secret("opensesame")))
    new = graph_of(Thing("a", key="plain"))
    for found in (compare(old, new), compare(new, old)):
        assert "opensesame" not in repr(found.changes)
        assert HIDDEN in repr(found.changes)


def test_a_secret_is_hidden_wherever_it_turns_up() -> None:
    redaction = Redaction()
    old = graph_of(Thing("a", key=Secret("opensesame")), Thing("b", key="x"))
    new = graph_of(Thing("a", key=Secret("opensesame!")), Thing("b", key="opensesame"))
    assert "opensesame" not in repr(compare(old, new, redaction).changes)


def test_edges_between_what_stays_are_told() -> None:
    old = graph_of(Thing("a"), Thing("b"), Thing("c"), edges=(Edge(A, B), Edge(B, C)))
    new = graph_of(Thing("a"), Thing("b"), edges=(Edge(A, B, "hold", "place"),))
    found = compare(old, new)
    assert found.edges_come == (Edge(A, B, "hold", "place"),)
    assert found.edges_go == (Edge(A, B),)


def test_what_is_concerned_is_who_is_notified_and_whose_values_are_received() -> None:
    names = "abcdef"
    edges = (Edge(A, B, "hold"), Edge(B, C, "hold"), Edge("thing d", A), Edge("thing e", A))
    old = graph_of(*(Thing(name) for name in names), edges=edges)
    new = graph_of(*(Thing(name, size=name == "a") for name in names), edges=edges)
    new.receives[A] = old.receives[A] = {"key": Ref("thing d", "key")}
    part = concerned(new, compare(old, new))
    assert sorted(part.resources) == [A, B, C, "thing d"]
    assert part.left_out == {"thing e", "thing f"}
