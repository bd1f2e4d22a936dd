"""The fact `kmsg` against the log of the kernel that runs."""

import asyncio
import os
import re
from contextlib import aclosing
from pathlib import Path

import pytest

from setpoint import ParamError, Refused
from setpoint.host import Host
from setpoint.testing import FactSuite
from setpoint_kmsg.buffer import RingBuffer, restricted
from setpoint_kmsg.fact import Kmsg
from setpoint_kmsg.reader import BATCH, Reader

pytestmark = pytest.mark.root
NEVER = 0.2  # seconds in which nothing is to come


@pytest.fixture
def declare(host, kernel):
    def declared(pattern="", **params):
        return Kmsg(f"{kernel.tag} {pattern}", **{"_host": host, **params})

    return declared


@pytest.fixture
def restarted(host):
    """The host as the next process has it."""
    host = Host(state=host.root)
    yield host
    host.close()


async def soon(values):
    async with asyncio.timeout(5):
        return await anext(values)


class TestKmsg(FactSuite):
    @pytest.fixture
    def fact(self, declare, kernel):
        self.kernel = kernel
        return declare("(?P<what>.*)", history=2)

    async def change(self, fact):
        self.kernel.log("changed")


async def test_a_message_that_fits_is_the_value(declare, kernel):
    async with aclosing(declare(r"(?P<who>\w+) is (?P<how>\w+)( (?P<why>x))?").watch()) as values:
        first = await soon(values)
        assert (first.text, first.sequence, first.groups) == ("", -1, {})
        kernel.log("does not fit")
        kernel.log("disk is full", priority=3 * 8 + 2)
        value = await soon(values)
    (_, record) = kernel.records()
    assert value.text == record.text == f"{kernel.tag} disk is full"
    assert (value.level, value.facility, value.sequence) == ("crit", "daemon", record.sequence)
    assert value.groups == {"who": "disk", "how": "full", "why": ""}
    assert value.history == []


async def test_its_time_is_that_of_the_clock_on_the_wall(declare, kernel, host):
    async with aclosing(declare().watch()) as values:
        await soon(values)
        before = host.clock.wall()
        kernel.log("now")
        value = await soon(values)
        assert before - 0.1 < value.time < host.clock.wall() + 0.1


async def test_only_the_level_and_the_facility_that_are_asked_for_count(declare, kernel):
    fact = declare(level="warning", facility="local0", history=10)
    async with aclosing(fact.watch()) as values:
        await soon(values)
        for priority in (16 * 8 + 5, 17 * 8 + 3, 16 * 8 + 4, 16 * 8 + 0):
            kernel.log(f"{priority}", priority)
        value = await soon(values)
        assert [message.text.split()[1] for message in value.history] == ["132", "128"]


async def test_the_history_has_the_last_messages_and_no_more(declare, kernel):
    async with aclosing(declare(history=3).watch()) as values:
        await soon(values)
        for number in range(5):
            kernel.log(f"{number}")
        value = await soon(values)
        assert [message.text[-1] for message in value.history] == ["2", "3", "4"]
        assert value.history[-1].text == value.text


async def test_in_the_first_run_old_messages_count_only_if_that_is_asked_for(declare, kernel):
    kernel.log("old")
    async with aclosing(declare().watch()) as values:
        assert (await soon(values)).text == ""
    async with aclosing(declare("ol", old=True).watch()) as values:
        assert (await soon(values)).text == f"{kernel.tag} old"


async def test_a_restart_has_the_same_value_and_tells_nothing_twice(declare, kernel, restarted):
    async with aclosing(declare(history=9).watch()) as values:
        await soon(values)
        kernel.log("one")
        before = await soon(values)
    async with aclosing(declare(history=9, _host=restarted).watch()) as values:
        after = await soon(values)
        assert (after.sequence, after.text, after.missed) == (before.sequence, before.text, 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(values), NEVER)


async def test_what_was_logged_between_two_runs_follows(declare, kernel, restarted):
    async with aclosing(declare(history=9).watch()) as values:
        await soon(values)
        kernel.log("one")
        await soon(values)
    kernel.log("two")
    kernel.log("three")
    async with aclosing(declare(history=9, _host=restarted).watch()) as values:
        value = await soon(values)
        assert [message.text.split()[1] for message in value.history] == ["one", "two", "three"]
        assert value.missed == 0


async def test_after_a_reboot_all_that_the_kernel_has_counts(declare, kernel, restarted, host):
    async with aclosing(declare().watch()) as values:
        await soon(values)
    (file,) = host.state_directory(declare()).iterdir()
    other = "00000000-0000-4000-8000-000000000000"
    file.write_text(re.sub(r"^\S+", other, file.read_text()))
    kernel.log("since the reboot")
    async with aclosing(declare(_host=restarted).watch()) as values:
        assert "since the reboot" in (await soon(values)).text


async def test_of_a_flood_while_it_was_stopped_the_gap_is_told(
    declare, kernel, restarted, caplog
):  # fmt: skip
    async with aclosing(declare().watch()) as values:
        await soon(values)
        kernel.log("last")
        last = await soon(values)
    kernel.flood(100_000)
    kernel.log("first")
    async with aclosing(declare(history=9, _host=restarted).watch()) as values:
        value = await soon(values)
        assert value.text.endswith(" first")
        assert value.missed > 50_000
        line = caplog.messages[-1]
        numbers = re.search(r"missed ([\d,]+) kernel messages, sequence (\d+) to (\d+)", line)
        lost, begin, end = (int(number.replace(",", "")) for number in numbers.groups())
        assert lost == value.missed == end - begin + 1
        assert begin <= last.sequence + 9  # others may have said something in between
        known = [message.sequence for message in value.history]
        assert end < known[0]
        assert known == sorted(set(known))
        kernel.log("alive")
        value = await soon(values)
        assert value.text.endswith("alive")
    async with aclosing(declare(history=9, _host=restarted).watch()) as values:
        again = await soon(values)
        assert (again.sequence, again.missed) == (value.sequence, 0)


async def test_a_reader_that_is_overtaken_counts_what_it_lost_and_goes_on(declare, kernel, caplog):
    async with aclosing(declare("(flood|alive)").watch()) as values:
        await soon(values)
        kernel.flood(100_000)  # the loop stands still meanwhile
        value = await soon(values)
        assert value.missed > 50_000
        kernel.log("alive")
        async with asyncio.timeout(10):
            while "alive" not in value.text:
                value = await anext(values)
        assert any("overwritten before they were read" in line for line in caplog.messages)
    assert len(caplog.messages) <= 3


async def test_a_flood_leaves_the_loop_to_others(declare, kernel):
    async with aclosing(declare("(flood|alive)").watch()) as values:
        await soon(values)
        kernel.flood(4 * BATCH)
        loop, longest = asyncio.get_running_loop(), 0.0
        while "flood 1999" not in (await soon(values)).text:
            began = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - began)
        assert longest < 0.1


async def test_all_share_one_reader_that_is_closed_after_the_last(declare, kernel, host):
    def readers():
        links = (os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
        return list(links).count("/dev/kmsg")

    many = [declare(f"{number}$").watch() for number in range(20)]
    for values in many:
        await soon(values)
    assert readers() == 1
    for number, values in enumerate(many):
        kernel.log(f"{number}")
        assert (await soon(values)).text == f"{kernel.tag} {number}"
        await values.aclose()
    assert readers() == 0


async def test_who_joins_does_not_make_others_hear_things_twice(declare, kernel):
    async with aclosing(declare(history=99).watch()) as values:
        await soon(values)
        kernel.log("one")
        await soon(values)
        async with aclosing(declare("one", old=True).watch()) as others:
            assert (await soon(others)).text.endswith("one")
            kernel.log("two")
            value = await soon(values)
        assert [message.text.split()[1] for message in value.history] == ["one", "two"]


async def test_the_place_is_one_small_file_that_is_written_in_place(declare, kernel, host):
    async with aclosing(declare().watch()) as values:
        await soon(values)
        (file,) = host.state_directory(declare()).iterdir()
        before = file.stat().st_ino
        for _ in range(3):
            kernel.log("x")
            await soon(values)
    boot, _, following = file.read_text().split()
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert int(following) > kernel.records()[-1].sequence
    assert (file.stat().st_ino, file.stat().st_mode & 0o777) == (before, 0o600)


async def test_a_log_that_cannot_be_read_any_more_is_an_error_and_then_begun_anew(declare, host):
    async with aclosing(declare().watch()) as values:
        await soon(values)
        host.shared(Reader)._fail(OSError(5, "Input/output error"))
        with pytest.raises(OSError, match="Input/output error"):
            await soon(values)
    async with aclosing(declare().watch()) as values:
        await soon(values)


def test_somebody_else_than_root_reads_it_or_is_told_what_is_in_the_way(as_nobody):
    as_nobody()
    if restricted() == "0":
        return RingBuffer().close()
    with pytest.raises(
        Refused, match=r"read by root only .*is 1\), not by user 65534; run as root"
    ):
        RingBuffer()
    return None


def test_an_expression_that_is_none_is_an_error():
    with pytest.raises(ParamError, match="name must be a regular expression, not '\\(': "):
        Kmsg("(")
