"""Options are compared as far as the kernel shows them, whatever words it has for them."""

import pytest

from setpoint_mount.devices import is_device, is_type
from setpoint_mount.options import differing, given
from setpoint_mount.table import Entry, unescape


def entry(flags="rw,relatime", options="rw", **fields):
    defaults = {"number": 1, "device": "0:1", "root": "/", "point": "/p", "type": "ext4", "source": "s"}  # fmt: skip
    shown = {"flags": tuple(flags.split(",")), "options": tuple(options.split(","))}
    return Entry(**{**defaults, **shown, **fields})


@pytest.mark.parametrize(
    ("option", "flags", "options", "same"),
    [
        ("ro", "ro", "rw", True),
        ("ro", "rw", "ro", True),
        ("ro", "rw", "rw", False),
        ("rw", "ro", "rw", False),
        ("exec", "rw,noexec", "rw", False),
        ("exec", "rw", "rw", True),
        ("strictatime", "rw,relatime", "rw", False),
        ("noatime", "rw,relatime", "rw", False),
        ("sync", "rw", "rw,sync", True),
        ("async", "rw", "rw,sync", False),
        ("size=1M", "rw", "rw,size=1024k", True),
        ("size=1m", "rw", "rw,size=1048576", True),
        ("size=2M", "rw", "rw,size=1024k", False),
        ("size=50%", "rw", "rw,size=1024k", True),
        ("mode=0755", "rw", "rw,mode=755", True),
        ("mode=0700", "rw", "rw,mode=755", False),
        ("uid=root", "rw", "rw,uid=0", True),
        ("uid=1", "rw", "rw,uid=2", False),
        ("data=ordered", "rw", "rw,data=writeback", False),
        ("data=ordered", "rw", "rw", True),
        ("discard", "rw", "rw,discard", True),
        ("discard", "rw", "rw,nodiscard", False),
        ("nodiscard", "rw", "rw,discard", False),
        ("discard", "rw", "rw", True),
        ("defaults", "ro", "ro", True),
        ("x-systemd.automount", "rw", "rw", True),
    ],
)
def test_an_option_is_in_effect_or_not(option, flags, options, same):
    assert differing([option], entry(flags, options)) == ([] if same else [option])


def test_of_a_bind_mount_only_the_flags_are_its_own():
    assert differing(["bind", "sync", "rw"], entry("rw", "ro,sync")) == ["sync"]


def test_the_last_one_counts():
    assert differing(["ro", "rw", "size=1", "size=2"], entry("rw", "rw,size=2")) == []
    assert differing(["noexec", "exec"], entry("rw,noexec")) == ["exec"]


def test_what_is_for_boot_is_not_given_to_mount():
    assert given(["nofail", "noauto", "ro"]) == ["noauto", "ro"]


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("", "xfs", True),
        ("auto", "xfs", True),
        ("ext4", "xfs", False),
        ("nfs", "nfs4", True),
        ("sshfs", "fuse.sshfs", True),
        ("fuse.sshfs", "fuse.sshfs", True),
        ("ext4", "fuse.sshfs", False),
        ("ntfs-3g", "fuseblk", True),
    ],
)
def test_a_type_may_be_a_family(wanted, found, same):
    assert is_type(wanted, entry(type=found)) == same


def test_a_network_file_system_is_known_by_its_server():
    assert is_device("host:/a", (), entry(source="host:/a/"))
    assert not is_device("host:/b", (), entry(source="host:/a"))
    assert is_device("tmpfs", (), entry(source="none"))


def test_blanks_are_unescaped():
    assert unescape(r"a\040b\134") == "a b\\"
