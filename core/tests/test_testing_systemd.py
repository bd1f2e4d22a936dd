"""The systemd for tests, `setpoint.testing.systemd`."""

import os
import sys
from pathlib import Path

import pytest

from setpoint.testing.systemd import booted, new_cgroup

pytestmark = pytest.mark.root

SLEEPER = """
    [Service]
    ExecStart=/bin/sleep 1000
"""


def leftovers():
    mounts = Path("/proc/self/mounts").read_text()
    hierarchies = [line.split()[1] for line in mounts.splitlines() if " cgroup2 " in line]
    cgroups = {name for path in hierarchies for name in os.listdir(path)}
    return mounts, {name for name in cgroups if name.startswith(f"setpoint-{os.getpid()}-")}


def test_nothing_is_left_of_it(tmp_path):
    before = leftovers()
    (tmp_path / "work").mkdir()
    with booted(tmp_path / "work", tmp_path) as systemd:
        systemd.unit("sleeper.service", SLEEPER)
        systemd.run(["systemctl", "start", "sleeper.service"])
        pid = systemd.pid
    assert leftovers() == before
    assert not os.path.exists(f"/proc/{pid}")
    assert sorted(os.listdir(tmp_path / "work")) == ["console", "disk"]
    assert os.listdir(tmp_path / "work/disk") == []


def test_what_a_killed_run_left_behind_goes(tmp_path):
    with new_cgroup() as cgroup:
        left = Path(cgroup).with_name("setpoint-4194305-1")  # more than any pid
        (left / "system.slice").mkdir(parents=True)
        with new_cgroup():
            assert not left.exists()
        assert Path(cgroup).exists()


def test_it_has_a_system_bus_that_is_reached_from_outside(systemd):
    script = "import sys, socket; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    systemd.run([sys.executable, "-c", script, "/run/dbus/system_bus_socket"])
    assert Path(systemd.bus.removeprefix("unix:path=")).is_socket()


def test_what_is_written_in_there_is_not_written_here(systemd):
    systemd.run(["sh", "-c", "echo there > /etc/written-in-there; hostname elsewhere"])
    assert (systemd.root / "etc/written-in-there").read_text() == "there\n"
    assert not os.path.exists("/etc/written-in-there")
    assert os.uname().nodename != "elsewhere"


def test_it_cannot_change_the_kernel_that_all_share(systemd):
    for path in ("/proc/sys/kernel/sysrq", "/sys/class/net/lo/uevent"):
        assert systemd.run(["sh", "-c", f"echo 1 > {path}"], check=False).returncode
    systemd.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])  # of its own network


def test_a_test_can_be_inside(systemd, tmp_path):
    here, directory = os.readlink("/proc/self"), os.getcwd()
    with systemd.inside():
        assert os.path.exists("/run/booted")
        assert os.readlink("/proc/self") == here
        (tmp_path / "file").write_text("seen outside")
    assert (tmp_path / "file").read_text() == "seen outside"
    assert not os.path.exists("/run/booted")
    assert os.getcwd() == directory


def test_units_do_not_see_the_files_of_tests(systemd, tmp_path):
    with systemd.inside():
        assert tmp_path.is_dir()
    assert systemd.run(["ls", str(tmp_path)], check=False).returncode


def test_one_that_does_not_boot_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("setpoint.testing.systemd.BOOT", 0)
    with (
        pytest.raises(RuntimeError, match="systemd did not boot in 0 s"),
        booted(tmp_path, tmp_path),
    ):
        pass
