"""File, directory, copy, link and absence: the contract of a kind."""

import os
import shutil
from pathlib import Path

import pytest

from setpoint.testing import ResourceSuite


class TestFile(ResourceSuite):
    @pytest.fixture
    def resource(self, make, tmp_path):
        return make(tmp_path / "f", content="new\n", mode="0640")

    async def disturb(self, resource):
        Path(resource.at).write_text("other\n")

    async def undo(self, resource):
        os.unlink(resource.at)


class TestLargeFile(TestFile):
    @pytest.fixture
    def resource(self, make, tmp_path):
        return make(tmp_path / "a/b/f", content="new\n" * 100_000, recurse=True, fsync=True)

    async def undo(self, resource):
        shutil.rmtree(Path(resource.at).parent.parent)


class TestCopyOfADirectory(ResourceSuite):
    @pytest.fixture
    def resource(self, make, tmp_path):
        for name in ("from", "from/below", "from/below/deep"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "f").write_text(f"in {name}")
        return make(f"{tmp_path}/copy/", source=f"{tmp_path}/from/", recurse=True, mode="0755")

    async def disturb(self, resource):
        (Path(resource.at) / "below/f").unlink()

    async def undo(self, resource):
        shutil.rmtree(resource.at)


class TestLink(ResourceSuite):
    @pytest.fixture
    def resource(self, make, tmp_path):
        return make(tmp_path / "link", source="elsewhere", symlink=True)

    async def disturb(self, resource):
        os.unlink(resource.at)
        os.symlink("nowhere", resource.at)


class TestAbsence(ResourceSuite):
    @pytest.fixture
    def resource(self, make, tmp_path):
        (tmp_path / "f").write_text("unwanted")
        return make(tmp_path / "f", state="absent")

    async def disturb(self, resource):
        Path(resource.at).write_text("unwanted")
