import os

import pytest

from setpoint.errors import Refused
from setpoint.paths import is_guarded, open_path


def where(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def test_a_path_without_links_is_opened(tmp_path):
    assert where(open_path(str(tmp_path), os.O_DIRECTORY)) == str(tmp_path)


def test_links_that_we_own_are_followed_with_all_that_they_say(tmp_path):
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "relative").symlink_to("real/deep/../deep")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    assert where(open_path(f"{tmp_path}/absolute/.")) == f"{tmp_path}/real/deep"


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing/here"):
        open_path(f"{tmp_path}/nothing/here")


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with pytest.raises(NotADirectoryError):
            open_path(f"{tmp_path}/{name}", os.O_DIRECTORY)


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        open_path(f"{tmp_path}/a/x")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_link_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    os.chown(tmp_path / "link", 12345, -1, follow_symlinks=False)
    with pytest.raises(Refused, match="symlink 'link', which user 12345 can turn elsewhere"):
        open_path(f"{tmp_path}/link/passwd")


def test_a_directory_is_guarded_if_all_above_it_are_ours(tmp_path):
    assert is_guarded(str(tmp_path))
    assert is_guarded("/")
    assert is_guarded("/tmp/"), "sticky: who may write there may not swap what is root's"


def test_a_directory_is_not_guarded_if_others_may_write_above_it(tmp_path):
    (tmp_path / "open/inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    assert is_guarded(f"{tmp_path}/open")
    assert not is_guarded(f"{tmp_path}/open/inner")


def test_a_link_is_not_guarded(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert not is_guarded(f"{tmp_path}/link")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_directory_is_not_guarded_from_who_owns_the_one_above(tmp_path):
    (tmp_path / "theirs/inner").mkdir(parents=True)
    os.chown(tmp_path / "theirs", 12345, -1)
    assert is_guarded(f"{tmp_path}/theirs")
    assert not is_guarded(f"{tmp_path}/theirs/inner")
    (tmp_path / "theirs").chmod(0o1777)
    assert not is_guarded(f"{tmp_path}/theirs/inner")
