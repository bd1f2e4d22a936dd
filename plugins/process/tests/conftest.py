"""Processes of the tests' own: a name that nothing else on the machine has, and gone afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setpoint.host import Host
from setpoint_process import Process
from setpoint_process.signals import Outcome, send
from setpoint_process.table import Entry, Selection, read, scan


class Herd:
    """Programs under one name that is nobody else's."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)  # other users run them too
        self.name = f"herd{uuid.uuid4().hex[:8]}"
        self.selection = Selection(name=self.name)
        self._sleep = self._copy("sleep")
        self._shell = self._copy("sh")
        self.children: list[subprocess.Popen[bytes]] = []

    def _copy(self, program: str) -> str:
        folder = self.folder / program
        folder.mkdir()
        return shutil.copy(os.path.realpath(f"/bin/{program}"), folder / self.name)

    def sleepers(self, number: int = 1, **options: object) -> list[int]:
        """Start programs that do nothing; return their pids."""
        return [self._start([self._sleep, "1000"], **options) for _ in range(number)]

    def script(self, text: str, **options: object) -> int:
        """Start a shell script; what it forks has the same name."""
        return self._start([self._shell, "-c", text], **options)

    def _start(self, command: list[str], **options: object) -> int:
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
        while self.entries():
            self.signal(signal.SIGKILL)
        self.reap()
        shutil.rmtree(self.folder)

    def reap(self) -> list[int]:
        """Wait until all that were started have ended; return how, as `subprocess` says it."""
        return [child.wait() for child in self.children]


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
