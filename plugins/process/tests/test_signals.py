"""Pausing, continuing and ending: all of them, only them, and the right ones."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from setpoint.processes.proc import Entry
from setpoint_process import signals
from setpoint_process.ending import end
from setpoint_process.signals import Outcome, held, pause, pids, resume

if TYPE_CHECKING:
    from conftest import Herd

NOBODY = 65534
BREEDER = "i=0; while [ $i -lt 150 ]; do (read x < {fifo}) & i=$((i+1)); done; wait"


def forget(entries: list[Entry]) -> None:
    """Remember nothing."""


def test_all_of_two_hundred_are_paused_and_continued(herd: "Herd") -> None:
    herd.sleepers(200)
    outcome = pause(herd.selection, forget)
    assert len(outcome.done) == 200
    assert herd.states() == ["T"] * 200
    resume(outcome.done)
    assert "T" not in herd.states()


def test_those_that_breed_meanwhile_are_paused_too(herd: "Herd", tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for _ in range(2):
        herd.script(BREEDER.format(fifo=tmp_path / "fifo"))
    pause(herd.selection, forget)
    first = herd.states()
    assert set(first) == {"T"}
    assert herd.states() == first  # what stands still breeds no more


def test_more_than_one_look_is_taken_as_long_as_new_ones_appear(
    herd: "Herd", monkeypatch: pytest.MonkeyPatch
) -> None:
    herd.sleepers(1)
    remembered: list[int] = []

    def remember(entries: list[Entry]) -> None:
        remembered.extend(entry.pid for entry in entries)
        if len(remembered) < 4:
            herd.sleepers(1)  # appears after the look

    pause(herd.selection, remember)
    assert len(remembered) == 4
    assert herd.states() == ["T"] * 4


def test_those_that_appear_for_ever_are_an_error(
    herd: "Herd", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "ROUNDS", 3)
    herd.sleepers(1)
    with pytest.raises(TimeoutError, match="appear faster than 3 rounds can stop them"):
        pause(herd.selection, lambda entries: forget(herd.sleepers(1)))


def test_who_stood_still_before_is_not_noted_as_paused(herd: "Herd") -> None:
    herd.sleepers()
    herd.stop()
    (ours,) = herd.sleepers(1)
    remembered: list[Entry] = []
    outcome = pause(herd.selection, remembered.extend)
    assert [entry.pid for entry in remembered] == [entry.pid for entry in outcome.done] == [ours]


def test_a_pid_that_passed_to_another_process_gets_no_signal(herd: "Herd") -> None:
    (pid,) = herd.sleepers()
    entry = herd.entry(pid)
    older = entry._replace(start=entry.start - 1)  # the one that had this pid before
    with pytest.raises(ProcessLookupError), held(older.identity):
        pass
    outcome = resume([older])
    assert (outcome.done, outcome.denied) == ([], [])
    signals.send([older], signal.SIGKILL, outcome)
    assert herd.entry(pid).is_alive


def test_a_descriptor_is_closed_again(herd: "Herd") -> None:
    entry = herd.entry(*herd.sleepers())
    before = os.listdir("/proc/self/fd")
    with held(entry.identity):
        pass
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of another user")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_what_belongs_to_others_is_named_and_the_rest_is_paused(herd: "Herd") -> None:
    (foreign,) = herd.sleepers()
    (own,) = herd.sleepers(user=NOBODY)
    receiver, sender = os.pipe()
    if os.fork() == 0:
        _pause_as_nobody(herd, sender)
    os.close(sender)
    with open(receiver) as stream:
        told = stream.read()
    os.wait()
    assert f"process {foreign}: only its owner or root may pause it, not user {NOBODY}" in told
    assert (herd.entry(foreign).is_paused, herd.entry(own).is_paused) == (False, True)


def _pause_as_nobody(herd: "Herd", sender: int) -> None:
    try:
        os.setuid(NOBODY)
        pause(herd.selection, forget).check("pause")
    except PermissionError as error:
        os.write(sender, str(error).encode())
    finally:
        os._exit(0)


async def ended(
    herd: "Herd", number: signal.Signals = signal.SIGTERM, grace: float = 5.0
) -> Outcome:
    return await end(herd.selection, number, grace, asyncio.to_thread)


async def test_who_listens_ends_before_the_grace_is_over(herd: "Herd") -> None:
    herd.sleepers(20)
    begun = time.monotonic()
    await ended(herd, grace=60.0)
    assert herd.entries() == []
    assert time.monotonic() - begun < 10
    herd.reap()
    assert {child.returncode for child in herd.children} == {-signal.SIGTERM}


async def test_who_does_not_listen_is_killed_after_the_grace(herd: "Herd", tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    herd.script(f"trap '' TERM; read x < {tmp_path}/fifo; :")
    with open(tmp_path / "fifo", "w"):  # it has set its trap
        await ended(herd, grace=0.05)
    assert herd.entries() == []
    assert herd.reap()[0] == -signal.SIGKILL


async def test_who_stands_still_is_woken_to_hear_that_it_should_end(herd: "Herd") -> None:
    herd.sleepers()
    herd.stop()
    await ended(herd, grace=60.0)
    assert herd.reap()[0] == -signal.SIGTERM


async def test_breeders_are_ended_with_their_young(herd: "Herd", tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    herd.script("trap '' TERM; " + BREEDER.format(fifo=tmp_path / "fifo"))
    await ended(herd, grace=0.05)
    assert herd.entries() == []


async def test_ending_nobody_is_done_at_once(herd: "Herd") -> None:
    outcome = await ended(herd)
    assert (outcome.done, outcome.denied) == ([], [])


def test_many_pids_are_cut_short(herd: "Herd") -> None:
    entry = herd.entry(os.getpid())
    many = [entry._replace(pid=pid) for pid in range(1, 13)]
    assert pids(many) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"
    assert pids(many[:2]) == "1, 2"
