"""f-strings, whose formats are written out and bounded."""

import ast
from collections.abc import Callable

from setpoint.expressions.code import Base, Code
from setpoint.expressions.faults import ExpressionError
from setpoint.expressions.frame import Frame
from setpoint.expressions.texts import checked_spec, formatted, joined, text_of


class Strings(Base):
    """Builds f-strings."""

    def f_string(self, node: ast.JoinedStr) -> Code:
        """Build `f"...{a}..."`."""
        pieces = [self._piece(node, part) for part in node.values]
        return self.located(node, lambda frame: joined(frame, [piece(frame) for piece in pieces]))

    def _piece(self, node: ast.JoinedStr, part: ast.expr) -> Callable[[Frame], str]:
        if isinstance(part, ast.Constant):
            text = str(part.value)
            return lambda frame: text
        assert isinstance(part, ast.FormattedValue)
        if part.conversion != -1:
            raise self.wrong(node, "!r, !s and !a are not available in an expression")
        with self.within(node):
            value = self.code(part.value)
        if part.format_spec is None:
            return self.located(node, lambda frame: text_of(frame, value(frame)))
        spec = self._spec(node, part.format_spec)
        return self.located(node, lambda frame: formatted(frame, value(frame), spec))

    def _spec(self, node: ast.JoinedStr, spec: ast.expr) -> str:
        values = spec.values if isinstance(spec, ast.JoinedStr) else []
        if not all(isinstance(value, ast.Constant) for value in values):
            raise self.wrong(node, "a format is written out, it is not computed")
        try:
            return checked_spec("".join(str(ast.literal_eval(value)) for value in values))
        except ExpressionError as error:
            error.place(*self.span(node))
            raise
