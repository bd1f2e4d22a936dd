"""`pick` and `where`: what is written with `if` in Python, of expressions."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from setpoint.expressions import ROOTS
from setpoint.program.terms import ATOM, CHOICE, OR, Expression, operand, written

_TAKEN = frozenset({*ROOTS, "true", "false", "null"})
_ITEMS: ContextVar[frozenset[str]] = ContextVar("setpoint_items", default=frozenset())


def pick(condition: Any, one: Any, other: Any) -> Any:
    """Return what is `one` while `condition` is true, else `other`."""
    if isinstance(condition, bool):
        return one if condition else other
    if not isinstance(condition, Expression):
        raise TypeError(f"pick takes an expression, or true or false, not {condition!r}")
    text = f"{operand(one, OR)} if {operand(condition, OR)} else {operand(other, CHOICE)}"
    return Expression(text, CHOICE)


def where(items: Any, condition: Callable[[Any], Any]) -> Any:
    """Return those of `items`, a list, for which `condition` is true; it is called with an expression of one."""
    return _listed(items, condition, is_filter=True)


def mapped(function: Callable[[Any], Any], items: Any) -> Any:
    """Return what `function` makes of each of `items`, a list; it is called with an expression of one."""
    return _listed(items, function, is_filter=False)


def _listed(items: Any, function: Callable[[Any], Any], *, is_filter: bool) -> Any:
    if not isinstance(items, Expression):
        found = ((item, function(item)) for item in items)
        return [item if is_filter else made for item, made in found if made or not is_filter]
    name = _name(function)
    token = _ITEMS.set(_ITEMS.get() | {name})
    try:
        made = function(Expression(name, ATOM))
    finally:
        _ITEMS.reset(token)
    source = operand(items, OR)
    if is_filter:
        return Expression(f"[{name} for {name} in {source} if {operand(made, OR)}]", ATOM)
    return Expression(f"[{written(made)} for {name} in {source}]", ATOM)


def _name(function: Callable[[Any], Any]) -> str:
    """Return what the item is called in the expression: as the program calls it, if that is free."""
    code = getattr(function, "__code__", None)
    name = code.co_varnames[0] if code is not None and code.co_argcount else "item"
    while name in _TAKEN or name in _ITEMS.get():
        name += "_"
    return name
