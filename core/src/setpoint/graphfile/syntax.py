"""What YAML's parser says is wrong, for people."""

import re

import yaml

from setpoint.declarations import Source
from setpoint.errors import Problem
from setpoint.expressions import OPEN

# What YAML cannot hold, and what Python can hold but nobody can write: halves of surrogate pairs.
_UNREADABLE = (  # compiled when it is needed: that takes 9 ms
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]"
)
_QUOTES = "check the indentation, a ':' that is missing above, or put text with ': ' in quotes"
_ESCAPE = "in double quotes a backslash begins an escape; use single quotes"
_QUOTED = "put what has quotes in it between quotes of the other kind"
_CURES = {
    "mapping values are not allowed": _QUOTES,
    "could not find expected ':'": "a key needs ': ' behind it on the same line",
    "did not find expected key": "check the indentation, and quotes around the value",
    "did not find expected '-' indicator": "check the indentation",
    "did not find expected ',' or ']'": "close the list with ], or add a comma",
    "did not find expected ',' or '}'": "close the map with }, or add a comma",
    "block sequence entries are not allowed": "begin a list on a line of its own",
    "found unknown escape character": _ESCAPE,
    "did not find expected hexdecimal number": _ESCAPE,
}


def syntax_problem(source: Source, error: Exception) -> Problem:
    """Return the problem that made the parser raise `error`."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _unreadable(source)
    what, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return source.problem(0, f"is not YAML, {what or context}")
    begin = error.context_mark
    if begin and ("end of stream" in what or "document indicator" in what):
        mark, what = begin, f"{context.removeprefix('while scanning ')} has no end"
    elif begin and begin.line < mark.line and "expected ','" in what:
        mark, what = begin, f"{what} up to line {mark.line + 1}"
    at = source.offset(mark.line, mark.column)
    if "cannot start any token" in what:
        return source.problem(at, _no_token(source.text[at : at + 1]))
    cure = next((cure for begin, cure in _CURES.items() if what.startswith(begin)), "")
    if source.text.rfind(OPEN, 0, at + len(OPEN)) > source.text.rfind("}}", 0, at):
        inside = "',' or" in what  # of { } or [ ]
        cure = "put ${{ }} in quotes there" if inside else _QUOTED
    message = f"is not YAML, {what}; {cure}" if cure else f"is not YAML, {what}"
    return source.problem(at, message)


def _no_token(found: str) -> str:
    if found == "\t":
        return "is not YAML, a tab does not indent; use spaces"
    return f"is not YAML, {found!r} cannot begin a value; put it in quotes"


def _unreadable(source: Source) -> Problem:
    """Return that there is a character that no text file has."""
    if found := re.search(_UNREADABLE, source.text):
        what = f"is not YAML, it holds the character {found[0]!a}; write it as an escape"
        return source.problem(found.start(), what, hidden=True)
    return source.problem(0, "is not YAML, its encoding is unreadable")
