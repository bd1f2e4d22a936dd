"""Declarations of any front end become a graph, or one error with everything that is wrong."""

import gc
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import Change, Resource, Secret, Values, hookimpl
from setpoint.declarations import Declaration, Declarations, Link, Map, Source, build, uncollected
from setpoint.declarations.links import Names
from setpoint.declarations.types import describe, fits, show
from setpoint.errors import GraphError, Place
from setpoint.plugins import Plugins
from setpoint.values import Ref, Text, takes_secrets

PROGRAM = Source("site.py")


class Thing(Resource):
    """A thing with params of each plain type."""

    kind = "thing"
    text: str = ""
    number: int = 0
    fraction: float = 0.0
    truth: bool = False
    items: list[str] = msgspec.field(default_factory=list)
    word: Annotated[str, msgspec.Meta(min_length=2)] | None = None

    class Sends(Values):
        text: str
        secret: Secret[str]

    def check(self) -> list[Change]:
        return []

    @hookimpl
    def send(self) -> Values:
        return self.Sends(text="", secret=Secret(""))


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = Plugins(path=[])
    found.add(Thing)
    return found


def thing(name: str, line: int = 0, **params: Any) -> Declaration:
    return Declaration(f"thing {name}", "thing", name, params, PROGRAM, line)


def declared(*resources: Declaration, links: tuple[Link, ...] = ()) -> Declarations:
    declarations = Declarations()
    declarations.sources.append(PROGRAM)
    declarations.resources += resources
    declarations.links += links
    return declarations


def problems(declarations: Declarations, plugins: Plugins) -> list[str]:
    with pytest.raises(GraphError) as caught:
        build(declarations, plugins)
    return str(caught.value).splitlines()


def test_a_program_declares_with_lines_only(plugins: Plugins) -> None:
    graph = build(declared(thing("a", 12, text="x"), thing("b", 13)), plugins)
    assert graph.places == {"thing a": Place("site.py", 12), "thing b": Place("site.py", 13)}
    assert graph.resources["thing a"] == Thing("a", text="x")


def test_what_is_wrong_in_a_program_is_told_with_its_line(plugins: Plugins) -> None:
    declarations = declared(thing("b", 20, number="x"), thing("a", 4, txt=""))
    assert problems(declarations, plugins) == [
        "site.py:4: thing a: unknown param 'txt'; did you mean 'text'?",
        "site.py:20: thing b: number must be a whole number, not 'x'",
    ]


def test_building_twice_tells_the_same(plugins: Plugins) -> None:
    declarations = declared(thing("b", 20, number="x"))
    assert problems(declarations, plugins) == problems(declarations, plugins)


def test_links_become_edges_with_the_place_of_the_later_end(plugins: Plugins) -> None:
    link = Link("thing b", "thing a", "thing b", "drop", PROGRAM, 5, 9)
    graph = build(declared(thing("a"), thing("b"), links=(link,)), plugins)
    assert [(e.notify, e.origin) for e in graph.edges.values()] == [("drop", Place("site.py", 9))]


def test_too_many_edges_are_refused(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setpoint.declarations.links.MAX_EDGES", 5)
    things = [thing(f"a{n}") for n in range(3)] + [thing(f"b{n}") for n in range(3)]
    link = Link("edges", "thing a*", "thing b*", None, PROGRAM)
    assert problems(declared(*things, links=(link,)), plugins) == [
        "site.py: edges: more than 5 edges; use narrower globs"
    ]


def test_only_so_many_problems_get_a_suggestion() -> None:
    names = Names(f"thing number {n}" for n in range(10_000))
    told = [names.missing(f"thing nmber {n}") for n in range(1000)]
    assert 0 < sum("did you mean" in message for message in told) <= 20


def test_a_whole_number_of_equal_value_is_no_truth_value(plugins: Plugins) -> None:
    declarations = declared(
        Declaration("thing a", "thing", "a", {}, PROGRAM, 1, {"retry": 1}),
        Declaration("thing b", "thing", "b", {}, PROGRAM, 2, {"retry": True}),
    )
    assert problems(declarations, plugins) == [
        "site.py:2: thing b: meta.retry must be a whole number of -1 or more, not true"
    ]


def test_a_param_that_is_wrong_already_is_not_told_again(plugins: Plugins) -> None:
    build(declared(thing("a", items=msgspec.UNSET)), plugins)


def test_an_unknown_kind_is_told_at_each_place(plugins: Plugins) -> None:
    wrong = [
        Declaration(f"thin {n}", "thin", n, {}, PROGRAM, line) for line, n in ((1, "a"), (2, "b"))
    ]
    told = problems(declared(*wrong), plugins)
    assert [line.partition(" no")[0] for line in told] == ["site.py:1:", "site.py:2:"]


def test_the_collector_rests_while_a_graph_is_built() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_place_is_a_line_and_a_column() -> None:
    source = Source("a.yaml", "ab\r\ncd\n\nü\u2028x")
    told = [str(source.place(at)) for at in (0, 1, 4, 5, 7, 8, 10)]
    assert [place.removeprefix("a.yaml:") for place in told] == [
        "1:1",
        "1:2",
        "2:1",
        "2:2",
        "3:1",
        "4:1",
        "5:1",
    ]
    assert [source.line(at) for at in (0, 4, 7, 8, 10)] == ["ab", "cd", "", "ü", "x"]


def test_a_map_tells_what_is_where() -> None:
    tree = Map.new(1)
    tree.put("a", 5, 2, 4)
    assert list(tree.entries()) == [("a", 5, 2, 4)]


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (str, "text"),
        (str | None, "text"),
        (int | str, "a whole number or text"),
        (Annotated[int, msgspec.Meta(ge=0, le=9)], "a whole number from 0 to 9"),
        (Annotated[float, msgspec.Meta(gt=0)], "a number above 0"),
        (Annotated[str, msgspec.Meta(description="x")], "text"),
        (list[str], "a list of text"),
        (tuple[int, ...], "a list of whole numbers"),
        (list[list[str]], "a list of lists"),
        (dict[str, int], "a map"),
        (Literal["a", 1], "'a' or 1"),
        (Secret[int], "a whole number"),
        (Secret[str] | None, "text"),
        (None, "null"),
        (bytes, "base64 text"),
        (Any, "anything"),
    ],
)
def test_a_type_has_words(type_: Any, words: str) -> None:
    assert describe(type_ if type_ is not None else type(None)) == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        ("a'b", '"a\'b"'),
        ("x" * 99, repr("x" * 60 + "...")),
        ([], "an empty list"),
        ({"a": 1}, "a map"),
        (Ref("a b", "c"), "a received value"),
    ],
)
def test_a_value_is_shown_as_it_is_written(value: Any, shown: str) -> None:
    assert show(value) == shown


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (str, str),
        (str, str | None),
        (int, float),
        (int, float | str),
        (str, Any),
        (Any, int),
        (Secret[str], str),
        (Secret[str], Secret[str]),
        (Secret[int], Secret[float]),
        (str, Annotated[str, msgspec.Meta(min_length=1)]),
        (str, Literal["a", "b"]),
        (Literal["a", "b"], str),
        (list[int], list[float]),
        (list, list[str]),
        (dict[str, str], dict[str, str | None]),
        (str, str | msgspec.UnsetType),
    ],
)
def test_a_sent_type_fits(sent: Any, wanted: Any) -> None:
    assert fits(sent, wanted)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (int, str),
        (str, int),
        (float, int),
        (bool, int),
        (int, bool),
        (str | None, str),
        (str, Secret[str]),
        (Secret[int], str),
        (list[str], str),
        (list[str], list[int]),
        (list[str], tuple[str, ...]),
        (int, Literal["a"]),
        (Literal["a", 1], str),
        (str, None | int),
    ],
)
def test_a_sent_type_does_not_fit(sent: Any, wanted: Any) -> None:
    assert not fits(sent, wanted)


def test_a_secret_in_a_union_is_a_secret() -> None:
    assert takes_secrets(Secret[str] | None)
    assert not takes_secrets(str | None)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=5),
    "number": st.integers(),
    "fraction": st.floats(allow_nan=False) | st.integers(-1000, 1000),
    "truth": st.booleans(),
    "items": st.lists(st.text(max_size=3), max_size=3),
    "word": st.none() | st.text(min_size=2, max_size=5),
}
PARAMS = st.fixed_dictionaries({}, optional=SCALARS)


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return the params of things; each may receive from those before it."""
    found = draw(st.lists(PARAMS, max_size=6))
    for number, params in enumerate(found[1:], 1):
        if draw(st.booleans()):
            ref = Ref(
                f"thing {draw(st.integers(0, number - 1))}",
                draw(st.sampled_from(["text", "secret"])),
            )
            params["text"] = draw(st.sampled_from([ref, Text(("x", ref)), Text((ref, ref))]))
    return found


@given(found=graphs())
def test_valid_declarations_become_what_they_say(
    found: list[dict[str, Any]], plugins: Plugins
) -> None:
    graph = build(declared(*(thing(str(n), **params) for n, params in enumerate(found))), plugins)
    assert len(graph.resources) == len(found)
    for number, params in enumerate(found):
        resource, received = (
            graph.resources[f"thing {number}"],
            graph.receives.get(f"thing {number}", {}),
        )
        assert received == {name: v for name, v in params.items() if isinstance(v, (Ref, Text))}
        for name, value in params.items():
            assert getattr(resource, name) == (msgspec.UNSET if name in received else value)
        for ref in senders(received):
            assert graph.edges[ref.sender, resource.id].origin == "send"
    assert all(graph.order()[first] < graph.order()[then] for first, then in graph.edges)


def senders(received: Any) -> Iterator[Ref]:
    for value in received.values():
        yield from (value,) if isinstance(value, Ref) else value.refs


# -- secrets that somebody has declared for params of any type


def secretly(plugins: Plugins, **params: Any) -> tuple[Any, Any]:
    """Return the graph of one thing, and the thing."""
    graph = build(declared(thing("a", **params)), plugins)
    return graph, graph.resources["thing a"]


@pytest.mark.parametrize(
    ("param", "value", "has"),
    [
        ("text", Secret("hunter2"), "hunter2"),
        ("text", Text(("key = ", Secret("hunter2"), "\n")), "key = hunter2\n"),
        ("number", Secret(70_000), 70_000),
        ("truth", Secret(True), True),
        ("word", Secret("hunter2"), "hunter2"),
        ("items", Secret(["hunter2", "b"]), ["hunter2", "b"]),
        ("items", ["a", Secret("hunter2")], ["a", "hunter2"]),
        ("items", ["a", Text(("-p", Secret("hunter2")))], ["a", "-phunter2"]),
    ],
)
def test_a_secret_is_taken_by_a_param_of_any_type_and_taints_it(param, value, has, plugins):
    graph, resource = secretly(plugins, **{param: value})
    assert getattr(resource, param) == has
    assert graph.tainted == {"thing a": frozenset({param})}
    hidden = "" if param == "truth" else "(secret)"  # true says nothing
    assert graph.secrets.text("hunter2" if "hunter2" in str(has) else str(has)) == (
        hidden or "True"
    )


def test_the_text_around_a_secret_is_no_secret(plugins):
    graph, _ = secretly(plugins, text=Text(("user = root\nkey = ", Secret("hunter2"), "\n")))
    assert graph.secrets.text("user = root, key = hunter2") == "user = root, key = (secret)"


def test_what_is_received_beside_a_secret_is_tainted_from_the_start(plugins):
    ref = Ref("thing b", "text")
    parts = Text((Secret("hunter2"), ref))
    graph = build(declared(thing("a", text=parts), thing("b")), plugins)
    assert graph.receives["thing a"] == {"text": parts}
    assert graph.tainted == {"thing a": frozenset({"text"})}
    assert graph.secrets.text("hunter2") == "(secret)"


def test_what_waits_is_not_tainted_because_it_is_not_there(plugins):
    given = declared(thing("a", text=Secret("hunter2")))
    given.waiting.add("thing a")
    assert build(given, plugins).tainted == {}


@pytest.mark.parametrize(
    ("params", "meta", "message"),
    [
        ({"number": Secret("hunter2")}, {}, "number must be a whole number, and the secret is not"),
        ({"items": [1, Secret("hunter2")]}, {}, "items must be a list of text, and the secret is"),
        ({"word": Secret("h")}, {}, "word must be "),
        ({"bogus": Secret("hunter2")}, {}, "unknown param 'bogus'"),
        ({}, {"retry": Secret(70_000)}, "meta.retry cannot have a secret, "),
        ({}, {"sema": [Secret("hunter2")]}, "meta.sema cannot have a secret, "),
    ],
)
def test_a_secret_that_does_not_fit_is_refused_without_being_shown(params, meta, message, plugins):
    given = thing("a", **params)
    given.meta = meta
    with pytest.raises(GraphError, match=message) as caught:
        build(declared(given), plugins)
    assert "hunter2" not in str(caught.value)
    assert "70" not in str(caught.value)
