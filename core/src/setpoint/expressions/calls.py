"""Calls: of functions, of methods, and of those few that look at how their argument is written."""

import ast
from collections.abc import Callable
from typing import Any, Final

from setpoint.errors import suggest
from setpoint.expressions import cures, timed
from setpoint.expressions.code import Base, Code, null
from setpoint.expressions.faults import ExpressionError, NotKnownError
from setpoint.expressions.frame import Frame, fields_of
from setpoint.expressions.functions import FUNCTIONS, Function
from setpoint.expressions.lookup import field
from setpoint.expressions.methods import NAMES, call_method
from setpoint.expressions.operators import key, shown


class Calls(Base):
    """Builds calls."""

    def call(self, node: ast.Call) -> Code:
        """Build `f(a)` or `a.f(b)`."""
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.wrong(argument, "* is not available in an expression")
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.wrong(keyword.value, "** is not available in an expression")
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func)
        if not isinstance(node.func, ast.Name):
            raise self.wrong(node.func, "only functions and methods can be called")
        if node.func.id in timed.FUNCTIONS:
            return self._timed(node, node.func.id)
        if node.func.id in SPECIAL:
            return self._special(node, node.func.id)
        return self._function(node, node.func)

    def _function(self, node: ast.Call, name: ast.Name) -> Code:
        function = FUNCTIONS.get(name.id)
        if function is None:
            what = f"there is no function {name.id!r}"
            raise self.wrong(name, what, cures.of_function(name.id, KNOWN))
        self._refuse_count(node, name.id, function.least, function.most)
        self._refuse_keywords(node, name.id, function)
        build = self.raw if function.raw else self.code
        arguments = [build(argument) for argument in node.args]
        keywords = {str(keyword.arg): self.code(keyword.value) for keyword in node.keywords}
        return self.located(node, _called(function.call, arguments, keywords))

    def _refuse_count(self, node: ast.Call, name: str, least: int, most: int) -> None:
        given = len(node.args)
        if least <= given <= most:
            return
        wanted = f"{least} to {most}" if least < most else f"{least}"
        takes = f"takes {wanted} argument{'' if wanted == '1' else 's'}"
        raise self.wrong(node, f"{name} {takes}, not {given}")

    def _refuse_keywords(self, node: ast.Call, name: str, function: Function | None) -> None:
        known = function.keywords if function else frozenset()
        names = [keyword.arg for keyword in node.keywords]
        for keyword in node.keywords:
            if keyword.arg not in known or names.count(keyword.arg) > 1:
                what = f"{name} has no argument called {keyword.arg!r}"
                raise self.wrong(keyword, what, suggest(str(keyword.arg), known))
        # What is a keyword is also the second argument, of those that have two.
        apart = len(known) if function and function.most < 2 else 0
        if function and len(node.args) + len(names) > function.most + apart:
            raise self.wrong(node, f"{name} is given an argument twice")

    def _method(self, node: ast.Call, func: ast.Attribute) -> Code:
        name = func.attr
        if name not in NAMES:
            what = f"there is no method {name!r}"
            raise self.wrong(func, what, cures.of_method(name, KNOWN), self.key_span(func))
        self._refuse_keywords(node, name, None)
        arguments = [self.code(argument) for argument in node.args]
        if name == "get":
            return self._get(node, func.value, arguments)
        value = self.code(func.value)
        return self.located(
            func,
            lambda frame: call_method(
                frame, value(frame), name, [argument(frame) for argument in arguments]
            ),
            self.key_span(func),
        )

    def _get(self, node: ast.Call, of: ast.expr, arguments: list[Code]) -> Code:
        """Build `a.get(b, c)`, which need not make all of `a` plain."""
        self._refuse_count(node, "get", 1, 2)
        base, written = self.raw(of), self.written(of)
        name, otherwise = arguments[0], arguments[1] if len(arguments) > 1 else null

        def get(frame: Frame) -> Any:
            value = frame.opened(base(frame))
            frame.pay(GOT)
            if fields_of(value) is None:
                raise ExpressionError(f"{shown(frame, value)} has no method 'get'")
            try:
                return frame.plain(field(frame, value, key(name(frame)), written))
            except ExpressionError as error:
                if not error.missing:
                    raise
                frame.pay(MISSED)
                return otherwise(frame)

        return self.located(node, get)

    def _special(self, node: ast.Call, name: str) -> Code:
        """Build `default` and `present`, for which it is no error if something is missing."""
        count = SPECIAL[name]
        self._refuse_count(node, name, count, count)
        self._refuse_keywords(node, name, None)
        with self.optional():
            wanted = self.code(node.args[0])
        if name == "present":
            return lambda frame: _if_there(frame, wanted) is not None
        otherwise = self.code(node.args[1])

        def default(frame: Frame) -> Any:
            value = _if_there(frame, wanted)
            return otherwise(frame) if value is None else value

        return default

    def _timed(self, node: ast.Call, name: str) -> Code:
        """Build a function over time, which is asked before the expression is evaluated."""
        count = 1 if name == "changed_at" else 2
        self._refuse_count(node, name, count, count)
        self._refuse_keywords(node, name, None)
        if len(self.timed) == timed.MOST:
            raise self.wrong(node, f"there are more than {timed.MOST} functions over time")
        if self.variables():
            cure = "write it outside, about one thing"
            raise self.wrong(node, f"{name} cannot be used in a comprehension", cure)
        value, *seconds = [self.code(argument) for argument in node.args]
        for argument in node.args[1:]:
            self._refuse_time(argument)
        index = len(self.timed)
        watched = timed.Watched(name, value, seconds[0] if seconds else None, index)
        self.timed.append(watched)
        return self.located(node, lambda frame: _given(frame, index))

    def _refuse_time(self, node: ast.expr) -> None:
        """Refuse a time that is wrong whenever it is looked at."""
        try:
            seconds = ast.literal_eval(node)
        except ValueError:  # it is computed
            return
        try:
            timed.checked(seconds)
        except ExpressionError as error:
            raise self.wrong(node, str(error)) from None


GOT = 5  # steps of one `get`
MISSED = 20  # steps of finding out that something is not there
SPECIAL: Final = {"default": 2, "present": 1}  # how many arguments each has
KNOWN: Final = sorted((*FUNCTIONS, *SPECIAL, *timed.FUNCTIONS))


def _called(call: Callable[..., Any], arguments: list[Code], keywords: dict[str, Code]) -> Code:
    if keywords:
        return lambda frame: call(
            frame,
            *[argument(frame) for argument in arguments],
            **{name: value(frame) for name, value in keywords.items()},
        )
    if len(arguments) == 1:
        only = arguments[0]
        return lambda frame: call(frame, only(frame))
    return lambda frame: call(frame, *[argument(frame) for argument in arguments])


def _if_there(frame: Frame, wanted: Code) -> Any:
    """Return what `wanted` gives; None if that is unknown or missing."""
    try:
        return wanted(frame)
    except NotKnownError:
        pass
    except ExpressionError as error:
        if not error.missing:
            raise
    frame.pay(MISSED)
    return None


def _given(frame: Frame, index: int) -> Any:
    """Return what the function over time with the number `index` has given; it is unknown without a state."""
    if index >= len(frame.timed):
        raise NotKnownError
    value = frame.timed[index]
    if isinstance(value, Exception):
        raise value
    return value
