"""YAML is read strictly, in bounded time and memory, and every value knows its place."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declarations import Source, plain
from setpoint.declarations.written import Map, Seq
from setpoint.errors import GraphError
from setpoint.graphfile import reader
from setpoint.graphfile.scalars import resolve


def read(text: str) -> Any:
    return reader.load(Source("g.yaml", text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_plain_text_stands_for_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    (
        "yes on no off y 0644 007 -01 00 1_000 12:30 1.2.3 0b1 2024-01-01 + - . 0x 0o8 1e tRuE "
        + "9" * 65
    ).split(),
)
def test_text_that_looks_like_a_value_elsewhere_is_text(text: str) -> None:
    assert resolve(text) == text


def test_quotes_make_text_of_anything() -> None:
    assert plain(read("""{a: "5", b: '5', c: "true", d: |\n 5\n}""".replace("|\n 5\n", "''"))) == {
        "a": "5",
        "b": "5",
        "c": "true",
        "d": "",
    }


def test_keys_are_text_whatever_they_look_like() -> None:
    assert list(read("{1: a, on: b, null: c, 0x10: d}")) == ["1", "on", "null", "0x10"]


def test_every_key_and_value_has_its_place() -> None:
    source = Source("g.yaml", "a: 1\nb:\n  - x\n  - {c: y}\n")
    tree = reader.load(source)
    assert [str(source.place(at)) for at in tree.places] == [
        "g.yaml:1:1",
        "g.yaml:1:4",
        "g.yaml:2:1",
        "g.yaml:3:3",
    ]
    assert [str(source.place(at)) for at in tree["b"].places] == ["g.yaml:3:5", "g.yaml:4:5"]
    assert [str(source.place(at)) for at in tree["b"][1].places] == ["g.yaml:4:6", "g.yaml:4:9"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_places_are_right_whatever_ends_a_line(newline: str) -> None:
    source = Source("g.yaml", newline.join(["a: ü", "b: 2", "c: [𝄞, 4]", ""]))
    tree = reader.load(source)
    assert str(source.place(tree["c"].places[1])) == "g.yaml:3:8"


def test_an_alias_is_what_it_stands_for() -> None:
    assert plain(read("a: &x {b: [1]}\nc: *x\nd: &y k\n*y : 2\n")) == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": "k",
        "k": 2,
    }


def test_an_anchor_of_a_key_can_be_used() -> None:
    assert plain(read("&k a: 1\nb: *k\n")) == {"a": 1, "b": "a"}


def test_an_anchor_that_is_there_again_stands_for_the_last() -> None:
    assert plain(read("[&a 1, *a, &a 2, *a]")) == [1, 1, 2, 2]


def test_many_resources_may_share_one_anchor() -> None:
    text = "base: &m {retry: 3, delay: 1}\n" + "".join(f"r{n}: *m\n" for n in range(20_000))
    assert len(read(text)) == 20_001


def test_a_quoted_sign_of_a_merge_key_is_refused_no_more_than_any_key() -> None:
    assert plain(read("'<<': 1")) == {"<<": 1}


def laughs(open_: str, between: str, close: str) -> str:
    inner = [["x"] * 9, *([f"*a{n}"] * 9 for n in range(9))]
    lists = [f"{open_}{between.join(items)}{close}" for items in inner]
    return "\n".join(f"a{n}: &a{n} {items}" for n, items in enumerate(lists))


def map_laughs() -> str:
    maps = (f"a{n + 1}: &a{n + 1} {{l: *a{n}, r: *a{n}}}\n" for n in range(40))
    return "a0: &a0 {k: x}\n" + "".join(maps)


BOMBS = {
    "billion laughs": laughs("[", ", ", "]"),
    "maps that double": map_laughs(),
    "deep lists": "[" * 200_000,
    "deep lists that close": "[" * 100_000 + "]" * 100_000,
    "deep maps": "{a: " * 100_000,
    "deep block lists": "- " * 100_000,
    "deep block maps": "\n".join(" " * n + "a:" for n in range(500)),
    "deep keys": "? " * 100_000,
    "deep by aliases": "a0: &a0 [x]\n"
    + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(5000)),
    "itself": "a: &a [*a]",
    "many anchors": "a: &a x\n" + "b: [" + ", ".join(["&a [*a]"] * 3000) + "]",
    "a giant number": "a: " + "9" * 1_000_000,
    "a giant key": "a" * 1_000_000 + ": 1\n" + "a" * 1_000_000 + ": 2",
    "many tags": "a: [" + ", ".join(["!x 1"] * 1000) + "]",
}


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in ("a giant number",)])
def test_a_bomb_is_refused_at_once_and_in_little_memory(name: str) -> None:
    text = BOMBS[name]
    tracemalloc.start()
    try:
        began = time.process_time()
        with pytest.raises(GraphError):
            read(text)
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 << 20
    assert took < 1  # 0.1 s without tracing on a machine of its own


def test_a_giant_number_is_text() -> None:
    assert read(BOMBS["a giant number"])["a"] == "9" * 1_000_000


def test_a_giant_line_is_not_shown() -> None:
    with pytest.raises(GraphError) as caught:
        read("a: 1\n'a': '" + "x" * 1000 + "'\n")
    assert "x" not in str(caught.value).replace("g.yaml", "")


def test_it_is_read_without_libyaml_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = "a: &x [1, yes, '2']\nb: {c: *x, d: |\n  text\n  }\n".replace("|\n  text\n  ", "t")
    expected = read(text)
    monkeypatch.setattr(reader, "LOADER", yaml.SafeLoader)
    found = read(text)
    assert found == expected
    assert found.places == expected.places
    for wrong in ("a: [", "a: \x00", "a: \ud800", "- " * 1000, "a: b: c"):
        with pytest.raises(GraphError):
            read(wrong)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except GraphError as error:
        assert error.problems  # noqa: PT017 - both outcomes are right


@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@`?<~01. \n\t", max_size=60))
def test_any_text_of_signs_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except GraphError as error:
        assert error.problems  # noqa: PT017 - both outcomes are right


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), TREES, max_size=5))
def test_json_is_read_as_it_is(tree: dict[str, Any]) -> None:
    import json

    text = json.dumps(tree)
    if "\\ud" in text:  # halves of pairs: in YAML nobody can write them
        return
    found = read(text)
    assert plain(found) == tree
    assert_places(found)


def assert_places(value: Any) -> None:
    if isinstance(value, Map):
        assert len(value.places) == 2 * len(value)
        for inner in value.values():
            assert_places(inner)
    if isinstance(value, Seq):
        assert len(value.places) == len(value)
        for inner in value:
            assert_places(inner)
