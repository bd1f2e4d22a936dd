"""The process resource: running, paused or absent, and nothing else is touched."""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from setpoint import ParamError, Refused
from setpoint.testing import ResourceSuite
from setpoint_process import Process
from setpoint_process.record import FILE, Notebook
from setpoint_process.table import scan

if TYPE_CHECKING:
    from conftest import Herd

    from setpoint.host import Host

Declare = Callable[..., Process]


class TestProcess(ResourceSuite):
    @pytest.fixture
    def resource(self, herd: "Herd", declare: Declare) -> Process:
        herd.sleepers(3)
        return declare("paused")

    async def disturb(self, resource: Process) -> None:
        for entry in scan(resource.selection):
            os.kill(entry.pid, signal.SIGCONT)

    def observe(self, resource: Process) -> object:
        return [entry.is_paused for entry in scan(resource.selection)]


async def test_one_apply_is_enough_for_each_state(herd: "Herd", declare: Declare) -> None:
    herd.sleepers(3)
    for state in ("paused", "running", "absent"):
        resource = declare(state)
        assert len(await resource.check_apply(apply=True)) == 1
        assert await resource.check_apply(apply=True) == []


async def test_a_look_changes_nothing_and_tells_who_is_in_which_state(
    herd: "Herd", declare: Declare
) -> None:
    pids = ", ".join(str(pid) for pid in herd.sleepers(2))
    for state, before in (("paused", "running"), ("absent", "present")):
        (change,) = await declare(state).check_apply(apply=False)
        assert (change.attribute, change.before, change.after) == (
            "state",
            f"{before}: {pids}",
            state,
        )
    herd.stop()
    (change,) = await declare("running").check_apply(apply=False)
    assert change.before == f"paused: {pids}"
    assert herd.states() == ["T", "T"]


async def test_running_starts_nothing(herd: "Herd", declare: Declare) -> None:
    resource = declare("running")
    assert await resource.check_apply(apply=True) == []
    assert herd.entries() == []
    assert resource.send().pids == []


async def test_the_pids_are_sent_as_they_are_after_the_run(herd: "Herd", declare: Declare) -> None:
    pids = sorted(herd.sleepers(3))
    paused, absent = declare("paused"), declare("absent")
    await paused.check_apply(apply=True)
    assert paused.send().pids == pids
    await absent.check_apply(apply=True)
    assert absent.send().pids == []


async def test_what_it_pauses_is_remembered_until_it_is_continued(
    herd: "Herd", declare: Declare, host: "Host"
) -> None:
    pids = sorted(herd.sleepers(2))
    paused = declare("paused")
    await paused.check_apply(apply=True)
    notebook = Notebook(host.state_directory(paused) / FILE, host)
    assert [entry.pid for entry in notebook.read().living()] == pids
    assert notebook.read().by == f"process {herd.name}"
    await declare("running").check_apply(apply=True)
    assert not notebook.path.exists()


async def test_a_match_is_searched_and_a_name_is_exact(
    herd: "Herd", declare: Declare, host: "Host"
) -> None:
    herd.sleepers()
    part = herd.name[:-1]
    assert await Process(part, state="paused", _host=host).check_apply(apply=True) == []
    searched = Process("any", match=f"^{part}", state="paused", _host=host)
    assert await searched.check_apply(apply=True) != []
    assert herd.states() == ["T"]


async def test_a_pid_needs_no_name(herd: "Herd", host: "Host") -> None:
    first, _ = herd.sleepers(2)
    await Process("any", pid=first, state="paused", _host=host).check_apply(apply=True)
    assert [e.pid for e in herd.entries() if e.is_paused] == [first]


@pytest.mark.parametrize("pid", [1, os.getpid(), os.getppid()])
async def test_a_pid_that_is_never_touched_is_refused(pid: int, host: "Host") -> None:
    resource = Process("any", pid=pid, state="absent", _host=host)
    with pytest.raises(Refused, match=f"pid must not be .*, not {pid} .*; give the pid of another"):
        await resource.check_apply(apply=False)


async def test_the_signal_that_asks_to_end_may_be_chosen(herd: "Herd", declare: Declare) -> None:
    herd.sleepers()
    await declare("absent", signal="INT").check_apply(apply=True)
    assert herd.reap() == [-signal.SIGINT]


async def test_without_grace_they_are_killed_at_once(herd: "Herd", declare: Declare) -> None:
    herd.sleepers(3)
    await declare("absent", signal="CONT", grace=0.0).check_apply(apply=True)
    assert herd.reap() == [-signal.SIGKILL] * 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"match": "("}, r"match must be a regular expression, not '\(': missing \)"),
        ({"signal": "TREM"}, "signal must be the name of a signal, not 'TREM'; did you mean"),
        ({"cmdline": True}, "cmdline must have an expression to search for; set match"),
    ],
)
def test_params_that_mean_nothing_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamError, match=message):
        Process("any", **params)


@pytest.mark.parametrize("params", [{"pid": -1}, {"pid": 2**22 + 1}, {"grace": -1}, {"state": ""}])
def test_params_out_of_range_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "any", **params}, Process)


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "HUP", "KILL"])
def test_a_signal_is_named_with_or_without_sig(name: str) -> None:
    assert Process("any", signal=name).signal == name
