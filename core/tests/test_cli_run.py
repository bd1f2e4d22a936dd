"""`run` and `apply` as processes: what they say, how they end, what they do with saved files."""

import asyncio
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setpoint.host import Host

PROGRAM = (sys.executable, "-c", "from setpoint.cli import main; main()")


class Setpoint:
    """A place for a graph file and state, and the commands that were started there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "graph.yaml"
        self.started: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        """Save the graph file as editors do: another one takes its place."""
        new = self.home / "graph.yaml.new"
        new.write_text(text.replace("HOME", str(self.home)))
        new.rename(self.file)

    def start(self, command: str, *options: str) -> subprocess.Popen[str]:
        """Start a command on the graph file."""
        process = subprocess.Popen(
            [*PROGRAM, command, str(self.file), "--prefix", str(self.home / "state"), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def call(self, command: str, *options: str) -> tuple[int, str]:
        """Return the exit code of a command on the graph file, and what it said."""
        output = self.start(command, *options).communicate()[0]
        return self.started[-1].returncode, output

    def status(self, *options: str) -> tuple[int, str]:
        """Return the exit code of `status`, and what it said."""
        ran = subprocess.run(
            [*PROGRAM, "status", "--prefix", str(self.home / "state"), *options],
            capture_output=True,
            text=True,
        )
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def here(tmp_path: Path, compiled_once: None) -> Iterator[Setpoint]:
    place = Setpoint(tmp_path)
    yield place
    for process in place.started:
        with process:
            process.kill()


def until(process: subprocess.Popen[str], text: str) -> str:
    """Read lines until one has `text` in it; return that one."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended with {process.wait()} and never said {text!r}")


FILE = "resources:\n  file HOME/motd:\n    content: hello\n    mode: '0644'\n"
LONG = "resources:\n  exec long:\n    cmd: trap '' TERM; echo up; read x < HOME/fifo\n    shell: true\n"


SECRET = """\
resources:
  password p:
  file HOME/secret:
    content: key = ${{ send["password p"].password }}
"""


@pytest.fixture
def long(here: Setpoint) -> Setpoint:
    """A place with a command that runs until somebody writes into a pipe, and ignores TERM."""
    os.mkfifo(here.home / "fifo")
    here.write(LONG)
    return here


def test_apply_converges_and_ends(here: Setpoint) -> None:
    here.write(FILE)
    code, said = here.call("apply")
    assert code == 0
    assert said.startswith(f"file {here.home}/motd: state file, content hello, mode 0644\n")
    assert "1 resource, 1 changed in " in said
    assert (here.home / "motd").read_text() == "hello"
    assert here.call("apply")[1].startswith("1 resource in ")


def test_trouble_of_a_former_run_is_over_when_another_one_ends_well(here: Setpoint) -> None:
    here.write(FILE.replace("motd", "missing/motd"))
    assert here.call("apply")[0] == 1
    code, said = here.status()
    assert code == 1
    assert "\nfailed: file " in said
    (here.home / "missing").mkdir()
    assert here.call("apply")[0] == 0
    code, said = here.status()
    assert code == 0
    assert "failed" not in said


def test_noop_changes_nothing_and_says_what_would_be(here: Setpoint) -> None:
    here.write(FILE)
    code, said = here.call("apply", "--noop")
    assert code == 0
    assert f"file {here.home}/motd (noop): " in said
    assert "left as it is (noop)" in said
    assert not (here.home / "motd").exists()


def test_what_fails_and_what_it_blocks_is_told_and_the_exit_code_is_1(here: Setpoint) -> None:
    here.write("resources:\n  exec bad:\n    cmd: 'false'\n  noop after:\n    require: exec bad\n")
    code, said = here.call("apply")
    assert code == 1
    assert "error: exec bad: " in said
    assert "blocked: noop after by exec bad\n" in said
    assert said.splitlines()[-1].endswith("1 failed, 1 blocked")
    code, said = here.status()
    assert code == 1
    assert "not running; the last one ended " in said
    assert "failed: exec bad: " in said
    assert "blocked: noop after: by exec bad" in said


def test_events_are_json_for_programs(here: Setpoint) -> None:
    here.write(FILE)
    code, said = here.call("apply", "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert [event["type"] for event in events] == ["Changed", "Converged", "Ended"]
    assert events[0]["changes"][0]["attribute"] == "state"
    assert events[-1]["ok"] is True


def test_secrets_are_never_shown(here: Setpoint) -> None:
    here.write(SECRET)
    said = here.call("plan")[1] + here.call("apply")[1]
    secret = (here.home / "secret").read_text().removeprefix("key = ")
    (here.home / "secret").write_text("other")
    said += here.call("plan")[1] + here.call("plan", "--json")[1] + here.call("apply", "--json")[1]
    assert len(secret) == 64
    assert secret not in said + here.status()[1] + here.status("--json")[1]
    assert (here.home / "secret").read_text() == f"key = {secret}"


def test_wrong_files_are_told_without_a_traceback(here: Setpoint) -> None:
    here.write("resources:\n  noop a:\n    commend: x\n")
    code, said = here.call("apply")
    assert code == 1
    assert said.startswith(f"{here.file}:3:5: noop a: unknown param 'commend'")
    assert not (here.home / "state").exists()


def test_a_second_engine_is_refused_in_one_line(here: Setpoint) -> None:
    here.write(FILE)
    until(here.start("run"), "converged")
    code, said = here.call("apply")
    assert code == 1
    assert said.startswith("error: ")
    assert "in use by pid" in said
    assert said.count("\n") == 1


def test_plan_says_by_its_exit_code_whether_there_is_something_to_do(here: Setpoint) -> None:
    here.write(FILE)
    code, said = here.call("plan", "--detailed-exitcode")
    assert code == 2
    assert said.endswith("1 to add, 0 to change, 0 to drop, 0 unchanged\n")
    assert not (here.home / "state").exists()
    here.call("apply")
    assert here.call("plan", "--detailed-exitcode") == (
        0,
        "0 to add, 0 to change, 0 to drop, 1 unchanged\n",
    )


# -- run stays


def test_drift_is_repaired_and_told(here: Setpoint) -> None:
    here.write(FILE)
    process = here.start("run")
    until(process, "converged: 1 resource, nothing left to do")
    assert here.status()[1].startswith(f"running: pid {process.pid} ")
    (here.home / "other").write_text("other")
    (here.home / "other").chmod(0o644)
    (here.home / "other").rename(here.home / "motd")  # whole at once: the engine is quick
    assert until(process, "motd") == f"file {here.home}/motd: content other -> hello\n"
    process.send_signal(signal.SIGTERM)
    until(process, "all as declared")
    assert process.wait() == 0
    assert f"changed again: once, most: file {here.home}/motd 1\n" in here.status()[1]


def test_a_saved_file_takes_the_place_of_the_graph(here: Setpoint) -> None:
    here.write(FILE)
    process = here.start("run")
    until(process, "converged")
    here.write(FILE.replace("hello", "bye"))
    until(process, "content hello -> bye")


def test_a_file_that_is_saved_wrong_changes_nothing_until_it_is_right(here: Setpoint) -> None:
    here.write(FILE)
    process = here.start("run")
    until(process, "converged")
    here.write(FILE.replace("content", "contend"))
    until(process, "the graph stays as it was, the new one is wrong:")
    until(process, "unknown param 'contend'; did you mean 'content'?")
    (here.home / "motd").unlink()
    until(process, "state file")
    here.write(FILE.replace("0644", "0600"))
    until(process, "mode 0644 -> 0600")


def test_hup_loads_the_file_again(here: Setpoint) -> None:
    here.write(FILE)
    process = here.start("run")
    until(process, "converged")
    process.send_signal(signal.SIGHUP)
    until(process, "reload was asked for: no difference")


def test_without_watching_only_hup_is_the_end(here: Setpoint) -> None:
    here.write(FILE)
    process = here.start("run", "--no-watch")
    until(process, "converged")
    process.send_signal(signal.SIGHUP)
    until(process, "stopping")
    assert process.wait() == 0


def test_it_ends_when_it_has_been_quiet_for_long_enough(here: Setpoint) -> None:
    here.write(FILE)
    assert here.call("run", "--converged-timeout", "0.2")[0] == 0


def test_a_time_limit_is_a_failure(long: Setpoint) -> None:
    long.write(LONG.replace("trap '' TERM; ", "exec 3>&1; "))
    code, said = long.call("run", "--max-runtime", "0.5")
    assert code == 1
    assert "error: --max-runtime of 0.5 s reached, ending\n" in said


@pytest.mark.parametrize("words", [("run", "--converged-timeout", "0"), ("apply",)])
def test_a_temporary_prefix_leaves_nothing(here: Setpoint, words: tuple[str, ...]) -> None:
    here.write(FILE)
    ran = subprocess.run(
        [*PROGRAM, *words, str(here.file), "--tmp-prefix"],
        env={**os.environ, "TMPDIR": str(here.home)},
        check=True,
        capture_output=True,
    )
    assert b"1 changed" in ran.stdout
    assert sorted(path.name for path in here.home.iterdir()) == ["graph.yaml", "motd"]


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "x.yaml", "--prefix", "a", "--tmp-prefix"),
        ("apply", "x.yaml", "--prefix", "a", "--tmp-prefix"),
        ("run", "x.yaml", "--sema", "0"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(words: tuple[str, ...]) -> None:
    assert subprocess.run([*PROGRAM, *words], capture_output=True).returncode == 2


# -- signals


def test_the_first_signal_lets_what_runs_finish(long: Setpoint) -> None:
    process = long.start("run")
    until(process, "exec long: up")
    process.send_signal(signal.SIGINT)
    until(process, "stopping, waiting for exec long; once more cancels")
    (long.home / "fifo").write_text("go\n")
    until(process, "exec long: run")
    assert process.wait() == 0


def test_the_second_signal_cancels_what_runs(long: Setpoint) -> None:
    long.write(LONG.replace("trap '' TERM; ", ""))
    process = long.start("run")
    until(process, "exec long: up")
    process.send_signal(signal.SIGINT)
    until(process, "stopping")
    process.send_signal(signal.SIGINT)
    until(process, "cancelling what runs; once more kills it")
    until(process, "1 unfinished")
    assert process.wait() == 130


def test_the_third_signal_kills_the_children(long: Setpoint) -> None:
    process = long.start("run")
    until(process, "exec long: up")
    for number, said in ((signal.SIGINT, "stopping"), (signal.SIGTERM, "cancelling")):
        process.send_signal(number)
        until(process, said)
    child = children(process.pid)[0]
    watched = os.pidfd_open(child)
    process.send_signal(signal.SIGTERM)
    until(process, "killed")
    assert process.wait() == 128 + signal.SIGTERM
    assert select.select([watched], [], [], 10)[0], "the child lives on"
    os.close(watched)


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_status_tells_of_an_engine_that_was_killed(long: Setpoint) -> None:
    long.write(LONG.replace("trap '' TERM; ", "") + "    notify: noop told\n  noop told:\n")
    process = long.start("run")
    until(process, "exec long: up")
    child = children(process.pid)[0]
    process.kill()
    process.wait()
    os.kill(child, signal.SIGKILL)
    code, said = long.status()
    assert code == 1
    assert "did not end by itself, it was killed: pid " in said
    assert "exec long: was being changed when it died" in said


# -- terminals and pipes


def test_a_closed_pipe_is_a_quiet_end(here: Setpoint) -> None:
    here.write(FILE)
    process = subprocess.Popen(
        [*PROGRAM, "run", str(here.file), "--prefix", str(here.home / "state")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    here.started.append(process)
    until(process, "converged")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    (here.home / "motd").unlink()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_a_full_disk_below_the_output_stops_nothing(here: Setpoint) -> None:
    here.write(FILE)
    argv = [*PROGRAM, "run", str(here.file), "--prefix", str(here.home / "state")]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*argv, "--converged-timeout", "0"], stdout=full, stderr=-1, text=True, check=False
        )
    lost = "warning: some of the output is lost, no space left on device; make room\n"
    assert (ended.returncode, ended.stderr) == (0, lost)
    assert (here.home / "motd").read_text() == "hello"


PRINTING = ("--help", "kinds", "schema", "fmt -", "facts '1 + 1'", "check FILE", "plan FILE STATE")
OF_A_RUN = ("status STATE", "history STATE", "explain STATE --json", "world STATE")


@pytest.fixture
def printing(here: Setpoint) -> list[list[str]]:
    """Command lines that print something and do nothing else."""
    here.write(FILE)
    assert here.call("apply")[0] == 0
    host = Host(state=here.home / "state")
    asyncio.run(host.world.set("motd", "hello"))
    host.close()
    places = {"FILE": [str(here.file)], "STATE": ["--prefix", str(here.home / "state")]}
    lines = map(shlex.split, (*PRINTING, *OF_A_RUN))
    return [sum((places.get(word, [word]) for word in line), list(PROGRAM)) for line in lines]


def test_what_cannot_be_printed_is_an_error_in_one_line(printing: list[list[str]]) -> None:
    why = "error: cannot write the output: no space left on device; make room\n"
    for argv in printing:
        with open("/dev/full", "w") as full:
            ended = subprocess.run(argv, input=FILE, stdout=full, stderr=-1, text=True, check=False)
        assert (argv, ended.returncode, ended.stderr) == (argv, 1, why)


def test_what_nobody_reads_is_no_error(printing: list[list[str]]) -> None:
    for argv in printing:
        reader, writer = os.pipe()
        os.close(reader)
        ended = subprocess.run(argv, input=FILE, stdout=writer, stderr=-1, text=True, check=False)
        os.close(writer)
        assert (argv, ended.stderr) == (argv, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_of_the_standard_streams_is_not_missed(here: Setpoint, closed: str) -> None:
    here.write(FILE)
    argv = [*PROGRAM, "apply", str(here.file), "--prefix", str(here.home / "state")]
    ended = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *argv], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (here.home / "motd").read_text() == "hello"


def on_terminal(argv: list[str], hear: Callable[[str], bytes]) -> tuple[int, str]:
    """Run a command on a terminal, type what `hear` returns; return its exit code and output."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(argv[0], argv, {**os.environ, "TERM": "xterm"})
    output = ""
    while True:
        try:
            output += os.read(terminal, 4096).decode()
        except OSError:  # the other side is closed
            break
        os.write(terminal, hear(output))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_on_a_terminal_the_progress_is_shown_in_one_line(long: Setpoint) -> None:
    typed = iter([("1 running", b"\x03"), ("stopping", b"\x03"), ("", b"")])
    wanted, key = next(typed)

    def hear(output: str) -> bytes:
        nonlocal wanted, key
        if wanted not in output:
            return b""
        now, (wanted, key) = key, next(typed, ("never", b""))
        return now

    long.write(LONG.replace("trap '' TERM; ", "") + "  noop other:\n")
    argv = [*PROGRAM, "run", str(long.file), "--prefix", str(long.home / "state")]
    code, output = on_terminal(argv, hear)
    assert code == 130
    assert "\r\x1b[K1 of 2 settled, 1 running: exec long" in output


def test_the_quickstart_is_for_everybody(here: Setpoint) -> None:
    example = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
    here.write(example.read_text().replace("/tmp/setpoint-demo", "HOME"))
    code, said = here.call("apply")
    assert code == 0
    assert "noop reload: refreshed because of file " in said
    assert (here.home / "quickstart/log/greeting").read_text() == "hello from Setpoint\n"
    assert here.call("plan", "--detailed-exitcode")[0] == 0


def test_trouble_of_what_the_graph_has_no_more_is_forgotten(here):
    here.write("resources:\n  file HOME/none/x: {content: a}\n")
    assert here.call("apply")[0] == 1
    assert "none/x" in here.status()[1]
    (here.home / "other.yaml").write_text("resources:\n  noop a:\n")
    first, here.file = here.file, here.home / "other.yaml"
    assert here.call("apply")[0] == 0
    assert "none/x" in here.status()[1], "another graph says nothing about it"
    here.file = first
    here.write("resources:\n  file HOME/x: {content: a}\n")
    assert here.call("apply")[0] == 0
    assert here.status()[0] == 0
    assert "none/x" not in here.status()[1]
