"""Errors that a person can set right, and where in a file they are.

Three families: `SetpointError` is about what somebody declared or asked for, `PluginError` about what an author of a
plugin did, and all others (`OSError`, `TimeoutError` ...) are Python's own and left alone.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Place(NamedTuple):
    """Where something is written; lines and columns count from 1, 0 is unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part)


class SetpointError(Exception):
    """What a person can set right: shown as one line without a traceback, exit code 1."""


class Refused(SetpointError):  # noqa: N818 - what a resource says, not a fault of the program
    """A verb cannot do what is declared, and trying again would not help.

    Args:
        why: the rule that stands against it, lower case, no period.
        cure: what to do about it; empty if nothing is known.

    """

    def __init__(self, why: str, cure: str = "") -> None:
        super().__init__(f"{why}; {cure}" if cure else why)
        self.why, self.cure = why, cure


class ParamError(ValueError):
    """A param, or two that do not go together; raised by a kind's `__post_init__`.

    Args:
        param: the param at fault, so that the message can point at it.
        rule: what must hold, with what was found: "must be from 0 to 07777, not '9999'".
        cure: what to write instead; empty if nothing is known.

    """

    def __init__(self, param: str, rule: str, cure: str = "") -> None:
        super().__init__(f"{param} {rule}; {cure}" if cure else f"{param} {rule}")
        self.param, self.rule, self.cure = param, rule, cure


class Problem(NamedTuple):
    """One thing that is wrong in what somebody wrote."""

    place: Place
    message: str
    line: str = ""  # the text of that line, to put a caret under the column

    def __str__(self) -> str:
        """Return `place: message`, and under it the line with a caret if it is known."""
        first = f"{self.place}: {self.message}" if self.place.file else self.message
        if not self.line or not self.place.column:
            return first
        indent = "".join("\t" if c == "\t" else " " for c in self.line[: self.place.column - 1])
        return f"{first}\n    {self.line}\n    {indent}^"


class GraphError(SetpointError):
    """A graph that cannot be run; holds every problem that was found, in the order of the text.

    files: the absolute paths of the files that were read, or should have been; empty if that is not known.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self.files: tuple[str, ...] = ()
        super().__init__("\n".join(str(problem) for problem in self.problems))


class JournalError(SetpointError):
    """The journal cannot be used: locked by another engine, corrupt, or not writable."""


class PluginError(Exception):
    """What an author of a plugin did; names the distribution, so that the right one is blamed.

    Args:
        distribution: name and version, "setpoint-file 0.1.0"; "" when it is not known.
        what: what is wrong, with the place in the plugin's code if there is one.
        cure: what a person can do.

    """

    def __init__(self, distribution: str, what: str, cure: str = "") -> None:
        blamed = f"plugin {distribution}: {what}" if distribution else what
        super().__init__(f"{blamed}; {cure}" if cure else blamed)
        self.distribution, self.what, self.cure = distribution, what, cure


def text_of(error: BaseException) -> str:
    """Return the text of `error`; empty if it has none, or is too broken to say it."""
    try:
        return str(error)
    except Exception:  # an error of a plugin may be as broken as the plugin
        return ""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the name nearest to `word`, or the names if they are few."""
    import difflib  # only when something is misspelled

    names = sorted(known)
    near = difflib.get_close_matches(word, names, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if 0 < len(names) < 10 else ""
