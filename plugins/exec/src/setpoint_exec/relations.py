"""What a command needs of other resources of the graph: automatic edges."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from setpoint import Need, Thing
from setpoint.processes import PATH
from setpoint.relations import ANYTHING


def needed(
    programs: Iterable[str], files: Iterable[str], cwd: str, user: str, group: str
) -> Iterator[Need]:
    """Yield what a command waits for that runs `programs`, paths or words that are looked up in PATH."""
    for path in files:
        yield Need("path", os.path.normpath(path), "a file that it follows")
    for program in programs:
        for path in _candidates(program):
            yield Need("path", path, "a program that it runs")
            yield Need("owned", path, "the package of a program that it runs")
    if cwd and isinstance(cwd, str):  # else it is received later
        yield Need("directory", os.path.normpath(cwd), "where it runs", nearest=True)
    if user and isinstance(user, str):
        yield Need("user", user, "the user it runs as")
    if group and isinstance(group, str):
        yield Need("group", group, "the group it runs as")


def touched() -> Iterable[Thing]:
    """Return that nobody knows what a command changes."""
    return (ANYTHING,)


def read(command: Any) -> Iterator[Thing]:
    """Yield what the guards of `command` look at."""
    if command.refresh_only:
        return
    if command.onlyif or command.unless:
        yield ANYTHING
    for path in filter(None, (*command.mtimes, command.creates)):
        yield Thing("path", os.path.normpath(path))


def _candidates(program: str) -> list[str]:
    if "/" in program:
        return [os.path.normpath(program)]
    return [os.path.join(directory, program) for directory in PATH.split(":")]
