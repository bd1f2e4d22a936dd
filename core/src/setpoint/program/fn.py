"""The functions of expressions: `fn.held(facts.load.x1 > 4, 30)`; all that graph files have, by the same names.

Beside them is what Python writes by signs that need a value: `fn.contains(items, item)` for `item in items`, and
`fn.map(function, items)` for `[function(item) for item in items]`.
"""

from functools import partial
from typing import Any

from setpoint.errors import suggest
from setpoint.program.choices import mapped
from setpoint.program.reading import reading
from setpoint.program.terms import COMPARISON, SUM, Expression, call, operand


def contains(items: Any, item: Any) -> Any:
    """Return whether `item` is an item of a list, a key of a map, or a part of a text."""
    return Expression(f"{operand(item, SUM)} in {operand(items, SUM)}", COMPARISON)


map = mapped  # noqa: A001 - it is what Python's is


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from setpoint.expressions import timed
    from setpoint.expressions.calls import KNOWN

    if name not in KNOWN:
        hint = suggest(name, KNOWN)
        raise AttributeError(
            f"expressions have no function {name!r}" + (f"; {hint}" if hint else "")
        )
    return partial(_timed if name in timed.FUNCTIONS else call, name)


def _timed(name: str, *args: Any) -> Any:
    if reading() is not None:
        cure = "declare what depends on it in a `with Graph(...)`"
        raise TypeError(f"{name} remembers, which a @graph function cannot; {cure}")
    return call(name, *args)
