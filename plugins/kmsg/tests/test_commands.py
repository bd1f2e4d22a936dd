"""`setpoint dmesg` as a person and as a script use it; dmesg(1) is what it is measured by."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from click.testing import CliRunner

from setpoint_kmsg.buffer import restricted
from setpoint_kmsg.commands import dmesg
from setpoint_kmsg.position import boot

pytestmark = pytest.mark.root
PROGRAM = (sys.executable, "-c", "from setpoint_kmsg.commands import dmesg; dmesg()")


@pytest.fixture
def show(kernel):
    """Show what the log has of this test; return the lines without colors of their own."""

    def shown(*words, tagged=True):
        grep = ("--grep", kernel.tag) if tagged else ()
        ran = subprocess.run([*PROGRAM, *grep, *words], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout.splitlines()

    return shown


@pytest.fixture
def start(kernel):
    """Start a command that goes on; return it when it has shown the message "begin"."""
    started = []

    def begun(*words, until="begin"):
        command = [*PROGRAM, "--grep", kernel.tag, *words]
        child = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, restore_signals=True)
        started.append(child)
        seen(child, until)
        return child

    yield begun
    for child in started:
        child.kill()
        child.communicate()


def seen(child, text):
    """Read what `child` prints up to the line with `text`; return all of it."""
    lines = []
    for line in child.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(child.stderr.read())


def test_it_shows_what_dmesg_shows(kernel, show):
    for text in ("plain", "two\n\tlines", "sub: ä € 😀", "evil \33[31m \\x41", "", "a\n\nb"):
        kernel.log(text)
    kernel.log("severe", 3 * 8 + 1)
    kernel.log("late", 11 * 8 + 4)  # dmesg(1) knows no names of facilities from 12 on
    theirs = subprocess.run(
        ["dmesg", "-x"], capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"}
    ).stdout.splitlines()
    first = next(number for number, line in enumerate(theirs) if kernel.tag in line)
    ours = show("--time", "boot", tagged=False)
    assert ours[-len(theirs) + first :] == theirs[first:]


def test_times_are_those_of_the_clock_on_the_wall(kernel, show):
    before = time.time()
    kernel.log("now")
    (human,) = show()
    (iso,) = show("--time", "iso")
    day = re.search(r"\[(.*)\]", human)[1]
    assert abs(datetime.strptime(day, "%a %b %d %H:%M:%S %Y").timestamp() - before) < 2
    assert abs(datetime.fromisoformat(iso.split()[3]).timestamp() - before) < 1


def test_filters_are_by_level_facility_text_and_time(kernel, show):
    kernel.log("mild", 16 * 8 + 6)
    kernel.log("hard", 16 * 8 + 3)
    kernel.log("other", 17 * 8 + 3)

    def texts(*words):
        return [json.loads(line)["text"].split()[1] for line in show("--json", *words)]

    assert texts() == ["mild", "hard", "other"]
    assert texts("--level", "warn") == texts("-l", "err") == ["hard", "other"]
    assert texts("--facility", "local0", "--level", "warning") == ["hard"]
    assert texts("--since", "1h") == texts("--since", "2020-01-01 12:00") == texts()
    assert texts("--since", "2099-01-01") == []


def test_a_document_has_all_there_is_to_know(kernel, show):
    kernel.log("disk 7\nis full", 26)
    (line,) = show("--json", "--grep", rf"{kernel.tag} disk (?P<number>\d)")
    (record,) = kernel.records()
    document = json.loads(line)
    assert abs(document.pop("time") - time.time()) < 5
    assert document == {
        "boot": record.microseconds / 1e6,
        "level": "crit",
        "facility": "daemon",
        "sequence": record.sequence,
        "text": f"{kernel.tag} disk 7\nis full",
        "groups": {"number": "7"},
        "properties": {},
    }


def test_colors_are_for_terminals_or_whoever_wants_them(kernel, show):
    kernel.log("now", 3)
    assert "\33[" not in "".join(show())
    (line,) = show("--color", "always")
    assert re.fullmatch(
        r"user  :err   : \x1b\[32m\[.*\] \x1b\[0m\x1b\[31mtag-\w+ now\x1b\[0m", line
    )


def test_it_follows_until_it_is_interrupted(kernel, start):
    kernel.log("begin")
    child = start("--follow")
    for text in ("one", "two"):
        kernel.log(text)
        assert seen(child, text)[-1].endswith(f"{kernel.tag} {text}")
    child.send_signal(signal.SIGINT)
    assert (child.wait(), child.stderr.read()) == (130, "")


def test_new_shows_only_what_comes_from_then_on(kernel):
    kernel.log("old")
    with subprocess.Popen([*PROGRAM, "--new", "--json"], stdout=-1, text=True) as child:
        while not select.select([child.stdout], [], [], 0.05)[0]:
            kernel.log("new")  # nothing tells when it has begun
        seen(child, f"{kernel.tag} new")
        child.send_signal(signal.SIGTERM)
        assert f"{kernel.tag} old" not in child.stdout.read()


def test_it_ends_when_nobody_reads_it_any_more_even_if_nothing_comes(kernel, start):
    kernel.log("begin")
    child = start("--follow")
    child.stdout.close()
    child.stdout = None
    assert child.wait(timeout=10) in (0, -signal.SIGPIPE)
    assert child.stderr.read() == ""


def test_a_gap_is_a_line_of_its_own_and_the_reader_goes_on(kernel, start):
    kernel.log("begin")
    child = start("--follow", "--json")
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    kernel.flood(100_000)
    child.send_signal(signal.SIGCONT)
    kernel.log("alive")
    shown = [json.loads(line) for line in seen(child, "alive")]
    gaps = [line for line in shown if "missed" in line]
    assert sum(gap["missed"] for gap in gaps) > 50_000
    sequences = [line["sequence"] for line in shown if "sequence" in line]
    assert sequences == sorted(set(sequences))
    for gap in gaps:
        assert gap["last"] - gap["first"] + 1 == gap["missed"]
        assert not any(gap["first"] <= sequence <= gap["last"] for sequence in sequences)


def test_a_gap_for_people_says_which_messages_are_missing(kernel, show, tmp_path):
    show("--resume", "--prefix", str(tmp_path))
    kernel.flood(30_000)
    line = show("--resume", "--prefix", str(tmp_path))[0]
    assert re.fullmatch(
        r"-- missed [\d,]+ kernel messages, sequence \d+ to \d+: overwritten before .* --", line
    )


def test_resume_goes_on_where_it_left_off_and_repeats_nothing(kernel, show, tmp_path):
    resume = ("--resume", "--json", "--prefix", str(tmp_path))
    shown = []
    for number in range(5):
        kernel.log(f"{number}")
        shown += [json.loads(line)["text"][-1] for line in show(*resume)]
    assert shown == ["0", "1", "2", "3", "4"]
    assert show(*resume) == []


def test_resume_repeats_nothing_when_the_one_before_was_killed(kernel, start, show, tmp_path):
    resume = ("--resume", "--prefix", str(tmp_path))
    kernel.log("begin")
    child = start(*resume, "--follow")
    wanted = f"{boot()} {0:020} {kernel.records()[-1].sequence + 1:020}\n"
    deadline = time.monotonic() + 10
    while (tmp_path / "dmesg/position").read_text() < wanted and time.monotonic() < deadline:
        pass
    child.kill()
    child.wait()
    kernel.log("end")
    assert [line.split()[-1] for line in show(*resume)] == ["end"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grep", "("], r"'\(' is no regular expression: "),
        (["--since", "soon"], "'soon' is neither a time ago such as 10m nor a time"),
        (["--level", "loud"], "'loud' is not one of"),
        (["--new", "--resume"], "--new and --resume contradict each other"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(words, message):
    ran = CliRunner().invoke(dmesg, words)
    assert ran.exit_code == 2
    assert re.search(message, ran.output)


def test_somebody_else_than_root_sees_it_or_is_told_what_is_in_the_way():
    somebody = "--reuid=65534", "--regid=65534", "--clear-groups"
    readers = "-all,+dac_read_search"  # of modules, which may be where only root comes
    caps = f"--inh-caps={readers}", f"--ambient-caps={readers}"
    main = "from setpoint.cli import main; main()"
    command = ["setpriv", *somebody, *caps, sys.executable, "-c", main, "dmesg"]
    ran = subprocess.run(command, capture_output=True, text=True)
    told = "error: the kernel's log may be read by root only" in ran.stderr
    assert (ran.returncode, told) == ((0, False) if restricted() == "0" else (1, True)), ran.stderr
