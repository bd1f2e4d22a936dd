"""Text with `${{ … }}` in it, taken apart."""

import functools
import re
from collections.abc import Iterator

from setpoint.expressions.code import Path
from setpoint.expressions.expression import KEPT, SHORT, Expression
from setpoint.expressions.faults import OPEN, ExpressionError

# What matters for where an expression ends: quoted text, and brackets of maps.
_TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]""", re.DOTALL)


class Template:
    """A text of a graph file, with expressions in it. It never changes.

    `$${{` stands for `${{`, and `{{ }}` has no meaning here.

    Args:
        text: what is written.

    parts: text and expressions, in order; of an empty text one that is empty.

    Raises:
        ExpressionError: an expression is wrong, or does not end.

    """

    __slots__ = ("parts",)

    def __init__(self, text: str) -> None:
        self.parts = _kept(text) if len(text) <= SHORT else tuple(_parts(text))

    @property
    def paths(self) -> tuple[Path, ...]:
        """What the expressions read, see `Expression`."""
        expressions = (part for part in self.parts if isinstance(part, Expression))
        return tuple(dict.fromkeys(path for one in expressions for path in one.paths))


@functools.lru_cache(KEPT)
def _kept(text: str) -> tuple[str | Expression, ...]:
    """Return the parts of `text`, which is evaluated again and again."""
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[str | Expression]:
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
            error.place(found, len(text))
            raise error
        source = text[start:end].strip()
        skipped = len(text[start:end]) - len(text[start:end].lstrip())
        yield Expression(source, at=start + skipped)
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
