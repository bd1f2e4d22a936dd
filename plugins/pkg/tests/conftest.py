"""A machine for apt: the real apt and dpkg, with nothing installed and one repository, all of this test's own."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.host import Host
from setpoint_pkg import Pkg

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Repository:
    """Packages that this test makes, and the lists that apt has of them."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._packages = place / "repository"
        self._packages.mkdir(parents=True)
        self._lists = ""

    def add(
        self,
        name: str,
        version: str = "1.0",
        fields: str = "",
        files: dict[str, str] | None = None,
        **scripts: str,
    ) -> None:
        """Put a package into it; lists are written by `publish`.

        `fields` are further lines of its control file, `scripts` those of the maintainer; files below /etc are
        configuration files.
        """
        root = self._place / "root"
        content = {f"usr/share/{name}/version": version, **(files or {})}
        for path, text in content.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n{fields}"
        control += "Maintainer: nobody <nobody@example.org>\nDescription: of a test\n"
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(control)
        conffiles = [f"/{path}\n" for path in content if path.startswith("etc/")]
        (root / "DEBIAN/conffiles").write_text("".join(conffiles))
        for script, text in scripts.items():
            (root / "DEBIAN" / script).write_text(f"#!/bin/sh\n{text}\n")
            (root / "DEBIAN" / script).chmod(0o755)
        file = self._packages / f"{name}_{version}.deb"
        build = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(root), str(file)]
        subprocess.run(build, check=True, **QUIET)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self._lists += f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\n"
        self._lists += f"SHA256: {digest}\n\n"
        shutil.rmtree(root)

    def publish(self, update: bool = True) -> None:
        """Write the lists, and let apt fetch them if `update`."""
        (self._packages / "Packages").write_text(self._lists)
        if update:
            subprocess.run(["apt-get", "update", "-qq"], check=True, **QUIET)

    def remove(self, name: str) -> None:
        """Take the file of a package away, which stays in the lists."""
        for file in self._packages.glob(f"{name}_*.deb"):
            file.unlink()

    @property
    def line(self) -> str:
        """What stands in sources.list."""
        return f"deb [trusted=yes] file:{self._packages} ./\n"


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
def machine(private: Callable[..., None]) -> Machine:
    """Make /etc, /usr and /var this test's own; nothing is installed there as far as dpkg knows."""
    private("/etc", "/usr", "/var")
    shutil.rmtree("/etc/apt")
    for directory in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d"):
        os.makedirs(f"/etc/apt/{directory}")
    for directory in ("/var/lib/apt/lists", "/var/cache/apt", "/var/lib/dpkg/info", "/var/log/apt"):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
    os.makedirs("/var/cache/apt/archives/partial")
    Path("/var/lib/dpkg/status").write_text("")
    return Machine()


@pytest.fixture
def repository(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return an empty repository, the only one that apt knows."""
    repository = Repository(tmp_path_factory.mktemp("packages"))
    Path("/etc/apt/sources.list").write_text(repository.line)
    return repository


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
