"""Regular expressions whose time grows with the text and not beyond: RE2's.

Everything is done in UTF-8, where RE2 is at home; offsets in characters are asked for by nobody.
"""

import functools
import re
from typing import Any

from setpoint.expressions.faults import ExpressionError, show
from setpoint.expressions.frame import MAX_TEXT, Frame
from setpoint.expressions.operators import shown
from setpoint.expressions.texts import encoded

MAX_PATTERN = 1_000  # characters
MEMORY = 1 << 20  # bytes for one pattern; RE2 refuses one that needs more
WORK = 100  # instructions of a pattern, each tried on a character, for one step
KEPT = 100  # patterns kept compiled
CALL = 10  # steps of one call
INSTRUCTION = 40  # steps of compiling one instruction
NEW = 50  # instructions that compiling a pattern costs besides

_GROUP = re.compile(r"\\(?:(\d{1,2})|g<(\w{1,50})>|(\\)|(.?))", re.DOTALL)


@functools.lru_cache(KEPT)
def _compiled(pattern: str) -> Any:
    """Return `pattern` in a form that searches.

    Raises:
        ExpressionError: it is no pattern, or too large.

    """
    try:
        import re2  # type: ignore[import-untyped]  # 8 ms, for those who need it
    except ImportError:
        what = "patterns need a library that is not installed"
        raise ExpressionError(what, "pip install google-re2") from None
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError(f"a pattern has at most {MAX_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        return re2.compile(encoded(pattern), options)
    except re2.error as error:
        raise _wrong_pattern(pattern, error) from None


def _wrong_pattern(pattern: str, error: Exception) -> ExpressionError:
    said = error.args[0] if error.args else ""
    said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    cure = ""
    if re.search(r"\(\?(<?[=!])|\\[1-9]", pattern):
        cure = "looking ahead, looking behind and references to groups do not exist here"
    return ExpressionError(f"the pattern {show(pattern)} is wrong: {said}", cure)


def _prepared(frame: Frame, pattern: Any, text: Any) -> tuple[Any, bytes]:
    """Return the compiled pattern and the encoded text, paid for."""
    for value in (pattern, text):
        if type(value) is not str:
            raise ExpressionError(f"a pattern is looked for in a text, not {shown(frame, value)}")
    before = _compiled.cache_info().misses
    compiled = _secretly(pattern) if frame.tainted else _compiled(pattern)
    frame.pay(CALL + len(pattern))
    if _compiled.cache_info().misses > before:
        frame.pay(INSTRUCTION * (NEW + compiled.programsize))
    frame.pay_text(len(text))
    searched = encoded(text)
    _pay_search(frame, compiled, len(searched))
    return compiled, searched


def _secretly(pattern: str) -> Any:
    """Return the compiled pattern; an error does not show it."""
    try:
        return _compiled(pattern)
    except ExpressionError:
        raise ExpressionError("the pattern is wrong") from None


def _pay_search(frame: Frame, compiled: Any, size: int) -> None:
    frame.pay(size * compiled.programsize // WORK)


def match(frame: Frame, pattern: Any, text: Any) -> dict[str, str | None] | None:
    """Return what `pattern` first finds in `text`: its groups by number and name, "0" is all; or null."""
    compiled, searched = _prepared(frame, pattern, text)
    found = compiled.search(searched)
    if found is None:
        return None
    groups = [_decoded(found.group(index)) for index in range(compiled.groups + 1)]
    frame.pay_text(sum(len(group or "") for group in groups))
    named = {name.decode(): groups[index] for name, index in compiled.groupindex.items()}
    return {**{str(index): group for index, group in enumerate(groups)}, **named}


def _decoded(group: bytes | None) -> str | None:
    return None if group is None else group.decode(errors="replace")


def replace(frame: Frame, pattern: Any, by: Any, text: Any) -> str:
    r"""Return `text` with all that `pattern` finds replaced; `by` may have `\1` and `\g<name>` in it."""
    compiled, searched = _prepared(frame, pattern, text)
    if type(by) is not str:
        raise ExpressionError(f"the replacement is a text, not {shown(frame, by)}")
    pieces = _pieces(frame, compiled, by)
    made: list[bytes] = []
    done = size = 0
    for found in compiled.finditer(searched):
        start, end = found.span()
        if start < len(searched) and searched[start] & 0xC0 == 0x80:
            continue  # nothing was found, but between the bytes of one character
        new = [searched[done:start], *_expanded(found, pieces)]
        size += sum(map(len, new))
        frame.pay(CALL + len(new) + sum(map(len, new)) // 32)
        if size > 4 * MAX_TEXT:
            frame.pay_text(size)
        _pay_search(frame, compiled, (len(searched) - end) // 8)
        made += new
        done = end
    result = b"".join([*made, searched[done:]]).decode(errors="replace")
    frame.pay_text(len(result))
    return result


def _expanded(found: Any, pieces: list[bytes | int]) -> list[bytes]:
    return [piece if isinstance(piece, bytes) else found.group(piece) or b"" for piece in pieces]


def _pieces(frame: Frame, compiled: Any, by: str) -> list[bytes | int]:
    """Return the parts of a replacement: text, and numbers of groups."""
    frame.pay_text(len(by))
    pieces: list[bytes | int] = []
    done = 0
    for found in _GROUP.finditer(by):
        pieces.append(encoded(by[done : found.start()]))
        pieces.append(_group(frame, compiled, found))
        done = found.end()
    return [piece for piece in [*pieces, encoded(by[done:])] if piece != b""]


def _group(frame: Frame, compiled: Any, found: re.Match[str]) -> bytes | int:
    if found[3]:
        return b"\\"
    names = {name.decode(): index for name, index in compiled.groupindex.items()}
    name = found[1] or found[2] or ""
    number = int(name) if name.isdecimal() else names.get(name, -1)
    if 0 <= number <= compiled.groups:
        return number
    what = f"the pattern has no group {shown(frame, found[0])}"
    raise ExpressionError(what, r"write \\ for a backslash" if not name else "")
