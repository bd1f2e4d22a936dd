"""Hostile archives: each is refused before anything is written, and nothing outside is touched."""

import os
import tracemalloc

import pytest

from setpoint import Refused
from setpoint_archive import extracting

MOST_MEMORY = 40 << 20  # bytes, whatever an archive claims


def seen(root):
    """Return all that is below a directory, and when it was touched."""
    found = ((path, path.lstat()) for path in root.rglob("*"))
    return sorted(
        (path, status.st_ino, status.st_mtime_ns, status.st_mode) for path, status in found
    )


async def test_a_hostile_archive_is_refused_and_nothing_is_touched(
    hostile, make, tmp_path, monkeypatch
):
    monkeypatch.setattr(extracting, "FREE", 10 << 20)
    it = make(hostile, path=str(tmp_path / "deep/down/out"))
    (tmp_path / "deep/down").mkdir(parents=True)
    before = seen(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            await it.check_apply(apply=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen(tmp_path) == before
    assert peak < MOST_MEMORY


def test_the_corpus_has_many_ways(request):
    names = [item.name for item in request.session.items if "hostile_archive_is" in item.name]
    assert len(names) >= 40 or request.config.getoption("keyword")


async def test_what_would_be_refused_may_be_excluded(make, build, tmp_path):
    data = build.tar(build.entry("good", b"good"), build.link("dev/stdin", "/proc/self/fd/0"))
    await make(data, exclude=["dev"]).check_apply(apply=True)
    assert os.listdir(tmp_path / "out") == ["good"]


async def test_a_refusal_names_the_member_and_the_way_out(make, build):
    with pytest.raises(Refused, match=r"member '../evil' leads out of the directory; do not trust"):
        await make(build.tar(build.entry("../evil"))).check_apply(apply=True)


async def test_a_link_that_is_there_is_not_written_through(make, build, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to(outside)
    with pytest.raises(Refused, match="out/a must be a directory, found something else"):
        await make(build.tar(build.entry("a/b", b"x"))).check_apply(apply=True)
    assert list(outside.iterdir()) == []


async def test_a_link_that_is_there_is_replaced_by_a_file(make, build, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to(outside)
    await make(build.tar(build.entry("a", b"x"))).check_apply(apply=True)
    assert (tmp_path / "out/a").read_bytes() == b"x"
    assert outside.read_text() == "mine"


async def test_more_than_is_allowed_is_refused(make, build):
    data = build.tar(build.entry("a", b"x" * 5000))
    with pytest.raises(Refused, match="must extract to 4000 bytes at most, it has more; see max_s"):
        await make(data, max_size=4000).check_apply(apply=True)


async def test_bits_that_give_power_are_dropped(make, build, tmp_path):
    await make(
        build.tar(
            build.entry("set", mode=0o6777), build.entry("none", mode=0), build.entry("d", None)
        )
    ).check_apply(apply=True)
    modes = {
        name: (tmp_path / "out" / name).stat().st_mode & 0o7777 for name in ("set", "none", "d")
    }
    assert modes == {"set": 0o755, "none": 0o600, "d": 0o755}
