"""What the parts of the builder have in common: nodes become functions, names become slots, errors get places."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from setpoint.expressions.faults import ExpressionError
from setpoint.expressions.frame import Frame
from setpoint.expressions.syntax import Parsed
from setpoint.expressions.timed import Watched

Code = Callable[[Frame], Any]
Path = tuple[str, ...]
Span = tuple[int, int]

ROOTS: Final = (
    "vars",
    "inputs",
    "facts",
    "send",
    "each",
    "host",
    "hosts",
    "world",
    "secrets",
    "env",
)
MAX_NESTING = 100  # nodes in each other


class Base:
    """Builds one expression.

    Args:
        parsed: the expression.

    paths: what it reads, in the order of the text, and whether it is all the same if that is missing.
    fields: the names of all that is looked up in something, in an item of a list too.
    timed: its functions over time, those within others first.
    slots: how many loop variables it has.

    """

    plain: ClassVar[dict[type[ast.expr], Callable[[Any, Any], Code]]]
    chained: ClassVar[dict[type[ast.expr], Callable[[Any, Any], Code]]]

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.paths: dict[Path, bool] = {}
        self.fields: set[str] = set()
        self.timed: list[Watched] = []
        self.slots = 0
        self._scopes: list[dict[str, int]] = []
        self._depth = self._nodes = 0
        self._around: ast.expr | None = None
        self._is_optional = False

    def code(self, node: ast.expr) -> Code:
        """Build `node`, so that it gives a plain value."""
        build = self.plain.get(type(node))
        if build is None:
            what = f"{self.written(node)[:60]} is not available in an expression"
            raise self.wrong(node, what)
        return self._deeper(build, node)

    def raw(self, node: ast.expr) -> Code:
        """Build `node`, whose value is only looked into: in its raw form, if it has one."""
        if not is_chain(node):
            return self.code(node)
        path = self.path(node)
        if path is not None:
            self.paths[path] = self._is_optional and self.paths.get(path, True)
        return self.inner(node)

    def inner(self, node: ast.expr) -> Code:
        """Build what is looked into by a node whose path is known."""
        if not is_chain(node):
            return self.code(node)
        return self._deeper(self.chained[type(node)], node)

    def _deeper(self, build: Callable[[Any, Any], Code], node: ast.expr) -> Code:
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_NESTING:
            raise self.wrong(node, "this is nested too deep")
        code = build(self, node)
        self._depth -= 1
        return code

    def path(self, node: ast.expr) -> Path | None:
        """Return what `node` reads, up to the first key that is computed; None if it is nothing from outside."""
        keys: list[str] = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                keys.append(node.attr)
            elif not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
                return None
            elif isinstance(node.slice, ast.Constant) and type(node.slice.value) is str:
                keys.append(node.slice.value)
            else:
                keys.clear()
            node = node.value
        if self.slot(node.id) is not None or node.id not in ROOTS:
            return None
        return (node.id, *reversed(keys))

    def price(self, code: Callable[[], Any]) -> tuple[Any, int]:
        """Return what `code` builds, and how many nodes that has."""
        before = self._nodes
        return code(), self._nodes - before

    def slot(self, name: str) -> int | None:
        """Return where the value of a loop variable is kept; None if there is none called so."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def variables(self) -> list[str]:
        """Return the loop variables that can be named now."""
        return [name for scope in self._scopes for name in scope]

    @contextmanager
    def scope(self) -> Iterator[dict[str, int]]:
        """Let there be loop variables, which are put into what this gives."""
        self._scopes.append({})
        yield self._scopes[-1]
        self._scopes.pop()

    @contextmanager
    def within(self, node: ast.expr) -> Iterator[None]:
        """Place what is built meanwhile at `node`: Python up to 3.11 gets places within f-strings wrong."""
        outer, self._around = self._around, self._around or node
        yield
        self._around = outer

    @contextmanager
    def optional(self) -> Iterator[None]:
        """Let what is built meanwhile be unknown or missing: there is something instead."""
        outer, self._is_optional = self._is_optional, True
        yield
        self._is_optional = outer

    def span(self, node: ast.expr | ast.keyword) -> Span:
        """Return where `node` is written."""
        return self.parsed.span(self._around or node)

    def key_span(self, node: ast.expr) -> Span:
        """Return where the key of `a.b` or `a[b]` is written."""
        if isinstance(node, ast.Subscript):
            return self.span(node.slice)
        start, end = self.span(node)
        if isinstance(node, ast.Attribute) and self.parsed.source[:end].endswith(node.attr):
            start = end - len(node.attr)
        return start, end

    def written(self, node: ast.expr) -> str:
        """Return how `node` is written."""
        return ast.unparse(node) if self._around else self.parsed.written(node)

    def wrong(
        self, node: ast.expr | ast.keyword, what: str, cure: str = "", span: Span | None = None
    ) -> ExpressionError:
        """Return the error that `node` is wrong, or what is at `span`."""
        error = ExpressionError(what, cure)
        error.place(*(span or self.span(node)))
        return error

    def located(self, node: ast.expr, code: Code, span: Span | None = None) -> Code:
        """Return `code` with its errors placed at `node`, or at `span`."""
        start, end = span or self.span(node)

        def run(frame: Frame) -> Any:
            try:
                return code(frame)
            except ExpressionError as error:
                error.place(start, end)
                raise

        return run


def is_chain(node: ast.expr) -> bool:
    """Whether `node` has a raw form: a name, `a.b` or `a[b]`."""
    if isinstance(node, ast.Subscript):
        return not isinstance(node.slice, ast.Slice)
    return isinstance(node, (ast.Attribute, ast.Name))


def null(frame: Frame) -> None:
    """Give null: it is the function of what is left out."""
