"""The archive resource: extracts what is there, notices what is not as it was, and makes archives."""

import asyncio
import hashlib
import os
import pwd
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from setpoint import Change, ParamError, Refused
from setpoint.host import Host
from setpoint.oserrors import told
from setpoint.testing import ResourceSuite
from setpoint.testing.lives import as_nobody
from setpoint_archive import Archive

TEXT = b"some text\n"


def content(root: Path) -> dict[str, object]:
    """Return all that is below a directory: links as where they lead, files as what is in them."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(root.rglob("*"))
    }


def shown(changes):
    return [str(change) for change in changes]


class TestExtracting(ResourceSuite):
    @pytest.fixture
    def resource(self, host, make, build):
        return make(
            build.tar(
                build.entry("app/bin", None),
                build.entry("app/bin/run", b"#!/bin/sh\n", mode=0o755),
                build.link("app/run", "bin/run"),
                build.hard("app/bin/again", "app/bin/run"),
                build.entry("app/empty", None),
                form="tar.gz",
            )
        )

    async def disturb(self, resource):
        Path(resource.path, "app/bin/run").unlink()

    async def undo(self, resource):
        shutil.rmtree(resource.path, ignore_errors=True)


class TestCreating(ResourceSuite):
    @pytest.fixture
    def resource(self, host, tmp_path):
        (tmp_path / "in/deep").mkdir(parents=True)
        (tmp_path / "in/deep/file").write_bytes(TEXT)
        (tmp_path / "in/link").symlink_to("deep/file")
        path = str(tmp_path / "made.tar.xz")
        return Archive("made", path=path, source=str(tmp_path / "in"), create=True, _host=host)

    async def disturb(self, resource):
        Path(resource.path).write_bytes(b"other")

    async def undo(self, resource):
        Path(resource.path).unlink(missing_ok=True)


# Extracting.


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip"])
async def test_all_sorts_of_archives_are_extracted(form, make, build, tmp_path):
    if form == "zip":
        data = build.zipped(("a/", b""), ("a/b", TEXT), ("ä€.txt", b"x"))
    else:
        entries = build.entry("a", None), build.entry("a/b", TEXT), build.entry("ä€.txt", b"x")
        data = build.tar(*entries, form=form)
    await make(data).check_apply(apply=True)
    assert content(tmp_path / "out") == {"a": None, "a/b": TEXT, "ä€.txt": b"x"}


@pytest.mark.parametrize("form", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
async def test_an_archive_of_several_streams_is_one(form, make, build, tmp_path):
    whole = build.tar(build.entry("a", TEXT * 1000))
    from_one = build.tar(form="tar")
    assert from_one
    import bz2
    import gzip
    import lzma

    import zstandard

    compress = {
        "tar.gz": gzip.compress,
        "tar.bz2": bz2.compress,
        "tar.xz": lzma.compress,
        "tar.zst": zstandard.ZstdCompressor().compress,
    }[form]
    await make(compress(whole[:3000]) + compress(whole[3000:])).check_apply(apply=True)
    assert (tmp_path / "out/a").read_bytes() == TEXT * 1000


async def test_what_tar_and_zip_make_is_extracted(make, tmp_path):
    tree = tmp_path / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/er/file").write_bytes(os.urandom(3_000_000))
    (tree / "deep/link").symlink_to("er/file")
    os.link(tree / "deep/er/file", tree / "hard")
    with (tree / "sparse").open("wb") as file:
        file.truncate(5_000_000)
        file.seek(4_000_000)
        file.write(TEXT)
    made = tmp_path / "made"
    for words in (["tar", "-cf"], ["tar", "--sparse", "-cf"], ["tar", "--format=v7", "-cf"]):
        await asyncio.to_thread(subprocess.check_call, [*words, made, "-C", tree, "."])
        it = make(made.read_bytes(), path=str(tmp_path / f"out of {words[1]}"))
        await it.check_apply(apply=True)
        assert content(Path(it.path)) == content(tree)
        assert Path(it.path, "hard").stat().st_nlink == 2
        assert it.send().files == 4


async def test_bytes_that_are_no_text_are_names_too(make, build, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    it = make(build.tar(build.entry(name, TEXT)))
    await it.check_apply(apply=True)
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9"]
    assert await it.check_apply(apply=True) == []
    os.unlink(os.path.join(os.fsencode(tmp_path / "out"), b"caf\xe9"))
    assert shown(await it.check_apply(apply=True)) == ["caf\\xe9: None -> 'as in the archive'"]


async def test_names_of_a_zip_that_are_not_marked_are_utf8_if_they_can_be(make, build, tmp_path):
    data = build.zipped(("aXX", b"1"), ("bY", b"2")).replace(b"aXX", "aä".encode())
    await make(data.replace(b"bY", b"b\x81")).check_apply(apply=True)
    assert content(tmp_path / "out") == {"aä": b"1", "bü": b"2"}  # 81 is ü in cp437


async def test_leading_directories_are_dropped_and_patterns_choose(make, build, tmp_path):
    data = build.tar(
        *(build.entry(f"app-1/{name}", TEXT) for name in ("bin/a", "bin/b", "doc/a.txt", "top")),
        build.entry("short", TEXT),
        build.link("app-1/doc/link", "../bin/a"),
    )
    await make(data, strip=1, exclude=["*/bin/b"]).check_apply(apply=True)
    assert set(content(tmp_path / "out")) == {
        *("bin", "bin/a", "doc", "doc/a.txt", "doc/link", "top"),
    }
    await make(data, include=["app-1/bin", "short"], path=str(tmp_path / "2")).check_apply(
        apply=True
    )
    assert set(content(tmp_path / "2")) == {
        "app-1",
        "app-1/bin",
        "app-1/bin/a",
        "app-1/bin/b",
        "short",
    }


async def test_only_what_differs_is_extracted_again(make, build, tmp_path):
    it = make(build.tar(*(build.entry(name, TEXT) for name in "abc")))
    assert shown(await it.check_apply(apply=True)) == [f"source: None -> '{tmp_path}/archive'"]
    out = tmp_path / "out"
    kept = (out / "c").stat().st_ino
    (out / "a").unlink()
    (out / "b").write_text("other")
    (out / "mine").write_text("mine")
    assert shown(await it.check_apply(apply=True)) == [
        "a: None -> 'as in the archive'",
        "b: 'changed' -> 'as in the archive'",
    ]
    assert content(out) == {**dict.fromkeys("abc", TEXT), "mine": b"mine"}
    assert (out / "c").stat().st_ino == kept


async def test_a_look_reads_neither_the_archive_nor_the_files(make, build, tmp_path, monkeypatch):
    it = make(build.tar(build.entry("a", TEXT)))
    await it.check_apply(apply=True)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert await it.check_apply(apply=True) == []


async def test_the_same_archive_fetched_again_is_not_extracted_again(make, build, tmp_path):
    data = build.tar(build.entry("a", TEXT))
    await make(data).check_apply(apply=True)
    (tmp_path / "archive").unlink()
    assert await make(data).check_apply(apply=True) == []


async def test_another_archive_is_extracted_and_what_it_has_no_more_is_purged(
    make, build, tmp_path
):
    first = build.tar(
        build.entry("a", TEXT), build.entry("old/b", TEXT), build.entry("old/c", TEXT)
    )
    second = build.tar(build.entry("a", b"new"))
    out = tmp_path / "out"
    await make(first).check_apply(apply=True)
    (out / "mine").write_text("mine")
    changes = await make(second, purge=True).check_apply(apply=True)
    digests = (f"sha256 {hashlib.sha256(data).hexdigest()[:16]}" for data in (first, second))
    assert changes == [Change("source", *digests)]
    assert content(out) == {"a": b"new", "old": None, "mine": b"mine"}
    await make(first).check_apply(apply=True)
    await make(second).check_apply(apply=True)
    assert (out / "old/b").exists()


async def test_nothing_is_extracted_if_what_it_creates_is_there(make, build, tmp_path):
    it = make(build.tar(build.entry("a", TEXT)), creates=str(tmp_path / "there"))
    (tmp_path / "there").touch()
    assert await it.check_apply(apply=True) == []
    assert it.send() is None
    (tmp_path / "there").unlink()
    assert await it.check_apply(apply=True) != []


async def test_an_archive_with_another_checksum_is_refused(make, build, tmp_path):
    data = build.tar(build.entry("a", TEXT))
    right, wrong = hashlib.sha512(data).hexdigest(), "0" * 64
    with pytest.raises(Refused, match=f"archive must have the sha256 {wrong}, found .*; fetch it"):
        await make(data, checksum=wrong).check_apply(apply=True)
    assert not (tmp_path / "out").exists()
    it = make(data, checksum=f"sha512:{right}")
    await it.check_apply(apply=True)
    assert it.send().sha256 == hashlib.sha256(data).hexdigest()


async def test_modes_are_as_declared_and_programs_stay_programs(make, build, tmp_path):
    data = build.tar(build.entry("d/run", mode=0o755), build.entry("d/text", mode=0o644))
    await make(data, mode="0640").check_apply(apply=True)
    modes = [(tmp_path / "out" / name).stat().st_mode & 0o7777 for name in ("d", "d/run", "d/text")]
    assert modes == [0o750, 0o750, 0o640]


async def test_times_are_those_of_the_archive(make, build, tmp_path):
    await make(build.tar(build.entry("a", mtime=1_000_000_000))).check_apply(apply=True)
    assert (tmp_path / "out/a").stat().st_mtime == 1_000_000_000


@pytest.mark.root
async def test_all_belongs_to_whom_it_is_declared(make, build, tmp_path):
    data = build.tar(build.entry("d/a"), build.link("l", "d/a"))
    await make(data, owner="nobody", group="12345").check_apply(apply=True)
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in ("", "d", "d/a", "l"):
        found = (tmp_path / "out" / path).lstat()
        assert (found.st_uid, found.st_gid) == (nobody, 12345)


async def test_an_owner_that_is_not_there_is_told(make, build):
    with pytest.raises(Refused, match="user must be one of this host, not 'nosuch'; create it"):
        await make(build.tar(build.entry("a")), owner="nosuch").check_apply(apply=True)


# Making.


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "deep/er").mkdir(parents=True)
    (root / "deep/er/file").write_bytes(os.urandom(100_000))
    (root / "deep/run").write_text("#!/bin/sh\n")
    (root / "deep/run").chmod(0o755)
    (root / "link").symlink_to("deep/run")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("suffix", ["tar", "tgz", "tar.bz2", "txz", "tar.zst", "zip"])
async def test_what_is_made_can_be_extracted_and_is_always_the_same(suffix, host, tree, tmp_path):
    made = [tmp_path / f"{number}.{suffix}" for number in (1, 2)]
    for path in made:
        it = Archive(str(path), source=str(tree), create=True, mtime=1_000_000_000, _host=host)
        await it.check_apply(apply=True)
        os.utime(tree / "deep/run")
        assert it.send().sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert it.send().files == 3
    assert made[0].read_bytes() == made[1].read_bytes()
    out = Archive("out", path=str(tmp_path / "out"), source=str(made[0]), _host=host)
    await out.check_apply(apply=True)
    (tree / "pipe").unlink()
    assert content(tmp_path / "out") == content(tree)
    assert (tmp_path / "out/deep/run").stat().st_mode & 0o777 == 0o755


async def test_tools_can_read_what_is_made(host, tree, tmp_path):
    for suffix in ("tar.gz", "zip"):
        path = tmp_path / f"made.{suffix}"
        await Archive(str(path), source=str(tree), create=True, _host=host).check_apply(apply=True)
    told = ["tar", "-xOf", tmp_path / "made.tar.gz", "deep/er/file"]
    found = await asyncio.to_thread(subprocess.check_output, told)
    assert found == (tree / "deep/er/file").read_bytes()
    with tarfile.open(tmp_path / "made.tar.gz") as made:
        assert made.getnames() == ["deep", "deep/er", "deep/er/file", "deep/run", "link"]
    with zipfile.ZipFile(tmp_path / "made.zip") as made:
        assert made.testzip() is None


async def test_it_is_made_again_when_what_is_in_it_changes(host, tree, tmp_path):
    it = Archive(
        str(tmp_path / "a.tar"), source=str(tree), create=True, exclude=["*.log"], _host=host
    )
    await it.check_apply(apply=True)
    (tree / "noise.log").write_text("noise")
    assert await it.check_apply(apply=True) == []
    (tree / "deep/new").write_text("new")
    assert shown(await it.check_apply(apply=True)) == [f"content: 'older' -> 'of {tree}'"]
    assert await it.check_apply(apply=True) == []


async def test_one_file_is_an_archive_too(host, tmp_path):
    (tmp_path / "file").write_bytes(TEXT)
    path = tmp_path / "a.zip"
    it = Archive(str(path), source=str(tmp_path / "file"), create=True, mode="0600", _host=host)
    await it.check_apply(apply=True)
    with zipfile.ZipFile(path) as made:
        assert made.namelist() == ["file"]
    assert path.stat().st_mode & 0o777 == 0o600


# What is declared.


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"path": "here"}, "path must be an absolute path"),
        ({"source": "/a/../b"}, "source must be an absolute path without"),
        ({"mode": "644x"}, "mode must be from 0600 to 0777"),
        ({"checksum": "abc"}, "checksum must be 64 or 128 hexadecimal digits"),
        ({"mtime": 1}, "mtime needs create"),
        ({"create": True}, "path must end in .tar"),
        ({"create": True, "path": "/b.tar.gx"}, "did you mean '.tar.[gx]z'"),
        ({"create": True, "path": "/b.tar", "strip": 1}, "strip does not go with create"),
        ({"create": True, "path": "/a/b.tar", "source": "/a"}, "source must not hold the archive"),
    ],
)
def test_params_that_do_not_go_together_are_refused(params, match):
    with pytest.raises(ParamError, match=match):
        Archive("it", **{"path": "/out", "source": "/a.tar", **params})


def test_what_it_needs_and_provides():
    it = Archive("/srv/app", source="/tmp/app.tar", owner="www", group="www")
    assert [tuple(thing) for thing in it.provides()] == [("directory", "/srv/app")]
    assert [(need.what, need.name) for need in it.needs()] == [
        ("directory", "/srv/app"),
        ("path", "/tmp/app.tar"),
        ("user", "www"),
        ("group", "www"),
    ]
    it = Archive("/srv/app.zip", source="/srv/app", create=True)
    assert [tuple(thing) for thing in it.provides()] == [("path", "/srv/app.zip")]
    assert ("directory", "/srv") in {(need.what, need.name) for need in it.needs()}


@pytest.mark.root
@pytest.mark.parametrize("there", [False, True])
async def test_what_may_not_be_written_is_named_by_its_path(tmp_path, build, there):
    for above in [tmp_path, *tmp_path.parents][:3]:
        above.chmod(0o755)
    source, target = tmp_path / "a.tar", tmp_path / "below"
    source.write_bytes(build.tar(build.entry("f", b"x")))
    if there:
        target.mkdir()

    async def work(state: str) -> None:
        try:
            archive = Archive(str(target), source=str(source), _host=Host(state=state))
            await archive.check_apply(apply=True)
        except OSError as error:
            raise ValueError(told(error)) from None

    named = target / "f" if there else target
    assert (await as_nobody(work)).text == f"{named}: permission denied; run as root"
