"""Expressions within Python's texts, between marks that differ in each process.

Nobody can know them who writes no program, so nothing that comes from elsewhere and looks like an expression becomes
one.
"""

import os
import re

_NONCE = os.urandom(8).hex()
_MARKED = re.compile(rf"\$\{{\{{<{_NONCE}> (.*?) <{_NONCE}>\}}\}}", re.DOTALL)


def marked(expression: str) -> str:
    """Return `expression`, in the language of graph files, as it stands within a text."""
    return f"${{{{<{_NONCE}> {expression} <{_NONCE}>}}}}"


def is_live(text: str) -> bool:
    """Whether there is an expression in `text`."""
    return _MARKED.search(text) is not None


def split(text: str) -> list[str]:
    """Return what is text in `text`, and what is an expression, by turns; first and last is text."""
    return _MARKED.split(text)
