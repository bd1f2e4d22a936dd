"""A pid that was given to another process: that one is never touched."""

import asyncio
import ctypes
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from setpoint.host import Host
from setpoint.processes.proc import Selection
from setpoint.testing.namespaces import Namespaces, mount
from setpoint_process import Process, commands
from setpoint_process.record import notebooks, of_this_command
from setpoint_process.signals import pause

if TYPE_CHECKING:
    from conftest import Herd

NEWPID = 0x20000000  # unshare(2)


class Wrapped:
    """A world of its own, where this process is the first and pids are handed out as it likes."""

    def __init__(self, folder: Path, herd: "Herd") -> None:
        self.folder, self.herd = folder, herd
        (pid,) = herd.sleepers()
        self.victim, self.child = herd.entry(pid), herd.children[-1]

    def host(self) -> Host:
        """Return a host; each is one more run of the program, with the state of the one before."""
        return Host(state=self.folder)

    def run(self, state: str, **params: Any) -> Process:
        """Run a graph with the resource once."""
        host = self.host()
        resource = Process(self.herd.name, state=state, _host=host, **params)
        asyncio.run(resource.check_apply(apply=True))
        host.close()
        return resource

    def pass_on(self) -> None:
        """End the victim and give its pid to somebody else, who has another name."""
        self.child.kill()
        self.child.wait()
        while now() <= self.victim.start:
            pass  # not within the same tick: no pids wrap that fast
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(self.victim.pid - 1))
        assert self.herd.stranger("innocent") == self.victim.pid

    def is_paused(self) -> bool:
        """Return whether the one that has the pid, and is alive, stands still."""
        entry = self.herd.entry(self.victim.pid)
        assert entry.is_alive
        return entry.is_paused

    def stop(self) -> None:
        """Stop it, as somebody does who wants it so."""
        os.kill(self.victim.pid, signal.SIGSTOP)
        os.waitpid(self.victim.pid, os.WUNTRACED)


def now() -> int:
    """Return the ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def by_name_between_look_and_signal(world: Wrapped) -> None:
    outcome = pause(world.herd.selection, lambda entries: world.pass_on())
    assert (outcome.done, world.is_paused()) == ([], False)


def by_pid_between_look_and_signal(world: Wrapped) -> None:
    outcome = pause(Selection(pid=world.victim.pid).pinned(), lambda entries: world.pass_on())
    assert (outcome.done, world.is_paused()) == ([], False)


def a_command_of_a_pid(world: Wrapped) -> None:
    measure = commands.processor_shares
    commands.processor_shares = lambda running: world.pass_on() or measure([])
    words = ["--pid", str(world.victim.pid), "--prefix", str(world.folder)]
    result = CliRunner().invoke(commands.pause, words)
    assert (result.stdout, world.is_paused()) == ("", False), result.stderr


def continuing_after_a_kill(world: Wrapped) -> None:
    host = world.host()
    notebook = of_this_command(host, "setpoint pause x")
    pause(world.herd.selection, notebook.add)
    world.pass_on()
    world.stop()
    result = CliRunner().invoke(commands.resume, ["--prefix", str(world.folder)])
    assert (result.exit_code, world.is_paused()) == (1, True), result.stderr
    assert not list(notebooks(host)), "the record of who is gone has to go too"


def a_resource_by_name_after_a_restart(world: Wrapped) -> None:
    world.run("paused")
    assert world.is_paused()
    world.pass_on()
    world.run("paused")
    assert not world.is_paused()
    world.stop()
    world.run("running")
    world.run("absent", grace=0.0)
    assert world.is_paused()


def a_resource_by_pid_after_a_restart(world: Wrapped) -> None:
    world.run("paused", pid=world.victim.pid)
    assert world.is_paused()
    world.pass_on()
    assert world.run("paused", pid=world.victim.pid).send().pids == []
    assert world.run("absent", pid=world.victim.pid, grace=0.0).send().pids == []
    assert not world.is_paused()


def a_resource_by_pid_that_goes_on(world: Wrapped) -> None:
    host = world.host()
    resource = Process("any", pid=world.victim.pid, state="absent", _host=host)
    assert len(asyncio.run(resource.check_apply(apply=True))) == 1
    world.pass_on()
    assert asyncio.run(resource.check_apply(apply=True)) == []
    assert not world.is_paused()
    host.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a world of pids")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "story",
    [
        by_name_between_look_and_signal,
        by_pid_between_look_and_signal,
        a_command_of_a_pid,
        continuing_after_a_kill,
        a_resource_by_name_after_a_restart,
        a_resource_by_pid_after_a_restart,
        a_resource_by_pid_that_goes_on,
    ],
)
def test_who_gets_the_pid_of_another_is_not_touched(
    story: Callable[[Wrapped], None], herd: "Herd", tmp_path: Path
) -> None:
    receiver, sender = os.pipe()
    if os.fork() == 0:
        _in_a_world_of_pids(sender, lambda: story(Wrapped(tmp_path / "state", herd)))
    os.close(sender)
    with open(receiver) as stream:
        told = stream.read()
    os.wait()
    if told:
        pytest.fail(told)


def _in_a_world_of_pids(sender: int, story: Callable[[], None]) -> None:
    """Be the first process of a namespace; with its end all others in it end."""
    try:
        Namespaces().private()
        assert ctypes.CDLL(None).unshare(NEWPID) == 0
        if pid := os.fork():
            os.waitpid(pid, 0)
        else:
            mount("proc", "/proc", "proc")
            story()
    except BaseException:
        os.write(sender, traceback.format_exc().encode())
    finally:
        os._exit(0)
