"""The names of unfinished files: whose they are can be told, so that those of the dead can go.

A name tells the process and when it began, as numbers of processes are used again. Files of a
process in another container look abandoned; if one is removed, its maker fails and tries again.
"""

import itertools
import os
import re

from setpoint.paths import Place

NAME = re.compile(r"\.setpoint-(\d+)-(\d+)-\d+~")  # process, when it began, a number

_numbers = itertools.count()


def temporary_name() -> str:
    """Return a name that nobody else uses."""
    return f"{_Mark.text}{next(_numbers)}~"


def is_temporary(name: str) -> bool:
    """Whether something unfinished has this name."""
    return NAME.fullmatch(name) is not None


def remove_leftovers(place: Place) -> None:
    """Remove what processes that are no more were making in the directory of `place`."""
    fd = place.open_directory()
    try:
        for name in os.listdir(fd):
            made = NAME.fullmatch(name)
            if made and birth(int(made[1])) != int(made[2]):
                place.remove(place.prefix + name)
    finally:
        os.close(fd)


def remove_leftovers_below(directory: str) -> None:
    """Do so in `directory` and all that lie in it; nothing if there is none."""
    for parent, _, names in os.walk(directory):
        if any(map(is_temporary, names)):
            remove_leftovers(Place(parent, f"{parent}/", f"{parent}/"))


def birth(pid: int) -> int:
    """Return when process `pid` began, in clock ticks since boot; 0 if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class _Mark:
    """How the names that this process gives begin."""

    text = ""

    @classmethod
    def renew(cls) -> None:
        """Write down which process this is; again in one that was forked."""
        pid = os.getpid()
        cls.text = f".setpoint-{pid}-{birth(pid)}-"


_Mark.renew()
os.register_at_fork(after_in_child=_Mark.renew)
