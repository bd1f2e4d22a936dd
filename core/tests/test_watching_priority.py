"""Files of /proc that tell of their changes themselves are heard without polling."""

import asyncio
import os
import socket
from contextlib import aclosing

import pytest

from setpoint.watching import Many, Priority

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces of its own"),
]
HOSTNAME = "/proc/sys/kernel/hostname"


async def test_a_changed_hostname_is_heard_each_time(private):
    private(uts=True)
    async with aclosing(aiter(Priority(HOSTNAME))) as changes:
        await anext(changes)
        for name in ("one", "two", "two"):
            socket.sethostname(name)
            await anext(changes)


async def test_nothing_is_said_without_a_change(private):
    private(uts=True)
    heard = []
    subscription = Priority(HOSTNAME)
    subscription.start(lambda: heard.append(1))
    try:
        for _ in range(100):
            await asyncio.sleep(0)  # a file that is always readable would be heard in each turn
    finally:
        subscription.stop()
    assert heard == []


def test_it_begins_once_at_a_time_and_can_begin_anew():
    async def run():
        subscription = Many(Priority(HOSTNAME))
        before = os.listdir("/proc/self/fd")
        subscription.start(print)
        with pytest.raises(RuntimeError, match="begun already"):
            subscription.start(print)
        subscription.stop()
        subscription.start(print)
        subscription.stop()
        subscription.stop()
        assert len(os.listdir("/proc/self/fd")) == len(before)

    asyncio.run(run())


async def test_a_missing_file_is_an_error_and_leaves_nothing_open(tmp_path):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        Priority(str(tmp_path / "none")).start(print)
    assert len(os.listdir("/proc/self/fd")) == len(before)
