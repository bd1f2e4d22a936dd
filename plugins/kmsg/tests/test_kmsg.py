"""The resource `kmsg` against the log of the kernel that runs."""

import os
from pathlib import Path

import pytest

from setpoint import ParamError, Refused
from setpoint.testing import ResourceSuite
from setpoint.testing.namespaces import mount
from setpoint_kmsg import LONGEST, Kmsg
from setpoint_kmsg.buffer import RingBuffer

pytestmark = pytest.mark.root
BIND = 4096  # mount(2)


@pytest.fixture
def declare(host, kernel):
    def declared(text="hello", **params):
        return Kmsg("greeting", message=f"{kernel.tag} {text}", _host=host, **params)

    return declared


class TestKmsg(ResourceSuite):
    watches = False
    refuses_others = True

    @pytest.fixture
    def resource(self, declare, kernel):
        self.kernel = kernel
        return declare()

    async def disturb(self, resource):
        """Forget what was written; nothing else can be changed in a log."""
        for file in resource.host.state_directory(resource).iterdir():
            file.unlink()

    def observe(self, resource):
        """Return what was ever written: a log only grows, and a repair says things again."""
        return set(self.kernel.texts())


async def test_a_message_is_in_the_log_with_its_level_and_facility(declare, kernel):
    await declare(level="crit", facility="daemon").check_apply(apply=True)
    (record,) = kernel.records()
    assert (record.level, record.facility) == ("crit", "daemon")


async def test_a_message_is_written_once_however_often_it_is_looked_at(declare, kernel):
    for _ in range(3):
        await declare().check_apply(apply=True)
    assert kernel.texts() == ["hello"]


@pytest.mark.parametrize("params", [{"text": "other"}, {"level": "err"}, {"facility": "local3"}])
async def test_a_message_that_changes_is_written_again(declare, kernel, params):
    await declare().check_apply(apply=True)
    changes = await declare(**params).check_apply(apply=True)
    assert len(changes) == 1
    assert len(kernel.texts()) == 2


async def test_each_notification_writes_it_again(declare, kernel):
    resource = declare()
    await resource.check_apply(apply=True)
    for _ in range(12):  # more than one open device may take
        await resource.check_apply(apply=True)
        resource.refresh()
    assert kernel.texts() == ["hello"] * 13


async def test_what_was_just_written_is_not_written_twice_by_a_notification(declare, kernel):
    resource = declare()
    await resource.check_apply(apply=True)
    resource.refresh()
    assert kernel.texts() == ["hello"]


async def test_every_character_arrives(declare, kernel):
    text = "ä € 😀 \\x41 \t\n second line \33[31m"
    await declare(text).check_apply(apply=True)
    assert kernel.texts() == [text]


async def test_the_longest_message_arrives_whole(declare, kernel):
    await declare("x" * (LONGEST - len(kernel.tag) - 1) + "\n").check_apply(apply=True)
    (record,) = kernel.records()
    assert len(record.text) == LONGEST


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("", "message must have from 1 to 970 bytes, not 0; write a text"),
        ("\n", "from 1 to 970 bytes, not 0"),
        ("ä" * 486, "from 1 to 970 bytes, not 972; declare several messages"),
        ("a\0b", "message must not have a NUL"),
    ],
)
def test_a_message_that_the_kernel_would_cut_or_refuse_is_an_error(message, rule):
    with pytest.raises(ParamError, match=rule):
        Kmsg("x", message=message)


def test_somebody_else_than_root_is_told_so(declare, as_nobody):
    resource = declare()
    as_nobody()
    with pytest.raises(Refused, match=r"written by root only, not by user 65534; run as root"):
        resource.apply([])


async def test_a_kernel_that_takes_nothing_from_programs_is_an_error(declare, private, tmp_path):
    private()
    switch = tmp_path / "off"
    switch.write_text("off\n")
    mount(str(switch), "/proc/sys/kernel/printk_devkmsg", "", flags=BIND)
    with pytest.raises(Refused, match="printk_devkmsg must not be 'off'"):
        declare().apply([])


def test_a_machine_without_the_device_is_an_error(declare, private):
    private("/dev")
    os.unlink("/dev/kmsg")
    with pytest.raises(
        Refused, match="must be at /dev/kmsg, which is not there; if this is a container"
    ):
        declare().apply([])


@pytest.mark.parametrize("stand_in", ["/dev/null", "/dev/zero"])
def test_what_containers_put_in_the_place_of_the_device_is_an_error(declare, private, stand_in):
    private()
    mount(stand_in, "/dev/kmsg", "", flags=BIND)
    with pytest.raises(Refused, match="must be at /dev/kmsg, which is something else; if this is"):
        declare().apply([])
    with pytest.raises(Refused, match="which is something else"):
        RingBuffer()


async def test_a_damaged_memory_is_as_none(declare, kernel, host):
    await declare().check_apply(apply=True)
    (file,) = Path(host.state_directory(declare())).iterdir()
    file.write_bytes(b'{"mess')
    await declare().check_apply(apply=True)
    assert kernel.texts() == ["hello"] * 2
