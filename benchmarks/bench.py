"""What rows are made of: figures, rounds in which floor and ours take turns, floors in C, places to write."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).parent / "floors"
IN_DIRECTORY = 100  # files; as in floor.h
SIZE = 10  # bytes of a small file

Times = dict[str, float]


class Figure(NamedTuple):
    """One line of the table.

    ours, floor: what was measured, in `unit`; a floor of None was not to be had.
    ratio: the most that ours may be of the floor; None promises nothing.
    most: the most that ours may be, in `unit`; None promises nothing.
    """

    what: str
    ours: float
    floor: float | None
    unit: str
    ratio: float | None = None
    most: float | None = None

    @property
    def found(self) -> float | None:
        """How many times the floor ours is."""
        return self.ours / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether what is promised is met; None if nothing is, or there is no floor."""
        if self.ratio is not None and self.found is None:
            return None
        if self.ratio is None and self.most is None:
            return None
        within = self.ratio is None or self.found is None or self.found <= self.ratio
        return within and (self.most is None or self.ours <= self.most)


class Bench(NamedTuple):
    """What a row is given.

    memory, disk: directories of its own, on tmpfs and on the disk of the checkout.
    programs: where floors are compiled to.
    compiler: the C compiler; empty if there is none.
    idle: seconds for which idling is measured.
    """

    quick: bool
    memory: Path
    disk: Path
    programs: Path
    compiler: str
    idle: float

    @property
    def rounds(self) -> int:
        """How often floor and ours take turns."""
        return 2 if self.quick else 5

    def program(self, name: str, *options: str) -> Path | None:
        """Return the compiled floor `name`; None if that is not to be had here."""
        path = self.programs / name
        if self.compiler and not path.exists():
            command = [self.compiler, "-O2", "-o", str(path), str(SOURCES / f"{name}.c"), *options]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"floor {name}: {done.stderr.splitlines()[0]}", file=sys.stderr)
        return path if path.exists() else None

    def floor(self, name: str, *args: object, options: tuple[str, ...] = ()) -> list[float]:
        """Run the floor `name`; return the numbers that it prints, none if it is not to be had."""
        program = self.program(name, *options)
        if program is None:
            return []
        done = subprocess.run([program, *map(str, args)], stdout=subprocess.PIPE, check=True)
        return [float(number) for number in done.stdout.split()]


def best(rounds: int, *works: Callable[[], Times]) -> Times:
    """Let `works` take turns; return the least of each time that they measure."""
    least: Times = {}
    for _ in range(rounds):
        for work in works:
            for name, seconds in work().items():
                least[name] = min(seconds, least.get(name, seconds))
    return least


def first(numbers: list[float], name: str = "floor") -> Times:
    """Return the first of the numbers that a floor printed under `name`; nothing if there is none."""
    return {name: numbers[0]} if numbers else {}


def tree(root: Path, files: int) -> Path:
    """Make the directories for `files` files below `root`, which is new: a round has its own.

    ext4 avoids inodes that were freed a short while ago: to create where something was removed
    within the same minute costs ten times more, in C too.
    """
    for directory in range((files + IN_DIRECTORY - 1) // IN_DIRECTORY):
        (root / f"d{directory}").mkdir(parents=True)
    return root


def paths(root: Path, files: int) -> list[str]:
    """Return where the files of a tree are; as in floor.h."""
    return [f"{root}/d{i // IN_DIRECTORY}/f{i}" for i in range(files)]


def verify(root: Path, files: int, size: int) -> None:
    """See that a tree holds what it is to, and nothing else.

    Raises:
        AssertionError: it does not.

    """
    content = b"x" * size
    for path in paths(root, files):
        with open(path, "rb") as file:
            assert file.read() == content, f"{path} does not hold what it is to"
        assert os.stat(path).st_mode & 0o7777 == 0o644, f"{path} has another mode"
    left = sum(len(names) for _, _, names in os.walk(root)) - files
    assert not left, f"{left} files are left over in {root}"


def pin(core: int) -> None:
    """Let this process run on one core only, counted from the end if negative."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core]})


def report(figures: Iterator[Figure]) -> None:
    """Print `figures` as JSON, one in a line, each when it is there."""
    for figure in figures:
        print(json.dumps(figure), flush=True)
