"""Generations: the graph files of every graph that was taken over, so that one can look back and go back.

Each is one file in the directory `generations` of the state directory, 0600 like all in there, because graph files may
hold secrets. It is written as a whole, before older ones go. Several graphs may share a state directory: what comes
before a generation is the last one of the same graph.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import msgspec

from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from setpoint.host import Host

KEPT = 20  # generations
ASKED = "asked"  # the file with the number of the one that is gone back to
MOST_BYTES = 64 << 20  # of all generations together; the newest is kept whatever its size

_NAME = re.compile(r"([1-9]\d*)\.json")


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """The graph files of one graph, as they were taken over.

    number: counted over all graphs of a state directory, from 1.
    at: wall time.
    by: what led to it: "start", "site.yaml was saved", "reload was asked for", "rolled back to 3".
    scope: tells the graph from others with the same state directory, see `Graph`.
    given: the files that were named on the command line, absolute.
    files: path to text of all files that were read, included ones too.
    resources: how many there were.
    difference: how many came, changed and went by it; empty at a start.
    """

    number: int
    at: float
    by: str
    scope: str
    given: tuple[str, ...]
    files: Mapping[str, str]
    resources: int
    difference: tuple[int, ...] = ()


class Generations:
    """Those of one state directory; all methods block.

    Raises:
        OSError: from any method, as the kernel says it.

    """

    def __init__(self, host: "Host") -> None:
        self.directory = os.path.join(host.root, "generations")
        self._root, self._files = host.root, host.files

    def numbers(self) -> list[int]:
        """Return those of the generations that are kept, oldest first."""
        try:
            names = os.listdir(self.directory)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(found[1]) for found in map(_NAME.fullmatch, names) if found)

    def read(self, number: int) -> Generation:
        """Return the generation with this number.

        Raises:
            SetpointError: there is none, or it is damaged.

        """
        import json  # keeps what a path has that is not UTF-8

        path = self._path(number)
        try:
            content = self._files.read(path)
        except (FileNotFoundError, NotADirectoryError):
            raise self._none(number) from None
        try:
            return msgspec.convert(json.loads(content), Generation)
        except ValueError as error:
            raise SetpointError(f"{path}: is damaged, {error}; remove it") from None

    def everything(self) -> list[Generation]:
        """Return all that are kept, oldest first.

        Raises:
            SetpointError: one is damaged.

        """
        return [self.read(number) for number in self.numbers()]

    def latest(self, scope: str, below: float = inf) -> Generation | None:
        """Return the last generation of a graph with a number less than `below`; None if none is kept."""
        numbers = (number for number in reversed(self.numbers()) if number < below)
        return next((one for one in map(self.read, numbers) if one.scope == scope), None)

    def before(self, one: Generation) -> Generation | None:
        """Return the generation of the same graph that `one` took the place of; None if it is not kept."""
        return self.latest(one.scope, one.number)

    def ask_for(self, number: int) -> None:
        """Have the next one that is kept be called a rollback to that one, if it has the same files."""
        self._files.write(os.path.join(self.directory, ASKED), str(number).encode(), mode=0o600)

    def keep(self, new: Generation) -> Generation:
        """Keep `new`, whose number is not yet known, as the latest; return it as it is kept.

        If its files are those of the latest of its graph, that one is returned. If they are those of an older one,
        what led to it is a rollback, however it was done: to the one that was asked for, else to the last of those.

        Raises:
            SetpointError: an older one is damaged.

        """
        numbers, asked = self.numbers(), self._asked()
        alike = [found for found in self.everything() if found.scope == new.scope]
        if alike and alike[-1].files == new.files:
            return alike[-1]
        back = [found.number for found in alike if found.files == new.files]
        by = new.by
        if back and by != "start":
            by = f"rolled back to {asked if asked in back else back[-1]}"
        number = numbers[-1] + 1 if numbers else 1
        made = msgspec.structs.replace(new, number=number, by=by)
        self._write(made)
        self._prune()
        return made

    def _asked(self) -> int:
        """Return the number of the one that was asked for, from now on nobody's; 0 for none."""
        path = os.path.join(self.directory, ASKED)
        with suppress(OSError, ValueError):  # what another user wrote cannot be read
            content = self._files.read(path)
            self._files.remove(path)
            return int(content)
        return 0

    def _write(self, made: Generation) -> None:
        import json

        if not os.path.isdir(self.directory):
            self._files.make_directory(self.directory, mode=0o700)
        content = json.dumps(msgspec.to_builtins(made)).encode()
        self._files.write(self._path(made.number), content, mode=0o600, fsync=True)

    def _prune(self) -> None:
        """Remove the oldest, as long as there are too many or they are too large."""
        room = MOST_BYTES
        for place, number in enumerate(reversed(self.numbers())):
            room -= os.path.getsize(self._path(number))
            if place and (place >= KEPT or room < 0):
                with suppress(FileNotFoundError):
                    self._files.remove(self._path(number))

    def _path(self, number: int) -> str:
        return os.path.join(self.directory, f"{number}.json")

    def _none(self, number: int) -> SetpointError:
        numbers = self.numbers()
        if not numbers:
            why, cure = "no generation is kept there", "run a graph first, or give its --prefix"
        else:
            why, cure = f"there is no generation {number}", f"known: {_ranges(numbers)}"
        return SetpointError(f"{self._root}: {why}; {cure}")


def _ranges(numbers: list[int]) -> str:
    whole = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2
    return f"{numbers[0]} to {numbers[-1]}" if whole else ", ".join(map(str, numbers))
