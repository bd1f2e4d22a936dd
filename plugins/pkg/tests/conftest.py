"""A machine for apt: the real apt and dpkg, with nothing installed and one repository, all of this test's own."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.host import Host
from setpoint.testing.packages import Repository
from setpoint_pkg import Pkg, backend


class Machine:
    """What is installed on the machine of this test."""

    log = Path("/var/log/apt/history.log")

    def status(self, name: str) -> str:
        """Return what dpkg says of a package: "install ok installed 1.0", or nothing."""
        asked = ["dpkg-query", "-W", "-f", "${Status} ${Version}", name]
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()

    def version(self, name: str) -> str:
        """Return the version that is installed as a whole; empty if none."""
        before, _, version = self.status(name).rpartition(" ok installed ")
        return version if before else ""

    def run(self, *argv: str) -> None:
        """Run a program that has to succeed."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def transactions(self) -> list[str]:
        """The command lines of what apt-get has done."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith("Commandline:")]


@pytest.fixture
def repository(apt_repository: Repository) -> Repository:
    """Return an empty repository, the only one that apt knows."""
    return apt_repository


@pytest.fixture
def machine(apt_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the machine that has the repository; nothing is installed there as far as dpkg knows.

    A package does not wait for others, of which most tests have none.
    """
    monkeypatch.setattr(backend, "GATHERING", 0.01)
    return Machine()


class Listening(Host):
    """A host that keeps what is shown as progress."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shown: list[tuple[str, str]] = []

    def progress(self, resource: Any, text: str) -> None:
        self.shown.append((resource.name, text))

    def said(self, name: str) -> str:
        """Return what was shown for a package."""
        return "\n".join(text for about, text in self.shown if about == name)


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    host = Listening(state=tmp_path_factory.mktemp("state"))
    yield host
    host.close()


@pytest.fixture
def pkg(host: Host) -> Callable[..., Pkg]:
    """Declares a package on the host of this test."""

    def declared(name: str, state: str = "installed", **params: Any) -> Pkg:
        return Pkg(name, state=state, _host=host, **params)

    return declared
