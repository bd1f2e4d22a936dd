"""What fits the schema is what the reader of graph files accepts, as far as a schema can tell."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from setpoint import Resource, Secret, graphfile
from setpoint.declarations import WORDS, Source, plain
from setpoint.declarations.params import META, Param
from setpoint.errors import GraphError
from setpoint.graphfile import form, reader
from setpoint.graphfile.schema import schema
from setpoint.plugins import Plugins
from setpoint.resource import RESERVED, Meta, params

ROOT = Path(__file__).parents[3]
SAMPLES: list[Any] = [
    *(0, 1, -1, 3, 300, 1.5, -0.5, 10**12, True, False, None, "", "x", "a b", "x:4", "absent"),
    *([], ["x"], [1], [300], [None], ["x", 1], [["x"]], {}, {"x": "y"}, {"x": 1}, {"x": None}),
    *([{"at": "x"}], {"at": "x"}, {"at": "x", "size": 5}, {"at": "x", "size": -5}, {"other": 5}, ["x", 5]),
]  # fmt: skip
EXPRESSION = "${{ vars.x }}"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Spot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: str
    size: Annotated[int, msgspec.Meta(ge=0)] = 1
    key: Secret[str] | None = None


class Odd(Resource):
    """A kind with params of unusual types."""

    kind = "odd"
    spot: Spot = Spot(at="x")
    spots: tuple[Spot, ...] = ()
    pair: tuple[str, int] = ("", 0)
    few: Annotated[tuple[str, ...], msgspec.Meta(max_length=1)] = ()
    either: Literal["x", 1] | None = None
    sizes: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = msgspec.field(default_factory=dict)
    numbers: frozenset[int] = frozenset()
    short: Annotated[str, msgspec.Meta(max_length=1)] | int = 0
    both: Annotated[int, msgspec.Meta(ge=5)] | list[str] = 5
    hidden: tuple[Secret[int], ...] | None = None
    anything: Any = None

    def check(self) -> list[Any]:
        return []


def kinds() -> dict[str, type[Resource]]:
    plugins = Plugins()
    return {**{name: plugins.kind(name) for name in plugins.kinds()}, "odd": Odd}


def schema_of(kinds: dict[str, type[Resource]]) -> dict[str, Any]:
    plugins = Plugins()
    return schema(kinds, {name: plugins.fact(name) for name in plugins.facts()})


def accepts(type_: Any, value: Any) -> bool:
    try:
        Param("", type_).accept(value)
    except msgspec.ValidationError:
        return False
    return True


def given(struct: type[msgspec.Struct]) -> list[Any]:
    return [field for field in msgspec.structs.fields(struct) if field.name not in RESERVED]


def graph_of(kind: type[Resource], param: str, value: Any) -> dict[str, Any]:
    """A graph with one param, and what is required."""
    needed = {field.name: EXPRESSION for field in given(kind) if field.required}
    return {"resources": {f"{kind.kind} x": {**needed, param: value}}}


def test_of_each_param_it_accepts_what_its_kind_accepts_and_nothing_else(fits):
    cases = [
        (graph_of(kind, field.name, value), accepts(field.type, value))
        for kind in kinds().values()
        for field in given(kind)
        for value in SAMPLES
    ]
    cases += [
        ({"resources": {"noop x": {"meta": {field.name: value}}}}, accepts(field.type, value))
        for field in given(Meta)
        for value in SAMPLES
    ]
    found = fits(schema_of(kinds()), [graph for graph, _ in cases])
    assert [pair for pair, fit in zip(cases, found, strict=True) if pair[1] != fit] == []
    assert len(cases) > 5000


def test_an_expression_may_stand_for_each_param_and_in_lists_and_maps(fits):
    graphs = [
        graph_of(kind, field.name, f"{text}{EXPRESSION}")
        for kind in kinds().values()
        for field in given(kind)
        for text in ("", "before ")
    ]
    graphs += [{"resources": {"noop x": {"meta": {name: EXPRESSION}}}} for name in META]
    graphs += [
        graph_of(Odd, "numbers", [1, EXPRESSION]),
        graph_of(Odd, "sizes", {"x": EXPRESSION}),
        graph_of(Odd, "spot", {"at": EXPRESSION, "size": EXPRESSION}),
        {"resources": {"noop x": {"notify": {"noop y": EXPRESSION}, "require": [EXPRESSION]}}},
        {"edges": EXPRESSION},
        {"edges": [EXPRESSION]},
    ]
    assert all(fits(schema_of(kinds()), graphs))


SHAPES = [
    {"graph": "x", "vars": {"a": [1], "b_1": None, "größe": 1}, "edges": ["noop a -> noop b"]},
    {"vars": None, "defaults": None, "resources": None, "edges": None},
    {"resources": {"file ${{ vars.dir }}/x": None, "${{ vars.kind }} x": {"any": 1}}},
    {"defaults": {"timer": {"interval": 5}}, "resources": {"timer x": None, "timer y": {}}},
    {"defaults": {"noop": {"meta": {"retry": 1}}, "timer": None}},
    {"resources": {"noop x": {"require": ["noop y", "file *"], "before": "noop *", "notify": []}}},
    {"resources": {"noop x": {"notify": {"noop y": "fire", "noop z": None}, "listen": ["a b"]}}},
    {"resources": {"noop x": {"require": {"noop y": None}}}},
    {"resources": {"noop x": {"when": "facts.load.x1 > 4", "for_each": ["a"]}, "noop y": {"when": True}}},
    {"resources": {"noop ${{ each.key }}": {"for_each": {"a": 1}}, "noop z": {"for_each": "facts.disks"}}},
    {"hosts": "web*", "groups": {"web": ["a", "@b"], "b": "c"}, "publish": {"a": {"b": [1]}}},
    {"hosts": ["a", "@web"], "collect": [{"kind": "noop"}, {"kind": "noop", "name": "a*", "from": ["@web"]}]},
    {"inputs": {"a": "str", "b": {"type": "int", "default": 5}, "c": {"default": None, "description": "x"}}},
    {"secrets": {"a": {"file": "/x"}, "b": {"env": "X"}, "c": {"exec": ["pass", "x"]}}, "include": None},
    {"include": ["a.yaml", {"use": "b.yaml", "as": "b", "with": {"c": 1}, "when": "facts.x", "for_each": [1]}]},
    {"resources": {"noop x": {"meta": {"export": ["*"], "hidden": True}, "listen": "module x"}}},
    {"resources": {"noop two\nlines": None, "ssh:authorized_key x": {"user": "a"}}},
]  # fmt: skip
MISSHAPES = [
    [], None, "resources", {"resource": {}}, {"graph": 1}, {"graph": None}, {"vars": {"a-b": 1}},
    {"vars": {"1a": 1}}, {"vars": []}, {"resources": []}, {"resources": {"noop": None}},
    {"resources": {"noop ": None}}, {"resources": {"no such": None}}, {"resources": {"noop x": []}},
    {"resources": {"noop x": "text"}}, {"resources": {"noop x": {"other": 1}}},
    {"resources": {"noop x": {"meta": {"other": 1}}}}, {"resources": {"noop x": {"meta": EXPRESSION}}},
    {"resources": {"timer x": None}}, {"resources": {"timer x": {}}}, {"defaults": {"no": {}}},
    {"defaults": {"noop": {"require": "noop x"}}}, {"defaults": {"noop": {"other": 1}}},
    {"defaults": {"git": {"ref": "x"}}, "resources": {"git x": {}}},
    {"resources": {"noop x": {"require": 1}}}, {"resources": {"noop x": {"require": None}}},
    {"resources": {"noop x": {"require": {"noop y": "hold"}}}},
    {"resources": {"noop x": {"listen": [["a b"]]}}}, {"resources": {"noop x": {"notify": {"noop x": "fyre"}}}},
    {"edges": ["noop a"]}, {"edges": "noop a -> noop b"}, {"edges": {}}, {"edges": [1]},
    {"hosts": 1}, {"hosts": [1]}, {"groups": {"a": 1}}, {"inputs": {"a": "text"}}, {"inputs": {"a": {"typ": "str"}}},
    {"inputs": {"a-b": "str"}}, {"secrets": {"a": "/x"}}, {"secrets": {"a": {"url": "x"}}}, {"secrets": {"a": {}}},
    {"include": "a.yaml"}, {"include": [1]}, {"include": [{"as": "a"}]}, {"include": [{"use": "a.yaml", "wit": {}}]},
    {"publish": {"a-b": 1}}, {"publish": []}, {"collect": {}}, {"collect": [{}]}, {"collect": [{"kind": 1}]},
    {"collect": [{"kind": "noop", "of": "x"}]},
]  # fmt: skip


def test_it_accepts_every_shape_that_the_reader_knows(fits):
    assert fits(schema_of(kinds()), SHAPES) == [True] * len(SHAPES)


def test_what_it_refuses_the_reader_refuses_too(fits, tmp_path):
    assert fits(schema_of(kinds()), MISSHAPES) == [False] * len(MISSHAPES)
    path = tmp_path / "site.yaml"
    for graph in MISSHAPES:
        path.write_text(json.dumps(graph))  # which is YAML
        with pytest.raises(GraphError):
            graphfile.load([path], Plugins())


def test_it_accepts_all_graphs_of_the_examples_and_of_the_documentation(fits):
    pages = [ROOT / "README.md", *ROOT.glob("plugins/*/README.md"), *ROOT.glob("docs/**/*.md")]
    texts = {path: path.read_text() for path in ROOT.glob("examples/*.yaml")}
    for page in pages:
        for number, text in enumerate(BLOCK.findall(page.read_text())):
            texts[page / str(number)] = text
    graphs = {path: plain(reader.load(Source("", text))) for path, text in texts.items()}
    ours = {
        path: graph for path, graph in graphs.items() if path.parts[-2] != "migrate-from-mgmt.md"
    }
    found = fits(schema_of(kinds()), list(ours.values()))
    assert [str(path) for path, fit in zip(ours, found, strict=True) if not fit] == []
    assert len(ours) > 50


def test_what_the_reader_takes_at_the_top_is_what_it_has():
    assert tuple(schema_of({})["properties"]) == form.KEYS


FACTS = [
    ({"oom": {"kmsg": "Out of memory: .*"}, "cpu": {"load": None}}, True),
    ({"oom": {"kmsg": {"name": "Out of memory: .*", "level": "err", "history": 5}}}, True),
    ({"oom": {"kmsg": {"level": "${{ vars.level }}"}}}, True),
    ({"oom": {"kmsg": "x", "load": ""}}, False),
    ({"oom": {}}, False),
    ({"oom": "kmsg"}, False),
    ({"oom": {"kmesg": "x"}}, False),
    ({"oom": {"kmsg": {"levels": "err"}}}, False),
    ({"oom": {"kmsg": {"history": -5}}}, False),
]


def test_facts_have_their_params(fits):
    assert fits(schema_of({}), [{"facts": facts} for facts, _ in FACTS]) == [
        right for _, right in FACTS
    ]


def test_without_any_kind_it_is_a_schema(fits):
    assert fits(schema({}, {}), [{"graph": "x"}, {"resources": {"noop x": None}}]) == [True, False]


def test_every_param_is_explained_as_in_the_reference():
    for name, kind in schema_of(kinds())["definitions"]["kinds"].items():
        if name != "odd":
            said = {
                param: text["markdownDescription"] for param, text in kind["properties"].items()
            }
            assert list(said) == [*params(kinds()[name]), "when", "for_each", "meta", *WORDS]
            assert all(said.values()), name
    length = schema_of(kinds())["definitions"]["kinds"]["password"]["properties"]["length"]
    assert length["default"] == 64
    assert length["description"] == "characters, from 1 to 4096."
    assert length["markdownDescription"].endswith(
        "\n\n*a whole number from 1 to 4096, by default 64*"
    )


def test_a_default_that_is_secret_or_says_nothing_is_not_in_it():
    properties = schema_of(kinds())["definitions"]["kinds"]["http"]["properties"]
    assert "default" not in properties["auth"] | properties["path"] | properties["headers"]


def test_it_is_the_same_whatever_the_order_of_kinds():
    backwards = dict(reversed(list(kinds().items())))
    assert json.dumps(schema_of(kinds())) == json.dumps(schema_of(backwards))


def test_what_has_no_schema_may_be_anything():
    class Strange(Odd):
        kind = "strange"
        lamp: Path = Path()

    found = schema_of({"strange": Strange})["definitions"]["kinds"]["strange"]["properties"]["lamp"]
    assert found.keys() == {"description", "markdownDescription"}
