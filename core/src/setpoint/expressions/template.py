"""Text with `${{ … }}` in it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from setpoint.expressions.code import Path
from setpoint.expressions.expression import Expression
from setpoint.expressions.faults import OPEN, UNKNOWN, ExpressionError, show
from setpoint.expressions.frame import MAX_TEXT, SCALARS
from setpoint.expressions.timed import State
from setpoint.values import HIDDEN, Secret, as_text, joined, reveal

# What matters for where an expression ends: quoted text, and brackets of maps.
_TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]""", re.DOTALL)


class Template:
    """A text of a graph file, with expressions in it.

    An expression that is all of the text keeps the type of its value; within text, values are written as in YAML,
    null as nothing. `$${{` stands for `${{`, and `{{ }}` has no meaning here.

    Args:
        text: what is written.
        at: the offset at which it stands in a text around it, added to the places in errors.

    parts: text and expressions, in order.
    paths: what the expressions read, see `Expression`.

    Raises:
        ExpressionError: an expression is wrong, or does not end.

    """

    __slots__ = ("parts", "paths", "text")

    def __init__(self, text: str, *, at: int = 0) -> None:
        self.text = text
        self.parts = tuple(_parts(text, at))
        paths: dict[Path, None] = {}
        for part in self.parts:
            if isinstance(part, Expression):
                paths.update(dict.fromkeys(part.paths))
        self.paths = tuple(paths)

    @property
    def is_live(self) -> bool:
        """Whether there is an expression in it."""
        return any(isinstance(part, Expression) for part in self.parts)

    @property
    def is_timed(self) -> bool:
        """Whether it has functions over time, so that it needs a `State`."""
        return any(isinstance(part, Expression) and part.is_timed for part in self.parts)

    def evaluate(self, names: Mapping[str, object], *, state: State | None = None) -> Any:
        """Return what the text stands for, see `Expression.evaluate`."""
        if state is not None:
            state.begin()
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].run(names, state)
        values = [
            part if isinstance(part, str) else _written(part, part.run(names, state))
            for part in self.parts
        ]
        if UNKNOWN in values:
            return UNKNOWN
        text = joined(values)
        if len(reveal(text)) > MAX_TEXT + len(self.text):
            raise _too_long(next(part for part in self.parts if isinstance(part, Expression)))
        return text

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def _too_long(part: Expression) -> ExpressionError:
    error = ExpressionError(f"this makes a text of more than {MAX_TEXT:,} characters")
    error.place(part.at, part.at + len(part.source))
    return error


def _written(part: Expression, value: Any) -> Any:
    """Return the text of the value of `part`, a secret one if it is a secret."""
    if value is UNKNOWN:
        return value
    plain = reveal(value)
    if type(plain) not in SCALARS and not isinstance(plain, (str, int, float)):
        shown = HIDDEN if isinstance(value, Secret) else show(value)
        what = f"{part.source.strip()} is {shown}, and no part of a text"
        error = ExpressionError(what, 'write json(...), or ", ".join(...) of its items')
        error.place(part.at, part.at + len(part.source))
        raise error
    return Secret(as_text(plain)) if isinstance(value, Secret) else as_text(plain)


def _parts(text: str, at: int) -> Iterator[str | Expression]:
    """Yield the parts of `text`: text, and expressions."""
    done = 0
    while (found := text.find(OPEN, done)) >= 0:
        if found > done and text[found - 1] == "$":
            yield text[done : found - 1] + OPEN
            done = found + len(OPEN)
            continue
        if found > done:
            yield text[done:found]
        start = found + len(OPEN)
        end = _end(text, start)
        if end < 0:
            error = ExpressionError(f"{OPEN} is not closed", "add }}, or write $${{ for itself")
            error.place(found + at, len(text) + at)
            raise error
        source = text[start:end].strip()
        skipped = len(text[start:end]) - len(text[start:end].lstrip())
        yield Expression(source, at=at + start + skipped)
        done = end + 2
    if done < len(text) or not text:
        yield text[done:]


def _end(text: str, start: int) -> int:
    """Return where the expression that begins at `start` ends; -1 if it does not."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        sign = token[0]
        if sign == "{":
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
        elif sign == "}" and text.startswith("}}", token.start()):
            return token.start()
    return -1
