"""From a syntax tree to functions: each node becomes one, of the functions of the nodes below it.

What has no function here cannot be written. A function takes the `Frame` of an evaluation and gives a plain value;
those of names, `a.b` and `a[b]` exist in a raw form too, for what they give is often only looked into.
"""

import ast
import math
from typing import Any, Final

from setpoint.expressions import cures, lookup
from setpoint.expressions.calls import KNOWN, Calls
from setpoint.expressions.code import ROOTS, Code, null
from setpoint.expressions.comprehensions import Comprehensions
from setpoint.expressions.faults import ExpressionError, NotKnownError, show
from setpoint.expressions.frame import MAX_BITS, SCALARS, Frame
from setpoint.expressions.operators import OPERATIONS, TESTS, Operation, key, negative, positive
from setpoint.expressions.strings import Strings

WORDS: Final = {"true": True, "false": False, "null": None}  # as in YAML, beside Python's
OTHERS: Final[dict[type[ast.operator], str]] = {
    ast.Pow: "write x * x",
    ast.BitOr: "there are no filters, write f(x) or x.f()",
}


class Builder(Calls, Comprehensions, Strings):
    """Builds the functions of one expression."""

    def name(self, node: ast.Name) -> Code:
        """Build a name: of a loop variable, a root, or true, false, null."""
        if node.id in WORDS and self.slot(node.id) is None:
            value = WORDS[node.id]
            return lambda frame: value
        return self.entered(node)

    def raw_name(self, node: ast.Name) -> Code:
        """Build a name in its raw form."""
        slot = self.slot(node.id)
        if slot is not None:
            return lambda frame: frame.slots[slot]
        name = node.id
        if name not in ROOTS:
            known = [*self.variables(), *ROOTS]
            raise self.wrong(node, f"there is no {show(name)}", cures.of_name(name, known, KNOWN))
        start, end = self.span(node)

        def read(frame: Frame) -> Any:
            try:
                return frame.names[name]
            except KeyError:
                error = ExpressionError(f"there is no {name!r} here")
                error.place(start, end)
                raise error from None

        return read

    def entered(self, node: ast.expr) -> Code:
        """Build `node`, which has a raw form, so that it gives a plain value."""
        raw = self.raw(node)
        start, end = self.span(node)

        def enter(frame: Frame) -> Any:
            value = raw(frame)
            if type(value) in SCALARS:
                return value
            try:
                return frame.plain(value)
            except ExpressionError as error:
                error.place(start, end)
                raise

        return enter

    def raw_field(self, node: ast.Attribute) -> Code:
        """Build `a.b` in its raw form."""
        if node.attr.startswith("__"):
            raise self.wrong(node, f"there is no {node.attr!r}", "names with __ do not exist here")
        return self._looked_up(node, node.value, node.attr)

    def raw_item(self, node: ast.Subscript) -> Code:
        """Build `a[b]` in its raw form."""
        if isinstance(node.slice, ast.Constant) and type(node.slice.value) is str:
            return self._looked_up(node, node.value, node.slice.value)
        base, index = self.inner(node.value), self.code(node.slice)
        written = self.written(node.value)
        return self.located(
            node.slice, lambda frame: lookup.item(frame, base(frame), index(frame), written)
        )

    def _looked_up(self, node: ast.expr, of: ast.expr, name: str) -> Code:
        self.fields.add(name)
        base = self.inner(of)
        written = self.written(of)
        start, end = self.key_span(node)

        def look(frame: Frame) -> Any:
            value = base(frame)
            if type(value) is dict and name in value:
                return value[name]
            try:
                return lookup.field(frame, value, name, written)
            except ExpressionError as error:
                error.place(start, end)
                raise

        return look

    def part(self, node: ast.Subscript, bounds: ast.Slice) -> Code:
        """Build `a[b:c]`."""
        value = self.code(node.value)
        ends = [
            self.code(end) if end else null for end in (bounds.lower, bounds.upper, bounds.step)
        ]
        return self.located(
            node,
            lambda frame: lookup.part(frame, value(frame), slice(*[end(frame) for end in ends])),
        )

    def constant(self, node: ast.Constant) -> Code:
        """Build a number, a text, true, false or null."""
        value = node.value
        if type(value) not in SCALARS:
            raise self.wrong(node, f"{self.written(node)} is not available in an expression")
        if (type(value) is int and value.bit_length() > MAX_BITS) or (
            type(value) is float and not math.isfinite(value)
        ):
            raise self.wrong(node, "this is too large for a number")
        return lambda frame: value

    def arithmetic(self, node: ast.BinOp) -> Code:
        """Build `a + b` and its like."""
        operation = OPERATIONS.get(type(node.op))
        if operation is None:
            cure = OTHERS.get(type(node.op), "there are + - * / // %")
            raise self.wrong(node, "this operator is not available in an expression", cure)
        return self._binary(node, operation, self.code(node.left), self.code(node.right))

    def _binary(self, node: ast.expr, operation: Operation, left: Code, right: Code) -> Code:
        start, end = self.span(node)

        def operate(frame: Frame) -> Any:
            try:
                return operation(frame, left(frame), right(frame))
            except ExpressionError as error:
                error.place(start, end)
                raise

        return operate

    def sign(self, node: ast.UnaryOp) -> Code:
        """Build `-a`, `+a` and `not a`."""
        value = self.code(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda frame: not value(frame)
        if isinstance(node.op, ast.Invert):
            raise self.wrong(node, "~ is not available in an expression")
        operate = negative if isinstance(node.op, ast.USub) else positive
        return self.located(node, lambda frame: operate(frame, value(frame)))

    def comparison(self, node: ast.Compare) -> Code:
        """Build `a < b`, `a in b`, `a < b < c` and their like."""
        for operator, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.Is, ast.IsNot)) and not _is_word(other):
                raise self.wrong(node, "only null, true and false are compared by `is`", "write ==")
        tests = [TESTS[type(operator)] for operator in node.ops]
        left = self.code(node.left)
        if len(tests) == 1:
            looks = isinstance(node.ops[0], (ast.In, ast.NotIn))
            right = (self.raw if looks else self.code)(node.comparators[0])
            return self._binary(node, tests[0], left, right)
        others = [self.code(operand) for operand in node.comparators]
        rest = tuple(zip(tests, others, strict=True))

        def compare(frame: Frame) -> bool:
            value = left(frame)
            for test, other in rest:
                following = other(frame)
                if not test(frame, value, following):
                    return False
                value = following
            return True

        return self.located(node, compare)

    def choice(self, node: ast.BoolOp) -> Code:
        """Build `and` and `or`: an unknown operand matters only if no other one decides."""
        operands = [self.code(value) for value in node.values]
        decides = isinstance(node.op, ast.Or)

        def choose(frame: Frame) -> Any:
            unknown, value = False, None
            for operand in operands:
                try:
                    value = operand(frame)
                except NotKnownError:
                    unknown = True
                    continue
                if bool(value) is decides and (not unknown or value is decides):
                    return value
            if unknown:
                raise NotKnownError
            return value

        return choose

    def conditional(self, node: ast.IfExp) -> Code:
        """Build `a if b else c`."""
        test, body, otherwise = self.code(node.test), self.code(node.body), self.code(node.orelse)
        return lambda frame: body(frame) if test(frame) else otherwise(frame)

    def list_(self, node: ast.List) -> Code:
        """Build `[a, b]`."""
        items = [self.code(item) for item in node.elts]
        return lambda frame: [item(frame) for item in items]

    def tuple_(self, node: ast.Tuple) -> Code:
        """Build `(a, b)`."""
        items = [self.code(item) for item in node.elts]
        return lambda frame: tuple([item(frame) for item in items])

    def map_(self, node: ast.Dict) -> Code:
        """Build `{"a": b}`."""
        pairs = []
        for name, value in zip(node.keys, node.values, strict=True):
            if name is None:
                raise self.wrong(node, "** is not available in an expression")
            pairs.append((self.code(name), self.code(value)))
        return self.located(
            node, lambda frame: {key(name(frame)): value(frame) for name, value in pairs}
        )


def _is_word(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id in WORDS
    return isinstance(node, ast.Constant) and (node.value is None or type(node.value) is bool)


def _subscript(builder: Builder, node: ast.Subscript) -> Code:
    if isinstance(node.slice, ast.Slice):
        return builder.part(node, node.slice)
    return builder.entered(node)


Builder.plain = {
    ast.Attribute: Builder.entered,
    ast.BinOp: Builder.arithmetic,
    ast.BoolOp: Builder.choice,
    ast.Call: Builder.call,
    ast.Compare: Builder.comparison,
    ast.Constant: Builder.constant,
    ast.Dict: Builder.map_,
    ast.DictComp: Builder.map_of,
    ast.GeneratorExp: Builder.list_of,
    ast.IfExp: Builder.conditional,
    ast.JoinedStr: Builder.f_string,
    ast.List: Builder.list_,
    ast.ListComp: Builder.list_of,
    ast.Name: Builder.name,
    ast.Subscript: _subscript,
    ast.Tuple: Builder.tuple_,
    ast.UnaryOp: Builder.sign,
}
Builder.chained = {
    ast.Attribute: Builder.raw_field,
    ast.Name: Builder.raw_name,
    ast.Subscript: Builder.raw_item,
}
