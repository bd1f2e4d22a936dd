"""What both have, an expression and Python, means the same in both."""

import builtins
import warnings
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.expressions import Expression, ExpressionError

NAMES: dict[str, Any] = {
    "vars": {"n": 7, "f": 2.5, "t": "a b,c", "l": [3, 1, 2], "m": {"a": 1, "b": [2, 3]}, "e": []},
    "hosts": ["web1", "web2", "db"],
}
WRONG = (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError)

NUMBERS = st.sampled_from(["0", "1", "2", "-3", "2.5", "n", "f", "True"])
TEXTS = st.sampled_from(["''", "'a'", "'b,c'", "t", "hosts[0]", "'x' * 3"])
LISTS = st.sampled_from(["[]", "[1, 2]", "l", "hosts", "list('abc')", "e", "[[1], [2]]"])
MAPS = st.sampled_from(["{}", "{'a': 1}", "m", "{x: x * 2 for x in l}"])
LEAVES = st.one_of(NUMBERS, TEXTS, LISTS, MAPS)
ARITHMETIC = ["+", "-", "*", "/", "//", "%"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
CALLS = [
    "len",
    "min",
    "max",
    "sum",
    "sorted",
    "any",
    "all",
    "abs",
    "int",
    "float",
    "bool",
    "list",
    "round",
]
METHODS = [
    ".upper()", ".title()", ".split()", ".split(',')", ".strip()", ".strip('a')", ".replace('a', 'bb')", ".find('b')",
    ".count('a')", ".startswith('a')", ".partition(',')", ".splitlines()", ".zfill(9)", ".center(9, '*')", ".isdigit()",
    ".rsplit(',', 1)", ".removeprefix('a')", ".index(1)", ".get('a', 0)", ".ljust(3)",
]  # fmt: skip


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return expressions made of those that `inner` gives."""
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.builds("({0[0]} {1} {0[1]})".format, pair, st.sampled_from(ARITHMETIC + COMPARISONS)),
        st.builds("({0[0]} {1} {0[1]})".format, pair, st.sampled_from(["and", "or"])),
        st.builds(
            "({0} {2} {1} {3} {0})".format, inner, inner, *[st.sampled_from(COMPARISONS)] * 2
        ),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("({0[0]} if {1} else {0[1]})".format, pair, inner),
        st.builds("[{0[0]}, {0[1]}]".format, pair),
        st.builds("({0[0]}, {0[1]})".format, pair),
        st.builds("{{'k': {0[0]}, 'v': {0[1]}}}".format, pair),
        st.builds("{1}({0})".format, inner, st.sampled_from(CALLS)),
        st.builds("({0}){1}".format, inner, st.sampled_from(METHODS)),
        st.builds("{0[0]}[{0[1]}]".format, pair),
        st.builds("{0[0]}[{1}:{0[1]}]".format, pair, NUMBERS),
        st.builds("[{0} for x in {1}]".format, st.sampled_from(["x", "(x, 1)", "[x] * 2"]), inner),
        st.builds("[y for x in {0} if {1} for y in {0}]".format, inner, inner),
        st.builds("{{str(i): x for i, x in enumerate({})}}".format, inner),
        st.builds("list(zip({0[0]}, {0[1]}))".format, pair),
        st.builds("sorted({}, reverse=True)".format, inner),
        st.builds(
            "f'{{{0}:>5}}{{{1}:05.2f}}'".format, TEXTS.map(lambda t: t.replace("'", '"')), NUMBERS
        ),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=12)


def as_values(source: str) -> Any:
    """Return what Python makes of `source`."""
    known = {name: getattr(builtins, name) for name in (*CALLS, "str", "zip", "enumerate")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "did you forget a comma?"
        return eval(source, {"__builtins__": known, **NAMES["vars"], "hosts": NAMES["hosts"]})


def ours(source: str) -> Any:
    # The names of Python's variables, as ours: they are bound by loops of one turn.
    bound = "".join(f" for {name} in [vars.{name}]" for name in NAMES["vars"])
    return Expression(f"[{source}{bound}][0]").evaluate(NAMES)


@settings(max_examples=1_000, deadline=None)
@given(EXPRESSIONS)
def test_what_both_can_say_is_the_same(source: str) -> None:
    try:
        mine = ours(source)
    except ExpressionError:
        return  # what is stricter here is in the table of errors
    theirs = as_values(source)
    assert repr(mine) == repr(theirs)


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS)
def test_what_python_refuses_is_refused(source: str) -> None:
    try:
        as_values(source)
    except WRONG:
        try:
            value = ours(source)
        except ExpressionError:
            return
        raise AssertionError(f"{source} is {value!r} here") from None
