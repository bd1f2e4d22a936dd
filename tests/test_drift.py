"""Whatever people do to managed files while `setpoint run` keeps them: repaired at once, and once."""

import ctypes
import os
import shutil
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

AT_ONCE = 2.0  # seconds; it takes milliseconds, but the machine of a test may be busy
AT_FDCWD, RENAME_EXCHANGE = -100, 2
GRAPH = """\
    resources:
      file HOME/top/etc/motd:
        content: hello
        mode: "0644"
        force: true
      file HOME/other:
        content: untouched
    """

Disturb = Callable[[Path], None]


def remove(path: Path) -> None:
    path.unlink()


def overwrite(path: Path) -> None:
    with path.open("r+") as file:  # in place, and in one step: the engine is quick
        file.write("HELLO")


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def chmod(path: Path) -> None:
    path.chmod(0o600)


def save_as_editors_do(path: Path) -> None:
    new = path.with_name(".motd.swp")
    new.write_text("edited")
    new.chmod(0o644)
    new.rename(path)


def save_with_backup(path: Path) -> None:
    path.rename(path.with_name("motd~"))


def become_a_link(path: Path) -> None:
    target, link = path.parents[2] / "theirs", path.with_name("link")
    target.write_text("theirs")
    link.symlink_to(target)
    link.rename(path)


def exchange(one: Path, other: Path) -> None:
    """Let two names change places in one step, as nothing in Python's library does."""
    exchanged = ctypes.CDLL(None, use_errno=True).renameat2(
        AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE
    )
    assert exchanged == 0, os.strerror(ctypes.get_errno())


DISTURBANCES = (
    remove, overwrite, append, chmod, save_as_editors_do, save_with_backup, become_a_link,
)  # fmt: skip


def is_restored(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and (path.read_text(), stat.S_IMODE(status.st_mode)) == (
        "hello",
        0o644,
    )


def prepare(here) -> Path:
    path = here.home / "top/etc/motd"
    path.parent.mkdir(parents=True)
    here.write(GRAPH)
    return path


def repaired(running, path: Path, began: float) -> float:
    """Wait until `path` was repaired; return how many seconds after `began` that was told."""
    running.event("Changed", f"file {path}", applied=True)
    running.event("Converged")
    return time.monotonic() - began


def assert_repaired_once(here, running, paths: Iterable[Path]) -> None:
    """Each of `paths` was repaired once, and nothing else, until something else is repaired."""
    other = here.home / "other"
    other.unlink()
    running.event("Changed", f"file {other}", applied=True)
    running.event("Converged")
    repairs = Counter(event["id"] for event in running.events("Changed"))
    assert running.stop().code == 0
    once = {f"file {path}{'/' if path.is_dir() else ''}" for path in (*paths, other)}
    assert repairs == Counter(repairs.keys()) + Counter(once)


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda function: function.__name__)
def test_a_file_is_restored_at_once_and_once(disturb: Disturb, here):
    path = prepare(here)
    running = here.run()
    began = time.monotonic()
    disturb(path)
    assert repaired(running, path, began) < AT_ONCE
    assert is_restored(path)
    assert_repaired_once(here, running, [path])


def test_what_an_editor_left_beside_it_is_left_alone(here):
    path = prepare(here)
    running = here.run()
    save_with_backup(path)
    running.event("Changed", f"file {path}")
    assert path.with_name("motd~").read_text() == "hello"
    running.stop()


def test_a_link_is_replaced_and_what_it_leads_to_left_alone(here):
    path = prepare(here)
    running = here.run()
    become_a_link(path)
    running.event("Changed", f"file {path}")
    assert (here.home / "theirs").read_text() == "theirs"
    running.stop()


WITH_PARENTS = """\
    resources:
      file HOME/top/:
      file HOME/top/etc/:
        mode: "0755"
        require: file HOME/top/
      file HOME/top/etc/motd:
        content: hello
        mode: "0644"
        require: file HOME/top/etc/
      file HOME/other:
        content: untouched
    """


@pytest.mark.parametrize("moved", ["top/etc", "top"])
def test_a_parent_that_was_moved_away_is_made_anew_and_left_alone_where_it_went(moved, here):
    here.write(WITH_PARENTS)
    path, away = here.home / "top/etc/motd", here.home / "away"
    running = here.run()
    began = time.monotonic()
    (here.home / moved).rename(away)
    assert repaired(running, path, began) < AT_ONCE
    assert is_restored(path)
    left = away / path.relative_to(here.home / moved)
    left.write_text("mine now")  # it is watched no more: nobody writes into it
    left.chmod(0o600)
    made = [parent for parent in (path, *path.parents) if parent.is_relative_to(here.home / moved)]
    assert_repaired_once(here, running, made)
    assert left.read_text() == "mine now"
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert is_restored(path)


def test_parents_that_were_removed_are_made_anew(here):
    here.write(WITH_PARENTS)
    path = here.home / "top/etc/motd"
    running = here.run()
    began = time.monotonic()
    shutil.rmtree(here.home / "top", ignore_errors=True)  # it is being made anew meanwhile
    assert repaired(running, path, began) < AT_ONCE
    assert is_restored(path)
    assert running.stop().code == 0


def test_a_directory_that_became_a_link_is_a_directory_again(here):
    here.write(WITH_PARENTS.replace('mode: "0755"', 'mode: "0755"\n        force: true'))
    path, theirs = here.home / "top/etc/motd", here.home / "theirs"
    theirs.mkdir()
    (theirs / "motd").write_text("theirs")
    running = here.run()
    away = here.home / "away"
    away.symlink_to(theirs)
    began = time.monotonic()
    exchange(path.parent, away)
    assert repaired(running, path, began) < AT_ONCE
    while path.parent.is_symlink():  # the kernel told of the file first
        running.event("Converged")
    assert is_restored(path)
    assert [(one / "motd").read_text() for one in (theirs, away)] == ["theirs", "hello"]
    assert_repaired_once(here, running, [path.parent, path])


def test_a_file_is_made_as_soon_as_others_have_made_its_parents(here):
    here.write(GRAPH)
    path = here.home / "top/etc/motd"
    running = here.run()
    assert running.events("Failed")[0]["error"].startswith(f"{path.parent} is not there; ")
    path.parents[1].mkdir()
    began = time.monotonic()
    path.parent.mkdir()
    assert repaired(running, path, began) < AT_ONCE
    assert is_restored(path)
    path.unlink()
    assert repaired(running, path, time.monotonic()) < AT_ONCE
    assert running.stop().code == 0


def test_parents_that_are_moved_into_place_count_as_made(here):
    here.write(GRAPH)
    running = here.run()
    path, ready = here.home / "top/etc/motd", here.home / "ready"
    (ready / "etc").mkdir(parents=True)
    (ready / "etc/motd").write_text("from elsewhere")
    began = time.monotonic()
    ready.rename(here.home / "top")
    assert repaired(running, path, began) < AT_ONCE
    assert is_restored(path)
    assert running.stop().code == 0


def test_many_files_that_go_at_once_all_come_back(here):
    names = [f"f{number}" for number in range(500)]
    files = "".join(f"      file HOME/many/{name}:\n        content: {name}\n" for name in names)
    (here.home / "many").mkdir()
    here.write(f"    resources:\n{files}")
    running = here.run()
    began = time.monotonic()
    for name in names:
        (here.home / "many" / name).unlink()
    for name in names:
        running.event("Changed", f"file {here.home}/many/{name}")
    running.event("Converged")
    assert time.monotonic() - began < 2 * AT_ONCE
    assert {path.read_text() for path in (here.home / "many").iterdir()} == set(names)
    assert running.stop().code == 0
