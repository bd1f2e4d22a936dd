"""Expressions that Python's operators build: what they mean, and what is refused."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import facts, fn, pick, where
from setpoint.declarations import Source
from setpoint.expressions import Expression as Compiled
from setpoint.graphfile.cells import Context
from setpoint.graphfile.known import Known
from setpoint.graphfile.references import Scope
from setpoint.program import Expression
from setpoint.program.terms import written
from setpoint.program.values import declared

NAMES = {"a": 3, "b": -2, "c": 5.5, "yes": True, "no": False}
ITEMS = [{"name": "x", "used": 95}, {"name": "y", "used": 10}]


def evaluated(expression: Any) -> Any:
    """Return what the language makes of an expression with `NAMES` as facts."""
    known = {
        **NAMES,
        "items": ITEMS,
        "text": 'say "hi"',
        "none": None,
        "map": {"class": 1, "a b": 2},
    }
    return Compiled(written(expression)).evaluate({"facts": known})


def read(text: str, known: dict[str, Any]) -> Any:
    """Return what a text of a program stands for as one of a graph file, with `known` as facts."""
    text = declared(text, 0)
    return Scope(Context(Source("g.yaml", text), Known(known))).text(text, 0)


NUMBERS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
TESTS: dict[str, Callable[..., Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
JOINS: dict[str, Callable[..., Any]] = {"&": operator.and_, "|": operator.or_}

Pair = tuple[Any, Any]  # an expression, and what Python makes of the same operators


def leaf(name: str) -> st.SearchStrategy[Pair]:
    return st.just((getattr(facts, name), NAMES[name]))


def applied(functions: dict[str, Callable[..., Any]], one: Pair, sign: str, other: Pair) -> Pair:
    function = functions[sign]
    return function(one[0], other[0]), function(one[1], other[1])


def chosen(condition: Pair, one: Pair, other: Pair) -> Pair:
    return pick(condition[0], one[0], other[0]), one[1] if condition[1] else other[1]


def larger_numbers(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    joined = st.builds(applied, st.just(NUMBERS), inner, st.sampled_from([*NUMBERS]), inner)
    return joined | inner.map(lambda pair: (-pair[0], -pair[1]))


CONSTANTS = st.integers(-9, 9).map(lambda number: (Expression(str(number)), number))
SMALL = st.recursive(leaf("a") | leaf("b") | leaf("c") | CONSTANTS, larger_numbers, max_leaves=6)
COMPARED = st.builds(applied, st.just(TESTS), SMALL, st.sampled_from([*TESTS]), SMALL)


def larger_conditions(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    joined = st.builds(applied, st.just(JOINS), inner, st.sampled_from([*JOINS]), inner)
    return joined | inner.map(lambda pair: (~pair[0], not pair[1]))


CONDITIONS = st.recursive(COMPARED | leaf("yes") | leaf("no"), larger_conditions, max_leaves=6)
ANY = (
    SMALL
    | CONDITIONS
    | st.builds(chosen, CONDITIONS, SMALL, st.builds(chosen, CONDITIONS, SMALL, SMALL))
)


@given(ANY)
def test_an_expression_means_what_pythons_operators_mean(pair):
    expression, value = pair
    assert evaluated(expression) == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(-1e6, 1e6)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES)
def test_a_value_of_python_means_the_same_in_an_expression(value):
    assert Compiled(written([value])).evaluate({}) == [value]


@given(st.lists(st.sampled_from(["$", "${{", "}}", "{", "'", '"', "a", "\n", "\\", 0, 1])))
def test_a_text_stays_what_it_is_around_the_values_in_it(pieces):
    values = [facts.a, facts.text]
    text = "".join(piece if isinstance(piece, str) else f"{values[piece]}" for piece in pieces)
    known = {"a": 3, "text": "say"}
    meant = "".join(p if isinstance(p, str) else str([*known.values()][p]) for p in pieces)
    assert read(text, known) == meant
    assert Compiled(written([text])).evaluate({"facts": known}) == [meant]


@pytest.mark.parametrize(
    ("expression", "text", "value"),
    [
        (facts.map["class"], 'facts.map["class"]', 1),
        (getattr(facts.map, "class"), 'facts.map["class"]', 1),
        (facts.items[0].name, "facts.items[0].name", "x"),
        (facts.items[:1], "facts.items[:1]", ITEMS[:1]),
        (facts.items[facts.a - 2].name.upper(), "facts.items[facts.a - 2].name.upper()", "Y"),
        (1 + facts.a // 2, "1 + facts.a // 2", 2),
        (2 * (1 + facts.a), "2 * (1 + facts.a)", 8),
        (10 - (facts.a - 1), "10 - (facts.a - 1)", 8),
        (-(facts.a + 1) % 3, "-(facts.a + 1) % 3", 2),
        (7 / facts.a + 7 % facts.a - 7 // facts.a, "7 / facts.a + 7 % facts.a - 7 // facts.a", 7 / 3 - 1),
        (abs(facts.b) + round(facts.c), "abs(facts.b) + round(facts.c)", 8),
        (round(facts.c, 1), "round(facts.c, 1)", 5.5),
        (+facts.a, "+facts.a", 3),
        ("<" + facts.text[0] + ">", '"<" + facts.text[0] + ">"', "<s>"),
        ("ab" * facts.a, '"ab" * facts.a', "ababab"),
        ((facts.a > 1) == facts.yes, "(facts.a > 1) == facts.yes", True),
        (facts.none == None, "facts.none == null", True),  # noqa: E711 - `is` has no operator
        (where(facts.items, lambda d: d.used > 90), "[d for d in facts.items if d.used > 90]", ITEMS[:1]),
        (fn.map(lambda d: d.name + "!", facts.items), '[d.name + "!" for d in facts.items]', ["x!", "y!"]),
        (fn.map(lambda d: f"{d.name}!", facts.items), '[str(d.name) + "!" for d in facts.items]', ["x!", "y!"]),
        (fn.contains(facts.map, "a b"), '"a b" in facts.map', True),
        (fn.max(facts.items, key="used").name, 'max(facts.items, key="used").name', "x"),
        (fn.len(where(facts.items, lambda d: ~(d.used > 90))), None, 1),
        (where([1, 5], lambda number: number > 3), "[5]", [5]),
        (pick(True, "now", facts.a), '"now"', "now"),
    ],
)  # fmt: skip
def test_the_text_reads_as_somebody_would_write_it(expression, text, value):
    assert text in (None, written(expression))
    assert evaluated(expression) == value


def test_items_within_items_have_names_of_their_own():
    def others(one: Any) -> Any:
        return where(facts.items, lambda d: d.used > one.used)

    found = where(facts.items, lambda d: fn.len(others(d)) > 0)
    assert evaluated(found) == ITEMS[1:]


@pytest.mark.parametrize(
    ("spec", "text"), [(".2f", "3.00"), (">4", "   3"), ("'^5", "''3''"), ('"<3', '3""'), ("04", "0003")]
)  # fmt: skip
def test_a_format_is_that_of_python(spec, text):
    assert read(f"{facts.a:{spec}}", NAMES) == text


def test_what_looks_like_an_expression_and_comes_from_elsewhere_is_text():
    assert declared("${{ env.HOME }} ${{", 0) == "$${{ env.HOME }} $${{"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: bool(facts.a > 4), r"facts\.a > 4 is known only while .* no truth value; write `with when"),
        (lambda: facts.a > 4 and facts.b, "& | ~ for and, or, not"),
        (lambda: not facts.a, "has no truth value"),
        (lambda: 1 < facts.a < 4, r"\(a < b\) & \(b < c\)"),
        (lambda: facts.a > 4 & facts.b, r"& joins conditions, not 4; put comparisons in parentheses"),
        (lambda: facts.a == 4 | facts.b, r"\| joins conditions, not 4"),
        (lambda: list(facts.items), r"facts\.items is .* cannot be gone through; write `with each"),
        (lambda: [*where(facts.items, lambda d: d.x)], "cannot be gone through"),
        (lambda: 3 in facts.items, r"cannot be searched; write fn\.contains"),
        (lambda: len(facts.items), r"no length; write fn\.len"),
        (lambda: int(facts.a), r"no number; write fn\.int"),
        (lambda: float(facts.a), r"no number; write fn\.float"),
        (lambda: range(facts.a), r"no number; write fn\.range"),
        (lambda: {facts.a: 1}, "unhashable"),
        (lambda: facts.a + float("inf"), "inf cannot be written"),
        (lambda: facts.a + object(), "cannot be written in an expression; give text"),
        (lambda: f"{facts.a['x'] + facts.b[chr(34)]:.2f}", "too much for a format"),
        (lambda: pick(1, 2, 3), "pick takes an expression, or true or false, not 1"),
    ],
)  # fmt: skip
def test_what_needs_a_value_is_refused_with_the_cure(wrong, message):
    with pytest.raises(TypeError, match=message):
        wrong()


def test_a_function_that_does_not_exist_is_named():
    with pytest.raises(
        AttributeError, match="expressions have no function 'lenn'; did you mean 'len'"
    ):
        _ = fn.lenn
    with pytest.raises(AttributeError, match=r"no '_x'; write \['_x'\]"):
        _ = facts.a._x


def test_an_expression_shows_itself():
    assert repr(facts.load.x1 > 4) == "<facts.load.x1 > 4>"
