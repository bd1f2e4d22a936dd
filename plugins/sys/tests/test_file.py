"""What is at a path, with its content, as it comes, changes and goes."""

import os
import time

import pytest

from setpoint import ParamError, Refused
from setpoint.testing import FactSuite
from setpoint_sys.file import File


class TestFile(FactSuite):
    @pytest.fixture
    def fact(self, host, tmp_path):
        return File(str(tmp_path / "not/yet/here"), _host=host)

    async def change(self, fact):
        os.makedirs(os.path.dirname(fact.name), exist_ok=True)
        with open(fact.name, "a") as file:
            file.write("more\n")


async def test_a_file_is_told_as_its_parents_come_and_it_changes_and_goes(host, tmp_path, follow):
    path = tmp_path / "a/b/motd"
    async with follow(File(str(path), _host=host)) as values:
        value = await values.next()
        assert (value.exists, value.type, value.content, value.size, value.mtime) == (
            False,
            "",
            "",
            0,
            0.0,
        )
        path.parent.mkdir(parents=True)
        path.write_text("hello ü\n")
        value = await values.until(lambda value: value.content)
        assert (value.exists, value.type, value.content) == (True, "file", "hello ü\n")
        assert (value.size, value.truncated) == (9, False)
        assert value.mtime == pytest.approx(time.time(), abs=60)
        new = path.with_name("new")
        new.write_text("replaced\n")
        new.rename(path)
        await values.until(lambda value: value.content == "replaced\n")
        path.parent.rename(tmp_path / "away")
        await values.until(lambda value: not value.exists)


async def test_the_content_is_bounded_and_always_text(host, tmp_path, follow):
    path = tmp_path / "big"
    path.write_bytes(b"\xff\x00" * 5000)
    async with follow(File(str(path), limit=4, _host=host)) as values:
        value = await values.next()
    assert (value.content, value.truncated, value.size) == ("�\0�\0", True, 10_000)
    async with follow(File(str(path), limit=0, _host=host)) as values:
        value = await values.next()
    assert (value.content, value.truncated) == ("", True)


async def test_what_is_no_file_has_no_content(host, tmp_path, follow):
    os.mkfifo(tmp_path / "fifo")  # to open it would hang
    for name, type_ in (("", "directory"), ("fifo", "other")):
        async with follow(File(str(tmp_path / name).rstrip("/"), _host=host)) as values:
            value = await values.next()
        assert (value.exists, value.type, value.content, value.size) == (True, type_, "", 0)


async def test_a_link_is_followed_wherever_it_leads(host, tmp_path, follow):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    async with follow(File(str(link), _host=host)) as values:
        assert (await values.next()).content == "one"
        link.unlink()
        link.symlink_to("two")
        await values.until(lambda value: value.content == "two")
        (tmp_path / "two").write_text("changed")
        await values.until(lambda value: value.content == "changed")


@pytest.mark.root
async def test_a_link_of_somebody_else_leads_nowhere(host, tmp_path, follow):
    tmp_path.chmod(0o1777)
    link = tmp_path / "link"
    link.symlink_to("/etc/shadow")
    os.lchown(link, 65534, 65534)
    async with follow(File(str(link), _host=host)) as values:
        with pytest.raises(Refused):
            await values.next()


async def test_a_file_of_the_kernel_is_looked_at(host, follow):
    async with follow(File("/proc/uptime", _host=host)) as values:
        first = await values.next()
        second = await values.next()
    assert first.content != second.content


def test_a_path_must_be_absolute():
    with pytest.raises(ParamError, match=r"^name must be an absolute path, not 'motd'$"):
        File("motd")
    with pytest.raises(ParamError, match=r"^name must be an absolute path, not ''$"):
        File()
