"""How a run ends: asked once, twice, three times; killed in the middle; refused; not as root."""

import functools
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SOMEBODY = 64321  # a user and group that nobody has
QUIET = """\
resources:
  file HOME/motd:
    content: hello
"""
LONG = """\
resources:
  exec long:
    cmd: trap '' INT; sh -c 'read x < HOME/stay' & echo up; read x < HOME/fifo; echo through
    shell: true
  file HOME/after:
    content: made afterwards
    require: exec long
"""
CHAIN = """\
resources:
  exec first:
    cmd: echo changing; read x < HOME/fifo
    shell: true
    creates: HOME/never
    notify: exec second
  exec second:
    cmd: cat >> HOME/refreshed; test ! -p HOME/second || read x < HOME/second
    shell: true
    stdin: once
    refresh_only: true
"""


@pytest.fixture
def long(here):
    for name in ("fifo", "stay"):
        os.mkfifo(here.home / name)
    here.write(LONG)
    yield here
    with suppress(OSError):  # what a command leaves behind it goes on, until here
        os.close(os.open(here.home / "stay", os.O_WRONLY | os.O_NONBLOCK))


def descendants(pid: int) -> Iterator[int]:
    """Return the processes below `pid`."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from descendants(int(child))


def watched(pid: int) -> list[int]:
    """Return descriptors that tell when the processes below `pid` have gone; there are some."""
    found = [os.pidfd_open(descendant) for descendant in descendants(pid)]
    assert found
    return found


def all_gone(pidfds: list[int]) -> bool:
    for pidfd in pidfds:
        ended = select.select([pidfd], [], [], 5)[0]
        os.close(pidfd)
        if not ended:
            return False
    return True


# -- asked to end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_quiet_graph_ends_within_a_second_and_well(number, here):
    here.write(QUIET)
    running = here.run()
    began = time.monotonic()
    running.process.send_signal(number)
    ended = running.end()
    assert time.monotonic() - began < 1
    assert (ended.code, ended.err) == (0, "stopping\n")
    assert ended.events("Ended")[0]["ok"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_once_it_finishes_what_runs_and_starts_nothing(number, long):
    running = long.start("run")
    running.out.until("exec long: up")
    running.process.send_signal(number)
    running.err.until("stopping, waiting for exec long")
    (long.home / "fifo").write_text("go\n")
    ended = running.end()
    assert ended.code == 128 + number
    assert "exec long: through\n" in ended.out
    assert "exec long: run " in ended.out
    assert "1 unfinished" in ended.out
    assert not (long.home / "after").exists()


def test_asked_twice_it_stops_what_runs_with_all_its_children(long):
    running = long.start("run")
    running.out.until("exec long: up")
    pidfds = watched(running.pid)
    assert len(pidfds) > 1
    began = time.monotonic()
    running.interrupt()
    running.err.until("stopping, waiting for exec long")
    running.interrupt()
    ended = running.end()
    assert time.monotonic() - began < 2
    assert ended.code == 128 + signal.SIGINT
    assert "cancelling what runs; once more kills it\n" in ended.err
    assert all_gone(pidfds)
    assert "exec long: it was stopped in the middle" in long.call("status").out


def test_asked_three_times_it_kills_what_does_not_want_to_end(long):
    long.write(LONG.replace("trap '' INT", "trap '' TERM"))
    running = long.start("run")
    running.out.until("exec long: up")
    pidfds = watched(running.pid)
    for said in ("stopping", "cancelling", "killed"):
        running.interrupt()
        running.err.until(said)
    assert running.end().code == 128 + signal.SIGINT
    assert all_gone(pidfds)


def test_a_time_limit_ends_what_runs_with_all_its_children(long):
    running = long.start("run", "--max-runtime", "0.5")
    running.out.until("exec long: up")
    pidfds = watched(running.pid)
    ended = running.end()
    assert ended.code == 1
    assert "error: --max-runtime of 0.5 s reached, ending\n" in ended.err
    assert all_gone(pidfds)


@pytest.mark.parametrize("command", ["run", "apply"])
def test_a_closed_pipe_is_a_quiet_end(command, long):
    running = long.spawn(
        "sh", "-c", '"$@" | head -n 1; echo and on', "sh",
        *long.argv(command),
    )  # fmt: skip
    running.out.until("exec long: up")
    (long.home / "fifo").write_text("go\n")
    assert running.out.until("and on")
    ended = running.end()
    assert (ended.code, ended.err) == (0, "")


# -- killed


def kill(running) -> None:
    """Kill a command, then its children, as a machine that goes down does."""
    pids = [running.pid, *descendants(running.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert running.end().code == -signal.SIGKILL


@pytest.fixture
def chain(here):
    os.mkfifo(here.home / "fifo")
    here.write(CHAIN)
    return here


def test_a_change_that_was_killed_in_the_middle_is_told_and_its_refresh_is_not_lost(chain):
    running = chain.start("run")
    running.out.until("exec first: changing")
    kill(running)
    status = chain.call("status")
    assert status.code == 1
    assert "exec first: was being changed when it died" in status.out
    assert f"it was killed: pid {running.pid} " in status.out
    assert not (chain.home / "refreshed").exists()

    (chain.home / "never").touch()  # so that nothing changes: it is owed for what was killed
    ended = chain.call("apply")
    assert ended.code == 0
    assert "exec second: refreshed because of exec first\n" in ended.out
    assert (chain.home / "refreshed").read_text() == "once"
    status = chain.call("status")
    assert (status.code, status.out.splitlines()[-1]) == (0, "changed again: never")
    assert "exec second: refreshed" not in chain.call("apply").out


def test_a_refresh_that_was_killed_in_the_middle_is_owed_and_made_up_for(chain):
    os.mkfifo(chain.home / "second")
    running = chain.start("run")
    running.out.until("exec first: changing")
    (chain.home / "fifo").write_text("go\n")
    running.out.until("exec first: run")
    with (chain.home / "second").open("w"):  # it is open when the refresh runs
        kill(running)
    status = chain.call("status", "--json")
    assert status.code == 1
    assert '"then":"exec second"' in status.out
    assert "exec second: owes a refresh because of exec first" in chain.call("status").out

    (chain.home / "second").unlink()
    (chain.home / "never").touch()
    ended = chain.call("apply")
    assert ended.code == 0
    assert "exec second: refreshed because of exec first\n" in ended.out
    assert (chain.home / "refreshed").read_text() == "onceonce"  # at least once
    assert chain.call("status").code == 0
    assert "exec second: refreshed" not in chain.call("apply").out


# -- refused


@pytest.mark.parametrize("command", ["run", "apply"])
def test_a_second_engine_is_refused_and_the_first_one_named(command, here):
    here.write(QUIET)
    running = here.run()
    ended = here.call(command)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(
        f"error: {here.state}/lock: the journal is in use by pid {running.pid} "
    )
    assert ended.err.endswith("; stop that one, or choose another place with --prefix\n")
    (here.home / "motd").unlink()
    running.event("Changed", f"file {here.home}/motd")
    assert running.stop().code == 0
    assert here.call(command, *(["--converged-timeout", "0"] * (command == "run"))).code == 0


# -- somebody else than root


@pytest.fixture
def theirs(here, variables):
    """A place that belongs to a user who is not root."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    home = Path(tempfile.mkdtemp(prefix="setpoint-test-"))
    place = type(here)(
        home, {**variables, "HOME": str(home), "CACHE_DIRECTORY": str(home / "cache")}
    )
    place.variables.pop("PYTHONPYCACHEPREFIX")
    for path in (home, *home.iterdir()):
        os.chown(path, SOMEBODY, SOMEBODY)
    yield place
    place.close()
    shutil.rmtree(home)


@functools.cache
def as_somebody():
    """Return what is put before a command for them; they may read all if it lies where only root may look."""
    command = ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
    tried = (*command, sys.executable, "-c", "import setpoint")
    if subprocess.run(tried, capture_output=True).returncode == 0:
        return command
    return (*command, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@pytest.mark.root
def test_nobody_needs_to_be_root(theirs):
    theirs.write(QUIET + "  exec who:\n    cmd: id -u\n    listen: file HOME/motd\n")
    ended = theirs.start("apply", before=as_somebody()).end()
    assert (ended.code, ended.err) == (0, "")
    assert f"exec who: {SOMEBODY}\n" in ended.out
    status = (theirs.home / "motd").stat()
    assert (status.st_uid, status.st_gid) == (SOMEBODY, SOMEBODY)
    assert theirs.start("status", before=as_somebody()).end().code == 0


@pytest.mark.root
def test_what_takes_root_is_said_and_keeps_nobody_else(theirs, tmp_path):
    text = QUIET + f"  file {tmp_path}/x:\n    content: x\n  file HOME/own:\n    owner: root\n"
    theirs.write(text)
    ended = theirs.start("apply", before=as_somebody()).end()
    assert ended.code == 1
    assert f"error: file {tmp_path}/x: user {SOMEBODY} may not " in ended.err
    assert f"error: file {theirs.home}/own: " in ended.err
    assert (theirs.home / "motd").read_text() == "hello"
    assert "Traceback" not in ended.err


@pytest.mark.root
def test_a_state_directory_that_is_not_theirs_is_refused_in_one_line(theirs):
    theirs.write(QUIET)
    theirs.state.mkdir()
    ended = theirs.start("apply", before=as_somebody()).end()
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert str(theirs.state) in ended.err
    assert not (theirs.home / "motd").exists()


# -- without a network


NO_NETWORK = """
import sys

def refuse(event, _):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise OSError(f"there is no network for {event}")

sys.addaudithook(refuse)
"""


def test_no_network_is_needed(here):
    (here.plugins / "sitecustomize.py").write_text(NO_NETWORK)
    asked = (sys.executable, "-c", "import socket; socket.create_connection(('localhost', 1))")
    assert "no network for socket.getaddrinfo" in here.spawn(*asked).end().err
    here.write(QUIET + "  password p:\n  noop told:\n    listen: file HOME/motd\n")
    ended = here.call("apply")
    assert (ended.code, ended.err) == (0, "")
