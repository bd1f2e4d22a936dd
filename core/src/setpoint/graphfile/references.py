"""`${{ … }}` in values: constants from `vars`, and what other resources send.

Alone in a value it keeps its type, within text it is formatted. `$${{` stands for `${{` itself, and `{{ }}` belongs to
the templates that people put into files.

What constants make of a file is bounded, like aliases: a text of them that grows by doubling is refused, not built.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import msgspec

from setpoint.declarations import Map, Seq, Source
from setpoint.declarations.types import show
from setpoint.errors import Problem, suggest
from setpoint.graphfile.reader import MAX_DEPTH
from setpoint.values import Ref, Text, as_text

OPEN = "${{"
FREE = 1_000_000  # characters that constants may add to any file, however short
GROWTH = 10  # and in addition, how many times the length of the file
PER_VALUE = 20  # characters that a value in a list or map counts for

# The rest of an expression: `}}` ends it, unless it is in quotes. No two alternatives begin with the same character, so
# backing up finds nothing new. (A possessive `*+` would say so, but Python up to 3.11.4 gets it wrong.)
_REST = re.compile(r"""((?:[^"'}]|"[^"]*"|'[^']*'|\}(?!\}))*)\}\}""")
_VARS = re.compile(r"vars((?:\.[A-Za-z_]\w*)+)")
_SEND = re.compile(r"""send\[(?:"([^"]+)"|'([^']+)')\]\.([A-Za-z_]\w*)""")
_NAME = re.compile(r"[A-Za-z_]\w*")


class _WrongError(Exception):
    """An expression cannot be used.

    Args:
        expression: where to put the caret, as it is written.
        message: what is wrong.

    """

    def __init__(self, expression: str, message: str) -> None:
        super().__init__(message)
        self.expression, self.message = expression, message


class Scope:
    """What expressions in one file can name.

    Args:
        source: the file.
        problems: where to put what is wrong.

    """

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self.source, self.problems = source, problems
        self._vars: dict[str, Any] = {}
        self._later: frozenset[str] = frozenset()
        self._budget = FREE + GROWTH * len(source.text)

    def define(self, written: Map) -> None:
        """Take over the constants in `written`; each may use those above it."""
        self._later = frozenset(written)
        for name, value, key_at, at in written.entries():
            if not _NAME.fullmatch(name):
                rule = f"the name of a var has letters, digits and _ only, not {name!r}"
                self.problems.append(self.source.problem(key_at, rule))
            self._vars[name] = self.value(value, at)

    def value(self, value: Any, at: int, depth: int = 0) -> Any:
        """Return `value`, written at the place `at`, with every expression in it replaced.

        Returns:
            A `Ref`, or a `Text`, for what is received; `msgspec.UNSET` if something is wrong, which
            is reported.

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
        return msgspec.UNSET if msgspec.UNSET in result.values() else result

    def _seq(self, items: Seq, depth: int) -> Any:
        result = Seq.new(items.at)
        for item, at in items.entries():
            result.put(self.value(item, at, depth), at)
        return msgspec.UNSET if msgspec.UNSET in result else result

    def text(self, text: str, at: int, depth: int = 0) -> Any:
        """Return what the text stands for, see `value`."""
        try:
            parts = list(self._parts(text))
            if len(parts) == 1 and not isinstance(parts[0], str):
                return self._whole(parts[0][0], parts[0][1], depth)
            return self._joined(parts)
        except _WrongError as error:
            place = self.source.locate(at, error.expression, 2 * len(text) + 100)
            self.problems.append(self.source.problem(place, error.message))
            return msgspec.UNSET

    def _parts(self, text: str) -> Iterator[Any]:
        """Yield the parts of `text`: literal text, and (what it stands for, expression)."""
        done = 0
        while (found := text.find(OPEN, done)) >= 0:
            escaped = text.startswith("$", found - 1) and found > done
            if escaped:
                yield text[done : found - 1] + OPEN
                done = found + len(OPEN)
                continue
            if found > done:
                yield text[done:found]
            rest = _REST.match(text, found + len(OPEN))
            if rest is None:
                raise _WrongError(
                    text[found:], f"{OPEN} is not closed; add }}}}, or write $${{{{ for itself"
                )
            yield self._evaluate(rest[1].strip()), rest[1].strip()
            done = rest.end()
        if done < len(text):
            yield text[done:]

    def _evaluate(self, expression: str) -> Any:
        if found := _SEND.fullmatch(expression):
            return Ref(found[1] or found[2], found[3])
        if found := _VARS.fullmatch(expression):
            return self._constant(found[1][1:].split("."), expression)
        known = 'there are vars.NAME and send["KIND NAME"].FIELD'
        what = f"the expression {show(expression)} is not available in this version; {known}"
        raise _WrongError(expression, what)

    def _constant(self, path: list[str], expression: str) -> Any:
        value: Any = self._vars
        for number, name in enumerate(path):
            above = ".".join(["vars", *path[:number]])
            if not isinstance(value, Mapping):
                raise _WrongError(expression, f"{above} is {show(value)}, it has no {name!r}")
            if name not in value:
                self._refuse_unknown(above, name, value, expression)
            value = value[name]
        return value

    def _refuse_unknown(
        self, above: str, name: str, known: Mapping[str, Any], expression: str
    ) -> NoReturn:
        if above == "vars" and name in self._later:
            what = f"vars.{name} is declared further down; a var can only use those above it"
            raise _WrongError(expression, what)
        hint = suggest(name, known)
        what = f"there is no {name!r} in {above}"
        raise _WrongError(expression, f"{what}; {hint}" if hint else what)

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
        pieces: list[str | Ref] = []
        for part in parts:
            value, expression = (part, "") if isinstance(part, str) else part
            if value is msgspec.UNSET:
                return value
            if isinstance(value, (list, dict)):
                raise _WrongError(
                    expression, f"{expression} is {show(value)}, and no part of a text"
                )
            inner = value.parts if isinstance(value, Text) else (value,)
            pieces += [piece if isinstance(piece, Ref) else as_text(piece) for piece in inner]
            self._spend(sum(len(piece) for piece in pieces[-len(inner) :]), expression)
        joined = _adjacent_joined(pieces)
        return (
            Text(joined)
            if any(isinstance(part, Ref) for part in joined)
            else "".join(map(str, joined))
        )

    def _spend(self, characters: int, expression: str) -> None:
        self._budget -= characters
        if self._budget < 0:
            what = f"constants make this file more than {GROWTH} times as long as it is written"
            raise _WrongError(expression, what)


def _adjacent_joined(pieces: list[str | Ref]) -> tuple[str | Ref, ...]:
    """Return `pieces` with texts that follow each other made one."""
    result: list[str | Ref] = []
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
