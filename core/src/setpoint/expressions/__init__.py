"""Expressions of graph files: a closed part of Python's, bounded in time and memory, over values that may be unknown.

An expression is parsed by Python's own parser, and each node of its tree becomes a small function (`building`), so that
what has none cannot be said. What it reads is known before it is evaluated (`Expression.paths`). A value that has not
arrived yet is `UNKNOWN`, which makes what depends on it unknown. A secret makes everything secret that it touches. What
resources send is there only later: an expression over it keeps all else that it reads, and waits (`received`).

Most graph files have no expressions, so the language is loaded when the first one is met.
"""

from typing import TYPE_CHECKING

from setpoint.expressions.faults import OPEN, UNKNOWN, ExpressionError, Unknown
from setpoint.lazily import lazy

if TYPE_CHECKING:
    from setpoint.expressions.code import ROOTS
    from setpoint.expressions.expression import Expression
    from setpoint.expressions.template import Template
    from setpoint.expressions.timed import State

_HOMES = {"Expression": "expression", "ROOTS": "code", "State": "timed", "Template": "template"}

__all__ = [
    "OPEN",
    "ROOTS",
    "UNKNOWN",
    "Expression",
    "ExpressionError",
    "State",
    "Template",
    "Unknown",
]

__getattr__ = lazy(__name__, _HOMES)
