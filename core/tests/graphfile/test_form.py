"""What our form declares."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint import graphfile
from setpoint.errors import GraphError, Place
from setpoint.graph import Edge, Graph
from setpoint.graphfile import files
from setpoint.plugins import Plugins
from setpoint.resource import Meta
from setpoint.values import Ref, Secret, Text, Values

Load = Callable[..., Graph]


def test_a_graph_has_its_name_and_resources_in_order(load: Load) -> None:
    graph = load("graph: web\nresources: {noop b: {}, noop a: {comment: x}}")
    assert graph.name == "web"
    assert list(graph.resources) == ["noop b", "noop a"]
    assert graph.resources["noop a"].comment == "x"  # type: ignore[attr-defined]


def test_each_resource_has_the_place_of_its_key(load: Load) -> None:
    graph = load("resources:\n  noop a:\n  noop b:\n")
    assert graph.places == {
        "noop a": Place("a.yaml", 2, 3),
        "noop b": Place("a.yaml", 3, 3),
    }


def test_an_empty_graph_is_a_graph(load: Load) -> None:
    assert load("resources:\n").resources == {}


def test_a_name_may_have_spaces_and_signs(load: Load) -> None:
    assert load("resources:\n  'noop a: -> b  c': {}\n").resources["noop a: -> b  c"].name == (
        "a: -> b  c"
    )


def test_a_leading_zero_makes_a_mode(load: Load) -> None:
    graph = load("resources: {file /a: {mode: 0644}}")
    assert graph.resources["file /a"].mode == "0644"  # type: ignore[attr-defined]


def test_a_whole_number_is_a_number_where_one_is_wanted(load: Load) -> None:
    timer = load("resources: {timer t: {interval: 5}}").resources["timer t"]
    assert type(timer.interval) is float  # type: ignore[attr-defined]


def test_a_secret_param_hides_what_is_written(load: Load) -> None:
    user = load("resources: {user joe: {password: hunter2}}").resources["user joe"]
    assert user.password == Secret("hunter2")  # type: ignore[attr-defined]


def test_what_an_alias_shares_is_not_shared_by_resources(load: Load) -> None:
    graph = load("resources:\n  file /a: {fragments: &f [x]}\n  file /b: {fragments: *f}\n")
    first, second = (graph.resources[id_].fragments for id_ in ("file /a", "file /b"))  # type: ignore[attr-defined]
    assert first == second == ["x"]
    assert first is not second
    assert type(first) is list


def test_defaults_are_for_those_that_do_not_say_otherwise(load: Load) -> None:
    graph = load(
        "defaults: {file: {owner: root, mode: '0600', meta: {retry: 1, delay: 2}}}\n"
        "resources: {file /a: {mode: '0644', meta: {retry: 5}}, noop b: {}, file /c: }"
    )
    first = graph.resources["file /a"]
    assert (first.owner, first.mode) == ("root", "0644")  # type: ignore[attr-defined]
    assert first.meta == Meta(retry=5, delay=2)
    assert graph.resources["file /c"].meta == Meta(retry=1, delay=2)
    assert graph.resources["noop b"].meta == Meta()


class Busy(Values):
    x1: float


def test_what_a_fact_tells_with_fields_is_a_map_and_no_part_of_a_text(
    tmp_path: Path, plugins: Plugins
) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(
        "resources:\n  noop a: { comment: 'at ${{ facts.load }}' }\n  noop b: { comment: '${{ facts.load }}' }\n"
    )
    live = graphfile.live([path], plugins)
    assert live.evaluate({"load": Busy(x1=1.5)}).held == {"noop a", "noop b"}
    within, alone = (str(trouble) for trouble in live.troubles)
    assert "facts.load is a map, and no part of a text; write json(...)" in within
    assert "noop b: comment must be text, not a map" in alone


BUSY = """\
defaults:
  noop: { comment: "load ${{ facts.load.x1 }}", meta: { noop: "${{ facts.load.x1 > 2 }}" } }
resources:
  noop a:
  noop b: { comment: mine, require: "${{ 'noop a' if facts.load.x1 < 9 else 9 }}" }
"""


def test_defaults_may_depend_on_facts(tmp_path: Path, plugins: Plugins) -> None:
    (tmp_path / "graph.yaml").write_text(BUSY)
    live = graphfile.live([tmp_path / "graph.yaml"], plugins)
    assert live.graph.held == {"noop a", "noop b"}
    for busy in (1, 3):
        resources = live.evaluate({"load": {"x1": busy}}).resources
        assert [r.meta.noop for r in resources.values()] == [busy > 2] * 2
        assert [r.comment for r in resources.values()] == [f"load {busy}", "mine"]  # type: ignore[attr-defined]


def test_what_requires_something_wrong_as_facts_are_stays_as_it_was(
    tmp_path: Path, plugins: Plugins
) -> None:
    (tmp_path / "graph.yaml").write_text(BUSY)
    live = graphfile.live([tmp_path / "graph.yaml"], plugins)
    for busy in (1, 9):
        assert set(live.evaluate({"load": {"x1": busy}}).edges) == {("noop a", "noop b")}
        assert ["not 9" in str(trouble) for trouble in live.troubles] == [True] * (busy == 9)
    begins = graphfile.live([tmp_path / "graph.yaml"], plugins).evaluate({"load": {"x1": 9}})
    assert begins.held == {"noop b"}


def test_defaults_are_for_their_own_file_only(load: Load) -> None:
    graph = load("defaults: {noop: {comment: x}}\nresources: {noop a: }", "resources: {noop b: }")
    assert graph.resources["noop a"].comment == "x"  # type: ignore[attr-defined]
    assert graph.resources["noop b"].comment == ""  # type: ignore[attr-defined]


def test_meta_is_in_seconds(load: Load) -> None:
    graph = load("resources: {noop a: {meta: {delay: 1, timeout: 0.5, sema: [a, 'b:2']}}}")
    assert graph.resources["noop a"].meta == Meta(delay=1.0, timeout=0.5, sema=("a", "b:2"))


@pytest.mark.parametrize(
    ("word", "first", "then", "notify"),
    [
        ("require", "noop b", "noop a", None),
        ("before", "noop a", "noop b", None),
        ("notify", "noop a", "noop b", "hold"),
        ("listen", "noop b", "noop a", "hold"),
    ],
)
def test_an_edge_can_be_beside_a_resource(
    word: str, first: str, then: str, notify: str | None, load: Load
) -> None:
    graph = load(f"resources:\n  noop a:\n    {word}: noop b\n  noop b:\n")
    place = Place("a.yaml", 3, 7 + len(word))
    assert graph.edges == {(first, then): Edge(first, then, notify, place)}  # type: ignore[arg-type]


def test_what_happens_to_a_notification_can_be_said_of_each(load: Load) -> None:
    graph = load(
        "resources:\n  noop a: {notify: {noop b: fire, noop c: drop}}\n"
        "  noop b: \n  noop c: {listen: {noop b: hold}}\n"
    )
    assert {pair: edge.notify for pair, edge in graph.edges.items()} == {
        ("noop a", "noop b"): "fire",
        ("noop a", "noop c"): "drop",
        ("noop b", "noop c"): "hold",
    }


def test_a_glob_stands_for_all_others_that_match(load: Load) -> None:
    graph = load("resources: {file /a/b: , file /a/c/d: {require: file /a/*}, file /b: }")
    assert list(graph.edges) == [("file /a/b", "file /a/c/d")]


def test_a_name_with_a_star_is_found_as_it_is(load: Load) -> None:
    graph = load("resources: {'noop *': , noop b: , noop c: {require: noop *}}")
    assert list(graph.edges) == [("noop *", "noop c")]


def test_arrows_make_chains(load: Load) -> None:
    graph = load(
        "resources: {noop a b: , noop c: , noop d: }\nedges: [noop a b -> noop c  ~> noop d]"
    )
    assert [(e.first, e.then, e.notify) for e in graph.edges.values()] == [
        ("noop a b", "noop c", None),
        ("noop c", "noop d", "hold"),
    ]
    assert graph.edges["noop c", "noop d"].origin == Place("a.yaml", 2, 32)


def test_an_edge_declared_twice_is_one_that_notifies_if_one_does(load: Load) -> None:
    graph = load("resources: {noop a: {before: noop b}, noop b: {listen: noop a}}")
    assert [edge.notify for edge in graph.edges.values()] == ["hold"]


def test_files_make_one_graph(load: Load) -> None:
    graph = load(
        "resources: {noop a: {require: noop b}}", "graph: web\nresources: {noop b: , noop a: }"
    )
    assert graph.name == "web"
    assert list(graph.resources) == ["noop a", "noop b"]
    assert list(graph.edges) == [("noop b", "noop a")]


def test_an_id_in_two_files_must_be_equal(load: Load) -> None:
    with pytest.raises(GraphError) as caught:
        load("resources:\n  noop a: {comment: x}\n", "resources:\n  noop a: {comment: y}\n")
    assert str(caught.value).splitlines()[0] == (
        "b.yaml:2:3: noop a: is declared already, and differently, at a.yaml:2:3; "
        "make them equal or take one out"
    )


def test_an_id_in_two_files_must_receive_the_same(load: Load) -> None:
    sender = "resources: {exec e: , exec f: , noop a: {comment: \"${{ send['exec %s'].stdout }}\"}}"
    assert load(sender % "e", sender % "e").receives
    with pytest.raises(GraphError, match="declared already, and differently"):
        load(sender % "e", sender % "f")


def test_all_problems_of_all_files_come_in_the_order_of_the_text(load: Load) -> None:
    with pytest.raises(GraphError) as caught:
        load(
            "resources:\n  noop a: {require: noop x}\n  noop b: {commnt: x}\nfoo: 1\n",
            "resources:\n  nop a:\nedges: 5\n",
        )
    assert [str(problem.place) for problem in caught.value.problems] == [
        "a.yaml:2:21",
        "a.yaml:3:12",
        "a.yaml:4:1",
        "b.yaml:2:3",
        "b.yaml:3:8",
    ]


def test_a_file_that_is_no_yaml_hides_only_what_depends_on_it(load: Load) -> None:
    with pytest.raises(GraphError) as caught:
        load("resources: {noop a: {require: noop b}}\nfoo: 1\n", "resources: {noop b: ")
    assert [str(problem.place)[:6] for problem in caught.value.problems] == ["a.yaml", "b.yaml"]
    assert "noop b" not in str(caught.value).splitlines()[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(GraphError, match=r"none\.yaml: cannot be read, No such file or directory$"):
        graphfile.load([tmp_path / "none.yaml"], plugins)
    with pytest.raises(GraphError, match="cannot be read, Is a directory"):
        graphfile.load([tmp_path], plugins)


def test_a_file_past_the_limit_is_refused_unread(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    with pytest.raises(GraphError, match=r"a\.yaml: is longer than 1 MiB"):
        load("resources:\n" + "#" * (1 << 20))


def test_a_byte_order_mark_is_no_part_of_the_text(load: Load) -> None:
    assert load(b"\xef\xbb\xbfresources: {noop a: }").places == {"noop a": Place("a.yaml", 1, 13)}


def test_a_bug_of_a_kind_is_blamed_on_its_plugin(load: Load) -> None:
    with pytest.raises(
        GraphError, match=r"odd a: plugin .*: its params cannot be checked, TypeErr"
    ):
        load("resources: {odd a: {number: 7}}")


def test_an_id_is_shown_on_one_line(load: Load) -> None:
    with pytest.raises(GraphError) as caught:
        load('resources: {"noop a\\nb": {zzz: 1}}')
    assert str(caught.value).startswith("a.yaml:1:27: 'noop a\\nb': unknown param 'zzz'")


def test_reading_needs_no_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("resources: {svc nginx: {state: running}}\n")
    assert [d.id for d in graphfile.read([path]).resources] == ["svc nginx"]


def test_reading_refuses_what_is_wrong_in_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("resources: {svc: {}}\nfoo: 1\n")
    with pytest.raises(GraphError) as caught:
        graphfile.read([path])
    assert len(caught.value.problems) == 2


def test_a_received_param_is_unset_and_follows_an_edge(load: Load) -> None:
    graph = load(
        "resources:\n  password db: {length: 8}\n"
        "  file /a: {content: \"${{ send['password db'].password }}\"}\n"
        "  file /b: {content: \"x${{ send['password db'].length }}\"}\n"
    )
    assert graph.resources["file /a"].content is msgspec.UNSET  # type: ignore[attr-defined]
    assert graph.receives == {
        "file /a": {"content": Ref("password db", "password")},
        "file /b": {"content": Text(("x", Ref("password db", "length")))},
    }
    assert graph.edges["password db", "file /a"] == Edge("password db", "file /a", None, "send")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes, load: Load) -> None:
    try:
        load(data)
    except GraphError as error:
        assert error.problems  # noqa: PT017 - both outcomes are right


WORDS = st.sampled_from(
    "resources|edges|vars|defaults|meta|noop a|noop b|file /x|require|notify|content|mode|name|kind|"
    "from|to|graph|noop|comment|noop a -> noop b|${{ vars.a }}|${{ send['exec e'].stdout }}|noop *|"
    "exec e|x|retry|limit|args|env|@@x|fire|${{|collect|remote".split("|")
)
SHAPES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-3, 700),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(tree=st.dictionaries(WORDS, SHAPES, max_size=5))
def test_any_shape_is_read_or_refused(tree: dict[str, object], load: Load) -> None:
    import json

    try:
        load(json.dumps(tree))
    except GraphError as error:
        assert all(problem.place.line for problem in error.problems)  # noqa: PT017
