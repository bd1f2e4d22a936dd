"""Very many of one name, and those that breed meanwhile: all of them, and nobody else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result

from setpoint.host import Host
from setpoint.processes.proc import Entry, everything
from setpoint_process import Process
from setpoint_process.record import of_this_command
from setpoint_process.signals import pause, resume

if TYPE_CHECKING:
    from conftest import Herd

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]
Declare = Callable[..., Process]
MANY = 1000
FLOCK = "i=1; while [ $i -lt {many} ]; do (read x < {fifo}) & i=$((i+1)); done; wait"
# Every member forks one more for each line it gets, and that one does the same, and so on.
STORM = "exec 3<>{fifo}; breed() {{ while read line <&3; do breed & done; }}; breed"

# A vfork: the parent cannot even be stopped before the child has opened its input.
VFORK = """
import os
with open("/proc/self/comm", "w") as file:
    file.write({name!r})
stdin = (os.POSIX_SPAWN_OPEN, 0, {fifo!r}, os.O_RDONLY, 0)
os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}, file_actions=[stdin]), 0)
"""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.fixture
def flock(herd: "Herd", fifo: Path) -> list[int]:
    """A thousand processes of one name."""
    herd.script(FLOCK.format(many=MANY, fifo=fifo))
    while len(pids := [entry.pid for entry in herd.entries()]) < MANY:
        pass
    return pids


@pytest.fixture
def strangers(herd: "Herd") -> list[int]:
    """Some whose names are similar, and one that has the name among its arguments."""
    name = herd.name
    similar = [name + "s", "a" + name, name[:-1], name.upper()]
    return [*(herd.stranger(other) for other in similar), herd.stranger("other", name)]


def states(pids: list[int]) -> set[str]:
    return {entry.state for entry in everything() if entry.pid in set(pids)}


class Storm:
    """Processes that fork as fast as they can, as often as they are allowed to in sum."""

    def __init__(self, herd: "Herd", fifo: Path) -> None:
        self.herd, self.allowed = herd, 0
        self._lines = os.open(fifo, os.O_RDWR)
        herd.script(STORM.format(fifo=fifo))
        self.rage(50)
        self.over()

    def rage(self, births: int) -> None:
        """Allow so many more births."""
        self.allowed += births
        os.write(self._lines, b"\n" * births)

    def over(self) -> None:
        """Wait until all that are allowed are born."""
        while len(self.herd.entries()) <= self.allowed:
            pass

    def close(self) -> None:
        os.close(self._lines)


@pytest.fixture
def storm(herd: "Herd", fifo: Path) -> Iterator[Storm]:
    storm = Storm(herd, fifo)
    yield storm
    storm.close()


async def test_a_thousand_are_paused_and_continued_by_the_resource(
    herd: "Herd", declare: Declare, flock: list[int], strangers: list[int]
) -> None:
    begun = time.monotonic()
    await declare("paused").check_apply(apply=True)
    assert time.monotonic() - begun < 5
    assert herd.states() == ["T"] * MANY
    assert "T" not in states(strangers)
    await declare("running").check_apply(apply=True)
    assert "T" not in states(flock)


def test_a_thousand_are_paused_and_continued_by_the_command(
    herd: "Herd", paused: Start, flock: list[int], strangers: list[int]
) -> None:
    begun = time.monotonic()
    child = paused(f"^{herd.name}$")
    assert time.monotonic() - begun < 10
    assert herd.states() == ["T"] * MANY
    assert "T" not in states(strangers)
    told = child.communicate("\n")[1]
    assert (child.returncode, f"continued {MANY}: " in told) == (0, True)
    assert "T" not in states(flock)


def test_what_breeds_during_the_pause_is_paused_to_the_last_and_continued(
    herd: "Herd", host: Host, storm: Storm
) -> None:
    notebook, rounds = of_this_command(host, "test"), []

    def remember(entries: list[Entry]) -> None:
        notebook.add(entries)
        rounds.append(len(entries))
        if len(rounds) < 5:
            storm.rage(60)

    pause(herd.selection, remember)
    assert len(rounds) > 1
    first = herd.states()
    assert set(first) == {"T"}
    assert herd.states() == first  # nobody is left who breeds
    resume(notebook.read().living())
    storm.over()
    assert "T" not in herd.states()


async def test_a_program_that_is_just_starting_another_is_paused_and_continued(
    herd: "Herd", declare: Declare, fifo: Path
) -> None:
    herd.start([sys.executable, "-c", VFORK.format(name=herd.name, fifo=str(fifo))])
    while len(herd.entries()) < 2:
        pass  # from now on it waits for its child, which has its name until it is another program
    paused, running = declare("paused"), declare("running")
    await paused.check_apply(apply=True)
    assert herd.states() == ["T", "T"]
    assert await paused.check_apply(apply=True) == []
    await running.check_apply(apply=True)
    assert "T" not in herd.states()
    fifo.write_bytes(b"")
    assert herd.reap() == [0]


@pytest.mark.parametrize("already", [1, 30])
def test_killed_in_the_middle_of_a_storm_one_command_leaves_nobody_stopped(
    herd: "Herd", start: Start, resume: Invoke, state: Path, storm: Storm, already: int
) -> None:
    child = start(f"^{herd.name}$")
    while not list(state.glob("paused/*")):
        assert child.poll() is None
    storm.rage(300)
    while herd.states().count("T") < already:
        assert child.poll() is None
    child.kill()
    child.wait()
    assert resume().exit_code == 0
    storm.over()
    assert "T" not in herd.states()
