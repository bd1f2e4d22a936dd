"""`setpoint pause` and `setpoint continue`, as a person and as a script use them."""

import json
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from setpoint_process import commands

if TYPE_CHECKING:
    from conftest import Herd

NOBODY = 65534

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


def records(state: Path) -> list[Path]:
    return list(state.glob("paused/*"))


def test_what_fits_is_shown_and_continued_when_the_input_ends(
    herd: "Herd", pause: Invoke, state: Path
) -> None:
    pids = sorted(herd.sleepers(2))
    result = pause(herd.name)
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["PID", "NAME", "CPU", "%", "MEMORY"]
    assert [line.split()[:2] for line in lines] == [[str(pid), herd.name] for pid in pids]
    assert "T" not in herd.states()
    assert records(state) == []


def test_programs_get_a_document_with_percent_and_bytes(herd: "Herd", pause: Invoke) -> None:
    busy = herd.script("while :; do :; done")
    result = pause(f"^{herd.name}", "--json")
    (row,) = json.loads(result.stdout)["paused"]
    assert (row["pid"], row["name"]) == (busy, herd.name)
    assert row["cpu"] > 1  # a fraction would be less, however busy the machine is
    assert row["memory"] > 2**16


def test_nothing_that_fits_is_exit_code_1(pause: Invoke, herd: "Herd") -> None:
    result = pause(herd.name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nothing to pause: no process fits\n"


def test_what_stands_still_already_is_left_so(herd: "Herd", pause: Invoke) -> None:
    (pid,) = herd.sleepers()
    herd.stop()
    result = pause(herd.name)
    assert result.exit_code == 1
    assert f"process {pid} stands still already" in result.stderr
    assert herd.states() == ["T"]


@pytest.mark.parametrize("pid", [1, os.getpid(), os.getppid()])
def test_itself_and_what_it_descends_from_is_left_alone(pause: Invoke, pid: int) -> None:
    result = pause("--pid", str(pid))
    assert result.exit_code == 1
    assert "only processes that are left alone fit" in result.stderr


def test_a_command_line_may_be_searched(herd: "Herd", pause: Invoke) -> None:
    (pid,) = herd.sleepers()
    assert pause(f"{herd.name} 1000").exit_code == 1
    result = pause("--cmdline", f"{herd.name} 1000", "--json")
    assert [row["pid"] for row in json.loads(result.stdout)["paused"]] == [pid]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say what to pause: MATCH, --pid or --user"),
        (["--cmdline", "--user", "root"], "say what to pause"),
        (["("], "'(' is no regular expression: missing )"),
        (["--pid", "0"], "0 is not in the range x>=1"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(pause: Invoke, words: list[str], message: str) -> None:
    result = pause(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_key_on_a_terminal_continues(herd: "Herd", paused: Start, state: Path) -> None:
    herd.sleepers(3)
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    child = paused(herd.name, stdin=terminal)
    assert herd.states() == ["T"] * 3
    assert len(records(state)) == 1
    os.write(master, b" ")  # no line, just a key
    assert child.wait() == 0
    assert "T" not in herd.states()
    assert termios.tcgetattr(terminal) == before
    assert records(state) == []
    os.close(master)
    os.close(terminal)


def test_without_a_terminal_a_line_continues(herd: "Herd", paused: Start) -> None:
    herd.sleepers()
    child = paused(herd.name)
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.wait() == 0
    assert "T" not in herd.states()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_continues_them_too(
    herd: "Herd", paused: Start, state: Path, number: signal.Signals
) -> None:
    herd.sleepers(2)
    child = paused(herd.name)
    child.send_signal(number)
    assert child.wait() == 130
    assert "T" not in herd.states()
    assert records(state) == []


def test_after_a_kill_exactly_those_that_were_paused_are_continued(
    herd: "Herd", paused: Start, resume: Invoke, state: Path
) -> None:
    herd.sleepers()
    herd.stop()  # by somebody else, who wants it so
    pids = sorted(herd.sleepers(2))
    child = paused(herd.name)
    child.kill()
    child.wait()
    assert herd.states() == ["T"] * 3
    result = resume(herd.name)
    assert result.exit_code == 0
    assert f"continued 2: {pids[0]}, {pids[1]}" in result.stderr
    assert herd.states().count("T") == 1  # the others sleep, or are just on their way to
    assert records(state) == []
    assert resume(herd.name).exit_code == 1


@pytest.mark.parametrize("already", [1, 10, 19])
def test_whenever_it_is_killed_one_command_puts_all_back(
    herd: "Herd", start: Start, resume: Invoke, already: int
) -> None:
    herd.sleepers(20)
    child = start(herd.name)
    stopped = 0
    while stopped < already:
        stopped = herd.states().count("T")
    child.kill()
    child.wait()
    resume()
    assert "T" not in herd.states()


def test_a_wrong_command_line_is_exit_code_2_and_help_says_so(
    pause: Invoke, resume: Invoke
) -> None:
    for command in (pause, resume):
        assert "\n    2    the command line is wrong\n" in command("--help").stdout
        assert command("--nonsense").exit_code == 2


def test_what_is_paused_can_be_listed(herd: "Herd", paused: Start, resume: Invoke) -> None:
    assert "nothing is recorded as paused" in resume("--list").stdout
    (pid,) = herd.sleepers()
    paused(f"^{herd.name}")
    assert str(pid) in resume("--list").stdout
    (row,) = json.loads(resume("--list", "--json").stdout)["paused"]
    assert (row["pid"], row["name"]) == (pid, herd.name)
    assert row["by"] == f"setpoint pause ^{herd.name}"
    assert herd.states() == ["T"]


def test_continue_takes_only_what_fits(herd: "Herd", paused: Start, resume: Invoke) -> None:
    herd.sleepers()
    paused("--cmdline", f"{herd.name} 1000")
    assert resume("something-else").exit_code == 1
    assert herd.states() == ["T"]
    result = resume(f"{herd.name} 1000", "--json")  # the words that it was paused with
    assert len(json.loads(result.stdout)["continued"]) == 1
    assert "T" not in herd.states()


def test_a_record_that_is_broken_is_named_and_does_not_hold_up_the_others(
    herd: "Herd", paused: Start, resume: Invoke, state: Path
) -> None:
    herd.sleepers()
    child = paused(herd.name)
    child.kill()
    child.wait()
    (state / "paused/0-0.json").write_text("{")
    result = resume()
    assert result.exit_code == 0
    assert "0-0.json: is no record" in result.stderr
    assert "T" not in herd.states()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_what_is_not_permitted_is_told_and_is_exit_code_3(herd: "Herd", pause: Invoke) -> None:
    pause(herd.name)  # so that all is imported that another user may not read
    (foreign,) = herd.sleepers()
    (own,) = herd.sleepers(user=NOBODY)
    state = herd.folder / "state"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    receiver, sender = os.pipe()
    if os.fork() == 0:
        _pause_as_nobody(herd, state, sender)
    os.close(sender)
    with open(receiver) as stream:
        code, shown, told = json.load(stream)
    os.wait()
    assert code == 3
    assert (str(own) in shown, str(foreign) in shown) == (True, False), told
    assert f"process {foreign}: only its owner or root may pause it, not user {NOBODY}" in told
    assert "T" not in herd.states()


def _pause_as_nobody(herd: "Herd", state: Path, sender: int) -> None:
    try:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        result = CliRunner().invoke(commands.pause, [herd.name, "--prefix", str(state)])
        os.write(sender, json.dumps([result.exit_code, result.stdout, result.stderr]).encode())
    finally:
        os._exit(0)


def test_the_help_of_both_has_examples_and_exit_codes(pause: Invoke, resume: Invoke) -> None:
    for command in (pause, resume):
        text = command("--help").stdout
        assert "Examples:\n    setpoint " in text
        assert "Exit code:\n    0 " in text
