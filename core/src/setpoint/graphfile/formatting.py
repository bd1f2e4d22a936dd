"""Graph files laid out the usual way: two spaces a level, one between things, comments and order as they are.

Only spaces, blank lines and quotes change, never what is read: the formatted text is read again and held against the
first before anybody gets it.
"""

import re

from setpoint.declarations import Declarations, Source, plain
from setpoint.errors import GraphError, SetpointError
from setpoint.graphfile import declare, reader
from setpoint.graphfile.layout import Layout


def formatted(text: str, file: str) -> str:
    """Return the graph `text` formatted; `file` is its name in messages.

    Raises:
        GraphError: it is no YAML that a graph file may hold; with all that is wrong.
        SetpointError: formatting would change what it says, which is a fault of the formatter.

    """
    before = _meaning(text, file)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    _refuse_odd_ends(text, file)
    result = Layout(text).formatted()
    if result != text and _meaning(result, file) != before:
        raise SetpointError(f"{file}: formatting would change what it says, so it is left as it is")
    return result


def _refuse_odd_ends(text: str, file: str) -> None:
    """Refuse what ends a line for YAML 1.1 only: there is no telling what is a comment."""
    if found := re.search("[\x85\u2028\u2029]", text):
        what = (
            f"cannot be formatted with {found[0]!a} in it, which ends a line for some programs only"
        )
        raise GraphError(
            [Source(file, text).problem(found.start(), f"{what}; write it as an escape")]
        )


def _meaning(text: str, file: str) -> tuple[str, list[str]]:
    """Return what is in `text`, in a form that differs if a type or the order does, and its problems."""
    source, declarations = Source(file, text), Declarations()
    declare(source, declarations)
    written = repr(plain(reader.load(source)))
    return written, [problem.message for problem in declarations.problems]
