import ctypes
import errno
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from setpoint.clock import Clock
from setpoint.errors import Refused
from setpoint.files import Files
from setpoint.paths import CHUNK
from setpoint.watching import Watcher

STRANGER = 12345


@pytest.fixture
def files():
    watcher = Watcher(Clock())
    yield Files(watcher)
    watcher.close()


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


async def test_changes_come_from_the_watcher(files, tmp_path):
    stream = aiter(files.changes(str(tmp_path / "new")))
    await anext(stream)
    files.write(tmp_path / "new", b"x")
    await anext(stream)
    await stream.aclose()


def test_a_file_is_written_with_mode_and_content(files, tmp_path):
    files.write(tmp_path / "new", b"hello", mode=0o640)
    assert files.read(tmp_path / "new") == b"hello"
    assert mode_of(tmp_path / "new") == 0o640
    assert os.listdir(tmp_path) == ["new"]


def test_a_mode_that_is_not_given_is_as_the_umask_has_it(files, tmp_path):
    old = os.umask(0o027)
    try:
        files.write(tmp_path / "new", b"")
        files.make_directory(tmp_path / "dir")
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "new") == 0o640
    assert mode_of(tmp_path / "dir") == 0o750


def test_parts_are_written_in_order(files, tmp_path):
    files.write(tmp_path / "new", (bytes([i]) * CHUNK for i in range(3)), fsync=True)
    assert files.read(tmp_path / "new") == b"".join(bytes([i]) * CHUNK for i in range(3))


def test_who_has_the_old_file_open_keeps_it_whole(files, tmp_path):
    files.write(tmp_path / "file", b"old")
    with (tmp_path / "file").open("rb") as old:
        files.write(tmp_path / "file", b"new")
        assert old.read() == b"old"
    assert files.read(tmp_path / "file") == b"new"


def test_the_status_is_that_of_the_file_in_its_place(files, tmp_path):
    status = files.write(tmp_path / "file", b"x", mode=0o600)
    found = os.lstat(tmp_path / "file")
    assert (status.st_ino, status.st_ctime_ns) == (found.st_ino, found.st_ctime_ns)


def test_what_is_not_given_is_kept_if_asked_for(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o751)
    os.setxattr(path, "user.note", b"mine")
    files.write(path, b"new", keep=True)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o751)
    assert os.getxattr(path, "user.note") == b"mine"
    files.write(path, b"new")
    assert os.listxattr(path) == []


def test_a_file_whose_status_is_known_is_replaced_and_read_just_the_same(files, tmp_path):
    path = tmp_path / "file"
    files.write(path, b"old", mode=0o600)
    os.setxattr(path, "user.note", b"mine")
    status = files.write(path, b"new", mode=0o640, keep=os.lstat(path))
    found = os.lstat(path)
    assert (status.st_ctime_ns, mode_of(path)) == (found.st_ctime_ns, 0o640)
    assert os.getxattr(path, "user.note") == b"mine"
    assert files.read(path, known=found) == b"new"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Refused, match="not a regular file"):
        files.read(path, known=found)  # it is another one by now


def test_a_small_write_that_fails_leaves_nothing(files, tmp_path):
    files.write(tmp_path / "file", b"", mode=0o600)
    (tmp_path / "dir").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "dir", b"x", mode=0o600)
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_the_group_is_kept_in_a_set_gid_directory(files, tmp_path):
    path = tmp_path / "file"
    files.write(path, b"old", mode=0o600)
    os.chown(tmp_path, -1, STRANGER)
    tmp_path.chmod(0o2755)
    for known in (True, os.lstat(path)):
        files.write(path, b"new", mode=0o600, keep=known)
        assert os.lstat(path).st_gid == os.getegid()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_owner_and_group_are_given_and_kept(files, tmp_path):
    files.write(tmp_path / "file", b"old", owner=STRANGER, group=STRANGER, mode=0o4755)
    files.write(tmp_path / "file", b"new", keep=True)
    found = os.lstat(tmp_path / "file")
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (STRANGER, STRANGER, 0o4755)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_file_that_a_stranger_put_into_a_sticky_directory_hands_nothing_down(files, tmp_path):
    tmp_path.chmod(0o1777)
    (tmp_path / "trap").write_bytes(b"")
    os.chown(tmp_path / "trap", STRANGER, STRANGER)
    files.write(tmp_path / "trap", b"secret", keep=True)
    assert os.lstat(tmp_path / "trap").st_uid == 0


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(files, tmp_path):
    (tmp_path / "victim").write_bytes(b"safe")
    (tmp_path / "file").symlink_to("victim")
    files.write(tmp_path / "file", b"new")
    assert (tmp_path / "victim").read_bytes() == b"safe"
    assert not (tmp_path / "file").is_symlink()


def test_a_failure_leaves_the_old_file_and_nothing_else(files, tmp_path):
    def breaks():
        yield b"half"
        raise OSError(errno.EIO, "broken disk")

    files.write(tmp_path / "file", b"old")
    with pytest.raises(OSError, match="broken disk"):
        files.write(tmp_path / "file", breaks())
    assert os.listdir(tmp_path) == ["file"]
    assert files.read(tmp_path / "file") == b"old"
    (tmp_path / "dir").mkdir()
    for write in (
        lambda: files.write(tmp_path / "dir", b""),
        lambda: files.symlink(tmp_path / "dir", "x"),
    ):
        with pytest.raises(IsADirectoryError):
            write()
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]


def test_a_missing_directory_is_named(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files.write(tmp_path / "nowhere/file", b"")


def test_a_relative_path_is_refused(files):
    with pytest.raises(ValueError, match="must be absolute"):
        files.write("file", b"")


def test_nobody_sees_the_content_at_a_wider_mode(files, tmp_path):
    def parts():
        yield b"secret"
        (unfinished,) = os.listdir(tmp_path)
        assert mode_of(tmp_path / unfinished) == 0o600
        yield b"!"

    files.write(tmp_path / "file", parts(), mode=0o644)


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(files, tmp_path):
    birth = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    living = f".setpoint-{os.getpid()}-{birth}-999999~"
    dead = [f".setpoint-{os.getpid()}-{birth - 1}-0~", ".setpoint-4194999-1-0~"]
    for name in (living, *dead, ".setpoint-notes"):
        (tmp_path / name).write_bytes(b"half")
    files.write(tmp_path / "file", b"")
    assert sorted(os.listdir(tmp_path)) == sorted(["file", living, ".setpoint-notes"])
    assert files.names(tmp_path) == [".setpoint-notes", "file"]


def test_what_a_killed_process_left_is_removed_by_the_next_write(as_child, files, tmp_path):
    def endless():
        yield b"half"
        os.kill(os.getpid(), signal.SIGKILL)

    as_child(lambda: Files(None).write(tmp_path / "file", endless()))
    (left,) = os.listdir(tmp_path)
    files.write(tmp_path / "file", b"whole")
    assert os.listdir(tmp_path) == ["file"], left


def test_a_child_does_not_use_the_names_of_its_parent(as_child, files, tmp_path):
    def hold():
        yield b"mine"
        before = set(os.listdir(tmp_path))
        assert as_child(lambda: Files(None).write(tmp_path / "child", b"x") and "done") == "done"
        assert set(os.listdir(tmp_path)) == before | {"child"}

    files.write(tmp_path / "file", hold())
    assert files.read(tmp_path / "file") == b"mine"


def test_devices_and_pipes_are_not_opened(files, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for read in (
        lambda: files.read("/dev/null"),
        lambda: files.read(tmp_path / "pipe"),
        lambda: files.open(tmp_path / "link", follow=True),
    ):
        with pytest.raises(Refused, match="not a regular file"):
            read()


def test_the_last_part_is_followed_only_if_that_is_asked_for(files, tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/real").write_bytes(b"text")
    (tmp_path / "link").symlink_to("dir/real")
    (tmp_path / "way").symlink_to("dir")
    with pytest.raises(Refused):
        files.open(tmp_path / "link")
    os.close(files.open(tmp_path / "link", follow=True))
    assert files.status(tmp_path / "link", follow=True).st_size == 4
    assert stat.S_ISLNK(files.status(tmp_path / "link").st_mode)
    assert files.target(tmp_path / "link") == "dir/real"
    assert files.names(tmp_path / "way", follow=True) == ["real"]
    with pytest.raises(NotADirectoryError):
        files.names(tmp_path / "way")


def test_there_is_no_status_of_what_is_not_there(files, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert files.status(tmp_path / "none") is None
    assert files.status(tmp_path / "none/below") is None
    assert files.status(tmp_path / "file/below") is None


def test_a_link_is_made_and_replaced_as_a_whole(files, tmp_path):
    files.symlink(tmp_path / "link", "one")
    files.symlink(tmp_path / "link", "two")
    assert os.readlink(tmp_path / "link") == "two"
    assert os.listdir(tmp_path) == ["link"]


def test_attributes_are_set_on_what_cannot_be_read(files, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "file").chmod(0)
    (tmp_path / "link").symlink_to("file")
    files.set_attributes(tmp_path / "file", mode=0o604)
    assert mode_of(tmp_path / "file") == 0o604
    files.make_directory(tmp_path / "dir", mode=0o2711)
    assert mode_of(tmp_path / "dir") == 0o2711


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_the_owner_of_a_link_is_its_own(files, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    files.set_attributes(tmp_path / "link", owner=STRANGER)
    assert os.lstat(tmp_path / "link").st_uid == STRANGER
    assert os.lstat(tmp_path / "file").st_uid == 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_file_that_a_stranger_linked_into_his_directory_is_not_given_away(files, tmp_path):
    (tmp_path / "shadow").write_bytes(b"secret")
    (tmp_path / "shadow").chmod(0o600)
    (tmp_path / "theirs").mkdir()
    os.link(tmp_path / "shadow", tmp_path / "theirs/file")
    os.chown(tmp_path / "theirs", STRANGER, -1)
    with pytest.raises(Refused, match="has 2 names"):
        files.set_attributes(tmp_path / "theirs/file", owner=STRANGER, mode=0o644)
    assert os.lstat(tmp_path / "shadow").st_uid == 0


def test_what_is_removed_is_a_link_itself_and_a_tree_if_asked_for(files, tmp_path):
    (tmp_path / "dir/sub").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_bytes(b"")
    (tmp_path / "dir/sub/link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to("kept")
    files.remove(tmp_path / "link")
    with pytest.raises(OSError, match="not empty"):
        files.remove(tmp_path / "dir")
    files.remove(tmp_path / "dir", recursive=True)
    files.make_directory(tmp_path / "empty")
    files.remove(tmp_path / "empty")
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(tmp_path / "kept") == ["file"]


def test_something_is_moved(files, tmp_path):
    (tmp_path / "old").mkdir()
    files.rename(tmp_path / "old", tmp_path / "new")
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_who_may_not_write_is_told_and_leaves_nothing(as_child, files, tmp_path):
    def work():
        os.seteuid(STRANGER)
        Files(None).write(tmp_path / "file", b"")

    tmp_path.chmod(0o755)
    assert "PermissionError" in as_child(work)
    assert os.listdir(tmp_path) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_directory_that_may_be_written_but_not_listed_will_do(as_child, tmp_path):
    def work():
        os.seteuid(STRANGER)
        return Files(None).write(tmp_path / "blind/file", b"x").st_size

    for above in list(tmp_path.parents)[:2]:
        above.chmod(0o755)
    (tmp_path / "blind").mkdir()
    os.chown(tmp_path / "blind", STRANGER, -1)
    (tmp_path / "blind").chmod(0o300)
    tmp_path.chmod(0o755)
    assert as_child(work) == "1"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(on_small_disk):
    def work():
        files = Files(None)
        files.write("/file", b"old")
        with pytest.raises(OSError, match="No space left"):
            files.write("/file", b"x" * 200_000)
        with pytest.raises(OSError, match="No space left"):
            files.write("/file", (b"x" * 1000 for _ in range(200)))
        return files.names("/"), os.listdir("/"), files.read("/file")

    assert on_small_disk(work, 1 << 16) == "(['file'], ['file'], b'old')"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become and give to others")
def test_nobody_leads_root_elsewhere_by_swapping_directories_for_links(files, tmp_path):
    home, victim = tmp_path / "home", tmp_path / "victim"
    (home / "app").mkdir(parents=True)
    victim.mkdir()
    (home / "link").symlink_to(victim)
    for path in (home, home / "app", home / "link"):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    done = threading.Event()

    def attack():
        flip = ctypes.CDLL(None).renameat2
        app, link = os.fsencode(home / "app"), os.fsencode(home / "link")
        while not done.is_set():
            flip(-100, app, -100, link, 2)  # RENAME_EXCHANGE

    attacker = threading.Thread(target=attack)
    attacker.start()
    written = refused = 0
    until = time.monotonic() + 1
    try:
        while time.monotonic() < until:
            try:
                files.write(home / "app/file", b"secret", mode=0o644)
                written += 1
            except (Refused, OSError):
                refused += 1
    finally:
        done.set()
        attacker.join()
    assert os.listdir(victim) == []
    assert written
    assert refused


def test_a_process_that_is_killed_at_any_time_leaves_old_or_new(files, tmp_path):
    old, new = b"o" * 100_000, b"n" * 100_000
    path = tmp_path / "file"
    files.write(path, old)
    for delay in range(20):
        pid = os.fork()
        if not pid:
            own = Files(None)
            while True:
                own.write(path, new)
                own.write(path, old)
        time.sleep(delay / 4000)  # not to wait for something: to kill at another point each time
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert files.read(path) in (old, new)
    Files(None).write(path, old)
    assert os.listdir(tmp_path) == ["file"]


def test_descriptors_are_given_back(files, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "open/inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)  # so that directories are entered by descriptor
    for path in (tmp_path / "file", tmp_path / "open/inner/file"):
        files.write(path, b"x", keep=True, fsync=True)
        files.read(path)
        files.names(path.parent, follow=True)
        files.set_attributes(path, mode=0o600)
        with pytest.raises(FileNotFoundError):
            files.open(f"{path}-none", follow=True)
        with pytest.raises(FileNotFoundError):
            files.target(f"{path}-none")
    assert len(os.listdir("/proc/self/fd")) == before
