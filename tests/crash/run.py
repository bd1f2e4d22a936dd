# ruff: noqa: T201 - a program prints
"""Kill an engine at every step of its journal and around every system call: nothing may be lost or torn.

`tests/crash/run.py 10000` kills 10,000 times (about 10 minutes on two processors); a second argument is the seed of a
former run. On each processor one campaign goes on, with a machine of its own and its share of the points.

Each kill has a life before it, in which the engine converges a machine (see `machine`) from nothing or from an older
version of its graph and some drift, and a life after it, to convergence. Then: no listener has missed a change, there
is at most one refresh more than needed for each kill, all files are whole, and nothing unfinished is left. When every
point has had its kill, several kills follow each other: also those lives that recover are killed.

Whether the program would see a mistake was tried with engines that made one: no intent, an intent that is not durable
when the change begins, debts that are cleared before the refresh or before they are passed on, not kept, or not
passed on, and files that are written in place or whose unfinished copies stay. Each was seen within 20 kills.
"""

import importlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))

from machine import KINDS, Machine

from setpoint.plugins import Plugins
from setpoint.testing.killing import (
    LifeError,
    adopt_orphans,
    run_and_kill_at_call,
    run_and_kill_at_step,
)

NEVER = 1 << 30
ENOUGH = 20  # wrong things to see what is the matter
Point = tuple[str, int]  # "step" or "call", number
Script = tuple[int, list[Point]]  # the template, and where lives that follow each other are killed
BROKEN = '{"kills": 0, "extra": 0, "wrong": ["a campaign broke off"]}'


class Tally:
    """What has happened in all lives."""

    def __init__(self) -> None:
        self.kills = self.extra = 0
        self.wrong: list[str] = []

    def add(self, kills: int, extra: int, wrong: list[str]) -> None:
        self.kills += kills
        self.extra += extra
        self.wrong += wrong

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {len(self.wrong)} wrong, {self.extra} refreshes more than needed"
        )


class Campaign:
    """Kills machines below `directory`."""

    def __init__(self, directory: Path) -> None:
        plugins = Plugins()
        plugins.add(*KINDS)
        self.machine = Machine(directory / "machine", plugins)
        self.tally = Tally()
        self.templates = directory / "nothing", directory / "older"
        (self.templates[0] / "files").mkdir(parents=True)
        self.machine.renew(self.templates[0])
        self._warm_up(directory / "modules")
        self.machine.drift()
        self.machine.root.rename(self.templates[1])

    def _warm_up(self, modules: Path) -> None:
        """Converge for the first time, and import here what that has imported: a fork gets it for nothing."""

        def life(_: object) -> None:
            self.machine.live(0)
            modules.write_text(" ".join(sys.modules))

        run_and_kill_at_step(life, NEVER)
        for name in modules.read_text().split():
            if name != "__main__":
                importlib.import_module(name)

    def points(self) -> list[tuple[int, Point]]:
        """Return all points at which a life can be killed: which template, and where."""
        found: list[tuple[int, Point]] = []
        for number, template in enumerate(self.templates):
            for sort in ("step", "call"):
                self.machine.renew(template)
                _, last = self.live(sort, NEVER)
                found += [(number, (sort, at)) for at in range(last)]
        return found

    def live(self, sort: str, at: int) -> tuple[bool, int]:
        """Let the machine converge on version 1, killed at a point; return whether it was."""
        if sort == "step":
            return run_and_kill_at_step(lambda step: self.machine.live(1, step), at)
        return run_and_kill_at_call(lambda: self.machine.live(1), at)

    def kill(self, number: int, points: list[Point]) -> None:
        """Kill lives from template `number` at `points`, let one more recover, and judge."""
        self.machine.renew(self.templates[number])
        try:
            found = self._kill_and_judge(points, drifted=number == 1)
        except LifeError as error:
            found = 0, 0, [str(error)]
        where = f"from template {number} killed at {points}"
        self.tally.add(*found[:2], [f"{where}: {what}" for what in found[2]])

    def _kill_and_judge(self, points: list[Point], drifted: bool) -> tuple[int, int, list[str]]:
        """Return how often it was killed, how many refreshes were not needed, and what is wrong."""
        machine = self.machine
        before, old = machine.versions(), lines(machine.log)
        wrong, kills = [], 0
        for point in points:
            kills += self.live(*point)[0]
            wrong += machine.torn(drifted)
        self.live("step", NEVER)
        new = lines(machine.log)[len(old) :]
        extra = machine.extra(before, new)
        wrong += machine.missed(before, new) + machine.leftovers()
        wrong += [f"{name} is not as declared" for name in machine.unlike(1)]
        wrong += [f"{name}: {n} more for {kills} kills" for name, n in extra.items() if n > kills]
        return kills, sum(max(0, n) for n in extra.values()), wrong


def lines(log: Path) -> list[str]:
    """Return the lines of `log`, none if it is not there."""
    return log.read_text().splitlines() if log.exists() else []


def scripts(points: list[tuple[int, Point]], seed: int) -> Iterator[Script]:
    """Yield each of `points` once, steps first; then several at a time for ever."""
    chance = random.Random(seed)
    shuffled = chance.sample(points, len(points))
    for number, point in sorted(shuffled, key=lambda found: found[1][0] != "step"):
        yield number, [point]
    while True:
        number = chance.randrange(2)
        some = [point for _, point in chance.choices(points, k=chance.randint(2, 4))]
        yield number, some


@contextmanager
def campaign() -> Iterator[Campaign]:
    """Give a campaign in a directory in memory if there is such a place: what a kill leaves is the same there."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Campaign(Path(directory))


def fork_campaign(scripts: Iterator[Script], kills: int) -> int:
    """Return a descriptor from which the tally of `kills` kills can be read when a forked process is done."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            adopt_orphans()
            with campaign() as own, os.fdopen(writing, "w") as told:
                while own.tally.kills < kills and len(own.tally.wrong) < ENOUGH:
                    own.kill(*next(scripts))
                json.dump(vars(own.tally), told)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    return reading


def main(kills: int, seed: int) -> int:
    """Kill `kills` times; print what was found, and return how many things were wrong."""
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    with campaign() as first:
        points = first.points()
    print(f"{len(points)} points in {time.monotonic() - began:.1f} s", flush=True)
    tally, shares = Tally(), os.cpu_count() or 1
    told = [
        fork_campaign(itertools.islice(scripts(points, seed), n, None, shares), -(-kills // shares))
        for n in range(shares)
    ]
    for reading in told:
        with os.fdopen(reading) as file:
            tally.add(**json.loads(file.read() or BROKEN))
    print(*tally.wrong[:ENOUGH], sep="\n")
    print(f"{tally} in {time.monotonic() - began:.0f} s")
    return len(tally.wrong)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    sys.exit(main(wanted, chosen) != 0)
