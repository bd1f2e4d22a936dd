"""`with Graph(...)`, `with when(...)` and `with each(...)`: what holds for the resources that are declared within.

The block in which a program is at the moment belongs to its context, as of an asyncio task: two graphs do not mix.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.program.choices import pick
from setpoint.program.terms import ATOM, Expression, both

if TYPE_CHECKING:
    from setpoint.program.writing import Writing

Condition = Expression[bool] | bool


class Block(NamedTuple):
    """What holds here.

    writing: where resources are put.
    condition: all of `when` around this one, within `each` if there is one.
    items: what each resource is declared for; None: once.
    condition_at, items_at: the places of both in the program.
    """

    writing: "Writing"
    condition: Condition = True
    items: Any = None
    condition_at: int = 0
    items_at: int = 0


_BLOCK: ContextVar[Block | None] = ContextVar("setpoint_block", default=None)


def block() -> Block:
    """Return the block in which the program is.

    Raises:
        RuntimeError: it is in none.

    """
    found = _BLOCK.get()
    if found is None:
        raise RuntimeError(
            "there is no graph to declare this in; write `with Graph(...):` around it"
        )
    return found


@contextmanager
def within(inner: Block, given: Any = None) -> Iterator[Any]:
    """Let `inner` be the block; `with` gives what is `given`."""
    token = _BLOCK.set(inner)
    try:
        yield given
    finally:
        _BLOCK.reset(token)


def when(condition: Condition) -> AbstractContextManager[None]:
    """Declare what is within only while `condition` is true; one within another is both.

    While it is not known, what runs stays, and nothing begins.

    Raises:
        TypeError: it is neither an expression nor true or false.

    """
    if not isinstance(condition, (bool, Expression)):
        raise TypeError(f"when takes an expression, or true or false, not {condition!r}")
    outer = block()
    at = outer.writing.source.here()
    return within(outer._replace(condition=both(outer.condition, condition), condition_at=at))


class Each:
    """`with each(items) as item`: declare what is within for each item.

    key, value: the item, as expressions have it: the key of a map, of a list the item or its name; and what it is.
    """

    key: Any = Expression("each.key", ATOM)
    value: Any = Expression("each.value", ATOM)

    def __call__(self, items: Any) -> AbstractContextManager[Any]:
        """Declare what is within for each of `items`, a list or a map or an expression of one.

        `with` gives the item, which belongs into the name of each resource.

        Raises:
            TypeError: it is within another one.

        """
        outer = block()
        if outer.items is not None:
            cure = "go through one of them with `for`, or through pairs of both with this one"
            raise TypeError(f"each cannot be within each; {cure}")
        if not isinstance(items, (Expression, Mapping)):
            items = list(items)
        if isinstance(outer.condition, Expression):
            items = pick(outer.condition, items, [])
        at, condition = outer.writing.source.here(), outer.condition is not False
        inner = outer._replace(condition=condition, items=items, items_at=at)
        return within(inner, self.value)


each = Each()
