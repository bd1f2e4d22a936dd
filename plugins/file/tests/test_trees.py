import os
import stat

import pytest

from setpoint import Engine, Refused
from setpoint.engine.events import Changed, Converged
from setpoint.graph import Graph
from setpoint.plugins import Plugins
from setpoint.testing import Kept
from setpoint_file import File

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")


@pytest.fixture
def source(tmp_path):
    """A directory with one of everything."""
    root = tmp_path / "source"
    (root / "sub/deep").mkdir(parents=True)
    (root / "file").write_text("text")
    (root / "sub/run").write_text("#!/bin/sh\n")
    (root / "sub/run").chmod(0o750)
    (root / "sub/deep/link").symlink_to("../run")
    return root


def listing(root):
    return sorted(
        os.path.relpath(os.path.join(above, name), root)
        for above, directories, files in os.walk(root)
        for name in directories + files
    )


def test_a_directory_is_copied_with_all_that_is_in_it(make, settle, source, tmp_path):
    copy = make(f"{tmp_path}/a/copy/", source=f"{source}/", recurse=True)
    changes = settle(copy)
    assert changes["state"] == (None, "directory")
    assert changes["sub/run: content"] == (None, "#!/bin/sh\n")
    assert listing(tmp_path / "a/copy") == listing(source)
    assert stat.S_IMODE(os.stat(tmp_path / "a/copy/sub/run").st_mode) == 0o750
    assert os.readlink(tmp_path / "a/copy/sub/deep/link") == "../run"


def test_only_what_differs_in_a_copy_is_repaired(make, settle, source, tmp_path):
    copy = make(f"{tmp_path}/copy/", source=f"{source}/", recurse=True)
    settle(copy)
    untouched = os.lstat(tmp_path / "copy/sub/run")
    (tmp_path / "copy/file").write_text("drift")
    (tmp_path / "copy/sub/deep/link").unlink()
    (tmp_path / "copy/strange").write_text("stays")
    assert settle(copy) == {
        "file: content": ("drift", "text"),
        "sub/deep/link: state": (None, "symlink"),
        "sub/deep/link: target": (None, "../run"),
    }
    assert os.lstat(tmp_path / "copy/sub/run") == untouched
    assert (tmp_path / "copy/strange").exists()


def test_what_leads_elsewhere_is_replaced_and_filled_in_one_go(make, settle, source, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/sub").symlink_to(source / "sub")
    copy = make(f"{tmp_path}/copy/", source=f"{source}/", recurse=True, force=True)
    settle(copy)
    assert listing(tmp_path / "copy") == listing(source)
    assert not (tmp_path / "copy/sub").is_symlink()


def test_a_pipe_in_the_source_is_named(make, source, tmp_path):
    os.mkfifo(source / "sub/pipe")
    with pytest.raises(Refused, match="source/sub/pipe is not a file, directory or symlink"):
        make(f"{tmp_path}/copy/", source=f"{source}/", recurse=True).check()


@pytest.mark.root
@needs_root
def test_all_of_a_copy_gets_the_owner(make, settle, source, tmp_path):
    settle(make(f"{tmp_path}/copy/", source=f"{source}/", recurse=True, owner="12345"))
    assert all(os.lstat(tmp_path / "copy" / name).st_uid == 12345 for name in listing(source))


def test_purge_removes_what_nobody_declares(make, settle, tmp_path):
    root = tmp_path / "d"
    for name in ("own/kept", "own/gone", "gone/deep/x", "else/where/x", "loose"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "link").symlink_to(tmp_path)
    make(root / "own/kept", content="")
    make(f"{root}/else/", recurse=True)
    changes = make(f"{root}/", purge=True, recurse=True).check()
    assert {(change.attribute, change.before, change.after) for change in changes} == {
        ("purge", name, None) for name in ("own/gone", "gone", "loose", "link")
    }
    settle(make(f"{root}/", purge=True, recurse=True))
    assert listing(root) == ["else", "else/where", "else/where/x", "own", "own/kept"]
    assert tmp_path.exists()


async def test_what_is_declared_no_more_is_purged_at_once(host, tmp_path):
    def graph(*names):
        made = Graph()
        made.add(File(f"{tmp_path}/d/", purge=True, recurse=True))
        made.add(*(File(f"{tmp_path}/d/{name}", content=name) for name in names))
        return made

    kept = Kept(Engine(graph("a", "b"), plugins=Plugins(), host=host))
    await kept.told(Converged)
    kept.engine.swap(graph("a"))
    told = await kept.told(Changed, f"file {tmp_path}/d/")
    assert [(change.attribute, change.before) for change in told.changes] == [("purge", "b")]
    assert listing(tmp_path / "d") == ["a"]
    await kept.end()


def test_purge_spares_the_copy_and_what_was_kept(make, settle, source, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    (root / "loose").write_text("")
    (root / "mine").write_text("old")
    mine = make(root / "mine", content="new", backup=True)
    settle(mine)
    settle(make(f"{root}/", source=f"{source}/", recurse=True, purge=True, backup=f"{tmp_path}/b"))
    assert listing(root) == sorted([*listing(source), "mine", "mine.~1~"])
    assert (tmp_path / f"b{root}/loose.~1~").exists()


def test_what_is_being_written_is_not_purged(make, host, tmp_path):
    root = tmp_path / "d"
    root.mkdir()
    purge = make(f"{root}/", purge=True, recurse=True)

    def parts():
        yield b"x"
        assert purge.check() == []

    host.files.write(f"{root}/f", parts())
    assert [change.before for change in purge.check()] == ["f"]
