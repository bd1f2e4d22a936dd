"""The lines of a command, which is begun anew and ended as it should be."""

import os
import select
import time

import pytest

from setpoint import ParamError
from setpoint.processes import LONGEST, ProcessEnded
from setpoint.testing import FactSuite
from setpoint_sys.exec import Exec


class TestExec(FactSuite):
    @pytest.fixture
    def fact(self, host, tmp_path):
        self.log = tmp_path / "log"
        self.log.write_text("first\n")
        return Exec(f"tail --lines=1 --follow {self.log}", _host=host)

    async def change(self, fact):
        with self.log.open("a") as file:
            file.write(f"{time.monotonic()}\n")


async def test_each_line_is_a_value_and_equal_ones_are_one(host, follow):
    text = r"one\ntwo\ntwo\n\nlast"
    async with follow(Exec("printf", args=(text,), restart="never", _host=host)) as values:
        assert [await values.next() for _ in range(4)] == ["one", "two", "", "last"]
        await values.none_for(0.2)  # the last line stands


async def test_without_a_shell_nothing_is_expanded(host, follow):
    async with follow(Exec("echo '$HOME  *' a;b", restart="never", _host=host)) as values:
        assert await values.next() == "$HOME  * a;b"
    async with follow(Exec("echo $((6 * 7)) $A", shell=True, env={"A": "b"}, _host=host)) as values:
        assert await values.next() == "42 b"


async def test_it_starts_where_and_as_what_it_is_told(host, tmp_path, follow):
    async with follow(Exec("pwd", cwd=str(tmp_path), _host=host)) as values:
        assert await values.next() == str(tmp_path)
    async with follow(Exec("env", _host=host)) as values:
        assert (await values.next()).startswith("PATH=")


@pytest.mark.root
async def test_it_can_run_as_somebody_else(host, follow):
    async with follow(Exec("id --user", user="nobody", _host=host)) as values:
        assert await values.next() == "65534"


async def test_a_command_that_ends_is_begun_anew_after_the_delay(host, tmp_path, follow):
    command = f"echo x >> {tmp_path}/runs; wc -l < {tmp_path}/runs"
    began = time.monotonic()
    async with follow(Exec(command, shell=True, delay=0.1, _host=host)) as values:
        assert [await values.next() for _ in range(3)] == ["1", "2", "3"]
    assert time.monotonic() - began > 0.2


async def test_a_failure_is_told_if_it_is_not_to_begin_anew(host, follow):
    command = "echo fine; echo why >&2; exit 3"
    async with follow(Exec(command, shell=True, restart="never", _host=host)) as values:
        assert await values.next() == "fine"
        with pytest.raises(ProcessEnded, match=r"(?s)exit code 3; its last words.*why"):
            await values.next()


async def test_after_a_failure_only(host, tmp_path, follow):
    command = (
        f"echo x >> {tmp_path}/runs; wc -l < {tmp_path}/runs; test $(wc -l < {tmp_path}/runs) = 2"
    )
    fact = Exec(command, shell=True, restart="failure", delay=0.1, _host=host)
    async with follow(fact) as values:
        assert [await values.next() for _ in range(2)] == ["1", "2"]
        await values.none_for(0.4)


async def test_a_program_that_is_not_there_is_an_error(host, follow):
    async with follow(Exec("no-such-program", _host=host)) as values:
        with pytest.raises(FileNotFoundError, match="no such program"):
            await values.next()


async def test_a_long_line_is_told_in_pieces(host, follow):
    command = f"head --bytes={LONGEST + 10} /dev/zero | tr '\\0' x"
    async with follow(Exec(command, shell=True, restart="never", _host=host)) as values:
        assert [len(await values.next()) for _ in range(2)] == [LONGEST, 10]


async def test_a_flood_waits_for_its_reader(host, follow):
    async with follow(Exec("seq 1 10000000", _host=host)) as values:
        assert [await values.next() for _ in range(5)] == ["1", "2", "3", "4", "5"]


async def test_its_descendants_end_with_it(host, tmp_path, follow):
    command = f"sleep 600 & echo $! > {tmp_path}/pid; echo ready; wait"
    async with follow(Exec(command, shell=True, _host=host)) as values:
        await values.next()
        pid = int((tmp_path / "pid").read_text())
        end = os.pidfd_open(pid)
    ended = select.poll()
    ended.register(end, select.POLLIN)
    assert ended.poll(5000)
    os.close(end)


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({}, "name must be a command, not ''"),
        ({"name": " "}, "name must be a command, not ' '"),
        ({"name": "echo 'a"}, "name must be words as a shell has them, found no closing quotation"),
        ({"name": "a", "cwd": "b"}, "cwd must be absolute, not 'b'"),
        ({"name": "a", "args": ("b",), "shell": True}, "args must not be given with a shell"),
    ],
)
def test_params_that_are_wrong_are_named(params, rule):
    with pytest.raises(ParamError, match=f"^{rule}"):
        Exec(**params)
