"""Processes of the tests' own: a name that nothing else on the machine has, and gone afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from setpoint.host import Host
from setpoint.processes.proc import Entry, Selection, read
from setpoint_process import Process, commands
from setpoint_process.signals import Outcome, send
from setpoint_process.table import scan


class Herd:
    """Programs under one name that is nobody else's."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)  # other users run them too
        self.name = f"herd{uuid.uuid4().hex[:8]}"
        self.selection = Selection(name=self.name)
        self._sleep = self._copy("sleep", self.name)
        self._shell = self._copy("sh", self.name)
        self.children: list[subprocess.Popen[bytes]] = []

    def _copy(self, program: str, name: str) -> str:
        folder = self.folder / program
        folder.mkdir(exist_ok=True)
        return shutil.copy(os.path.realpath(f"/bin/{program}"), folder / name)

    def sleepers(self, number: int = 1, **options: object) -> list[int]:
        """Start programs that do nothing; return their pids."""
        return [self.start([self._sleep, "1000"], **options) for _ in range(number)]

    def script(self, text: str, **options: object) -> int:
        """Start a shell script; what it forks has the same name."""
        return self.start([self._shell, "-c", text], **options)

    def stranger(self, name: str, *arguments: str) -> int:
        """Start a program of another name that does nothing; return its pid."""
        return self.start([self._copy("tail", name), "-f", "/dev/null", *arguments])

    def start(self, command: list[str], **options: object) -> int:
        """Start a program, which ends with the test; return its pid."""
        child = subprocess.Popen(command, **options)  # type: ignore[call-overload]
        self.children.append(child)
        return child.pid

    def states(self) -> list[str]:
        """Return the kernel's letters for all that is alive."""
        return [entry.state for entry in self.entries()]

    def entries(self) -> list[Entry]:
        """Return all that is alive, by pid."""
        return scan(self.selection)

    def entry(self, pid: int) -> Entry:
        """Return the process that must be there."""
        entry = read(pid)
        assert entry is not None
        return entry

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        send(self.entries(), number, Outcome())

    def stop(self) -> None:
        """Stop all that were started, as ^Z does, and wait until they stand still."""
        self.signal(signal.SIGSTOP)
        for child in self.children:
            os.waitpid(child.pid, os.WUNTRACED)

    def clear(self) -> None:
        """End all of them, and what they have forked meanwhile."""
        for child in self.children:
            child.kill()
        while self.entries():
            self.signal(signal.SIGKILL)
        self.reap()
        shutil.rmtree(self.folder)

    def reap(self) -> list[int]:
        """Wait until all that were started have ended; return how, as `subprocess` says it."""
        return [child.wait() for child in self.children]


Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def herd() -> Iterator[Herd]:
    herd = Herd()
    yield herd
    herd.clear()


@pytest.fixture
def declare(herd: Herd, host: Host) -> Callable[..., Process]:
    """Declare the herd to be in some state."""

    def declared(state: str = "paused", **params: object) -> Process:
        return Process(herd.name, state=state, _host=host, **params)  # type: ignore[arg-type]

    return declared


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the state directory of the commands."""
    return tmp_path / "state"


@pytest.fixture
def pause(state: Path) -> Invoke:
    """Run `setpoint pause` here; the input ends at once unless it is given."""

    def invoked(*words: str, **options: object) -> Result:
        return CliRunner().invoke(commands.pause, [*words, "--prefix", str(state)], **options)  # type: ignore[arg-type]

    return invoked


@pytest.fixture
def resume(state: Path) -> Invoke:
    """Run `setpoint continue` here."""

    def invoked(*words: str) -> Result:
        return CliRunner().invoke(commands.resume, [*words, "--prefix", str(state)])

    return invoked


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Start `setpoint pause` as a program of its own."""
    started = []

    def begun(*words: str, stdin: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        code = "from setpoint_process.commands import pause; pause()"
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words, "--prefix", str(state)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield begun
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture
def paused(start: Start) -> Start:
    """Start it, and wait until it has paused all."""

    def begun(*words: str, **options: int) -> "subprocess.Popen[str]":
        child = start(*words, **options)
        assert child.stderr
        while "paused; " not in child.stderr.readline():
            assert child.poll() is None
        return child

    return begun
