"""`[x for y in z if c]`, its like for maps, and generators, which are lists here."""

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from setpoint.expressions.code import ROOTS, Base, Code
from setpoint.expressions.faults import ExpressionError
from setpoint.expressions.frame import LISTS, Frame
from setpoint.expressions.functions import items
from setpoint.expressions.operators import key, shown

TURN = 2  # steps of one turn of a loop, beside those of what is in it

Emit = Callable[[Frame, Any], None]  # appends to a list, or puts into a map
Bind = Callable[[Frame, Any], None]  # gives the loop variables their values


class Loop(NamedTuple):
    """One `for` of a comprehension."""

    iterable: Code
    bind: Bind
    tests: list[Code]
    price: int  # steps of one turn


class Comprehensions(Base):
    """Builds comprehensions."""

    def list_of(self, node: ast.ListComp | ast.GeneratorExp) -> Code:
        """Build a list."""

        def build() -> Emit:
            element = self.code(node.elt)
            return lambda frame, made: made.append(element(frame))

        emit = self._loops(node.generators, build)

        def run(frame: Frame) -> list[Any]:
            made: list[Any] = []
            emit(frame, made)
            return made

        return self.located(node, run)

    def map_of(self, node: ast.DictComp) -> Code:
        """Build a map."""

        def build() -> Emit:
            name, value = self.code(node.key), self.code(node.value)

            def put(frame: Frame, made: dict[Any, Any]) -> None:
                made[key(name(frame))] = value(frame)

            return put

        emit = self._loops(node.generators, build)

        def run(frame: Frame) -> dict[Any, Any]:
            made: dict[Any, Any] = {}
            emit(frame, made)
            return made

        return self.located(node, run)

    def _loops(self, generators: list[ast.comprehension], build: Callable[[], Emit]) -> Emit:
        """Build the first of `generators` around the others, and the innermost around what `build` makes."""
        if not generators:
            return build()
        generator, *others = generators
        if generator.is_async:
            raise self.wrong(generator.iter, "async is not available in an expression")
        iterable = self.raw(generator.iter)
        with self.scope() as names:
            bind = self._bind(generator.target, names)
            tests, price = self.price(lambda: [self.code(test) for test in generator.ifs])
            emit, more = self.price(lambda: self._loops(others, build))
        return _loop(Loop(iterable, bind, tests, TURN + price + more), emit)

    def _bind(self, target: ast.expr, names: dict[str, int]) -> Bind:
        if isinstance(target, ast.Name):
            slot = self._new(target, names)

            def assign(frame: Frame, value: Any) -> None:
                frame.slots[slot] = value

            return assign
        if not isinstance(target, (ast.Tuple, ast.List)):
            raise self.wrong(target, "a loop gives values to names")
        parts = [self._bind(part, names) for part in target.elts]
        return lambda frame, value: _unpack(frame, value, parts)

    def _new(self, target: ast.Name, names: dict[str, int]) -> int:
        if target.id in ROOTS or target.id in ("true", "false", "null"):
            raise self.wrong(target, f"{target.id!r} has a meaning already", "choose another name")
        if target.id not in names:
            names[target.id] = self.slots
            self.slots += 1
        return names[target.id]


def _unpack(frame: Frame, value: Any, parts: list[Bind]) -> None:
    value = frame.opened(value)
    if type(value) not in LISTS or len(value) != len(parts):
        what = f"{shown(frame, value)} does not have {len(parts)} items"
        raise ExpressionError(what, "a map gives keys; go through x.items()")
    for bind, item in zip(parts, value, strict=True):
        bind(frame, item)


def _loop(loop: Loop, emit: Emit) -> Emit:
    iterable, bind, tests, price = loop

    def run(frame: Frame, made: Any) -> None:
        for item in items(frame, frame.opened(iterable(frame))):
            frame.steps -= price
            if frame.steps < 0:
                frame.pay(0)  # which says so
            bind(frame, item)
            for test in tests:
                if not test(frame):
                    break
            else:
                emit(frame, made)

    return run
