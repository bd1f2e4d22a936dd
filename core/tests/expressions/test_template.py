"""Text with expressions in it is taken apart."""

import pytest

from setpoint.expressions import Expression, ExpressionError, Template


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        ("plain", ["plain"]),
        ("{{ a }} {% b %} ${c}", ["{{ a }} {% b %} ${c}"]),
        ("${{ vars.a }}", [("vars.a", 4)]),
        ("${{vars.a}}", [("vars.a", 3)]),
        (" ${{ vars.a }}", [" ", ("vars.a", 5)]),
        ("a${{ vars.b }}c${{ vars.d }}e", ["a", ("vars.b", 5), "c", ("vars.d", 19), "e"]),
        ("$${{ vars.a }}", ["${{", " vars.a }}"]),
        ("$${{ ${{ vars.a }} }}", ["${{", " ", ("vars.a", 9), " }}"]),
        ("${{ {'a': {'b': 1}} }}", [("{'a': {'b': 1}}", 4)]),
        ("${{ {'a': {'b': 1}}}}", [("{'a': {'b': 1}}", 4)]),
        ("${{ '}}' + \"{\" }}", [("'}}' + \"{\"", 4)]),
        ("${{ 'it\\'s }}' }}", [("'it\\'s }}'", 4)]),
        ("${{ f'{vars.a}' }}}}", [("f'{vars.a}'", 4), "}}"]),
        ("${{\n  vars.a\n}}", [("vars.a", 6)]),
    ],
)
def test_a_text_has_text_and_expressions(text: str, parts: list[str | tuple[str, int]]) -> None:
    found = Template(text).parts
    assert [(one.source, one.at) if isinstance(one, Expression) else one for one in found] == parts


@pytest.mark.parametrize(
    ("text", "fault", "message"),
    [
        ("ä${{ 1 +  }}", "+", "the expression ends too early"),
        ("a ${{ b", "${{ b", "${{ is not closed; add }}, or write $${{ for itself"),
        ("${{ 'a }}", "'a }}", "unterminated string literal; end the text with the quote that"
         " begins it"),
        ("x ${{ }}", "", "an expression is missing; write one, such as facts.load.x1 > 4"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_text_is_told_with_its_place(
    text: str, fault: str, message: str
) -> None:
    with pytest.raises(ExpressionError) as error:
        Template(text)
    assert str(error.value) == message
    assert text[error.value.start : error.value.end].startswith(fault[:1])


def test_what_a_text_reads_is_known() -> None:
    assert Template("${{ vars.a }} ${{ facts.b + vars.a }}").paths == (
        ("vars", "a"),
        ("facts", "b"),
    )
    assert Template("$${{ vars.a }}").paths == ()
