"""Graph files that are edited while they run: what is shown, asked, taken over, kept and gone back to."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.asking import running
from setpoint.cli.texts import refuse_strangers
from setpoint.host import Host

PROGRAM = (sys.executable, "-c", "from setpoint.cli import main; main()")
PATIENCE = 15


class Run:
    """A `run` that goes on, and all that it has said so far."""

    def __init__(self, argv: list[str], terminal: bool) -> None:
        ours = theirs = -1
        if terminal:
            ours, theirs = pty.openpty()
            given: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        else:
            given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": -2}
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
        self.process = subprocess.Popen(argv, env=environment, start_new_session=True, **given)
        if terminal:
            os.close(theirs)
        self._output = ours if terminal else os.dup(self.process.stdout.fileno())  # type: ignore[union-attr]
        self.said = ""
        self._read = 0

    def until(self, text: str) -> str:
        """Return what was said since the last time, up to the end of `text`, which is waited for."""
        deadline = time.monotonic() + PATIENCE
        while (at := self.said.find(text, self._read)) < 0:
            left = deadline - time.monotonic()
            assert left > 0, f"never said {text!r}, but {self.said!r}"
            if select.select([self._output], [], [], left)[0] and not self._take():
                raise AssertionError(f"ended without {text!r}: {self.said!r}")
        before, self._read = self._read, at + len(text)
        return self.said[before : self._read]

    def _take(self) -> bool:
        try:
            found = os.read(self._output, 65536)
        except OSError:  # a terminal whose other end is closed
            found = b""
        self.said += found.decode(errors="replace").replace("\r\n", "\n")
        return bool(found)

    def type(self, text: str) -> None:
        """Type at the terminal."""
        os.write(self._output, text.encode())

    def end(self) -> int:
        """Wait for the end; return the exit code, when all is read that was said."""
        while select.select([self._output], [], [], PATIENCE)[0] and self._take():
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._output)


class Place:
    """A directory with graph files and state, and the runs that were started there."""

    def __init__(self, home: Path) -> None:
        self.home, self.file, self.state = home, home / "site.yaml", home / "state"
        self.runs: list[Run] = []

    def text(self, text: str) -> str:
        """Return `text` with this place in it."""
        return text.replace("HOME", str(self.home))

    def write(self, text: str, name: str = "site.yaml") -> None:
        """Save a file as many editors do: another one takes its place."""
        new = self.home / f".{name}.new"
        new.write_text(self.text(text))
        new.rename(self.home / name)

    def start(self, *options: str, terminal: bool = False, files: tuple[str, ...] = ()) -> Run:
        """Start `run`."""
        names = [str(self.home / name) for name in files or ("site.yaml",)]
        argv = [*PROGRAM, "run", *names, "--prefix", str(self.state), *options]
        self.runs.append(Run(argv, terminal))
        return self.runs[-1]

    def started(self, *options: str, **given: Any) -> Run:
        """Start `run`, and wait until it has converged."""
        run = self.start(*options, **given)
        run.until("converged: ")
        return run

    def call(self, *args: str) -> tuple[int, str]:
        """Return the exit code of another command, and what it said."""
        argv = [*PROGRAM, *args, "--prefix", str(self.state)]
        ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def has(self, name: str) -> str:
        """Return what is in a file."""
        return (self.home / name).read_text()


@pytest.fixture
def here(tmp_path: Path, compiled_once: None) -> Iterator[Place]:
    place = Place(tmp_path)
    place.write(ONE)
    yield place
    for run in place.runs:
        run.close()


ONE = """\
resources:
  file HOME/a:
    content: one
    mode: "0644"
    notify: noop told
  file HOME/gone: {content: gone, meta: {reverse: true}}
  file HOME/stays: {content: stays}
  noop told:
edges: ["file HOME/a -> file HOME/stays"]
"""
TWO = """\
resources:
  file HOME/a:
    content: two
    mode: "0600"
    notify: noop told
  file HOME/new: {content: new}
  file HOME/stays: {content: stays}
  noop told:
"""


# -- what is shown


def test_on_save_what_is_different_is_shown_then_applied(here):
    run = here.started()
    here.write(TWO)
    shown = run.until("2 unchanged\n")
    assert shown[shown.index("site.yaml was saved:") :] == here.text("""\
site.yaml was saved:
+ file HOME/new
    state: file
    content: new
~ file HOME/a
    content: one -> two
    mode: 0644 -> 0600
- file HOME/gone
    state: file -> (nothing)
refreshed, in this order:
    noop told, because file HOME/a changes
edges that go: file HOME/a -> file HOME/stays
1 to come, 1 to change, 1 to go, 2 unchanged
""")
    done = run.until("converged: 4 resources, nothing left to do\n")
    assert "graph" not in done, "it was said what is different"
    assert (here.has("a"), here.has("new")) == ("two", "new")
    assert not (here.home / "gone").exists()


def test_what_was_not_declared_is_not_shown_as_an_empty_text(here):
    here.write(ONE.replace('    mode: "0644"\n', ""))
    run = here.started()
    here.write(ONE)
    run.until("~ file HOME/a\n    mode: 0644\n".replace("HOME", str(here.home)))
    run.until("converged: ")
    here.write(ONE.replace('    mode: "0644"\n', ""))
    run.until("    mode: 0644 -> (nothing)\n")


def test_a_long_text_is_shown_as_a_diff(here):
    text = "resources:\n  file HOME/a:\n    content: |\n      first\n      LINE\n      last\n"
    here.write(text)
    run = here.started()
    here.write(text.replace("LINE", "middle"))
    shown = run.until("1 to change")
    assert "-LINE\n        +middle\n         last\n" in shown


def test_a_save_that_makes_no_difference_is_one_line(here):
    run = here.started()
    here.write(ONE + "# only a comment\n")
    assert run.until("no difference\n").endswith("\nsite.yaml was saved: no difference\n")
    here.write(ONE.replace(": one", ": two"))
    run.until("content one -> two")


SHARES = """\
publish: {motd: hi, port: 80}
resources:
  noop a: {meta: {export: ["*"]}}
  noop b: {comment: one, meta: {export: [web], hidden: true}}
"""


def test_what_other_hosts_are_told_otherwise_is_shown(here):
    here.write(SHARES)
    run = here.started()
    here.write(SHARES.replace("hi, port: 80", "ho"))
    shown = run.until("1 unchanged\n")
    assert shown.endswith("""\
site.yaml was saved:
shared otherwise: publish motd
shared no more: publish port
1 unchanged
""")
    here.write(SHARES.replace("{motd: hi,", "{").replace(": one", ": two"))
    shown = run.until("1 unchanged\n")
    assert shown.endswith("""\
shared newly: publish port
shared otherwise: export noop b
shared no more: publish motd
1 unchanged
""")


def test_what_is_exported_no_more_is_shown_and_withdrawn_though_it_stays_here(here):
    here.write(SHARES)
    run = here.start("--json")
    run.until('"Converged"')
    until_shared(here, "export/noop a", True)
    here.write("resources:\n  noop a:\n")
    run.until('"Edited"')
    gone = ["publish motd", "publish port", "export noop a", "export noop b"]
    run.until(
        '"shared":' + json.dumps({"comes": [], "changes": [], "goes": gone}, separators=(",", ":"))
    )
    until_shared(here, "export/noop a", False)
    assert here.call("world", "list", "shared/") == (0, "")


def test_what_other_hosts_are_told_otherwise_is_asked_about(here):
    here.write(SHARES)
    run = here.start("--confirm", terminal=True)
    run.until(QUESTION)
    run.type("y\n")
    run.until("converged: ")
    until_shared(here, "publish/port", True)
    here.write(SHARES.replace(", port: 80", ""))
    assert "shared no more: publish port" in run.until(QUESTION)
    run.type("n\n")
    run.until("the graph stays as it was, until a file is saved again")
    assert "publish/port" in here.call("world", "list", "shared/")[1]


def test_a_run_that_shares_nothing_tells_nobody_otherwise(here):
    here.write(SHARES)
    run = here.started("--noop")
    here.write(SHARES.replace("{motd: hi, port: 80}", "{}"))
    run.until("site.yaml was saved: no difference\n")


def until_shared(here: Place, key: str, wanted: bool) -> None:
    """Wait until `key` is shared, or not."""
    deadline = time.monotonic() + PATIENCE
    while (key in here.call("world", "list", "shared/")[1]) != wanted:
        assert time.monotonic() < deadline, f"{key} {'never' if wanted else 'still'} shared"


def test_with_json_a_difference_is_one_document(here):
    run = here.start("--json")
    run.until('"Converged"')
    here.write(TWO)
    run.until('"Swapped"')
    found = [json.loads(line) for line in run.said.splitlines()[:-1] if '"Edited"' in line]
    assert len(found) == 1
    edited = found[0]
    assert edited["by"] == "site.yaml was saved"
    assert edited["comes"] == [here.text("file HOME/new")]
    assert edited["goes"] == [here.text("file HOME/gone")]
    changes = edited["changes"][here.text("file HOME/a")]
    assert changes[0] == {"attribute": "content", "before": "one", "after": "two"}
    assert [refresh["id"] for refresh in edited["plan"]["refreshes"]] == ["noop told"]


def test_only_what_is_concerned_is_looked_at(here):
    count = "  exec counts:\n    cmd: 'false'\n    shell: true\n    onlyif: echo x >> HOME/looks; false\n"
    here.write("resources:\n" + count + "  noop a: {}\n")
    run = here.started()
    assert here.has("looks") == "x\n"
    here.write("resources:\n" + count + "  noop a: {}\n  noop b: {}\n")
    run.until("1 to come, 2 unchanged")
    run.until("converged: 3 resources")
    assert here.has("looks") == "x\n"


def test_secrets_are_not_shown(here):
    secret = """\
resources:
  password p: {length: 20}
  file HOME/a:
    content: WORD ${{ send["password p"].password }}
"""
    here.write(secret.replace("WORD", "x"))
    run = here.started()
    password = here.has("a").removeprefix("x ")
    here.write(secret.replace("WORD", "key"))
    run.until("    content: (secret)\n1 to change, 1 unchanged")
    run.until("a: content changed\n")
    assert here.has("a") == f"key {password}"
    assert password not in run.said


def test_what_is_received_anew_is_shown_once_though_its_sender_has_still_to_come(here):
    file = "  file HOME/a:\n    content: "
    here.write(f"resources:\n{file}one\n")
    run = here.started()
    here.write(f"""\
resources:
  password p: {{length: 20}}
{file}${{{{ send["password p"].password }}}}
""")
    shown = run.until("1 to come, 1 to change")
    assert shown.count("content") == 1
    assert '    content: one -> ${{ send["password p"].password }}\n' in shown


# -- editors, files


def test_a_file_that_is_written_in_place_and_in_steps_is_taken_once_it_is_whole(here):
    run = here.started()
    text = here.text(TWO)
    with here.file.open("w") as file:
        for at in range(0, len(text), 40):
            file.write(text[at : at + 40])
            file.flush()
    run.until("1 to come, 1 to change, 1 to go")
    run.until("converged: ")
    assert here.has("a") == "two"


def test_an_editor_that_moves_the_old_file_away_first_is_followed(here):
    run = here.started()
    for word in ("two", "three"):
        here.file.rename(here.home / "site.yaml~")
        here.file.write_text(here.text(ONE.replace(": one", f": {word}")))
        run.until(f"content one -> {word}" if word == "two" else f"content two -> {word}")


def test_several_files_are_watched_and_named(here):
    here.write("resources:\n  noop b: {}\n", "more.yaml")
    run = here.started(files=("site.yaml", "more.yaml"))
    here.write("resources:\n  noop c: {}\n", "more.yaml")
    shown = run.until("1 to come, 1 to go, 4 unchanged")
    assert "more.yaml was saved:\n+ noop c\n- noop b\n" in shown


INCLUDES = "include: [part.yaml]\nresources:\n  noop a: {}\n"
PART = "resources:\n  file HOME/a: {content: one}\n"


def test_a_file_that_is_included_is_watched_as_soon_as_it_is(here):
    run = here.started()
    here.write(PART, "part.yaml")
    here.write(INCLUDES)
    run.until("converged: ")
    here.write(PART.replace("one", "two"), "part.yaml")
    run.until("part.yaml was saved:")
    run.until("content one -> two")
    here.write("resources:\n  noop a: {}\n")
    run.until("1 to go, 1 unchanged")


def test_a_file_that_is_included_before_it_is_there_is_waited_for(here):
    run = here.started()
    here.write(INCLUDES)
    run.until("there is no file ")
    here.write("resources: [", "part.yaml")
    run.until("is not YAML")
    here.write(PART, "part.yaml")
    run.until("converged: ")


def test_a_wrong_file_changes_nothing_and_the_next_right_one_is_taken(here):
    run = here.started()
    here.write(TWO.replace("content: new", "contend: new"))
    run.until("the graph stays as it was, the new one is wrong:")
    run.until("did you mean 'content'?")
    here.write(TWO)
    run.until("converged: 4 resources")


# -- facts

FACT = """\
facts: {f: {file: HOME/fact}}
resources:
  file HOME/out:
    content: ${{ facts.f.content }}
  noop high:
    when: facts.f.content == "high"
"""


def test_a_change_by_a_fact_is_told_with_what_came_and_went(here):
    here.write("low", "fact")
    here.write(FACT)
    run = here.started()
    here.write("high", "fact")
    told = run.until("out: content low -> high\n")
    cause = "facts.f.content low -> high"
    assert here.text(f"\n{cause}: noop high comes, file HOME/out changes\n") in told


def test_what_turns_out_not_to_be_there_is_nothing_to_be_told(here):
    here.write("nobody knows", "fact")
    here.write("""\
facts: {f: {file: HOME/fact}}
resources:
  noop always:
  noop high:
    when: int(facts.f.content) > 5
""")
    run = here.started()
    run.until("1 waiting for facts\n")
    here.write("1", "fact")
    assert run.until("to do\n") == "converged: 1 resource, nothing left to do\n"


def test_facts_are_followed_by_the_old_graph_while_a_new_one_is_wrong(here):
    here.write("low", "fact")
    here.write(FACT)
    run = here.started()
    here.write(FACT.replace("content:", "contend:"))
    run.until("the graph stays as it was")
    here.write("high", "fact")
    run.until("content low -> high")


def test_what_a_secret_logs_is_a_warning_with_the_name_that_the_graph_gives_it(here):
    (here.home / "db").write_text("hunter22")
    (here.home / "db").chmod(0o644)
    here.write("""\
secrets: {db: {file: HOME/db}}
resources:
  file HOME/out: {content: "password ${{ secrets.db }}", mode: "0600"}
""")
    warning = f"warning: secrets.db: others may read or write {here.home}/db"
    for command in ("plan", "apply"):
        said = here.call(command, str(here.file))[1]
        assert said.count("others may read") == said.count(warning) == 1
    run = here.started()
    assert run.said.count("others may read") == run.said.count(warning) == 1
    here.write("hunter33", "db")
    run.until(here.text("\nsecrets.db changed: file HOME/out changes\n"))
    run.until("out: content changed\n")
    assert "hunter" not in run.said


def test_what_a_msg_prints_is_said_once(here):
    here.write("resources:\n  msg hello: {body: hello there}\n")
    assert here.call("apply", str(here.file), "--noop")[1].count("hello there") == 1
    run = here.started()
    assert run.said.count("hello there") == 1
    here.write("resources:\n  msg hello: {body: bye}\n")
    assert run.until("converged: ").count("\nbye\n") == 1
    assert run.said.count("stdout: info: bye") == 1, "what will be said is in the difference"
    assert "msg hello: stdout" not in run.said


def test_what_puts_back_is_no_resource_that_is_counted(here):
    run = here.started()
    here.write(ONE.replace("  file HOME/gone: {content: gone, meta: {reverse: true}}\n", ""))
    run.until("gone: state file -> (nothing)")
    run.until("converged: 3 resources, nothing left to do\n")
    run.process.terminate()
    run.end()
    assert run.said.splitlines()[-1].startswith("3 resources, ")


# -- confirm

QUESTION = "apply this? y(es), n(o), d(etail): "


def test_confirm_needs_a_terminal(here):
    code, said = here.call("run", str(here.file), "--confirm")
    assert code == 1
    assert "--confirm asks at a terminal, and there is none; leave it out" in said
    assert not here.state.exists()


def test_nothing_is_changed_before_the_first_yes(here):
    run = here.start("--confirm", terminal=True)
    shown = run.until(QUESTION)
    assert here.text("+ file HOME/a") in shown
    assert "4 to add" in shown or "3 to add" in shown
    assert not (here.home / "a").exists()
    run.type("y\n")
    run.until("converged: ")
    assert here.has("a") == "one"


def test_a_no_at_first_is_the_end_and_nothing_was_changed(here):
    run = here.start("--confirm", terminal=True)
    run.until(QUESTION)
    run.type("n\n")
    assert run.end() == 1
    assert not (here.home / "a").exists()


def test_interrupting_the_first_question_is_a_quiet_end(here):
    run = here.start("--confirm", terminal=True)
    run.until(QUESTION)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    assert "Traceback" not in run.said
    assert not (here.home / "a").exists()


def test_what_facts_are_by_the_time_of_the_first_yes_is_what_is_applied(here):
    here.write("1", "fact")
    probe = "  noop probe:\n    comment: ${{ str(int(facts.f.content)) }}\n"
    here.write(FACT + probe)
    run = here.start("--confirm", terminal=True)
    run.until(QUESTION)
    here.write("high", "fact")
    run.until("warning: ")  # that it is no number: it was evaluated again
    run.type("y\n")
    run.until("converged: ")
    assert here.has("out") == "high"


@pytest.fixture
def asking(here: Place) -> tuple[Place, Run]:
    """A place where a run asks whether to apply TWO."""
    run = here.start("--confirm", terminal=True)
    run.until(QUESTION)
    run.type("y\n")
    run.until("converged: ")
    here.write(TWO)
    run.until(QUESTION)
    return here, run


def test_while_a_question_stands_the_old_graph_is_kept(asking):
    here, run = asking
    here.write("other", "stays")  # at once: the engine repairs what is half written
    run.until("content other -> stays")
    run.until(QUESTION)
    assert (here.has("stays"), here.has("a")) == ("stays", "one")
    run.type("y\n")
    run.until("converged: 4 resources")


def test_details_are_the_diff_of_the_files(asking):
    _, run = asking
    run.type("d\n")
    shown = run.until(QUESTION)
    assert "-    content: one" in shown
    assert "+    content: two" in shown


def test_a_no_keeps_the_old_graph_until_the_next_save(asking):
    here, run = asking
    run.type("n\n")
    run.until("the graph stays as it was, until a file is saved again")
    (here.home / "a").unlink()
    run.until("state file")
    assert here.has("a") == "one"
    here.write(TWO.replace("two", "three"))
    assert "content: one -> three" in run.until(QUESTION)
    run.type("yes\n")
    run.until("converged: 4 resources")


def test_a_newer_save_takes_the_place_of_the_question(asking):
    here, run = asking
    here.write(ONE.replace(": one", ": three"))
    shown = run.until(QUESTION)
    assert "content: one -> three" in shown
    run.type("y\n")
    run.until("converged: 4 resources")
    assert not (here.home / "new").exists()


def test_a_question_that_is_interrupted_ends_the_run_as_ever(asking):
    here, run = asking
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0
    assert "stopping" in run.said
    assert here.has("a") == "one"


# -- reload


def test_reload_says_how_it_went(here):
    here.started()
    here.file.write_text(here.text(TWO))
    assert here.call("reload", "--wait") == (0, "generation 2 runs\n")
    here.file.write_text("resources: [\n")
    code, said = here.call("reload", "--wait")
    assert code == 1
    assert said.startswith("the graph stays as it was:\n")
    assert "is not YAML" in said


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_who_waits_for_a_reload_hears_that_a_person_is_asked(asking, answer, code):
    here, run = asking
    argv = [*PROGRAM, "reload", "--wait", "--prefix", str(here.state)]
    with subprocess.Popen(argv, stdout=-1, stderr=-1, text=True) as reload:
        said = reload.stderr.readline()
        assert said == (
            f"the engine, pid {run.process.pid}, asks in its terminal whether to take that over; "
            "answer there\n"
        )
        run.until("reload was asked for:")
        run.until(QUESTION)
        run.type(f"{answer}\n")
        out, more = reload.communicate(timeout=PATIENCE)
    assert reload.returncode == code
    no = "the graph stays as it was:\nthe person at the terminal said no\n"
    assert (out, more) == (("", no) if code else ("generation 2 runs\n", ""))


def test_without_an_engine_there_is_nothing_to_reload(here):
    code, said = here.call("reload")
    assert code == 1
    assert "no engine runs with this state directory; start one by `setpoint run`" in said


def test_an_engine_that_died_is_not_sent_a_signal_whoever_has_its_number_now(here):
    run = here.started()
    until_kept(here, 1)
    standing = json.loads((here.state / "engine.json").read_text())
    run.close()
    here.runs.remove(run)
    assert "no engine runs" in here.call("reload")[1]
    other = here.started()
    until_said_by(here, other)
    standing["pid"] = other.process.pid  # of a process that began at another time
    standing["began"] -= 1
    (here.state / "engine.json").write_text(json.dumps(standing))
    assert "no engine runs" in here.call("reload")[1]
    assert other.process.poll() is None


def test_an_engine_that_does_not_watch_is_not_ended_by_reload(here):
    run = here.started("--no-watch")
    code, said = here.call("reload")
    assert code == 1
    assert "does not load its files again; start it by `setpoint run` without --no-watch" in said
    assert run.process.poll() is None


def until_said_by(here: Place, run: Run) -> None:
    """Wait until the engine has said that it is the one that runs."""
    deadline = time.monotonic() + PATIENCE
    while json.loads((here.state / "engine.json").read_text())["pid"] != run.process.pid:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.root
def test_an_engine_of_another_user_is_not_asked(here, as_child):
    run = here.started()

    def reload() -> object:
        os.setuid(65534)
        host = Host(state=here.state)
        with refuse_strangers(host):
            return running(host)

    assert as_child(reload).startswith(f"SetpointError: {here.state}: this user may not read it; ")
    assert run.process.poll() is None


# -- history


def test_history_lists_what_was_taken_over_and_what_was_different(here):
    run = here.started()
    here.write(TWO)
    run.until("converged: ")
    until_kept(here, 2)
    code, said = here.call("history")
    rows = [line.split(maxsplit=3) for line in said.splitlines()]
    assert code == 0
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][3].split() == ["start", "4", "resources"]
    assert rows[1][3].split() == "site.yaml was saved 4 resources +1 ~1 -1 runs".split()
    found = json.loads(here.call("history", "--json")[1])
    assert [one["running"] for one in found] == [False, True]
    assert found[1]["files"] == [str(here.file)]
    shown = here.call("history", "2")[1]
    assert '-    content: one\n-    mode: "0644"\n+    content: two\n' in shown


def until_kept(here: Place, number: int) -> None:
    """Wait until that generation is kept, and said to run."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        standing = here.state / "engine.json"
        if standing.exists() and json.loads(standing.read_text())["generation"] == number:
            return
        time.sleep(0.02)
    raise AssertionError(f"there is no generation {number}")


def test_what_is_applied_is_kept_and_what_is_only_looked_at_is_not(here):
    here.call("apply", str(here.file), "--noop")
    code, said = here.call("history")
    assert code == 1
    assert "no generation is kept there; run a graph first" in said
    here.call("apply", str(here.file))
    here.call("apply", str(here.file))
    here.write(TWO)
    here.call("apply", str(here.file))
    said = here.call("history")[1]
    assert said.splitlines()[0].endswith("start  4 resources")
    assert "lines" in said.splitlines()[1]
    assert len(said.splitlines()) == 2


def test_a_fact_makes_no_generation(here):
    here.write("low", "fact")
    here.write(FACT)
    run = here.started()
    here.write("high", "fact")
    run.until("content low -> high")
    here.write(FACT + "  noop more:\n")
    until_kept(here, 2)
    assert len(here.call("history")[1].splitlines()) == 2


# -- rollback


def test_rollback_puts_the_files_back_and_the_engine_takes_them_over(here):
    here.file.chmod(0o640)
    run = here.started()
    mode = here.file.stat().st_mode
    here.file.write_text(here.text(TWO))
    run.until("converged: ")
    until_kept(here, 2)
    code, said = here.call("rollback", "1", "--yes")
    assert code == 0
    assert "+    content: one" in said
    assert said.endswith(f"generation 1; the engine, pid {run.process.pid}, takes them over\n")
    run.until("converged: ")
    until_kept(here, 3)
    assert here.file.read_text() == here.text(ONE)
    assert here.file.stat().st_mode == mode
    assert "rolled back to 1" in here.call("history")[1]
    assert here.has("a") == "one"


def test_a_rollback_is_to_the_generation_that_was_asked_for_though_others_are_the_same(here):
    run = here.started()
    for number, text in enumerate((TWO, ONE, TWO), 2):
        here.write(text)
        run.until("converged: ")
        until_kept(here, number)
    assert here.call("rollback", "1", "--yes")[0] == 0
    until_kept(here, 5)
    assert [row.split("  ")[2] for row in here.call("history")[1].splitlines()[-3:]] == [
        "rolled back to 1",
        "rolled back to 2",
        "rolled back to 1",
    ]


def test_rollback_puts_included_files_back(here):
    here.write(PART, "part.yaml")
    here.write(INCLUDES)
    here.call("apply", str(here.file))
    here.write(PART.replace("one", "two"), "part.yaml")
    here.call("apply", str(here.file))
    code, said = here.call("rollback", "1", "--plan")
    assert code == 0
    assert here.text("~ file HOME/a\n    content: two -> one\n") in said
    assert here.call("rollback", "1", "--yes")[0] == 0
    assert here.has("part.yaml") == here.text(PART)
    assert here.has("site.yaml") == INCLUDES


@pytest.fixture
def applied(here: Place) -> Place:
    """A place where ONE and then TWO were applied."""
    here.call("apply", str(here.file))
    here.file.write_text(here.text(TWO))
    here.call("apply", str(here.file))
    return here


def test_rollback_works_without_an_engine(applied):
    code, said = applied.call("rollback", "1", "--yes")
    assert code == 0
    assert said.endswith("`setpoint run` or `apply` takes them over\n")
    assert applied.file.read_text() == applied.text(ONE)
    assert applied.call("rollback", "1")[1] == "the files are those of generation 1 already\n"


def test_a_look_at_a_rollback_changes_nothing(applied):
    code, said = applied.call("rollback", "1", "--plan")
    assert code == 0
    assert '-    content: two\n-    mode: "0600"\n+    content: one\n' in said
    assert "a run of it would change:\n" in said
    assert applied.text("~ file HOME/a\n    content: two -> one\n    mode: 0600 -> 0644\n") in said
    assert applied.text("+ file HOME/gone\n") in said
    assert applied.file.read_text() == applied.text(TWO)


def test_without_a_terminal_rollback_wants_a_yes(applied):
    code, said = applied.call("rollback", "1")
    assert code == 1
    assert "there is no terminal to ask at; give --yes" in said
    assert applied.file.read_text() == applied.text(TWO)


def test_what_no_generation_has_is_not_lost(applied):
    applied.file.write_text("# mine\n")
    code, said = applied.call("rollback", "1", "--yes")
    assert code == 1
    assert f"{applied.file}: has changes that no generation has" in said
    assert applied.file.read_text() == "# mine\n"
    assert applied.call("rollback", "1", "--yes", "--force")[0] == 0
    assert applied.file.read_text() == applied.text(ONE)
    kept = Path(f"{applied.file}.before-rollback")
    assert kept.read_text() == "# mine\n"


def test_a_file_that_was_removed_comes_back(applied):
    applied.file.unlink()
    assert applied.call("rollback", "1", "--yes")[0] == 0
    assert applied.file.read_text() == applied.text(ONE)


def test_a_link_to_a_file_stays_a_link(applied):
    real = applied.home / "real.yaml"
    applied.file.rename(real)
    applied.file.symlink_to(real)
    assert applied.call("rollback", "1", "--yes")[0] == 0
    assert applied.file.is_symlink()
    assert real.read_text() == applied.text(ONE)


# -- only

PARTS = """\
resources:
  file HOME/base: {content: base}
  file HOME/conf: {content: conf, require: file HOME/base, notify: noop told}
  noop told:
  file HOME/other: {content: other, meta: {reverse: true}}
"""


def test_only_a_part_is_applied_with_what_it_requires_and_notifies(here):
    here.write(PARTS)
    code, said = here.call("apply", str(here.file), "--only", "file */conf")
    assert code == 0
    assert "left out: 1 of 4 resources\n" in said
    assert "noop told: refreshed because of" in said
    assert here.has("base") == "base"
    assert not (here.home / "other").exists()


def test_what_is_left_out_is_not_put_back(here):
    here.write(PARTS)
    here.call("apply", str(here.file))
    code, said = here.call("apply", str(here.file), "--only", here.text("file HOME/conf"))
    assert code == 0
    assert here.has("other") == "other"
    said = here.call("plan", str(here.file), "--only", here.text("file HOME/conf"))[1]
    assert said == "left out: 1 of 4 resources\n0 to add, 0 to change, 0 to drop, 3 unchanged\n"


@pytest.mark.parametrize("command", ["run", "apply", "plan"])
def test_only_for_nothing_is_an_error_that_says_what_may_be_meant(here, command):
    here.write(PARTS)
    code, said = here.call(command, str(here.file), "--only", here.text("file HOME/conv"))
    assert code == 1
    assert here.text("--only 'file HOME/conv': no resource 'file HOME/conv' is declared") in said
    assert here.text("did you mean 'file HOME/conf'?") in said
    assert not (here.home / "base").exists()


def test_a_part_stays_a_part_when_the_file_is_saved(here):
    here.write(PARTS)
    run = here.started("--only", "noop told")
    here.write(PARTS + "  noop more:\n    notify: noop told\n  noop far:\n")
    assert "noop far" not in run.until("1 to come, 3 unchanged")
    assert "left out: 2 of 6 resources" in run.until("left out: 2 of 6 resources")


def test_what_is_left_out_keeps_what_it_owes(here):
    here.write("""\
resources:
  file HOME/conf: {content: conf, notify: exec told}
  exec told: {cmd: test -e HOME/ok, shell: true}
  noop other:
""")
    assert here.call("apply", str(here.file))[0] == 1
    owed = here.text("exec told: owes a refresh because of file HOME/conf")
    assert owed in here.call("status")[1]
    code, said = here.call("apply", str(here.file), "--only", "noop other")
    assert (code, "left out: 2 of 3 resources" in said) == (0, True)
    assert owed in here.call("status")[1]
    (here.home / "ok").touch()
    code, said = here.call("apply", str(here.file), "--only", "file */conf")
    assert (code, "left out: 1 of 3 resources" in said) == (0, True)
    assert here.text("exec told: refreshed because of file HOME/conf") in said
    assert owed not in here.call("status")[1]


def test_what_a_part_needs_no_more_stays_as_it_is(here):
    parts = PARTS.replace("content: base", "content: base, meta: {reverse: true}")
    here.write(parts)
    run = here.started("--only", "noop told")
    here.write(parts.replace(", require: file HOME/base", ""))
    run.until("1 to go, 2 unchanged")
    run.until("left out: 2 of 4 resources")
    run.process.terminate()
    run.end()
    assert here.has("base") == "base"
    assert "reverse" not in here.call("plan", str(here.file))[1]


def test_a_run_that_is_refused_shares_nothing_and_keeps_nothing(here):
    here.started()
    here.write("graph: other\npublish: { a: 1 }\nresources:\n  noop a:\n", "other.yaml")
    refused = here.start(files=("other.yaml",))
    refused.until("the journal is in use by ")
    assert refused.end() == 1
    assert not (here.state / "world.db").exists()
    assert len(list((here.state / "generations").glob("*.json"))) == 1
