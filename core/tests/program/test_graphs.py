"""What a program declares is what a graph file would, and its mistakes have their places in the program."""

import asyncio
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint import Graph, Meta, Secret, each, facts, fn, graphfile, pick, when, where
from setpoint.errors import GraphError
from setpoint.graph import Graph as Built
from setpoint.plugins import Plugins
from setpoint.program import Declared, env, secrets
from setpoint.program.marks import is_live

from .conftest import Load, NeedyThing, Own, StillThing

KNOWN = {"load": Load(x1=5.0, words=["a", "b"]), "note_1": "hi"}


@pytest.fixture
def graph(plugins: Plugins) -> Graph:
    return Graph("app", plugins=plugins, automatic=False)


def placeless(graph: Built) -> Built:
    """Return `graph` with edges that do not tell where they are declared."""
    graph.edges = {pair: edge._replace(origin="") for pair, edge in graph.edges.items()}
    return graph


def reads_back(graph: Graph, folder: Path) -> None:
    """See that the graph file of `graph` declares the same, whatever is known."""
    path = folder / "graph.yaml"
    path.write_text(graph.to_yaml())
    live = graph.live()
    other = graphfile.live([path], graph.plugins, automatic=graph.automatic)
    for values in ({}, KNOWN, {"load": Load(x1=1.0, words=[])}, {"note_1": "no"}):
        one, two = placeless(live.evaluate(values)), placeless(other.evaluate(values))
        assert one.is_like(two), path.read_text()
        assert (one.held, one.facts) == (two.held, two.facts)
        messages = [{t.message for t in found.troubles} for found in (live, other)]
        assert messages[0] == messages[1]


# -- what is declared


def test_the_graph_has_what_is_within_with(graph):
    with graph:
        StillThing("a", text="hi", number=3, size=1.5, flag=True, items=["x"], pairs={"k": "v"})
        StillThing("b", data=b"\x00\xff", state="here", secret="hidden", text=None)
    found = graph.live().graph.resources
    assert list(found) == ["still a", "still b"]
    assert (found["still a"].items, found["still a"].pairs) == (["x"], {"k": "v"})
    assert (found["still b"].data, found["still b"].secret) == (b"\x00\xff", Secret("hidden"))


def test_edges_are_resources_or_text_alone_or_several(graph):
    with graph:
        a = StillThing("a")
        StillThing("b", require=a)
        StillThing("c", require=[a, "still b"], before=StillThing("d"))
        StillThing("e", notify={"still f": "fire", "still g": "drop"}, listen="still c")
        StillThing("f"), StillThing("g")
    assert {edge[:3] for edge in graph.live().graph.edges.values()} == {
        ("still a", "still b", None),
        ("still a", "still c", None),
        ("still b", "still c", None),
        ("still c", "still d", None),
        ("still e", "still f", "fire"),
        ("still e", "still g", "drop"),
        ("still c", "still e", "hold"),
    }


def test_what_is_sent_makes_an_edge(graph):
    with graph:
        sender = StillThing("the sender")
        StillThing("a", text=sender.send.text, number=sender.send.number)
        StillThing("b", text=f"<{sender.send.hidden}>")
    built = graph.live().graph
    assert set(built.edges) == {("still the sender", "still a"), ("still the sender", "still b")}
    assert set(built.receives["still a"]) == {"text", "number"}


def test_meta_is_given_by_name_or_whole(graph):
    with graph:
        StillThing("a", meta={"retry": 3, "sema": ["one"]})
        StillThing("b", meta=Meta(retry=3, sema=("one",)))
        StillThing("c", meta=Meta())
    a, b, c = graph.live().graph.resources.values()
    assert a.meta == b.meta == Meta(retry=3, sema=("one",))
    assert c.meta == Meta()


def test_when_within_when_is_both(graph):
    with graph:
        with when(facts.load.x1 > 4):
            StillThing("high")
            with when(facts.load.x1 > 9):
                StillThing("higher")
        with when(True), when(False):
            StillThing("never")
        with when(pick(True, facts.load.x1 < 9, False)):
            StillThing("low")
    live = graph.live()
    assert not live.graph.resources
    assert live.graph.held == {"still high", "still higher", "still low"}
    assert list(live.evaluate(KNOWN).resources) == ["still high", "still low"]


def test_each_declares_for_each_item(graph):
    with graph:
        with each(where(facts.load.words, lambda word: word != "a")) as word:
            StillThing(f"live {word}", text=f"{each.key}!")
        with each([{"name": "x", "n": 1}, {"name": "y", "n": 2}]) as item:
            StillThing(f"fixed {each.key}", number=item.n)
        with each({"k": "v"}):
            StillThing(f"map {each.key}", text=each.value)
    found = graph.live().evaluate(KNOWN).resources
    assert set(found) == {"still live b", "still fixed x", "still fixed y", "still map k"}
    assert found["still live b"].text == "b!"
    assert (found["still fixed y"].number, found["still map k"].text) == (2, "v")


def test_each_within_when_is_not_gone_through_while_that_is_false(graph):
    with (
        graph,
        when(fn.len(facts.load.words) > 2),
        each(facts.load.words[2].split()) as word,
        when(word != "x"),
    ):
        StillThing(f"{word} there")
    live = graph.live()
    assert not live.evaluate(KNOWN).resources
    assert not live.troubles
    words = Load(x1=0.0, words=["a", "b", "x y"])
    assert list(live.evaluate({"load": words}).resources) == ["still y there"]


def test_one_id_may_be_declared_for_different_times(graph):
    busy = facts.load.x1 > 4
    with graph:
        with when(busy):
            StillThing("a", text="busy")
        with when(~busy):
            StillThing("a", text="idle")
    live = graph.live()
    assert live.evaluate(KNOWN).resources["still a"].text == "busy"
    assert live.evaluate({"load": Load(x1=1.0, words=[])}).resources["still a"].text == "idle"
    with pytest.raises(
        GraphError, match="still a: is declared already, at another time; write pick"
    ):
        graph.to_yaml()


def test_facts_about_something_are_declared_where_they_are_read(graph):
    with graph:
        note, same, loud = facts("note", "n"), facts("note", "n"), facts("note", "n", upper=True)
        StillThing("a", text=note, number=fn.len(loud))
    assert repr(note) == repr(same) == "<facts.note_1>"
    found = graph.live().graph.facts
    assert [(name, fact.id, fact.upper) for name, fact in found.items()] == [
        ("note_1", "note n", False),
        ("note_2", "note n", True),
    ]


def test_a_section_that_a_program_has_another_way_for_is_refused(plugins):
    with pytest.raises(TypeError, match="a graph of a program has no 'facts'; write facts"):
        Graph(plugins=plugins, facts={"note": {"note": "n"}})
    with pytest.raises(TypeError, match="has no 'include'; call a function"):
        Graph(plugins=plugins, include=["other.yaml"])
    with pytest.raises(GraphError, match="unknown key 'defalts'; did you mean 'defaults'"):
        Graph(plugins=plugins, defalts={}).live()


def test_secrets_and_the_environment_are_named_as_in_a_file(plugins, monkeypatch, tmp_path):
    monkeypatch.setenv("PLACE", "here")
    (tmp_path / "key").write_text("hunter2")
    with Graph(plugins=plugins, secrets={"key": {"file": str(tmp_path / "key")}}) as graph:
        StillThing("a", text=f"{env.PLACE}", secret=secrets.key)
    assert "secret: ${{ secrets.key }}" in graph.to_yaml()
    assert graph.live().graph.held == {"still a"}


def test_other_sections_are_those_of_a_file(plugins):
    graph = Graph(plugins=plugins, defaults={"still": {"number": 7}}, vars={"x": 1})
    with graph:
        StillThing("a")
        StillThing("b", number=2)
    assert [r.number for r in graph.live().graph.resources.values()] == [7, 2]


def test_what_was_declared_by_then_is_run(graph):
    with graph:
        StillThing("a")
    live = graph.live()
    with graph:
        StillThing("b")
    assert list(live.evaluate({}).resources) == ["still a"]
    assert list(graph.live().graph.resources) == ["still a", "still b"]


def test_two_graphs_of_one_program_do_not_mix(plugins):
    one, two = Graph("one", plugins=plugins), Graph("two", plugins=plugins)
    with one:
        StillThing("a")
        with when(facts.load.x1 > 4), two:
            StillThing("b")
        StillThing("c")
    assert list(one.live().graph.resources) == ["still a", "still c"]
    assert list(two.live().graph.resources) == ["still b"]


async def test_tasks_that_declare_at_the_same_time_do_not_mix(plugins):
    started, both = [], asyncio.Event()

    async def declare(name: str) -> Graph:
        with Graph(name, plugins=plugins) as graph:
            started.append(name)
            if len(started) == 2:
                both.set()
            await both.wait()
            StillThing(name)
        return graph

    one, two = await asyncio.gather(declare("one"), declare("two"))
    assert list(one.live().graph.resources) == ["still one"]
    assert list(two.live().graph.resources) == ["still two"]


# -- and back


def test_a_program_reads_as_a_graph_file(graph, tmp_path):
    with graph:
        sender = StillThing("db", secret="x")
        with when(facts.load.x1 > 4):
            StillThing("a", text=f"{sender.send.hidden} ${facts.load.x1}", listen={sender: "fire"})
        with each(facts.load.words) as word:
            StillThing(f"b {word}", text=word.upper(), meta={"reverse": False})
        NeedyThing("c", must="${{ no }}", text=facts("note", "n"))
    assert graph.to_yaml() == textwrap.dedent("""\
        graph: app
        facts:
          note_1:
            note: n
        resources:
          still db:
            secret: x
          still a:
            when: facts.load.x1 > 4
            text: ${{ send["still db"].hidden }} ${{ "$" + str(facts.load.x1) }}
            listen:
              still db: fire
          still b ${{ each.value }}:
            for_each: facts.load.words
            text: ${{ each.value.upper() }}
            meta:
              reverse: false
          family:needy c:
            must: $${{ no }}
            text: ${{ facts.note_1 }}
        """)
    reads_back(graph, tmp_path)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LIVE = st.sampled_from(
    [
        "plain",
        lambda: f"<{facts.load.x1}>",
        lambda: pick(facts.load.x1 > 4, "busy", "idle"),
        lambda: fn.json(facts.load.words),
        lambda: facts("note", "n"),
        lambda: facts.load.words[1],
    ]
)
NUMBERS = st.integers(0, 2**40) | st.just(lambda: fn.len(facts.load.words) * 2)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS | LIVE | st.none(),
        "number": NUMBERS,
        "size": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
        "flag": st.booleans() | st.just(lambda: facts.load.x1 > 4),
        "items": st.lists(TEXTS | LIVE, max_size=3),
        "pairs": st.dictionaries(TEXTS, TEXTS | LIVE, max_size=3),
        "data": st.binary(max_size=5),
        "secret": TEXTS,
        "meta": st.just({"retry": 2}),
    },
)
WHENS = st.lists(
    st.sampled_from(
        [True, False, lambda: facts.load.x1 > 4, lambda: fn.len(facts.load.words) == 0]
    ),
    max_size=2,
)
EACHES = st.sampled_from([None, None, ["x", "y"], lambda: facts.load.words])
RESOURCES = st.lists(st.tuples(PARAMS, WHENS, EACHES, st.integers(0, 5)), max_size=6)


def real(value: Any) -> Any:
    """Return what a sample stands for: expressions are made within their graph."""
    if isinstance(value, (list, dict)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        made = {key: real(inner) for key, inner in pairs}
        return made if isinstance(value, dict) else [*made.values()]
    return value() if callable(value) else value


def declare(number: int, before: list[Declared], drawn: Any) -> Declared:
    params, conditions, items, edge = drawn
    given = real(params)
    if edge < len(before) and not is_live(before[edge].id):
        given["require"] = before[edge]
    if conditions:
        with when(real(conditions[0])):
            return declare(number, before, (params, conditions[1:], items, edge))
    if items is not None:
        with each(real(items)) as item:
            return StillThing(f"{number} {item}", **given)
    return StillThing(str(number), **given)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(RESOURCES)
def test_whatever_a_program_declares_reads_back_from_its_graph_file(tmp_path, drawn):
    graph = Graph("drawn", plugins=Own(), automatic=False)
    with graph:
        before: list[Declared] = []
        for number, one in enumerate(drawn):
            before.append(declare(number, before, one))
    reads_back(graph, tmp_path)


# -- what is wrong

WRONG = """
from setpoint import Graph, facts, fn, each, when

def declare(StillThing, NeedyThing, plugins):
    with Graph("app", plugins=plugins) as g:
        {}
    return g
"""
MISTAKES = [
    ('StillThing("a", texd="hi")', "texd=", "still a: unknown param 'texd'; did you mean 'text'?"),
    ('StillThing("a", text="hi",\n            number=-1)', "-1)", "still a: number must be"),
    ('StillThing("ü", number="x")', '"x")', "still ü: number must be a whole number"),
    ('StillThing("a", meta={"retri": 3})', '{"retri', "unknown meta param 'retri'; did you mean"),
    ('StillThing("a", require="still b")', '"still b', "no resource 'still b' is declared"),
    ('b = StillThing("b"); StillThing("a", text=b.send.txt)', "b.send.txt", "sends no 'txt'; did you mean"),
    ('b = StillThing("b"); StillThing("a", number=b.send.text)', "b.send.text", "sends text as text"),
    ('NeedyThing("a")', "NeedyThing", "must is required; add it"),
    ('StillThing("a", text=facts.load.x2)', "facts.load.x2", "there is no 'x2' in facts.load"),
    ('StillThing("a", text=f"ü {facts.lod}")', "facts.lod}", "no installed plugin has a fact 'lod'"),
    ('x = fn.len(1, 2); StillThing("a", text=x)', "x)", "len takes 1 argument, not 2"),
    ("with when(facts.load.x3 > 1):\n            StillThing('a')", "facts.load.x3", "no 'x3' in facts.load"),
    ("with each(facts.load.x3) as i:\n            StillThing(f'a{i}')", "facts.load.x3", "no 'x3' in facts"),
    ('StillThing("")', "StillThing", "the key of a resource is KIND NAME"),
    ('StillThing("a"); StillThing("a", text="x")', 'StillThing("a", text', "declared already, and differently"),
    ('StillThing("a", require="still a*")\n        StillThing("ab", require="still a")', '"still a', "wait for"),
    ('facts("note", "n", uper=True); StillThing("a")', "uper", "the fact note has no param 'uper'; did you"),
]  # fmt: skip


def run(folder: Path, text: str, **names: Any) -> Any:
    """Run a program, and return what `declare` gives."""
    path = folder / "program.py"
    path.write_text(text)
    space: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), space)
    return space["declare"](**names)


@pytest.mark.parametrize(("code", "marked", "message"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_mistake_has_its_place_in_the_program(code, marked, message, tmp_path, plugins):
    text = WRONG.format(code)
    names = {"StillThing": StillThing, "NeedyThing": NeedyThing, "plugins": plugins}
    graph = run(tmp_path, text, **names)
    with pytest.raises(GraphError) as caught:
        graph.live()
    problem = caught.value.problems[0]
    assert message in problem.message
    lines = text.splitlines()
    assert problem.place.file == str(tmp_path / "program.py")
    assert problem.line == lines[problem.place.line - 1]
    assert problem.line[problem.place.column - 1 :].startswith(marked)


def test_a_program_without_a_text_has_lines_all_the_same(plugins):
    space = {"Graph": Graph, "StillThing": StillThing, "plugins": plugins}
    exec("\nwith Graph(plugins=plugins) as g:\n    StillThing('a', texd=1)", space)
    with pytest.raises(GraphError, match=r"^<string>:3: still a: unknown param 'texd'"):
        space["g"].live()  # type: ignore[attr-defined]


def test_a_mistake_in_a_helper_is_where_the_helper_is(tmp_path, plugins, monkeypatch):
    (tmp_path / "sites_of_test.py").write_text("def site(Kind):\n    Kind('a', texd=1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import sites_of_test  # type: ignore[import-not-found]

    monkeypatch.delitem(sys.modules, "sites_of_test")
    with Graph(plugins=plugins) as graph:
        sites_of_test.site(StillThing)
    with pytest.raises(GraphError, match=r"sites_of_test\.py:2:15: still a: unknown param 'texd'"):
        graph.live()


def test_a_line_with_a_secret_is_not_shown(tmp_path, plugins):
    text = WRONG.format('StillThing("a", secret="hunter2", number="x")')
    graph = run(tmp_path, text, StillThing=StillThing, NeedyThing=None, plugins=plugins)
    with pytest.raises(GraphError) as caught:
        graph.live()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda thing: StillThing("b", text=thing), r"a resource is no value, write \.send\.FIELD"),
        (lambda thing: StillThing("b", text=object()), "cannot be written in a graph; give text"),
        (lambda thing: StillThing("b", when=facts.a > 1), r"'when' is no argument .* write `with when\("),
        (lambda thing: StillThing("b", for_each=[1]), r"'for_each' is no argument .* write `with each\("),
        (lambda thing: StillThing(3), "the name of a resource is text, not 3"),
        (lambda thing: StillThing("b", require=3), "a reference is a resource or its KIND NAME, not 3"),
        (lambda thing: StillThing("b", pairs={f"{facts.a}": 1}), "keys of a map are text without expr"),
        (lambda thing: StillThing(f"b {facts.a}").send.text, "name that is known now"),
        (lambda thing: when(1), "when takes an expression, or true or false, not 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_declared_is_refused_where_it_is(wrong, message, graph):
    with graph, pytest.raises(TypeError, match=message):
        wrong(StillThing("a"))


def test_each_within_each_is_refused_with_the_cure(graph):
    with (
        graph,
        each([1]),
        pytest.raises(TypeError, match="each cannot be within each; go through"),
        each([2]),
    ):
        pass


def test_without_a_graph_nothing_is_declared():
    with pytest.raises(RuntimeError, match="no graph to declare this in; write `with Graph"):
        StillThing("a")
    with pytest.raises(RuntimeError, match="no graph to declare this in"):
        facts("note", "n")


def test_a_secret_is_not_written_out(graph):
    with graph:
        StillThing("a", secret=Secret("hunter2"))
    assert graph.live().graph.resources["still a"].secret == Secret("hunter2")
    with pytest.raises(TypeError, match="a secret is not written") as caught:
        graph.to_yaml()
    assert "hunter2" not in str(caught.value)
