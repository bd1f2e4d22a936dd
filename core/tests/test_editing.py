"""A part of a file is changed, and the other parts are nobody's loss."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from setpoint import Refused
from setpoint.editing import TRIES, edit, read


def append(line):
    return lambda before: (before or b"") + line


@pytest.fixture
def files(host):
    return host.files


def test_what_is_not_there_is_made_with_its_mode(files, tmp_path):
    path = tmp_path / "new"
    assert read(files, str(path)) is None
    edit(files, str(path), lambda before: b"text" if before is None else None, mode=0o640)
    assert path.read_bytes() == read(files, str(path)) == b"text"
    assert path.stat().st_mode & 0o7777 == 0o640


def test_a_missing_directory_is_an_error_of_the_system(files, tmp_path):
    with pytest.raises(FileNotFoundError):
        edit(files, str(tmp_path / "no/file"), append(b"text"))


def test_mode_and_attributes_stay(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    path.chmod(0o604)
    os.setxattr(path, "user.note", b"kept")
    edit(files, str(path), append(b"b"))
    assert path.read_bytes() == b"ab"
    assert path.stat().st_mode & 0o7777 == 0o604
    assert os.getxattr(path, "user.note") == b"kept"


def test_nothing_is_written_if_nothing_differs(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    before = path.stat()
    edit(files, str(path), lambda data: data)
    assert path.stat() == before


def test_no_content_is_no_file(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    edit(files, str(path), lambda data: None)
    assert not path.exists()
    edit(files, str(path), lambda data: None)


def test_a_symlink_is_followed_and_stays(files, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"a")
    link.symlink_to("target")
    edit(files, str(link), append(b"b"))
    assert link.is_symlink()
    assert target.read_bytes() == read(files, str(link)) == b"ab"


def test_a_symlink_to_nothing_is_not_replaced(files, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    with pytest.raises(FileNotFoundError, match="leads nowhere"):
        edit(files, str(link), append(b"b"))
    assert link.is_symlink()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give links away")
def test_a_symlink_of_somebody_else_is_not_followed(files, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"a")
    link.symlink_to(target)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(Refused, match="leads through the symlink"):
        edit(files, str(link), append(b"b"))
    assert target.read_bytes() == b"a"


def test_a_directory_is_refused(files, tmp_path):
    with pytest.raises(Refused, match="not a regular file"):
        edit(files, str(tmp_path), append(b"b"))


def test_edits_at_the_same_time_lose_nothing(files, tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"")
    link.symlink_to("file")
    lines = [b"%d\n" % number for number in range(100)]
    together = Barrier(10)

    def add(line):
        if line in lines[:10]:
            together.wait()
        edit(files, str(path if line in lines[::2] else link), append(line))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add, lines))
    assert sorted(path.read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_somebody_who_writes_meanwhile_is_not_overwritten(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")

    def change(before):
        if before == b"a":
            path.write_bytes(b"theirs ")
        return before + b"ours"

    edit(files, str(path), change)
    assert path.read_bytes() == b"theirs ours"


def test_who_never_stops_writing_is_told_of(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    calls = []

    def change(before):
        calls.append(before)
        path.write_bytes(b"x" * len(calls))
        return b"ours"

    with pytest.raises(OSError, match="others keep writing"):
        edit(files, str(path), change)
    assert len(calls) == TRIES
