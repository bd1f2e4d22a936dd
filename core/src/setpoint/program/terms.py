"""Expressions of graph files, built by Python's operators: `facts.load.x1 > 4` is an object with that very text.

What the text means is told by `setpoint.expressions`, which evaluates it as it does those of graph files. An expression
has no value here, so whatever Python would need one for is refused, with what to write instead.
"""

import json
import keyword
import math
from collections.abc import Mapping
from typing import Any, Generic, NoReturn, TypeVar

from setpoint.program.marks import is_live, marked, split

T_co = TypeVar("T_co", covariant=True)

# How strongly parts of an expression hold together, as in Python.
CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(9)

_QUOTES = ('"', "'", '"""', "'''")


class Expression(Generic[T_co]):
    """A value that is known only while the graph runs.

    Fields, items, methods, arithmetic and comparisons of it are expressions again; `&`, `|` and `~` stand for and, or
    and not. Within an f-string it becomes part of the text.

    Args:
        text: what it is in the language of graph files.

    """

    __slots__ = ("_level", "_text")

    def __init__(self, text: str, level: int = CHOICE) -> None:
        self._text, self._level = text, level

    def __getattr__(self, name: str) -> "Expression[Any]":
        if name.startswith("_"):  # Python asks for such: copy, pickle, inspect
            raise AttributeError(f"an expression has no {name!r}; write [{name!r}] for such a key")
        if keyword.iskeyword(name):
            return self[name]
        return Expression(f"{operand(self, ATOM)}.{name}", ATOM)

    def __getitem__(self, key: Any) -> "Expression[Any]":
        if isinstance(key, slice):
            ends = ["" if end is None else written(end) for end in (key.start, key.stop)]
            ends += [] if key.step is None else [written(key.step)]
            return Expression(f"{operand(self, ATOM)}[{':'.join(ends)}]", ATOM)
        return Expression(f"{operand(self, ATOM)}[{written(key)}]", ATOM)

    def __call__(self, *args: Any, **named: Any) -> "Expression[Any]":
        """Return the call of it, a method."""
        return call(operand(self, ATOM), *args, **named)

    # -- operators

    def __add__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "+", other, SUM)

    def __radd__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "+", self, SUM)

    def __sub__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "-", other, SUM)

    def __rsub__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "-", self, SUM)

    def __mul__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "*", other, PRODUCT)

    def __rmul__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "*", self, PRODUCT)

    def __truediv__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "/", other, PRODUCT)

    def __rtruediv__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "/", self, PRODUCT)

    def __floordiv__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "//", other, PRODUCT)

    def __rfloordiv__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "//", self, PRODUCT)

    def __mod__(self, other: Any) -> "Expression[Any]":
        return _binary(self, "%", other, PRODUCT)

    def __rmod__(self, other: Any) -> "Expression[Any]":
        return _binary(other, "%", self, PRODUCT)

    def __neg__(self) -> "Expression[Any]":
        return Expression(f"-{operand(self, SIGN)}", SIGN)

    def __pos__(self) -> "Expression[Any]":
        return Expression(f"+{operand(self, SIGN)}", SIGN)

    def __abs__(self) -> "Expression[Any]":
        return call("abs", self)

    def __round__(self, places: int = 0) -> "Expression[Any]":
        return call("round", self, *([places] if places else []))

    # -- comparisons

    def __eq__(self, other: object) -> "Expression[bool]":  # type: ignore[override]
        return _compared(self, "==", other)

    def __ne__(self, other: object) -> "Expression[bool]":  # type: ignore[override]
        return _compared(self, "!=", other)

    def __lt__(self, other: Any) -> "Expression[bool]":
        return _compared(self, "<", other)

    def __le__(self, other: Any) -> "Expression[bool]":
        return _compared(self, "<=", other)

    def __gt__(self, other: Any) -> "Expression[bool]":
        return _compared(self, ">", other)

    def __ge__(self, other: Any) -> "Expression[bool]":
        return _compared(self, ">=", other)

    __hash__ = None  # type: ignore[assignment] # what is equal to it is not known

    def __and__(self, other: Any) -> "Expression[bool]":
        return _joined(self, "and", other, AND)

    def __rand__(self, other: Any) -> "Expression[bool]":
        return _joined(other, "and", self, AND)

    def __or__(self, other: Any) -> "Expression[bool]":
        return _joined(self, "or", other, OR)

    def __ror__(self, other: Any) -> "Expression[bool]":
        return _joined(other, "or", self, OR)

    def __invert__(self) -> "Expression[bool]":
        return Expression(f"not {operand(self, NOT)}", NOT)

    # -- as part of a text

    def __format__(self, spec: str) -> str:
        text = _formatted(self, spec) if spec else self._text
        return marked(text)

    def __str__(self) -> str:
        return format(self)

    def __repr__(self) -> str:
        return f"<{self._text}>"

    # -- what needs a value

    def __bool__(self) -> bool:
        cure = (
            "write `with when(...)` or pick(condition, a, b) for if, & | ~ for and, or, not, and "
            "(a < b) & (b < c) with its parentheses for a < b < c"
        )
        self._refuse("has no truth value", cure)

    def __iter__(self) -> NoReturn:
        cure = (
            "write `with each(items) as item`, where(items, condition) or fn.map(function, items)"
        )
        self._refuse("cannot be gone through", cure)

    def __len__(self) -> int:
        self._refuse("has no length", "write fn.len(...)")

    def __contains__(self, item: object) -> bool:
        self._refuse("cannot be searched", "write fn.contains(items, item)")

    def __int__(self) -> int:
        self._refuse("is no number", "write fn.int(...)")

    def __float__(self) -> float:
        self._refuse("is no number", "write fn.float(...)")

    def __index__(self) -> int:
        self._refuse("is no number", "write fn.range(...) for a range of such")

    def _refuse(self, what: str, cure: str) -> NoReturn:
        raise TypeError(f"{self._text} is known only while the graph runs, so it {what}; {cure}")


def operand(value: Any, level: int) -> str:
    """Return the text of `value` as a part that holds together at least as strongly as `level`."""
    if isinstance(value, Expression):
        text, own = value._text, value._level
    else:
        text, own = _literal(value)
    return text if own >= level else f"({text})"


def written(value: Any) -> str:
    """Return the text of `value`: an expression, or what Python has in its place.

    Raises:
        TypeError: the language has no such value.

    """
    return operand(value, CHOICE)


def call(function: str, *args: Any, **named: Any) -> Expression[Any]:
    """Return the call of `function`, a text, with the arguments."""
    given = [written(arg) for arg in args]
    given += [f"{name}={written(value)}" for name, value in named.items()]
    return Expression(f"{function}({', '.join(given)})", ATOM)


def both(one: Expression[bool] | bool, other: Expression[bool] | bool) -> Expression[bool] | bool:
    """Return whether both are true, as far as that is known."""
    if isinstance(one, bool):
        return other if one else False
    if isinstance(other, bool):
        return one if other else False
    return one & other


def parts(text: str) -> list[str | Expression[Any]]:
    """Return `text` in parts: what is meant as it stands, and expressions that were put into it."""
    found: list[str | Expression[Any]] = [
        Expression(piece) if number % 2 else piece for number, piece in enumerate(split(text))
    ]
    return [part for part in found if not isinstance(part, str) or part] or [""]


def _literal(value: Any) -> tuple[str, int]:
    """Return the text of a value of Python's, and how strongly it holds together."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value], ATOM
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            raise TypeError(f"{value!r} cannot be written in an expression; give a number")
        plain = int(value) if isinstance(value, int) else float(value)
        return repr(plain), SIGN if plain < 0 else ATOM
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]", ATOM
    if isinstance(value, Mapping):
        pairs = (f"{written(key)}: {written(inner)}" for key, inner in value.items())
        return f"{{{', '.join(pairs)}}}", ATOM
    what = f"a {type(value).__name__} cannot be written in an expression"
    raise TypeError(f"{what}; give text, a number, true or false, None, a list or a map")


def _text(text: str) -> tuple[str, int]:
    found = parts(text)
    if not is_live(text):
        return json.dumps(text, ensure_ascii=False), ATOM
    pieces = [
        json.dumps(part, ensure_ascii=False)
        if isinstance(part, str)
        else written(call("str", part))
        for part in found
    ]
    return " + ".join(pieces), ATOM if len(pieces) == 1 else SUM


def _binary(left: Any, sign: str, right: Any, level: int) -> Expression[Any]:
    return Expression(f"{operand(left, level)} {sign} {operand(right, level + 1)}", level)


def _compared(left: Any, sign: str, right: Any) -> Expression[bool]:
    # A comparison on either side gets parentheses: in a row they would mean something else.
    return Expression(f"{operand(left, SUM)} {sign} {operand(right, SUM)}", COMPARISON)


def _joined(left: Any, word: str, right: Any, level: int) -> Expression[bool]:
    for value in (left, right):
        if not isinstance(value, (bool, Expression)):
            sign = "&" if word == "and" else "|"
            what = f"{sign} joins conditions, not {value!r}"
            raise TypeError(f"{what}; put comparisons in parentheses: (a > 4) {sign} (b > 4)")
    return Expression(f"{operand(left, level)} {word} {operand(right, level)}", level)


def _formatted(expression: Expression[Any], spec: str) -> str:
    """Return the text of `expression` written by Python's format `spec`."""
    text = operand(expression, ATOM)
    quote = next((quote for quote in _QUOTES if quote not in text + spec), None)
    if quote is None or "\\" in text:
        raise TypeError(f"{text} is too much for a format; format a part of it at a time")
    return f"f{quote}{{{text}:{spec}}}{quote}"
