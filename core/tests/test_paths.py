import os

import pytest

from setpoint.errors import Refused
from setpoint.paths import _walk_beneath, is_guarded, open_beneath, open_path


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


@pytest.fixture
def root(tmp_path):
    """A directory with something in it, and a secret beside it."""
    (tmp_path / "secret").write_text("")
    (tmp_path / "top/sub").mkdir(parents=True)
    (tmp_path / "top/sub/file").write_text("")
    (tmp_path / "top/inward").symlink_to("sub/file")
    (tmp_path / "top/outward").symlink_to("../secret")
    (tmp_path / "top/away").symlink_to(tmp_path)
    fd = os.open(tmp_path / "top", os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("way", [open_beneath, _walk_beneath])
def test_what_is_beneath_is_opened(root, tmp_path, way):
    assert where(way(root, "sub/file")) == f"{tmp_path}/top/sub/file"
    assert where(way(root, "sub")) == f"{tmp_path}/top/sub"
    with pytest.raises(FileNotFoundError, match="none"):
        way(root, "sub/none")


@pytest.mark.parametrize("way", [open_beneath, _walk_beneath])
@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "sub/../../secret",
        "outward",
        "away/secret",
        "away",
        "/etc/passwd",
        "sub\0/file",
    ],
)
def test_nothing_leads_out(root, way, path):
    with pytest.raises((OSError, ValueError)):
        way(root, path)


def test_a_link_beneath_is_followed_where_the_kernel_can_tell_where_it_leads(root, tmp_path):
    assert where(open_beneath(root, "inward")) == f"{tmp_path}/top/sub/file"
    with pytest.raises(OSError, match="symbolic links"):
        _walk_beneath(root, "inward")
