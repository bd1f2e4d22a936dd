"""Which params go together, checked before any file is looked at; one that is still to be received is well."""

import re
from typing import TYPE_CHECKING, Any

from setpoint import ParamError
from setpoint_line.making import body, markers

if TYPE_CHECKING:
    from setpoint_line.resource import Line


def validate(line: "Line") -> None:
    """See that the params of `line` go together.

    Raises:
        ParamError: two do not, or one is not what it may be.

    """
    if isinstance(line.path, str) and (line.path[:1] != "/" or "\0" in line.path):
        raise ParamError("path", f"must be an absolute path, not {line.path!r}")
    _validate_aim(line)
    _validate_line(line.line)
    for param in ("match", "insert_after", "insert_before"):
        _validate_pattern(param, getattr(line, param))
    if line.insert_after and line.insert_before:
        raise ParamError("insert_before", "does not go with insert_after", "keep one of them")
    _validate_match(line)
    _validate_block(line)
    _validate_mode(line)


def _validate_aim(line: "Line") -> None:
    """See that one thing is declared."""
    if line.block is not None:
        for param in ("line", "match"):
            if getattr(line, param) is not None:
                raise ParamError(param, "does not go with block", "declare a resource for each")
    elif line.state == "exists" and line.line is None:
        raise ParamError("line", "must be given, or block", "write the line that is to be there")
    elif line.line is None and line.match is None:
        raise ParamError("line", "must be given, or match or block", "write what is to go")


def _validate_line(line: Any) -> None:
    if isinstance(line, str) and re.search(r"[\n\0]|\r\Z", line):
        raise ParamError("line", f"must be one line without its end, not {line!r}", "write block")


def _validate_pattern(param: str, pattern: Any) -> None:
    if not isinstance(pattern, str):
        return
    try:
        re.compile(pattern)
    except re.error as error:
        rule = f"must be a regular expression, not {pattern!r}: {error}"
        raise ParamError(param, rule, "put a backslash before signs that mean themselves") from None


def _validate_match(line: "Line") -> None:
    """See that the line itself is found by match, or each run would replace one more."""
    if not isinstance(line.line, str) or not isinstance(line.match, str):
        return
    if line.state == "exists" and line.which != "all" and not re.search(line.match, line.line):
        rule = f"must fit the line itself too, {line.match!r} does not fit {line.line!r}"
        cure = "or each run would replace one more line; widen it, as ^#?Port, or set which: all"
        raise ParamError("match", rule, cure)


def _validate_block(line: "Line") -> None:
    if not isinstance(line.block, str) or not isinstance(line.comment, str):
        return
    if "\n" in line.name:
        raise ParamError("name", f"must be one line to mark a block, not {line.name!r}")
    if not line.comment.strip() or "\n" in line.comment:
        raise ParamError("comment", f"must begin a comment in the file, not {line.comment!r}")
    if "\0" in line.block:
        raise ParamError("block", "must be text, found a NUL in it")
    if set(body(line.block)) & set(markers(line)):
        raise ParamError("block", "must not have its own markers in it", "they are added")


def _validate_mode(line: "Line") -> None:
    if not isinstance(line.mode, str) or not line.mode:
        return
    if not re.fullmatch(r"0?[0-7]{3,4}", line.mode):
        raise ParamError("mode", f"must be from 0000 to 07777, not {line.mode!r}", 'write "0644"')
    if not line.create:
        raise ParamError("mode", "is that of a file that is made", "write create: true")
