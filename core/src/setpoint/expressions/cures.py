"""What to write instead: for who comes from other languages, or forgets a quote."""

import re
from collections.abc import Iterable
from typing import Final

from setpoint.errors import suggest
from setpoint.expressions.faults import nearest
from setpoint.expressions.methods import NAMES

# Signs of other languages, with what is said of each; the longer ones come first.
_SIGNS: Final = {
    "${{": "write what is in it alone, there is a ${{ }} around it",
    "&&": "write and",
    "||": "write or",
    "!": "write not",
    "?": "write A if B else C",
    "=": "write == to compare",
    ":": "write {...} around a map, and quotes around its keys",
}
_YES: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_METHODS: Final = {
    "append": "write a + [b]",
    "format": 'write f"...{x}..."',
    "extend": "write a + b",
}

_FUNCTIONS: Final = {"join": 'write ", ".join(...)'}

_WORD = re.compile(r"[^\w.]")  # ends a name with dots


def of_syntax(text: str, at: int, told: str) -> str:
    """Return the cure for what is no expression at the offset `at`; may be empty.

    Args:
        text: the expression.
        at: where it is wrong.
        told: why, by Python's parser.

    """
    for sign, cure in _SIGNS.items():
        if any(text.startswith(sign, start) for start in (at, at - len(sign) + 1) if start >= 0):
            return cure
    if "else" in told:
        return "write else and what it is otherwise"
    if "comma" in told:
        return "a comma, an operator or a quote is missing before or after it"
    return ""


def of_word(text: str, at: int) -> str:
    """Return the cure for a word of Python that stands at `at` where a key should be."""
    before = _WORD.split(text[:at])[-1]
    word = _WORD.split(text[at:])[0]
    return f'write {before.rstrip(".")}["{word}"]'


def of_name(name: str, known: Iterable[str], functions: Iterable[str]) -> str:
    """Return the cure for a name that is not one of those `known`."""
    if name in functions:
        return f"it is a function, write {name}(...)"
    if name.lower() in _YES:
        return f"write {_YES[name.lower()]}"
    near = nearest(name, known)
    if near.startswith("did you mean"):
        return near
    return f"write it in quotes if it is text, names are {', '.join(known)}"


def of_function(name: str, functions: Iterable[str]) -> str:
    """Return the cure for a function that does not exist; may be empty."""
    if name in NAMES:
        return _FUNCTIONS.get(name, f"it is a method, write x.{name}(...)")
    return suggest(name, functions)


def of_method(name: str, functions: Iterable[str]) -> str:
    """Return the cure for a method that does not exist; may be empty."""
    if name in functions:
        return f"it is a function, write {name}(x)"
    return _METHODS.get(name) or suggest(name, NAMES)
