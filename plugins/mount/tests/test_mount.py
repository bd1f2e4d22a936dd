"""File systems that are mounted for real, in a mount namespace of the test."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from setpoint import Need, ParamError, Refused, Thing
from setpoint.engine.events import Changed
from setpoint.processes import ProcessEnded
from setpoint.testing import ResourceSuite
from setpoint_mount import Mount
from setpoint_mount.events import Events
from setpoint_mount.table import top

pytestmark = pytest.mark.root
FSTAB = Path("/etc/fstab")
OTHERS = "# caf\u00e9\nproc\t/proc proc defaults 0 0\n\nUUID=1-2 none swap sw"


@pytest.fixture
def point(private, tmp_path):
    """A mount point, in a namespace of its own, with an own fstab."""
    private("/etc")
    FSTAB.write_text(OTHERS)
    path = tmp_path / "mount point"
    path.mkdir()
    return path


@pytest.fixture
def make(point, host):
    """Return a function that makes a resource on the host of the test, a tmpfs if nothing else is said."""

    def make(name=None, **params):
        given = {"device": "demo", "type": "tmpfs", **params}
        return Mount(str(name or point), **given, _host=host)

    return make


async def settled(resource):
    """Apply `resource`, see that once is enough, and return what differed."""
    changes = await resource.check_apply(apply=True)
    assert await resource.check_apply(apply=False) == []
    return [str(change) for change in changes]


def run(*argv):
    subprocess.run(argv, check=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})


def layers(point):
    """How many file systems are mounted at `point`."""
    words = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return list(words).count(str(point).replace(" ", r"\040"))


def mounted(point):
    """What is mounted at `point`, without the numbers that the kernel gave it."""
    found = top(str(point))
    return found and (found.source, found.type, found.flags, found.options)


def state_of(point):
    return mounted(point), FSTAB.read_text().rstrip()


class TestMount(ResourceSuite):
    @pytest.fixture
    def resource(self, make):
        return make(options=("size=1M", "noexec"))

    async def disturb(self, resource):
        run("umount", resource.name)

    def observe(self, resource):
        return mounted(resource.name), FSTAB.read_text()


class TestAbsence(ResourceSuite):
    @pytest.fixture
    def resource(self, make, point):
        run("mount", "-t", "tmpfs", "x", point)
        FSTAB.write_text(f"{OTHERS}\n")
        return make(state="absent")

    async def disturb(self, resource):
        run("mount", "-t", "tmpfs", "x", resource.name)

    def observe(self, resource):
        return mounted(resource.name), FSTAB.read_text()


async def test_it_is_mounted_and_gets_a_line_in_fstab(make, point):
    changes = await settled(make(options=("size=1M", "nosuid"), passno=0))
    escaped = str(point).replace(" ", "\\040")
    line = f"demo\t{escaped}\ttmpfs\tsize=1M,nosuid\t0\t0"
    assert changes == ["state: 'unmounted' -> 'mounted'", f"fstab: None -> {line!r}"]
    assert FSTAB.read_text() == f"{OTHERS}\n{line}\n"
    assert top(str(point)).source == "demo"
    run("umount", point)
    run("mount", point)  # from fstab
    assert {"nosuid"} < set(top(str(point)).flags)


async def test_absent_unmounts_all_and_takes_the_line_out(make, point):
    await settled(make())
    run("mount", "-t", "tmpfs", "over", point)
    assert layers(point) == 2
    await settled(make(state="absent"))
    assert layers(point) == 0
    assert FSTAB.read_text() == f"{OTHERS}\n"


async def test_unmounted_keeps_the_line(make, point):
    await settled(make())
    before = FSTAB.read_text()
    await settled(make(state="unmounted"))
    await settled(make(state="unmounted", device=""))
    assert FSTAB.read_text() == before
    await settled(make(state="unmounted", options=("noauto",)))
    assert "\tnoauto\t" in FSTAB.read_text()


async def test_fstab_is_left_alone_or_freed_of_it(make):
    await settled(make(fstab=None))
    assert FSTAB.read_text() == OTHERS
    await settled(make())
    await settled(make(fstab=False))
    assert FSTAB.read_text() == f"{OTHERS}\n"


async def test_only_the_fields_that_are_declared_are_changed(make, point):
    escaped = str(point).replace(" ", "\\040")
    FSTAB.write_text(f"old  {escaped}\ttmpfs  size=2M   1\r\n{OTHERS}")
    changes = await settled(make(type="", passno=2, state="unmounted"))
    assert changes[-1].startswith(f"fstab: 'old\\t{escaped}".replace("\\040", "\\\\040"))
    assert FSTAB.read_bytes().decode() == f"demo  {escaped}\ttmpfs  size=2M   1\t2\r\n{OTHERS}"


async def test_of_several_lines_that_of_the_device_is_meant(make, point):
    escaped = str(point).replace(" ", "\\040")
    lines = f"other {escaped} tmpfs noauto 0 0\ndemo {escaped}/ tmpfs noauto 0 0\n"
    FSTAB.write_text(lines)
    await settled(make(options=("nodev",)))
    assert FSTAB.read_text() == lines.replace(
        f"demo {escaped}/ tmpfs noauto", f"demo {escaped} tmpfs nodev"
    )


async def test_an_option_that_differs_is_set_by_a_remount(make, point):
    await settled(make(options=("nosuid", "size=1M"), fstab=None))
    run("mount", "-o", "remount,suid,noexec,size=2M", point)
    (point / "kept").touch()
    changes = await settled(make(options=("nosuid", "size=1M"), fstab=None))
    assert len(changes) == 1
    assert changes[0].startswith("options: ")
    assert (point / "kept").exists()
    found = top(str(point))
    assert {"nosuid", "noexec"} < set(found.flags)  # what was not declared stays
    assert "size=1024k" in found.options


@pytest.mark.parametrize(
    "options",
    [
        ("defaults",),
        ("rw", "exec", "dev", "suid", "atime"),
        ("size=50%", "mode=0755", "uid=0", "uid=root"),
        ("noauto", "nofail", "x-systemd.automount", "_netdev", "user"),
        ("ro", "rw"),
    ],
)
async def test_what_cannot_be_compared_is_taken_as_declared(make, options):
    await settled(make(options=options, fstab=None))


async def test_a_bind_mount_is_of_its_directory(make, point, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    params = {"type": "", "options": ("bind", "ro"), "fstab": None}
    await settled(make(device=str(tmp_path / "one"), **params))
    assert os.path.samefile(point, tmp_path / "one")
    assert "ro" in top(str(point)).flags
    run("mount", "-o", "remount,bind,rw", point)
    await settled(make(device=str(tmp_path / "one"), **params))
    changes = await settled(make(device=str(tmp_path / "two"), **params))
    assert changes[0].startswith("device: ")
    assert os.path.samefile(point, tmp_path / "two")
    assert layers(point) == 1


@pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="there are no loop devices")
async def test_a_device_is_known_by_all_its_names(make, point, private, tmp_path):
    private("/dev")
    image, uuid = tmp_path / "image", "01234567-89ab-cdef-0123-456789abcdef"
    with image.open("wb") as file:
        file.truncate(1 << 20)
    run("mkfs.ext4", "-q", "-U", uuid, "-L", "a b", image)
    await settled(make(device=str(image), type="ext4", options=("loop",), fstab=None))
    device = top(str(point)).source
    assert make(device=str(tmp_path), type="ext4", fstab=None).check()[0].attribute == "device"
    names = (device, f"UUID={uuid}", "LABEL=a b")
    for name in names:  # where udev has made no links this cannot be told
        assert make(device=name, type="", fstab=None).check() == []
    for kind, name in (("uuid", uuid), ("label", "a\\x20b")):
        directory = Path(f"/dev/disk/by-{kind}")
        directory.mkdir(parents=True)
        (directory / name).symlink_to("/dev/null")
    for name in names[1:]:
        assert make(device=name, fstab=None).check()[0].attribute == "device"
    for kind, name in (("uuid", uuid), ("label", "a\\x20b")):
        link = Path(f"/dev/disk/by-{kind}") / name
        link.unlink()
        link.symlink_to(device)
    for name in names:
        assert make(device=name, type="auto", fstab=None).check() == []
    await settled(make(state="unmounted", fstab=None))


async def test_an_overlay_is_mounted(make, point, tmp_path):
    run("mount", "-t", "tmpfs", "x", tmp_path)
    for name in ("lower", "upper", "work", point.name):
        (tmp_path / name).mkdir()
    (tmp_path / "lower/below").touch()
    options = tuple(f"{name}dir={tmp_path}/{name}" for name in ("lower", "upper", "work"))
    await settled(make(device="overlay", type="overlay", options=options))
    assert (point / "below").exists()


async def test_what_was_mounted_over_it_goes(make, point):
    await settled(make(type="tmpfs"))
    (point / "ours").touch()
    run("mount", "-t", "proc", "proc", point)
    changes = await settled(make())
    assert changes == ["type: 'proc' -> 'tmpfs'"]
    assert (point / "ours").exists()


async def test_what_is_hidden_by_a_mount_above_is_not_mounted(make, point):
    (point / "sub").mkdir()
    sub = make(point / "sub", fstab=None)
    await settled(sub)
    run("mount", "-t", "tmpfs", "x", point)
    (point / "sub").mkdir()
    assert await settled(sub) == ["state: 'unmounted' -> 'mounted'"]


async def test_a_mount_point_behind_a_link_is_found(make, point, tmp_path):
    (tmp_path / "link").symlink_to(point)
    await settled(make(tmp_path / "link", fstab=None))
    assert top(str(point))


async def test_who_keeps_it_busy_is_named_and_lazy_does_not_care(make, point):
    await settled(make(fstab=None))
    sleep = await asyncio.create_subprocess_exec("sleep", "60", cwd=point)
    try:
        with pytest.raises(OSError, match=rf"in use by sleep \({sleep.pid}\); end them"):
            await make(state="unmounted", fstab=None).check_apply(apply=True)
        assert layers(point) == 1
        await settled(make(state="unmounted", fstab=None, lazy=True))
    finally:
        sleep.kill()
        await sleep.wait()


async def test_what_cannot_be_mounted_does_not_get_into_fstab(make):
    with pytest.raises(ProcessEnded, match="mount: must succeed"):
        await make(type="nofs").check_apply(apply=True)
    assert FSTAB.read_text() == OTHERS


async def test_a_missing_mount_point_is_told_of(make, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such mount point, make it"):
        await make(tmp_path / "none").check_apply(apply=True)
    await settled(make(tmp_path / "none", options=("X-mount.mkdir",)))


async def test_what_a_remount_cannot_set_is_told(make, point, tmp_path):
    (tmp_path / "one").mkdir()
    await settled(make(fstab=None, options=("size=1M",)))
    (point / "file").write_bytes(b"x" * 800_000)
    with pytest.raises(ProcessEnded, match="mount: must succeed"):
        await make(fstab=None, options=("size=100k",)).check_apply(apply=True)
    assert (point / "file").exists()


async def test_who_is_not_root_is_told(make):
    pid = os.fork()
    if not pid:
        os.setresuid(12345, 12345, 12345)
        try:
            asyncio.run(make(fstab=None, name="/proc/fs").check_apply(apply=True))
        except Refused as error:
            os._exit(0 if "only root may mount" in str(error) else 1)
        os._exit(2)
    assert await asyncio.to_thread(os.waitpid, pid, 0) == (pid, 0)


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize("line", [False, True])
@pytest.mark.parametrize("state", ["mounted", "unmounted", "absent"])
async def test_what_is_put_back_is_what_was_there(make, point, mounted, line, state):
    if mounted:
        run("mount", "-t", "tmpfs", "-o", "size=2048k,nodev", "was:/there", point)
    if line:
        escaped = str(point).replace(" ", "\\040")
        FSTAB.write_text(f"{OTHERS}\nwas:/there\t{escaped}\ttmpfs\tsize=2M,nodev\t0\t0\n")
    before = state_of(point)
    resource = make(device="is:/now", options=("noexec",), state=state)
    back = resource.reversed()
    if state == "absent" and not mounted and not line:
        assert back is None
        return
    await settled(resource)
    assert state_of(point) != before
    await settled(back)
    assert state_of(point) == before


@pytest.fixture
def bound(point, tmp_path):
    """A directory that is mounted at the mount point too, of a file system that is mounted as a whole."""
    whole = tmp_path / "whole"
    whole.mkdir()
    run("mount", "-t", "tmpfs", "demo", whole)
    (whole / "one").mkdir()
    run("mount", "-o", "bind,noexec", whole / "one", point)
    return whole / "one"


async def test_a_bind_mount_is_put_back(make, point, bound):
    resource = make(state="unmounted", fstab=None)
    back = resource.reversed()
    await settled(resource)
    await settled(back)
    assert os.path.samefile(point, bound)
    assert "noexec" in top(str(point)).flags


def test_a_bind_mount_of_what_is_seen_nowhere_else_is_not_put_back(make, bound):
    run("umount", bound.parent)
    with pytest.raises(Refused, match=r"/one of demo is mounted .*, and nobody can say where"):
        make(state="unmounted", fstab=None).reversed()


async def test_it_is_repaired_while_an_engine_runs_and_all_share_one_watch(make, engine, host):
    points = [f"{make().name}{number}" for number in range(3)]
    for point in points:
        Path(point).mkdir()
    mounts = [Mount(point, device="demo", type="tmpfs", fstab=None) for point in points]
    async with engine.keeping(*mounts) as kept:
        for point in points:
            run("umount", point)
            await kept.told(Changed, f"mount {point}")
            assert layers(point) == 1
        assert len(host.shared(Events)._listeners) == 3


@pytest.mark.parametrize(
    ("name", "params", "rule"),
    [
        ("mnt", {}, "name must be the absolute path"),
        ("/mnt/", {}, "no slash too many, not '/mnt/'; write /mnt"),
        ("/a/../b", {}, "write /b"),
        ("/", {"state": "absent"}, "state must be mounted for /"),
        ("/mnt", {"device": ""}, "device must be given"),
        ("/mnt", {"device": "a\nb"}, "device must be one line"),
        ("/mnt", {"options": ("a,b",)}, "options must be one option each"),
        ("/mnt", {"options": ("remount",)}, "options must not have remount"),
    ],
)
def test_params_that_do_not_go_together_are_refused(name, params, rule):
    with pytest.raises(ParamError, match=rule):
        Mount(name, **{"device": "x", **params})


def test_it_waits_for_its_mount_point_and_its_device():
    mount = Mount("/a/b", device="/dev/sdb1")
    assert list(mount.provides()) == [Thing("directory", "/a/b")]
    assert [need[:2] for need in mount.needs()] == [
        ("path", "/a/b"),
        ("directory", "/a"),
        ("path", "/dev/sdb1"),
    ]
    gone = Mount("/a/b", state="absent")
    assert list(gone.provides()) == [Thing("unmounted", "/a/b")]
    assert list(gone.needs()) == [
        Need("unmounted", "/a", "it is mounted below", nearest=True, after=True)
    ]


def test_systemd_reads_a_changed_fstab_anew(systemd):
    program = """
import asyncio, os, subprocess, sys
from setpoint.host import Host
from setpoint_mount import Mount

async def settle(**params):
    await Mount("/media", device="demo", type="tmpfs", **params, _host=host).check_apply(apply=True)
    show = ["systemctl", "show", "--property=LoadState,ActiveState", "media.mount"]
    print(subprocess.run(show, check=True, capture_output=True, text=True).stdout.split())

host = Host(state=sys.argv[1])
asyncio.run(settle())
asyncio.run(settle(state="absent"))
host.close()
"""
    done = systemd.run([sys.executable, "-c", program, "/run/mount-test"])
    assert done.stdout == (
        "['LoadState=loaded', 'ActiveState=active']\n"
        "['LoadState=not-found', 'ActiveState=inactive']\n"
    )
