"""`${{ … }}` in values: expressions over constants, facts and what other resources send.

Alone in a value it keeps its type, within text it is formatted. `$${{` stands for `${{` itself, and `{{ }}` belongs to
the templates that people put into files. What is sent is known only while the graph runs: an expression that reads it
has its value then.

What expressions make of a file is bounded, like aliases: a text of them that grows by doubling is refused, not built.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from setpoint.declarations import Map, Seq
from setpoint.declarations.types import show
from setpoint.errors import Place, suggest
from setpoint.expressions import OPEN, UNKNOWN, Expression, ExpressionError, Template
from setpoint.expressions.received import SENT, check_sent, evaluate
from setpoint.graphfile.cells import GROWTH, Context
from setpoint.graphfile.combining import Piece, adjacent_joined, length, measure, missing
from setpoint.graphfile.known import SHARED, is_same
from setpoint.graphfile.reader import MAX_DEPTH
from setpoint.graphfile.views import View
from setpoint.values import Received, Secret, Text, as_text, joined, reveal

TO_TEXT = 'write json(...), or ", ".join(...) of its items'
NAMELESS = "an item of for_each has no name for each.key or functions over time; name it, or take a field of each.value"
KEPT = (Received, Secret)  # parts of a text that stay apart from the rest
PER_VALUE = 20  # characters that a value in a list or map counts for
ROOTS = ("vars", "inputs", "facts", "each", "env", "send", "secrets", "world", "host", "hosts")
LIVE = frozenset({"facts", "secrets", "world", "hosts"})  # what may change at any time


class _WrongError(Exception):
    """An expression cannot be used.

    Args:
        expression: where to put the caret, as it is written.
        message: what is wrong.

    """

    def __init__(self, expression: str, message: str) -> None:
        super().__init__(message)
        self.expression = expression


class Scope:
    """What expressions in one file can name, and their values.

    Args:
        context: what is evaluated now, and what is known.

    facts: the names that this file has for facts, to their names among all.
    secrets: those of the secrets that it declares.
    each: the item for which a resource is declared now, with `key` and `value`; empty outside of `for_each`.
    each_is_live: whether there may be other items at another time.

    """

    def __init__(self, context: Context) -> None:
        self._context, self.source = context, context.source
        self.facts: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.each: Mapping[str, Any] = {}
        self.each_is_live = False
        self._own: dict[str, dict[str, Any]] = {"vars": {}, "inputs": {}}
        self._live: set[str] = set()  # of those, what may change at any time
        self._later: frozenset[str] = frozenset()
        known = context.known
        self._names: dict[str, Any] = {
            **self._own,
            "env": MappingProxyType(os.environ),
            "facts": View(lambda name: known[self.facts.get(name, name)]),
            "secrets": View(lambda name: known[self.secrets[name]]),
            "world": View(known.published),
            "host": known.host,
        }

    def expect(self, names: Iterable[str]) -> None:
        """Know that there will be vars `names`; each may use those above it."""
        self._later = frozenset(names)

    def define(self, name: str, written: Any, at: int) -> Iterable[str]:
        """Take over the var `name`; return what has another value because of that."""
        return self.assign(
            "vars", name, self.value(written, at), is_live=self._context.cell.is_live
        )

    def assign(self, root: str, name: str, value: Any, *, is_live: bool) -> Iterable[str]:
        """Let `name` below `root`, vars or inputs, be `value`; return what has another value now."""
        own, full = self._own[root], f"{root}.{name}"
        if is_live:
            self._live.add(full)
        if name in own and is_same(own[name], value):
            return ()
        own[name] = value
        return (root, full)

    def value(self, value: Any, at: int, depth: int = 0) -> Any:
        """Return `value`, written at the place `at`, with every expression in it replaced.

        Returns:
            A `Ref`, or a `Text`, for what is received; `UNKNOWN` if it depends on a fact that is;
            `msgspec.UNSET` if something is wrong, which is reported.

        """
        if isinstance(value, str):
            return self.text(value, at, depth) if OPEN in value else value
        if isinstance(value, Map):
            return self._map(value, depth + 1)
        return self._seq(value, depth + 1) if isinstance(value, Seq) else value

    def _map(self, tree: Map, depth: int) -> Any:
        result = Map.new(tree.at)
        for key, value, key_at, at in tree.entries():
            result.put(key, self.value(value, at, depth), key_at, at)
        return missing(result.values(), result)

    def _seq(self, items: Seq, depth: int) -> Any:
        result = Seq.new(items.at)
        for item, at in items.entries():
            result.put(self.value(item, at, depth), at)
        return missing(result, result)

    def text(self, text: str, at: int, depth: int = 0) -> Any:
        """Return what the text stands for, see `value`."""
        try:
            parts = [self._part(part, at) for part in Template(text).parts]
            if len(parts) == 1 and not isinstance(parts[0], str):
                return self._whole(parts[0][0], parts[0][1], depth)
            return self._joined(parts)
        except (_WrongError, ExpressionError) as error:
            return self._refused(error, text, at)

    def condition(self, text: str, at: int) -> Any:
        """Return the value of a bare expression, which may stand in `${{ }}` as well; see `value`."""
        if text.strip().startswith(OPEN):
            return self.text(text.strip(), at)
        try:
            return self._evaluate(Expression(text), at)
        except (_WrongError, ExpressionError) as error:
            return self._refused(error, text, at)

    def _refused(self, error: "_WrongError | ExpressionError", text: str, at: int) -> Any:
        """Report `error`; one that came of what may change is like a value that is not known."""
        if isinstance(error, _WrongError):
            start, fragment = text.find(error.expression), error.expression
        else:
            start, fragment = error.start, text[error.start : error.end]
        place = self.source.inside(at, text, max(start, 0))
        if place is None:
            place = self.source.locate(at, fragment, 2 * len(text) + 100)
        problem = self.source.problem(place, str(error))
        is_of_values = isinstance(error, ExpressionError) or self._context.is_lenient
        if is_of_values and self._may_change(text):
            self._context.into.troubles.append(problem)
            return UNKNOWN
        self._context.into.problems.append(problem)
        return msgspec.UNSET

    def _may_change(self, text: str) -> bool:
        """Whether the value of `text` may be another one at another time, as far as it can be read."""
        try:
            paths = Template(text).paths if OPEN in text else Expression(text).paths
        except ExpressionError:
            return False
        return any(self._is_live(path) for path in paths)

    def _is_live(self, path: tuple[str, ...]) -> bool:
        if path[0] == "each":
            return self.each_is_live
        return path[0] in LIVE or ".".join(path[:2]) in self._live

    def _part(self, part: str | Expression, at: int) -> Any:
        if isinstance(part, str):
            return part
        return self._evaluate(part, at), part.source

    def _evaluate(self, expression: Expression, at: int) -> Any:
        for path in expression.paths:
            if path[0] == SENT:
                self._check_sent(expression)
                continue
            self._check(path, expression, at)
            if self._own.get(path[0], {}).get("".join(path[1:2])) is msgspec.UNSET:
                return msgspec.UNSET  # what is wrong with it is said already
        state = None
        if expression.is_timed:
            state = self._context.state(expression.source, self.each.get("key"))
        self._context.cell.fields |= expression.fields
        names, placed = self._names_for(expression), self._placed(expression, at)
        return evaluate(expression, names, placed, state)

    def _names_for(self, expression: Expression) -> Mapping[str, Any]:
        """Return what `expression` can name; hosts are gone through for those only that ask for them."""
        self._names["each"] = self.each
        if any(path[0] == "hosts" for path in expression.paths):
            return {**self._names, "hosts": self._context.known.hosts}
        return self._names

    def _check_sent(self, expression: Expression) -> None:
        """Refuse what cannot be received, whatever the facts are."""
        try:
            check_sent(expression)
        except ExpressionError as error:
            raise _WrongError(expression.source, str(error)) from None

    def _placed(self, expression: Expression, at: int) -> Callable[[], Place]:
        """Return what tells where `expression` is written; few ask."""
        return lambda: self.source.place(self._located(expression, expression.source, at))

    def _check(self, path: tuple[str, ...], expression: Expression, at: int) -> None:
        """Refuse what cannot be named here; note what is read."""
        root, rest = path[0], path[1:]
        if root not in ROOTS:
            known = f"there are {', '.join(ROOTS)}"
            raise _WrongError(root, f"there is no {root!r} here; {known}")
        if root == "each":
            if not self.each:
                raise _WrongError("each", "each is there beside for_each only; add one")
            is_told = rest[:1] == ("key",) or expression.is_timed
            if is_told and self.each["key"] in ("", None):
                raise _WrongError("each", NAMELESS)
        elif root in ("facts", "secrets", "world") and not rest:
            told = {"facts": "a fact", "secrets": "a secret", "world": "what is published"}
            raise _WrongError(root, f"{told[root]} is named; write {root}.NAME")
        elif root in self._own and rest and rest[0] not in self._own[root]:
            self._refuse_missing(root, rest[0], expression)
        elif root not in ("env", "host"):
            name = self._noted(root, rest, expression, at)
            self._context.note(path, name, is_live=self._is_live(path))

    def _refuse_missing(self, root: str, name: str, expression: Expression) -> None:
        if root == "vars" and name in self._later:
            what = f"vars.{name} is not known here; a var can only use those above it"
            raise _WrongError(f"vars.{name}", what)
        if root == "inputs":
            hint = suggest(name, self._own[root]) or "declare it under inputs:"
            raise _WrongError(expression.source, f"this file has no input {name!r}; {hint}")

    def _noted(self, root: str, rest: tuple[str, ...], expression: Expression, at: int) -> str:
        """Return on what a path depends, and have the facts followed that it needs."""
        if root in self._own:
            return ".".join((root, *rest[:1]))
        if root == "facts":
            name = self.facts.get(rest[0], rest[0])
        elif root == "secrets":
            if rest[0] not in self.secrets:
                hint = suggest(rest[0], self.secrets) or "declare it under secrets:"
                raise _WrongError(expression.source, f"there is no secret {rest[0]!r}; {hint}")
            name = self.secrets[rest[0]]
        else:
            from setpoint.graphfile.shared import follow

            follow(self._context, self._located(expression, expression.source, at))
            return SHARED
        place = self._located(expression, ".".join((root, *rest)), at)
        self._context.into.reads.setdefault((name, *rest[1:]), (self.source, place))
        return name

    def _located(self, expression: Expression, fragment: str, at: int) -> int:
        """Return where `fragment` of `expression` is written, in the value at the place `at`."""
        return self.source.locate(at, fragment, 2 * len(expression.source) + 100)

    def _whole(self, value: Any, expression: str, depth: int) -> Any:
        """Return `value`, which stands alone; lists and maps count, for they are copied later."""
        count, height = measure(value)
        if height + depth > MAX_DEPTH:
            raise _WrongError(expression, f"nested more than {MAX_DEPTH} deep, with what is in it")
        if height:
            self._spend(count * PER_VALUE, expression)
        return value

    def _joined(self, parts: list[Any]) -> Any:
        """Return the text of `parts`, a `Text` if some of it is received."""
        pieces: list[Piece] = []
        for part in parts:
            value, expression = (part, "") if isinstance(part, str) else part
            if value is msgspec.UNSET or value is UNKNOWN:
                return value
            if isinstance(reveal(value), (list, dict, msgspec.Struct)):
                what = f"{expression} is {show(value)}, and no part of a text"
                raise _WrongError(expression, f"{what}; {TO_TEXT}")
            inner = value.parts if isinstance(value, Text) else (value,)
            pieces += [piece if isinstance(piece, KEPT) else as_text(piece) for piece in inner]
            self._spend(sum(map(length, pieces[-len(inner) :])), expression)
        text = Text(adjacent_joined(pieces))
        if any(isinstance(part, Received) for part in text.parts):
            return text
        return joined(text.parts)

    def _spend(self, characters: int, expression: str) -> None:
        if not self._context.spend(characters):
            what = f"expressions make this file more than {GROWTH} times as long as it is written"
            raise _WrongError(expression, what)
