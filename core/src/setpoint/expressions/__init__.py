"""Expressions of graph files: a closed part of Python's, bounded in time and memory, over values that may be unknown.

An expression is parsed by Python's own parser, and each node of its tree becomes a small function (`building`), so that
what has none cannot be said. What it reads is known before it is evaluated (`Expression.paths`). A value that has not
arrived yet is `UNKNOWN`, which makes what depends on it unknown. A secret makes everything secret that it touches.
"""

from setpoint.expressions.code import ROOTS
from setpoint.expressions.expression import Expression
from setpoint.expressions.faults import UNKNOWN, ExpressionError, Unknown
from setpoint.expressions.template import OPEN, Template
from setpoint.expressions.timed import State

__all__ = [
    "OPEN",
    "ROOTS",
    "UNKNOWN",
    "Expression",
    "ExpressionError",
    "State",
    "Template",
    "Unknown",
    "compile",
]


def compile(source: str, *, at: int = 0) -> Expression:  # noqa: A001 - as `re.compile`
    """Return the expression `source`, which begins at the offset `at` of the text around it.

    Raises:
        ExpressionError: it is not in the language.

    """
    return Expression(source, at=at)
