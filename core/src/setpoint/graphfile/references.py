"""`${{ … }}` in values: expressions over constants, facts and what other resources send.

Alone in a value it keeps its type, within text it is formatted. `$${{` stands for `${{` itself, and `{{ }}` belongs to
the templates that people put into files. What is sent is known only while the graph runs, so it stands alone in an
expression.

What expressions make of a file is bounded, like aliases: a text of them that grows by doubling is refused, not built.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from setpoint.declarations import Declarations, Map, Seq, Source
from setpoint.declarations.types import show
from setpoint.errors import Place
from setpoint.expressions import OPEN, UNKNOWN, Expression, ExpressionError, Template
from setpoint.expressions.received import SENT, check_sent, evaluate
from setpoint.graphfile.known import Known
from setpoint.graphfile.reader import MAX_DEPTH
from setpoint.values import Received, Secret, Text, as_text, joined, reveal

FREE = 1_000_000  # characters that expressions may add to any file, however short
GROWTH = 10  # and in addition, how many times the length of the file
PER_VALUE = 20  # characters that a value in a list or map counts for
KEPT = (Received, Secret)  # parts of a text that stay apart from the rest
TO_TEXT = 'write json(...), or ", ".join(...) of its items'
ROOTS = ("vars", "facts", "each", "env", "send")  # what can be named


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
        source: the file.
        into: where to put what is wrong, and which facts are read.
        known: what is known of the machine.

    each: the item for which a resource is declared now, with `key` and `value`; empty outside of `for_each`.

    """

    def __init__(self, source: Source, into: Declarations, known: Known) -> None:
        self.source, self._into, self._known = source, into, known
        self.each: Mapping[str, Any] = {}
        self._vars: dict[str, Any] = {}
        self._live: set[str] = set()  # the vars that depend on facts
        self._env: Mapping[str, str] = MappingProxyType(os.environ)
        self._later: frozenset[str] = frozenset()
        self._budget = FREE + GROWTH * source.size

    def define(self, written: Map) -> None:
        """Take over the constants in `written`; each may use those above it."""
        self._later = frozenset(written)
        for name, value, _, at in written.entries():
            before = len(self._into.reads)
            self._vars[name] = self.value(value, at)
            if self._vars[name] is UNKNOWN or len(self._into.reads) > before:
                self._live.add(name)

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
        return _missing(result.values(), result)

    def _seq(self, items: Seq, depth: int) -> Any:
        result = Seq.new(items.at)
        for item, at in items.entries():
            result.put(self.value(item, at, depth), at)
        return _missing(result, result)

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
        """Report `error`; one that came of facts is like a value that is not known."""
        if isinstance(error, _WrongError):
            start, fragment = text.find(error.expression), error.expression
        else:
            start, fragment = error.start, text[error.start : error.end]
        place = self.source.inside(at, text, max(start, 0))
        if place is None:
            place = self.source.locate(at, fragment, 2 * len(text) + 100)
        problem = self.source.problem(place, str(error))
        if isinstance(error, ExpressionError) and self._reads_facts(text):
            self._into.troubles.append(problem)
            return UNKNOWN
        self._into.problems.append(problem)
        return msgspec.UNSET

    def _reads_facts(self, text: str) -> bool:
        """Whether the value of `text` depends on facts, as far as it can be read."""
        try:
            paths = Template(text).paths if OPEN in text else Expression(text).paths
        except ExpressionError:
            return False
        return bool(self.each) or any(
            path[0] == "facts" or (path[0] == "vars" and path[1:2] and path[1] in self._live)
            for path in paths
        )

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
            if path[0] == "vars" and self._vars.get("".join(path[1:2])) is msgspec.UNSET:
                return msgspec.UNSET  # what is wrong with it is said already
        state = None
        if expression.is_timed:
            state = self._known.state(self.source.file, at, expression.at, self.each.get("key"))
        names = {"vars": self._vars, "env": self._env, "facts": self._known, "each": self.each}
        return evaluate(expression, names, lambda: self._place(expression, at), state)

    def _check_sent(self, expression: Expression) -> None:
        """Refuse what cannot be received, whatever the facts are."""
        try:
            check_sent(expression)
        except ExpressionError as error:
            raise _WrongError(expression.source, str(error)) from None

    def _place(self, expression: Expression, at: int) -> Place:
        within = 2 * len(expression.source) + 100
        return self.source.place(self.source.locate(at, expression.source, within))

    def _check(self, path: tuple[str, ...], expression: Expression, at: int) -> None:
        """Refuse what cannot be named here; note which facts are read."""
        root, rest = path[0], path[1:]
        if root not in ROOTS:
            known = f"there are {', '.join(ROOTS)}"
            raise _WrongError(root, f"{root!r} is not available in this version; {known}")
        if root == "each" and not self.each:
            raise _WrongError("each", "each is there beside for_each only; add one")
        if root == "facts" and not rest:
            raise _WrongError("facts", "a fact is named; write facts.NAME")
        if root == "facts":
            within = 2 * len(expression.source) + 100
            place = self.source.locate(at, ".".join(path), within)
            self._into.reads.setdefault(rest, (self.source, place))
        if root == "vars" and rest and rest[0] not in self._vars and rest[0] in self._later:
            what = f"vars.{rest[0]} is not known here; a var can only use those above it"
            raise _WrongError(".".join(path), what)

    def _whole(self, value: Any, expression: str, depth: int) -> Any:
        """Return `value`, which stands alone; lists and maps count, for they are copied later."""
        count, height = _measure(value)
        if height + depth > MAX_DEPTH:
            raise _WrongError(expression, f"nested more than {MAX_DEPTH} deep, with what is in it")
        if height:
            self._spend(count * PER_VALUE, expression)
        return value

    def _joined(self, parts: list[Any]) -> Any:
        """Return the text of `parts`, a `Text` if some of it is received."""
        pieces: list[str | Received | Secret[Any]] = []
        for part in parts:
            value, expression = (part, "") if isinstance(part, str) else part
            if value is msgspec.UNSET or value is UNKNOWN:
                return value
            if isinstance(reveal(value), (list, dict)):
                what = f"{expression} is {show(value)}, and no part of a text"
                raise _WrongError(expression, f"{what}; {TO_TEXT}")
            inner = value.parts if isinstance(value, Text) else (value,)
            pieces += [piece if isinstance(piece, KEPT) else as_text(piece) for piece in inner]
            self._spend(sum(map(_length, pieces[-len(inner) :])), expression)
        text = Text(_adjacent_joined(pieces))
        if any(isinstance(part, Received) for part in text.parts):
            return text
        return joined(text.parts)

    def _spend(self, characters: int, expression: str) -> None:
        self._budget -= characters
        if self._budget < 0:
            what = f"expressions make this file more than {GROWTH} times as long as it is written"
            raise _WrongError(expression, what)


def _missing(values: Any, otherwise: Any) -> Any:
    """Return what of `values` is no value at all, the worst of it; `otherwise` if all are."""
    kinds = {id(value) for value in values}
    if id(msgspec.UNSET) in kinds:
        return msgspec.UNSET
    return UNKNOWN if id(UNKNOWN) in kinds else otherwise


def _length(piece: "str | Received | Secret[Any]") -> int:
    return len(as_text(reveal(piece)))


def _adjacent_joined(
    pieces: "list[str | Received | Secret[Any]]",
) -> "tuple[str | Received | Secret[Any], ...]":
    """Return `pieces` with texts that follow each other made one."""
    result: list[str | Received | Secret[Any]] = []
    texts: list[str] = []
    for piece in [*pieces, None]:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if texts:
            result.append("".join(texts))
            texts = []
        if piece is not None:
            result.append(piece)
    return tuple(result)


def _measure(value: Any) -> tuple[int, int]:
    """Return of how many values `value` consists, and how deep it is nested; 1, 0 for one of its own."""
    if not isinstance(value, (list, dict)):
        return 1, 0
    inner = [_measure(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(count for count, _ in inner), 1 + max((height for _, height in inner), default=0)
