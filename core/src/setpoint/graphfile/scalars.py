"""What plain text in YAML stands for: the core schema of YAML 1.2, with one rule of our own.

`yes`, `on` and `no` are text. So is a number with a leading zero, for `0644` is a mode and no number anyone
would count with.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from typing import Any

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_LONGEST = 64  # characters of a number; longer ones are text, and never cost time to convert
_BEGIN = frozenset("+-.0123456789")
_WHOLE = r"(?:0|[1-9][0-9]*)"
_INT = re.compile(rf"[-+]?{_WHOLE}")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(rf"[-+]?(?:\.[0-9]+|{_WHOLE}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str) -> Any:
    """Return the number, truth value or None that plain `text` stands for, else `text` itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _BEGIN or len(text) > _LONGEST:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
