"""The part of a graph that is run alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import Change, Resource
from setpoint.errors import SetpointError
from setpoint.graph import Edge, Graph
from setpoint.selection import refuse_missing, select


class Thing(Resource):
    kind = "thing"

    def check(self) -> list[Change]:
        return []


def graph_of(names: str, *arrows: str) -> Graph:
    """Return things, one a letter, with edges like "a->b" and "a~>b"."""
    graph = Graph()
    graph.add(*(Thing(name) for name in names))
    for arrow in arrows:
        notify = "hold" if "~" in arrow else None
        graph.connect(Edge(f"thing {arrow[0]}", f"thing {arrow[-1]}", notify))  # type: ignore[arg-type]
    return graph


def letters(ids: object) -> str:
    return "".join(sorted(id_[-1] for id_ in ids))  # type: ignore[attr-defined]


def kept(graph: Graph, *references: str, debts: tuple[str, ...] = ()) -> str:
    """Return the letters of the part, asked for by letters or globs."""
    owed = [(f"thing {pair[0]}", f"thing {pair[1]}") for pair in debts]
    return letters(select(graph, [f"thing {r}" for r in references], owed).resources)


def test_all_that_is_before_it_comes_along_and_what_is_after_it_does_not() -> None:
    graph = graph_of("abcde", "a->b", "b->c", "c->d")
    assert kept(graph, "c") == "abc"


def test_who_is_notified_comes_along_with_what_that_requires() -> None:
    graph = graph_of("abcdef", "a~>b", "b~>c", "d->c", "a->e")
    assert kept(graph, "a") == "abcd"


def test_who_is_notified_by_a_prerequisite_comes_along() -> None:
    graph = graph_of("abc", "a->b", "a~>c")
    assert kept(graph, "b") == "abc"


def test_who_owes_a_refresh_since_a_former_run_comes_along() -> None:
    graph = graph_of("abc")
    assert kept(graph, "a", debts=("ab", "cb", "ax")) == "ab"


def test_globs_and_several_references_are_joined() -> None:
    assert kept(graph_of("abcd"), "[ab]", "d") == "abd"


def test_a_module_stands_for_all_in_it() -> None:
    graph = graph_of("abcd")
    graph.modules = {"site": ["thing a", "thing c"], "site/blog": ["thing c"]}
    assert letters(select(graph, ["module site"]).resources) == "ac"
    assert letters(select(graph, ["module site/*"]).resources) == "c"
    with pytest.raises(SetpointError, match=r"no module 'sit' is included; did you mean 'site'\?"):
        refuse_missing(graph, ["module sit"])


def test_without_references_it_is_the_whole_graph() -> None:
    graph = graph_of("ab")
    assert select(graph, []) is graph


def test_what_is_left_out_is_not_declared_no_more() -> None:
    graph = graph_of("ab", "a->b")
    graph.held = {"thing c"}
    graph.undecided.add("thing d")
    part = select(graph, ["thing a"])
    assert (letters(part.left_out), letters(part.held)) == ("bc", "")
    assert all(part.may_have(f"thing {name}") for name in "abcd")
    assert not part.may_have("thing e")
    assert graph.left_out == set()


def test_what_is_selected_and_waits_for_facts_still_waits() -> None:
    graph = graph_of("a")
    graph.held = {"thing b", "thing c"}
    assert letters(select(graph, ["thing b"]).held) == "b"


def test_a_reference_to_nothing_is_refused_with_what_may_be_meant() -> None:
    graph = graph_of("ab")
    graph.absent.add("thing d")
    refuse_missing(graph, ["thing a", "thing ?", "thing d"])
    with pytest.raises(SetpointError, match=r"--only 'thing c': no resource 'thing c' is declared"):
        refuse_missing(graph, ["thing a", "thing c"])
    with pytest.raises(SetpointError, match=r"did you mean 'thing a'\?"):
        refuse_missing(graph, ["thong a"])
    with pytest.raises(SetpointError, match=r"no resource matches 'noop \*'"):
        refuse_missing(graph, ["noop *"])


def test_parts_that_leave_out_something_else_are_not_alike() -> None:
    part = select(graph_of("abc"), ["thing a"])
    assert part.is_like(select(graph_of("abc"), ["thing a"]))
    assert not part.is_like(select(graph_of("ab"), ["thing a"])), "c is to be put back"


NAMES = "abcdefgh"
ARROWS = st.tuples(st.sampled_from(NAMES), st.sampled_from(["->", "~>"]), st.sampled_from(NAMES))
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))


@given(st.lists(ARROWS), st.sets(st.sampled_from(NAMES)), st.lists(PAIRS, max_size=3))
def test_a_part_is_the_smallest_that_is_closed(arrows, wanted, debts):
    graph = graph_of(NAMES, *("".join(arrow) for arrow in arrows if arrow[0] != arrow[2]))
    part = select(
        graph,
        [f"thing {name}" for name in wanted],
        [(f"thing {a}", f"thing {b}") for a, b in debts],
    )
    inside = set(part.resources) if wanted else set()
    if not wanted:
        assert part is graph
        return
    pulls = [(then, first) for first, then in graph.edges]
    pulls += [pair for pair, edge in graph.edges.items() if edge.notify]
    pulls += [(f"thing {a}", f"thing {b}") for a, b in debts]
    assert all(pulled in inside for by, pulled in pulls if by in inside)
    chosen = {f"thing {name}" for name in wanted}
    assert chosen <= inside
    # the smallest: whatever else is in it is pulled in by something that got in before it
    reached = set(chosen)
    while more := {pulled for by, pulled in pulls if by in reached} - reached:
        reached |= more
    assert inside == reached
    assert inside | part.left_out == set(graph.resources)
    assert not inside & part.left_out
    assert part.edges == {p: e for p, e in graph.edges.items() if inside.issuperset(p)}
