"""Packages for tests: a repository of apt that a test fills, for a machine on which nothing is installed yet.

    def test_it_brings_its_configuration(apt_repository):
        apt_repository.add("demo", files={"etc/demo.conf": "port=80"}, postinst="touch /run/demo")
        apt_repository.publish()
        subprocess.run(["apt-get", "install", "-y", "demo"], check=True)

apt and dpkg are the real ones; only their lists, caches and database are those of the test. Needs root and the packages
`apt` and `dpkg`.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

DATA = ("var/lib/apt/lists", "var/cache/apt", "var/lib/dpkg/info", "var/log/apt")
CONFIGURATION = ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d")
TARGET = "/usr/share/setpoint-packages"


class Repository:
    """Packages that a test makes, and the lists of them.

    Args:
        root: the / of the machine that is to have it, as seen from here. There it becomes the only
            repository, and dpkg forgets all that is installed.

    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._packages = root / TARGET.lstrip("/")
        self._packages.mkdir(parents=True)
        self._lists = ""
        _forget(root)
        (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{TARGET} ./\n")

    def add(
        self,
        name: str,
        version: str = "1.0",
        fields: str = "",
        files: Mapping[str, str] | None = None,
        **scripts: str,
    ) -> None:
        """Put a package into it, which apt knows once it was published.

        Args:
            name: of the package.
            version: as Debian writes versions.
            fields: further lines of its control file, each with its end of line.
            files: texts by path, without a slash in front. Those below etc are configuration files;
                those that begin with "#!" can be executed.
            scripts: of the maintainer, for /bin/sh: `postinst="echo done"`.

        """
        content = {f"usr/share/{name}/version": version, **(files or {})}
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n{fields}"
        control += "Maintainer: nobody <nobody@example.org>\nDescription: of a test\n"
        conffiles = "".join(f"/{path}\n" for path in content if path.startswith("etc/"))
        file = self._packages / f"{name}_{version}.deb"
        parts = {"control": control, "conffiles": conffiles}
        parts |= {script: f"#!/bin/sh\n{text}\n" for script, text in scripts.items()}
        _build(file, {**content, **{f"DEBIAN/{part}": text for part, text in parts.items()}})
        self._lists += f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\n"
        self._lists += f"SHA256: {_digest(file)}\n\n"

    def publish(self, update: bool = True) -> None:
        """Write the lists; with `update`, which is for the machine of the test itself, apt fetches them."""
        (self._packages / "Packages").write_text(self._lists)
        if update:
            subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)

    def remove(self, name: str) -> None:
        """Take the files of a package away, which stays in the lists."""
        for file in self._packages.glob(f"{name}_*.deb"):
            file.unlink()


def _forget(root: Path) -> None:
    """Leave apt without configuration and lists, and dpkg without packages."""
    shutil.rmtree(root / "etc/apt")
    for directory in CONFIGURATION:
        os.makedirs(root / "etc/apt" / directory)
    for directory in DATA:
        shutil.rmtree(root / directory, ignore_errors=True)
        os.makedirs(root / directory)
    os.makedirs(root / "var/cache/apt/archives/partial")
    (root / "var/lib/dpkg/status").write_text("")


def _build(file: Path, content: Mapping[str, str]) -> None:
    """Make a package of `content`, texts by path."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for path, text in content.items():
            target = Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(0o755 if text.startswith("#!") else 0o644)
        build = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", directory, str(file)]
        subprocess.run(build, check=True, capture_output=True)


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def apt_repository(private: Callable[..., None]) -> Repository:
    """Give this test an empty repository, and nothing installed; /etc, /usr and /var become private."""
    private("/etc", "/usr", "/var")
    return Repository()
