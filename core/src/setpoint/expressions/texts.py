"""How values become text: within `${{ … }}`, in f-strings, by `str`, `json` and `yaml`."""

import functools
import re
from typing import Any

import msgspec

from setpoint.expressions.faults import ExpressionError, show
from setpoint.expressions.frame import LISTS, MAX_TEXT, NUMBERS, SCALARS, Frame
from setpoint.expressions.operators import pay_all, shown
from setpoint.values import as_text

MAX_WIDTH = 1_000  # of a formatted value, and of what follows its point
YAML_STEPS = 400  # one value written by PyYAML costs as much as so many steps
MAX_INDENT = 8

_SPEC = re.compile(
    r"(?P<align>(?:[^{}]?[<>=^])?)(?P<sign>[-+ ]?)(?P<alternate>#?)(?P<zero>0?)"
    r"(?P<width>\d{0,9})(?P<group>[,_]?)(?:\.(?P<precision>\d{1,9}))?(?P<type>[bdeEfFgGosxX%]?)"
)


def text_of(frame: Frame, value: Any) -> str:
    """Return `value` as it stands within text.

    Raises:
        ExpressionError: it is a list or a map.

    """
    if type(value) is str:
        return value
    if type(value) in SCALARS:
        return as_text(value)
    raise ExpressionError(
        f"{show(value)} is no part of a text", 'write json(...), or ", ".join(...) of its items'
    )


def encoded(text: str) -> bytes:
    """Return `text` in UTF-8.

    Raises:
        ExpressionError: it has half of a character in it.

    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ExpressionError("this text has characters that UTF-8 has not") from None


def joined(frame: Frame, pieces: list[str]) -> str:
    """Return one text of `pieces`."""
    frame.pay_text(sum(map(len, pieces)))
    return "".join(pieces)


def checked_spec(spec: str) -> str:
    """Return `spec`, what is behind the colon in an f-string.

    Raises:
        ExpressionError: there is no such format, or it is too wide.

    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ExpressionError(
            f"there is no format {show(spec)}", "write one such as >10, 05d or .2f"
        )
    if any(int(found[name] or 0) > MAX_WIDTH for name in ("width", "precision")):
        raise ExpressionError(f"a format has at most {MAX_WIDTH:,} characters")
    return spec


def formatted(frame: Frame, value: Any, spec: str) -> str:
    """Return `value` as `spec`, a checked one, says."""
    if type(value) not in NUMBERS or type(value) is bool:
        value = text_of(frame, value)
        frame.pay_text(len(value) + MAX_WIDTH)
    frame.pay(MAX_WIDTH // 32)
    try:
        return format(value, spec)
    except (ValueError, OverflowError):
        what = f"{shown(frame, value)} cannot be written in the format {show(spec)}"
        raise ExpressionError(what) from None


def json(frame: Frame, value: Any, indent: Any = None) -> str:
    """Return `value` as JSON, on one line, or with `indent` spaces a level."""
    pay_all(frame, value)
    try:
        written = msgspec.json.encode(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ExpressionError("this has no form in JSON") from None
    if indent is not None:
        if type(indent) is not int or not 1 <= indent <= MAX_INDENT:
            raise ExpressionError(f"indent is from 1 to {MAX_INDENT}, not {shown(frame, indent)}")
        frame.pay_text(len(written) + (_lines(value) + 1) * indent * (_height(value) + 1))
        written = msgspec.json.format(written, indent=indent)
    frame.pay_text(len(written))
    return written.decode()


def _height(value: Any) -> int:
    """Return how many lists and maps are in each other; the caller has paid for looking."""
    if type(value) in SCALARS:
        return 0
    items = value.values() if type(value) is dict else value
    return 1 + max(map(_height, items), default=0)


def _lines(value: Any) -> int:
    if type(value) in SCALARS:
        return 1
    items = value.values() if type(value) is dict else value
    return 1 + sum(map(_lines, items))


def yaml(frame: Frame, value: Any) -> str:
    """Return `value` as YAML, one key or item a line."""
    pay_all(frame, value)
    lines = _lines(value)
    frame.pay(YAML_STEPS * lines)
    _pay_escaped(frame, value)
    frame.pay_text(2 * lines * (_height(value) + 1))
    try:
        written = _dump(value)
    except ValueError:
        raise ExpressionError("this has no form in YAML") from None
    frame.pay_text(len(written))
    return written.removesuffix("...\n") if type(value) in SCALARS else written


def _dump(value: Any) -> str:
    """Return `value` as YAML.

    Raises:
        ValueError: there are characters in it that YAML has not.

    """
    import yaml as pyyaml  # the reader of graph files has it loaded

    dumped = pyyaml.dump(
        value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return str(dumped)


@functools.cache
def _dumper() -> Any:
    """Return what writes YAML: each thing as often as it is there, a tuple as a list."""
    import yaml as pyyaml

    class Dumper(getattr(pyyaml, "CSafeDumper", pyyaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_tuple(self, data: tuple[Any, ...]) -> Any:
            return self.represent_list(list(data))

    Dumper.add_representer(tuple, Dumper.represent_tuple)
    return Dumper


def _pay_escaped(frame: Frame, value: Any) -> None:
    """Pay for texts that YAML breaks into lines, each indented by what it is in, or escapes."""
    if type(value) is str:
        frame.pay_text(min(4 * len(value), MAX_TEXT))
        frame.pay(len(value) // 4)
    elif type(value) in LISTS or type(value) is dict:
        for item in value.values() if type(value) is dict else value:
            _pay_escaped(frame, item)
