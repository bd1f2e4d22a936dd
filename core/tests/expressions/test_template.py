"""Text with expressions in it."""

from typing import Any

import pytest

from setpoint.expressions import UNKNOWN, ExpressionError, Template
from setpoint.values import Secret


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{ a }} {% b %} ${c}", "{{ a }} {% b %} ${c}"),
        ("${{ vars.port }}", 8080),
        ("${{vars.list}}", [3, 1, 2]),
        ("${{ facts.silent }}", UNKNOWN),
        (" ${{ vars.port }}", " 8080"),
        ("a${{ vars.ok }}b${{ vars.none }}c", "atruebc"),
        ("x${{ facts.silent }}", UNKNOWN),
        ("$${{ vars.port }}", "${{ vars.port }}"),
        ("$${{ ${{ vars.port }} }}", "${{ 8080 }}"),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ {'a': {'b': 1}}}}", {"a": {"b": 1}}),
        ("${{ '}}' + \"{\" }}", "}}{"),
        ("${{ 'it\\'s }}' }}", "it's }}"),
        ("${{ f'{vars.port}' }}}}", "8080}}"),
        ("${{\n  vars.port\n}}", 8080),
    ],
)
def test_a_text_stands_for_its_value(text: str, value: Any, names: dict[str, object]) -> None:
    found = Template(text).evaluate(names)
    assert (found, type(found)) == (value, type(value))


def test_a_text_with_a_secret_in_it_is_one(names: dict[str, object]) -> None:
    found = Template("password=${{ secrets.db }};").evaluate(names)
    assert isinstance(found, Secret)
    assert found.reveal() == "password=hunter22;"


@pytest.mark.parametrize(
    ("text", "fault", "message"),
    [
        ("a ${{ vars.prt }}", "prt", "there is no 'prt' in vars; did you mean 'port'?"),
        ("ä${{ 1 +  }}", "+", "the expression ends too early"),
        ("a ${{ b", "${{ b", "${{ is not closed; add }}, or write $${{ for itself"),
        ("${{ 'a }}", "'a }}", "unterminated string literal; end the text with the quote that"
         " begins it"),
        ("x ${{ }}", "", "an expression is missing; write one, such as facts.load.x1 > 4"),
        ("x ${{ hosts }}", "hosts", "hosts is a list, and no part of a text; write json(...), or "
         '", ".join(...) of its items'),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_text_is_told_with_its_place(
    text: str, fault: str, message: str, names: dict[str, object]
) -> None:
    with pytest.raises(ExpressionError) as error:
        Template(text, at=50).evaluate(names)
    assert str(error.value) == message
    assert text[error.value.start - 50 : error.value.end - 50].startswith(fault[:1])


def test_what_a_text_reads_is_known() -> None:
    template = Template("${{ vars.a }} ${{ facts.b + vars.a }}")
    assert template.paths == (("vars", "a"), ("facts", "b"))
    assert template.is_live
    assert not template.is_timed
    assert not Template("$${{ a }}").is_live


def test_expressions_cannot_make_a_huge_text_together() -> None:
    template = Template("${{ vars.text }}" * 3, at=10)
    with pytest.raises(ExpressionError, match="more than 1,000,000 characters") as error:
        template.evaluate({"vars": {"text": "a" * 400_000}})
    assert (error.value.start, error.value.end) == (14, 23)
