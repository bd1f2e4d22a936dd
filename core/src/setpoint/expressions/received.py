"""Expressions over what other resources send: their value is known only once those have run.

All else that such an expression reads has its value already, and keeps it: so two of them are equal if they are written
alike and read alike, and a graph in which nothing else is new is the one that runs.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from setpoint.errors import Place, SetpointError
from setpoint.expressions.code import Path
from setpoint.expressions.expression import Expression
from setpoint.expressions.faults import UNKNOWN, ExpressionError, NotReceivedError
from setpoint.expressions.frame import fields_of
from setpoint.expressions.timed import State
from setpoint.values import Received, Ref, refs_in, resolved

SENT: Final = "send"  # the name behind which is what resources send
_MISSING: Final = object()


class Computed(Received):
    """The value of `expression`, which reads what is received.

    Args:
        expression: it has no functions over time.
        names: what else it reads, by name: only that, for it is compared.
        place: where it is written, for errors; equal or not, it makes no difference.

    """

    def __init__(self, expression: Expression, names: Mapping[str, Any], place: Place) -> None:
        self.expression, self.names, self.place = expression, names, place

    @cached_property
    def refs(self) -> tuple[Ref, ...]:
        """What it receives, also by way of what it reads."""
        return tuple(dict.fromkeys((*_sent(self.expression), *refs_in(self.names))))

    @property
    def known(self) -> Mapping[str, Any]:
        """What it reads beside that."""
        return self.names

    def resolve(self, value_of: Callable[[Ref], Any]) -> Any:
        """Return the value, a Secret if one is in it.

        Raises:
            SetpointError: there is none, with what is received now.

        """
        names = resolved(self.names, value_of)
        sent: dict[str, dict[str, Any]] = {}
        names[SENT] = sent
        for ref in _sent(self.expression):
            sent.setdefault(ref.sender, {})[ref.field] = value_of(ref)
        try:
            value = self.expression.evaluate(names)
        except ExpressionError as error:
            raise SetpointError(f"{self._place(error)}: {error}") from None
        if value is UNKNOWN:
            raise SetpointError(f"{self.place}: {self} needs what is not known yet")
        return value

    def _place(self, error: ExpressionError) -> Place:
        """Return where in the file `error` is."""
        before = self.expression.source[: error.start - self.expression.at]
        if "\n" in before or not self.place.column:
            return self.place
        return self.place._replace(column=self.place.column + len(before))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Computed) and (self.expression.source, self.names) == (
            other.expression.source,
            other.names,
        )

    __hash__ = None  # type: ignore[assignment] # what it reads may be a list

    def __str__(self) -> str:
        return self.expression.source

    def __repr__(self) -> str:
        return f"Computed({self.expression.source!r})"


class _Later(Received):
    """Stands for all that is sent while an expression is evaluated."""

    refs = known = ()


_LATER: Final = _Later()


def evaluate(
    expression: Expression,
    names: Mapping[str, Any],
    place: Callable[[], Place],
    state: State | None = None,
) -> Any:
    """Return what `expression` is with `names`, a `Received` if it depends on something that is.

    Args:
        expression: what it reads of `send` has been checked by `check_sent`.
        names: see `Expression.evaluate`; without `send`.
        place: tells where it is written.
        state: see `Expression.evaluate`.

    Raises:
        ExpressionError: there is no value.

    """
    try:
        return expression.evaluate({**names, SENT: _LATER}, state=state)
    except NotReceivedError:
        pass
    if expression.lookup and expression.lookup[0] == SENT and len(expression.lookup) == 3:
        return Ref(*expression.lookup[1:])
    if expression.is_timed:
        raise _untimely(expression)
    kept = _kept(names, [path for path in expression.paths if path[0] != SENT])
    needed = (path for path in expression.paths if path not in expression.optional)
    if any(value is UNKNOWN for path in needed for value in _on(path, kept)):
        return UNKNOWN
    return Computed(expression, _nested(kept), place())


def check_sent(expression: Expression) -> None:
    """Check how `expression` reads what is sent.

    Raises:
        ExpressionError: it does not say what is sent, or looks at it over time.

    """
    for path in expression.paths:
        if path[0] == SENT and len(path) < 3:
            what = "what is received is written out"
            raise _placed(ExpressionError(what, 'write send["KIND NAME"].FIELD'), expression)
        if path[0] == SENT and expression.is_timed:
            raise _untimely(expression)


def _untimely(expression: Expression) -> ExpressionError:
    what = "functions over time look at facts, and not beside what is received"
    cure = "take what they give into a var of its own"
    return _placed(ExpressionError(what, cure), expression)


def _placed(error: ExpressionError, expression: Expression) -> ExpressionError:
    error.place(expression.at, expression.at + len(expression.source))
    return error


def _sent(expression: Expression) -> Iterator[Ref]:
    for path in expression.paths:
        if path[0] == SENT:
            yield Ref(path[1], path[2])


def _kept(names: Mapping[str, Any], paths: list[Path]) -> dict[Path, Any]:
    """Return what is at `paths`; what is above, where there is nothing, so that an error can tell what there is."""
    kept: dict[Path, Any] = {}
    for path in paths:
        value: Any = names
        for depth, key in enumerate(path):
            inner = _inner(value, key)
            if inner is _MISSING:
                path = path[:depth]
                break
            value = inner
        if path:
            kept[path] = dict(value) if len(path) == 1 and isinstance(value, Mapping) else value
    return {path: value for path, value in kept.items() if not _on(path[:-1], kept)}


def _on(path: Path, kept: Mapping[Path, Any]) -> list[Any]:
    """Return what of `kept` is met on the way along `path`."""
    return [kept[path[:end]] for end in range(1, len(path) + 1) if path[:end] in kept]


def _inner(value: Any, key: str) -> Any:
    fields = fields_of(value)
    try:
        return _MISSING if fields is None else fields[key]
    except KeyError:
        return _MISSING


def _nested(kept: Mapping[Path, Any]) -> dict[str, Any]:
    """Return maps in which each value is at its path."""
    names: dict[str, Any] = {}
    for path, value in kept.items():
        inner = names
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return names
