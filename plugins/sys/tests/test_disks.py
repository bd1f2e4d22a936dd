"""Disks: mounts as they come and go, in the table's own words, and servers that do not answer."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from setpoint.testing import FactSuite
from setpoint.testing.namespaces import mount
from setpoint_sys import disks
from setpoint_sys.disks import Disks
from setpoint_sys.mounts import Mount, escaped, mounts, on_disks, parsed

MS_RDONLY, MS_BIND = 1, 0x1000
DETACH = "-l"


def unmount(path: object) -> None:
    subprocess.run(["umount", DETACH, str(path)], check=True)


def by_systemd(path: str) -> str:
    command = ["systemd-escape", "--path", "--", path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout[:-1]


@pytest.fixture
def place(private, tmp_path):
    """A directory in which mounts are for this test only."""
    private()
    return tmp_path


@pytest.mark.root
class TestDisks(FactSuite):
    @pytest.fixture
    def fact(self, host, place):
        self.place, self.number = place, 0
        return Disks(_host=host)

    async def change(self, fact):
        self.number += 1
        point = self.place / str(self.number)
        point.mkdir()
        mount("more", str(point), "tmpfs", "size=1m")


@pytest.mark.root
async def test_a_mount_is_told_at_once_and_so_is_its_end(host, place, follow):
    (place / "a").mkdir()
    async with follow(Disks(_host=host)) as values:
        await values.next()
        mount("some", str(place / "a"), "tmpfs", "size=4m", MS_RDONLY)
        path = str(place / "a")
        found = await values.until(lambda found: path in [disk.path for disk in found])
        disk = next(disk for disk in found if disk.path == path)
        assert (disk.device, disk.type, disk.size, disk.read_only) == (
            "some",
            "tmpfs",
            4 << 20,
            True,
        )
        assert (disk.used, disk.free, disk.answers) == (0.0, 4 << 20, True)
        assert disk.name == escaped(path)
        unmount(path)
        await values.until(lambda found: path not in [disk.path for disk in found])


@pytest.mark.root
async def test_how_full_it_is_is_looked_at_by_a_timer(host, place, follow):
    mount("some", str(place), "tmpfs", "size=4m,nr_inodes=100")
    async with follow(Disks(str(place), every=0.1, _host=host)) as values:
        (before,) = await values.next()
        (place / "half").write_bytes(bytes(2 << 20))
        ((after,),) = [await values.until(lambda found: found[0].used > 0)]
    assert (before.used, after.used, after.free) == (0.0, 50.0, 2 << 20)
    assert after.inodes_used == 2.0


@pytest.mark.root
async def test_one_that_is_named_is_told_when_it_is_mounted_and_not_before(host, place, follow):
    (place / "later").mkdir()
    async with follow(Disks(str(place / "later"), _host=host)) as values:
        assert await values.next() == []
        mount("some", str(place / "later"), "tmpfs")
        assert len(await values.next()) == 1


@pytest.mark.root
async def test_one_that_is_mounted_several_times_is_told_once(host, place, follow):
    for name in ("first", "first/inner", "another-place"):
        (place / name).mkdir(exist_ok=True)
    mount("some", str(place / "first"), "tmpfs")
    (place / "first/inner").mkdir()
    mount(str(place / "first/inner"), str(place / "another-place"), "", flags=MS_BIND)
    async with follow(Disks(_host=host)) as values:
        paths = [disk.path for disk in await values.next() if disk.path.startswith(str(place))]
    assert paths == [str(place / "first")]


@pytest.mark.root
async def test_a_path_with_a_blank_and_a_line_end_is_as_it_is(host, place, follow):
    odd = place / "a b\n\\c-ü"
    odd.mkdir()
    mount("some", str(odd), "tmpfs")
    async with follow(Disks(str(odd), _host=host)) as values:
        ((disk,),) = [await values.next()]
    assert disk.path == str(odd)
    assert disk.name == by_systemd(str(odd))


@pytest.mark.root
async def test_a_server_that_is_gone_delays_only_itself_and_keeps_one_thread(
    host, place, follow, monkeypatch
):
    monkeypatch.setattr(disks, "PATIENCE", 0.3)
    (place / "dead").mkdir()
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)  # whose requests nobody answers
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        mount("server", str(place / "dead"), "fuse", options)
        async with follow(Disks(every=0.1, _host=host)) as values:
            found = await values.next()
            dead = next(disk for disk in found if disk.path == str(place / "dead"))
            assert (dead.answers, dead.size, dead.used) == (False, 0, 0.0)
            assert any(disk.answers for disk in found)
            (place / "other").mkdir()
            mount("other", str(place / "other"), "tmpfs")
            await values.until(lambda found: str(place / "other") in [disk.path for disk in found])
            names = [thread.name for thread in threading.enumerate()]
            assert names.count(f"setpoint looks at mount {place}/dead") == 1
    finally:
        os.close(device)
    for thread in threading.enumerate():
        if thread.name.startswith("setpoint looks at"):
            thread.join(5)


def test_the_table_is_read_as_the_kernel_writes_it():
    line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root ro,errors=continue\n"
    assert parsed(line) == Mount("98:0", "/mnt1", "/mnt2", True, "ext3", "/dev/root")
    odd = (
        r"37 35 0:52 / /a\040b\134c\011d rw shared:7 master:2 - fuse.sshfs me@host:/x\040y rw"
        + "\n"
    )
    assert parsed(odd) == Mount("0:52", "/", "/a b\\c\td", False, "fuse.sshfs", "me@host:/x y")
    assert parsed(odd).may_hang
    assert not parsed(line).may_hang
    assert parsed("38 35 0:53 / /e rw - tmpfs  rw\n").source == ""


def test_of_several_mounts_that_with_most_of_the_disk_at_the_shortest_path_is_told():
    def mounted(root: str, path: str, type_: str = "ext4", device: str = "8:1") -> Mount:
        return Mount(device, root, path, False, type_, "/dev/sda1")

    whole, part, again = (
        mounted("/", "/srv/disk"),
        mounted("/x", "/x"),
        mounted("/", "/somewhere/else"),
    )
    trap = mounted("/", "/net", "autofs", "0:9")
    assert on_disks([part, again, whole, trap]) == [whole]


@pytest.mark.parametrize("path", ["/", "/var/lib", "/a-b/c", "/.hidden/x", "/x.y_z:1", "/ü"])
def test_names_are_those_of_systemd(path):
    assert escaped(path) == by_systemd(path)


def test_the_table_of_this_machine_can_be_read():
    assert [mount.path for mount in mounts()] == list(
        dict.fromkeys(
            line.split()[4].encode().decode("unicode_escape")
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
        )
    )
