"""Commands that run without a shell: split into words, and refused if only a shell understands them."""

import shlex

from setpoint import ParamError

SYNTAX = frozenset({"|", "||", "&&", "&", ";", "<", ">", ">>", "2>", "2>&1", "&>"})


def check(param: str, text: str) -> None:
    """See that `text` is a program and its arguments, quoted as for a shell.

    Raises:
        ParamError: it is none, or has signs that mean something to a shell only.

    """
    try:
        words, raw = shlex.split(text), shlex.split(text, posix=False)
    except ValueError as error:
        rule = f"must be words as a shell has them, found {str(error).lower()}"
        raise ParamError(param, rule, "close it, or put a backslash before it") from None
    if not words:
        raise ParamError(param, "must name a program, found only blanks")
    if found := SYNTAX.intersection(raw):
        sign = min(found)
        rule = f"must be one command without a shell, found {sign!r}"
        raise ParamError(param, rule, f"add shell: true, or quote it: '{sign}'")
