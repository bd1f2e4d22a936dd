import random
import time
from collections.abc import Iterable

import pytest

from setpoint import Meta, Need, Resource, Thing, autoedges
from setpoint.errors import Place
from setpoint.graph import Edge, Graph, Rule


class Part(Resource):
    """Something that says of itself what the test wants.

    gives: things.
    takes: needs.
    """

    kind = "part"
    gives: tuple[Thing, ...] = ()
    takes: tuple[Need, ...] = ()

    def provides(self) -> Iterable[Thing]:
        return self.gives

    def needs(self) -> Iterable[Need]:
        return self.takes


class Broken(Resource):
    """A kind that fails when it is asked."""

    kind = "broken"

    def provides(self) -> Iterable[Thing]:
        return (Thing("user", "x"),)

    def needs(self) -> Iterable[Need]:
        raise ZeroDivisionError("oh")


def directory(path: str, **more: object) -> Part:
    above = path.rpartition("/")[0] or "/"
    need = Need("directory", above, "its parent directory", nearest=True)
    return Part(path, gives=(Thing("directory", path),), takes=(need,), **more)


def user(name: str, **more: object) -> Part:
    return Part(f"user {name}", gives=(Thing("user", name),), **more)


def connected(*resources: Resource, edges: Iterable[Edge] = ()) -> Graph:
    graph = Graph()
    graph.add(*resources)
    for edge in edges:
        graph.connect(edge)
    autoedges.connect(graph)
    return graph


def pairs(graph: Graph) -> set[tuple[str, str]]:
    return {
        (first.removeprefix("part "), then.removeprefix("part ")) for first, then in graph.edges
    }


def test_a_need_leads_to_who_provides_it():
    taker = Part("file", takes=(Need("user", "ann", "its owner"),))
    graph = connected(taker, user("ann"), user("bob"))
    (edge,) = graph.edges.values()
    assert edge == Edge("part user ann", "part file", None, Rule("its owner"))
    assert isinstance(edge.origin, Rule)


def test_the_nearest_parent_is_found_and_not_itself():
    graph = connected(*map(directory, ("/", "/a", "/a/b/c/d", "/a/b/c/e", "/ab")))
    assert pairs(graph) == {("/", "/a"), ("/a", "/a/b/c/d"), ("/a", "/a/b/c/e"), ("/", "/ab")}


def test_only_what_is_said_to_be_near_is_searched_above():
    exact = Part("x", takes=(Need("directory", "/a/b", "exactly it"),))
    assert pairs(connected(directory("/a"), exact)) == set()


def test_what_takes_away_goes_before_what_it_needed():
    gone = Part("user gone", takes=(Need("group", "staff", "its group", after=True),))
    group = Part("group", gives=(Thing("group", "staff"),))
    assert pairs(connected(group, gone)) == {("user gone", "group")}


def test_an_automatic_edge_may_notify():
    unit = Part("unit file", gives=(Thing("path", "/u"),))
    svc = Part("svc", takes=(Need("path", "/u", "its unit file", notify=True),))
    (edge,) = connected(unit, svc).edges.values()
    assert edge.notify == "hold"


def test_all_who_provide_it_are_waited_for():
    mount = Part("mount", gives=(Thing("directory", "/mnt"),))
    graph = connected(directory("/mnt"), mount, directory("/mnt/deep/in"))
    assert pairs(graph) == {("/mnt", "/mnt/deep/in"), ("mount", "/mnt/deep/in")}


@pytest.mark.parametrize("side", ["provider", "taker"])
def test_it_can_be_switched_off_for_each_resource(side):
    off = {"meta": Meta(autoedge=False)}
    owner = user("ann", **(off if side == "provider" else {}))
    taker = Part("t", takes=(Need("user", "ann", "its owner"),), **(off if side == "taker" else {}))
    assert pairs(connected(taker, owner)) == set()


@pytest.mark.parametrize("turned", [False, True])
def test_what_people_have_declared_of_two_resources_stands(turned):
    taker = Part("t", takes=(Need("user", "ann", "its owner", notify=True),))
    ends = ("part t", "part user ann") if turned else ("part user ann", "part t")
    declared = Edge(*ends, None, Place("a.yaml", 1, 1))
    assert list(connected(taker, user("ann"), edges=[declared]).edges.values()) == [declared]


def test_one_that_would_close_a_circle_is_left_out_with_a_warning():
    parts = directory("/a"), directory("/a/b"), directory("/a/c"), user("ann")
    declared = [Edge("part /a/b", "part user ann"), Edge("part user ann", "part /a")]
    graph = connected(*parts, edges=declared)
    assert pairs(graph) == {("/a/b", "user ann"), ("user ann", "/a"), ("/a", "/a/c")}
    (warning,) = graph.warnings
    assert str(warning) == (
        "part /a/b: does not wait for part /a (its parent directory), which would make a circle; "
        "say with an edge of your own which is first"
    )
    graph.order()


def test_a_plugin_that_fails_has_no_edges_and_is_named():
    taker = Part("t", takes=(Need("user", "x", "its owner"),))
    graph = connected(taker, Broken("b"))
    assert list(graph.edges) == [("broken b", "part t")]
    assert "broken b: its plugin fails" in str(graph.warnings[0])


def model(resources: list[Part], declared: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The same, as one would write it without a thought of time."""
    found = set()
    for taker in resources:
        for need in taker.takes:
            name = need.name
            while True:
                owners = [r for r in resources if Thing(need.what, name) in r.gives]
                if owners or not need.nearest or name == "/":
                    break
                name = name.rpartition("/")[0] or "/"
            for owner in owners:
                pair = (taker.id, owner.id) if need.after else (owner.id, taker.id)
                if owner is not taker and pair not in declared and pair[::-1] not in declared:
                    found.add(pair)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_edges_of_a_drawn_graph_are_those_of_a_simple_model(seed):
    random_ = random.Random(seed)
    paths = {"/" + "/".join(random_.choices("abc", k=random_.randint(1, 5))) for _ in range(40)}
    resources = [directory(path) for path in sorted(paths)]
    for number in range(30):
        needs = [
            Need("user", f"u{random_.randint(0, 9)}", "its owner", after=random_.random() < 0.1),
            Need("directory", random_.choice("/ab") * 2 + "/b", "where", nearest=True),
        ]
        gives = [Thing("user", f"u{random_.randint(0, 9)}")] if random_.random() < 0.3 else []
        resources.append(Part(f"p{number}", gives=tuple(gives), takes=tuple(needs)))
    random_.shuffle(resources)
    rank = {r.id: n for n, r in enumerate(sorted(resources, key=lambda r: (len(r.name), r.name)))}
    declared = set()
    for _ in range(10):
        first, then = sorted(random_.sample(resources, 2), key=lambda r: rank[r.id])
        declared.add((first.id, then.id))
    graph = connected(*resources, edges=[Edge(*pair) for pair in declared])
    graph.order()
    automatic = {pair for pair, edge in graph.edges.items() if isinstance(edge.origin, Rule)}
    expected = model(resources, declared)
    assert automatic <= expected
    if not graph.warnings:
        assert automatic == expected
    assert len(expected - automatic) == len(graph.warnings)


def test_deep_parents_of_many_files_take_no_time():
    parts = [directory("/srv/" + "/".join("abcdefghij"[: n % 11]) + f"/{n}") for n in range(10_000)]
    parts.append(directory("/srv"))
    graph = Graph()
    graph.add(*parts)
    began = time.process_time()
    autoedges.connect(graph)
    assert len(graph.edges) == 10_000
    assert time.process_time() - began < 1  # a square would take minutes; the benchmark says more
