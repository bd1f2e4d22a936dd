"""From the text of an expression to Python's syntax tree, and from that back to places in the text."""

import ast
import re
import warnings

from setpoint.expressions import cures
from setpoint.expressions.faults import ExpressionError

MAX_SOURCE = 10_000  # characters
MAX_BRACKETS = 60  # open at the same time; Python's own parser ends at 200
MAX_SIGNS = 100  # of `-`, `+`, `~` and `not` in a row, which nest as well

_BREAKS = re.compile(r"[\r\n\f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIGNS = re.compile(rf"(?:[-+~]\s*|\bnot\s+){{{MAX_SIGNS}}}")


class Parsed:
    """An expression and its syntax tree.

    Args:
        source: the text of the expression.

    tree: what it says.

    Raises:
        ExpressionError: it says nothing in Python.

    """

    def __init__(self, source: str) -> None:
        self.source = source
        _refuse_large(source)
        self._text = _BREAKS.sub(" ", source)
        self._skipped = len(self._text) - len(self._text.lstrip())
        self._bytes = b"" if source.isascii() else self._text[self._skipped :].encode()
        self.tree = self._parse(self._text[self._skipped :])

    def _parse(self, text: str) -> ast.expr:
        try:
            with warnings.catch_warnings():
                # "\d" in a text that is not r"\d": Python will make an error of it, so we do.
                warnings.simplefilter("error")
                return ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise self._wrong(error) from None
        except (RecursionError, MemoryError):
            raise _whole(ExpressionError("this is nested too deep"), self.source) from None
        except (ValueError, Warning) as error:
            raise _whole(ExpressionError(str(error)), self.source) from None

    def _wrong(self, error: SyntaxError) -> ExpressionError:
        """Return the error in our words, and in Python's where they say more than "invalid syntax"."""
        at = self._skipped + error.offset - 1 if error.offset else len(self.source.rstrip())
        at = min(at, len(self.source) - 1)
        what, cure = error.msg[:1].lower() + error.msg[1:].partition(" (detected at")[0], ""
        if "escape" in what:
            what, cure = "there is a backslash that is no escape", 'write r"..." around it'
        elif not error.offset:
            what = "the expression ends too early"
        elif self._text[:at].endswith(".") and self._text[at : at + 1].isalpha():
            what, cure = "a word of the language is no key", cures.of_word(self._text, at)
        elif what.startswith("unterminated"):
            cure = "end the text with the quote that begins it"
        elif "was never closed" in what:
            cure = "close the bracket"
        elif what.startswith(("closing", "unmatched")):
            cure = "close each bracket by its own kind, the inner one first"
        elif what.startswith(("invalid syntax", "expected", "cannot assign")):
            what = f"this is no expression, near {self._text[at : at + 20].strip()!r}"
            cure = cures.of_syntax(self._text, at, error.msg)
        wrong = ExpressionError(what, cure)
        end = self._skipped + (error.end_offset or 0) - 1
        wrong.place(at, end if at < end <= len(self.source) else at + 1)
        return wrong

    def span(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """Return where `node` is written, as offsets in the source."""
        end = node.end_col_offset if node.end_col_offset is not None else node.col_offset + 1
        return self._offset(node.col_offset), self._offset(end)

    def _offset(self, column: int) -> int:
        """Return the offset of a column, which Python counts in bytes of UTF-8."""
        if self._bytes:
            column = len(self._bytes[:column].decode(errors="replace"))
        return self._skipped + column

    def written(self, node: ast.expr) -> str:
        """Return how `node` is written."""
        start, end = self.span(node)
        return self._text[start:end]


def _refuse_large(source: str) -> None:
    """Refuse what would keep the parser busy, or let it use up the stack."""
    error = None
    if len(source) > MAX_SOURCE:
        what = f"an expression has at most {MAX_SOURCE:,} characters, not {len(source):,}"
        error = ExpressionError(what)
    elif not source.strip():
        error = ExpressionError("an expression is missing", "write one, such as facts.load.x1 > 4")
    elif "\0" in source or _SURROGATE.search(source):
        error = ExpressionError("there is a character that no text has")
    elif _SIGNS.search(source) or _is_deep(source):
        error = ExpressionError("this is nested too deep")
    if error is not None:
        raise _whole(error, source)


def _is_deep(source: str) -> bool:
    """Whether more than `MAX_BRACKETS` are open somewhere; those in quotes count too."""
    if sum(map(source.count, "([{")) <= MAX_BRACKETS:
        return False
    depth = 0
    for sign in re.findall(r"[(\[{}\])]", source):
        depth = depth + 1 if sign in "([{" else max(depth - 1, 0)
        if depth > MAX_BRACKETS:
            return True
    return False


def _whole(error: ExpressionError, source: str) -> ExpressionError:
    error.place(0, max(len(source), 1))
    return error
