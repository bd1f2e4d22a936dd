"""Repositories to fetch from: real ones, with a history of this test's own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setpoint.host import Host
from setpoint_git import Git

Make = Callable[..., Git]
OURS = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_ALLOW_PROTOCOL": "file",
}


class Repository:
    """A repository, or a checkout, that this test works in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *words: str) -> str:
        """Run git in it, and return what it says."""
        done = subprocess.run(
            ["git", "-C", str(self.path), *words], capture_output=True, text=True, env=OURS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files, by their names; return the commit."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=of a test")
        return self.head

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def new(tmp_path: Path) -> Callable[[str], Repository]:
    """Makes a repository with a first commit."""

    def made(name: str) -> Repository:
        (tmp_path / name).mkdir()
        repository = Repository(tmp_path / name)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit(a="first\n", b="first\n")
        return repository

    return made


@pytest.fixture
def origin(new: Callable[[str], Repository]) -> Repository:
    """A repository to fetch from."""
    return new("origin")


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    """Where the resource makes its checkout."""
    return Repository(tmp_path / "checkout")


@pytest.fixture
def make(host: Host, origin: Repository, checkout: Repository) -> Make:
    """Declares the checkout."""

    def made(**params: Any) -> Git:
        values = {"source": str(origin.path), **params}
        return Git(str(checkout.path), **values, _host=host)

    return made
