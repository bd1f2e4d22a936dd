"""`${{ }}`: constants and what is received."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declarations import Map, Source, plain
from setpoint.errors import GraphError, Problem
from setpoint.graphfile import convert, reader
from setpoint.graphfile.cells import Context
from setpoint.graphfile.known import Known
from setpoint.graphfile.references import Scope
from setpoint.values import Ref, Text


def scope(variables: str = "{}") -> Scope:
    return read(variables)[0]


def read(variables: str) -> tuple[Scope, list[Problem]]:
    source = Source("g.yaml", variables)
    root = reader.load(source)
    assert isinstance(root, Map)
    context = Context(source, Known())
    made = Scope(context)
    made.expect(root)
    for name, value, _, at in root.entries():
        made.define(name, value, at)
    return made, context.into.problems


def value(text: str, variables: str = "{}") -> Any:
    made, problems = read(variables)
    result = made.text(text, 0)
    assert problems == []
    return result


def test_alone_it_keeps_its_type() -> None:
    assert value("${{ vars.a }}", "{a: 5}") == 5
    assert plain(value("${{vars.a}}", "{a: [1, {b: true}]}")) == [1, {"b": True}]


def test_within_text_it_is_formatted() -> None:
    variables = "{n: 5, t: true, e: null, s: x y}"
    assert value("<${{ vars.n }} ${{ vars.t }}${{ vars.e }} ${{ vars.s }}>", variables) == (
        "<5 true x y>"
    )


def test_a_path_leads_into_maps() -> None:
    assert value("${{ vars.a.b.c }}", "{a: {b: {c: deep}}}") == "deep"


def test_a_var_may_use_those_above_it() -> None:
    assert value(
        "${{ vars.c }}", "{a: 1, b: 'x${{ vars.a }}', c: '${{ vars.b }}${{ vars.b }}'}"
    ) == ("x1x1")


def test_a_doubled_dollar_stands_for_the_sign_itself() -> None:
    assert value("$${{ vars.a }}") == "${{ vars.a }}"
    assert value("a $${{ b ${{ vars.x }}$${{", "{x: 1}") == "a ${{ b 1${{"
    assert value("$$${{") == "$${{"


@pytest.mark.parametrize("text", ["{{ x }}", "$x", "${x}", "$ {{ x }}", "}}", "$", "{{"])
def test_other_braces_are_left_alone(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_sent_value_is_a_reference(quote: str) -> None:
    assert value(f"${{{{ send[{quote}file /a b{quote}].size }}}}") == Ref("file /a b", "size")


def test_a_name_in_quotes_may_hold_what_ends_an_expression() -> None:
    assert value("${{ send[\"noop a}} 'b'\"].x }}") == Ref("noop a}} 'b'", "x")


def test_text_around_a_sent_value_is_kept_in_order() -> None:
    text = "a ${{ vars.v }} ${{ send['x y'].z }}${{ send['x y'].w }} $${{"
    assert value(text, "{v: 1}") == Text(("a 1 ", Ref("x y", "z"), Ref("x y", "w"), " ${{"))


def test_a_var_may_stand_for_a_sent_value() -> None:
    assert value("<${{ vars.b }}>", "{a: \"${{ send['x y'].z }}\", b: '${{ vars.a }}!'}") == Text(
        ("<", Ref("x y", "z"), "!>")
    )


def problems(variables: str) -> list[Problem]:
    return read(variables)[1]


DOUBLING_TEXT = "{a0: xxxxxxxxxx, " + ", ".join(
    f"a{n + 1}: '${{{{ vars.a{n} }}}}${{{{ vars.a{n} }}}}'" for n in range(60)
)
DOUBLING_LIST = "{a0: [x], " + ", ".join(
    f"a{n + 1}: ['${{{{ vars.a{n} }}}}', '${{{{ vars.a{n} }}}}']" for n in range(60)
)
NESTING = "{a0: [x], " + ", ".join(f"a{n + 1}: ['${{{{ vars.a{n} }}}}']" for n in range(3000))


@pytest.mark.parametrize("bomb", [DOUBLING_TEXT, DOUBLING_LIST, NESTING])
def test_constants_that_explode_are_refused_at_once(bomb: str) -> None:
    began = time.process_time()
    found = problems(bomb + "}")
    assert time.process_time() - began < 2  # 0.2 s on a machine of its own
    assert found


def test_many_that_do_not_end_are_refused_at_once() -> None:
    began = time.process_time()
    with pytest.raises(GraphError, match="is not closed"):
        convert("resources: {noop a: {comment: '" + "${{ " * 200_000 + "'}}", "g.yaml")
    assert time.process_time() - began < 2


@given(st.text(alphabet="${} varsend[]'\"._x\\n", max_size=40))
def test_any_text_has_a_value_or_a_problem(text: str) -> None:
    made = scope("{x: 1}")
    made.text(text, 0)


@given(st.text())
def test_escaped_text_stands_for_itself(text: str) -> None:
    assert value(text.replace("${{", "$${{")) == text
