"""The command without an engine: names, help, texts, drawings, references."""

import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from setpoint import Change, Resource, Secret, Values
from setpoint.cli import group, words
from setpoint.cli.doc import example
from setpoint.cli.drawing import dot, mermaid
from setpoint.cli.group import SUMMARIES, setpoint
from setpoint.cli.options import wants_color
from setpoint.cli.planned import document, lines
from setpoint.cli.screen import harmless
from setpoint.cli.words import Tally, sentence, summary
from setpoint.declarations.docstrings import described
from setpoint.engine import Result as Ended
from setpoint.engine.events import (
    Blocked,
    Changed,
    Converged,
    Event,
    Failed,
    Fighting,
    Refreshed,
    Swapped,
    Unwatched,
    Warned,
)
from setpoint.graph import Edge, Graph
from setpoint.plan import Blocked as Unreached
from setpoint.plan import Doubt, Plan, Reason, Refresh, Step, Trouble, Waiting
from setpoint.plugins import Plugins

GRAPH = """\
graph: small
resources:
  noop a:
    notify: noop "b"
  noop "b":
"""


def call(*args: str | Path) -> Result:
    return CliRunner().invoke(setpoint, [str(arg) for arg in args], prog_name="setpoint")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(GRAPH)
    return path


# -- the group


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    program = f"""
        import sys
        from setpoint.cli import main
        sys.argv = ["setpoint", {option!r}]
        try:
            main()
        except SystemExit:
            pass
        heavy = ("asyncio", "msgspec", "pluggy", "yaml", "rich", "ctypes", "setpoint.engine")
        plugins = [name for name in sys.modules if name.startswith("setpoint_")]
        sys.exit(str([*filter(sys.modules.get, heavy), *plugins]))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert ran.stderr.strip() == "[]"
    assert "setpoint" in ran.stdout


@pytest.mark.parametrize("name", SUMMARIES)
def test_each_command_that_is_listed_explains_itself(name: str) -> None:
    result = call(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: setpoint {name} " in result.output


@pytest.mark.parametrize("name", SUMMARIES)
def test_help_that_has_exit_codes_says_what_a_wrong_command_line_is(name: str) -> None:
    _, found, codes = call(name, "--help").output.partition("Exit code:")
    assert not found or "\n    2  " in codes


def test_help_names_no_option_that_the_command_does_not_have() -> None:
    assert "--max-runtime" in call("run", "--help").output
    assert "--max-runtime" not in call("apply", "--help").output


@pytest.mark.parametrize("words", ["run", "run --file", "apply", "plan", "check", "graph"])
def test_a_graph_on_standard_input_is_refused_with_what_to_do(words: str) -> None:
    result = call(*words.split(), "-")
    assert result.exit_code == 2
    assert "a graph is not read from standard input; save it in a file, or write" in result.output


def test_a_command_that_is_mistyped_is_suggested() -> None:
    result = call("aply")
    assert result.exit_code == 2
    assert "there is no command 'aply'; did you mean 'apply'?" in result.output


def brings_commands(directory: Path) -> Plugins:
    """Return plugins of which one brings the commands `greet` and `broken`."""
    info = directory / "acme_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[setpoint.commands]\ngreet = acme_greet:greet\nbroken = acme_broken:broken\n"
    )
    (directory / "acme_greet.py").write_text(
        "import click\n\n@click.command()\ndef greet():\n    click.echo('hello')\n"
    )
    (directory / "acme_broken.py").write_text("raise RuntimeError('ouch')\n")
    return Plugins(path=[str(directory)])


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    plugins = brings_commands(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(group, "installed", lambda: plugins)
    return plugins


def test_commands_of_plugins_are_listed_without_importing_them(acme: Plugins) -> None:
    listed = call("--help").output
    assert "greet       (from acme-tools)" in listed
    assert "broken      (from acme-tools)" in listed
    assert "acme_greet" not in sys.modules


def test_a_command_of_a_plugin_runs(acme: Plugins) -> None:
    assert call("greet").output == "hello\n"


def test_a_broken_command_is_named_and_the_others_go_on(acme: Plugins, small: Path) -> None:
    broken = call("broken").exception
    assert str(broken).startswith("plugin acme-tools 1.0: command broken: acme_broken:broken")
    assert "RuntimeError: ouch" in str(broken)
    assert call("check", small).exit_code == 0


def test_commands_and_kinds_are_completed() -> None:
    def complete(words: str, number: int) -> str:
        asked = {
            "_SETPOINT_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
        }
        ran = subprocess.run(
            [sys.executable, "-c", "from setpoint.cli import main; main()"],
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    assert "plain,plan\n" in complete("setpoint p", 1)
    assert complete("setpoint doc no", 2) == "plain,noop\n"
    assert complete("setpoint run x", 2).startswith("file,")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    assert "_SETPOINT_COMPLETE" in call("completion", shell).output


# -- commands that only read


def test_a_good_file_is_checked(small: Path) -> None:
    assert call("check", small).output == f"{small}: can be run; resources: 2, edges: 1\n"


def test_all_problems_are_told_with_places_as_json(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("resources:\n  noop a:\n    commend: x\n  noop b:\n    require: noop c\n")
    result = call("check", "--json", path)
    problems = json.loads(result.output)["problems"]
    assert result.exit_code == 1
    assert [(problem["line"], problem["column"]) for problem in problems] == [(3, 5), (5, 14)]
    assert problems[0]["message"] == "noop a: unknown param 'commend'; did you mean 'comment'?"


def test_graphs_are_drawn() -> None:
    class Thing(Resource):
        """Nothing."""

        kind = "thing"

    graph = Graph("g")
    graph.add(Thing(name='a"b'), Thing(name="c"))
    graph.connect(Edge('thing a"b', "thing c", "hold"))
    assert '"thing a\\"b" -> "thing c" [style=dashed];' in dot(graph)
    assert 'n0["thing a#34;b"]' in mermaid(graph)
    assert "n0 -.-> n1" in mermaid(graph)


def test_a_graph_is_data_for_programs(small: Path) -> None:
    drawn = json.loads(call("graph", "--format", "json", small).output)
    assert [resource["kind"] for resource in drawn["resources"]] == ["noop", "noop"]
    assert drawn["edges"][0]["notify"] == "hold"


def test_an_svg_needs_graphviz(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    error = call("graph", "--format", "svg", small).exception
    assert "no program 'dot'; install graphviz, or take --format mermaid" in str(error)


def test_kinds_are_listed_with_their_distribution() -> None:
    found = {entry["kind"]: entry for entry in json.loads(call("kinds", "--json").output)}
    assert found["noop"]["distribution"] == "setpoint-noop"
    assert "noop " in call("kinds").output


def test_status_says_that_there_never_was_a_run(tmp_path: Path) -> None:
    result = call("status", "--prefix", tmp_path)
    assert "there never was a run with this state directory" in str(result.exception)


def test_a_graph_of_mgmt_is_converted(tmp_path: Path) -> None:
    old = tmp_path / "graph0.yaml"
    old.write_text("graph: g\nresources:\n  noop:\n  - name: a\nedges: []\n")
    result = call("convert", old)
    assert result.exit_code == 0
    assert "noop a:" in result.output


# -- doc


class Lamp(Resource):
    """A lamp in the hall.

    It has a switch.

    name: where it hangs.
    watts: of its bulb, from 1 to 100;
        more is not sold.
    lit: whether it is on.

    Sends `colour`: of its light,
    a name.
    """

    kind = "lamp"
    watts: int
    lit: bool = True

    class Sends(Values):
        colour: str


def test_a_docstring_is_taken_apart() -> None:
    text, entries = described(inspect.getdoc(Lamp) or "")
    assert text == "A lamp in the hall.\n\nIt has a switch."
    assert entries == {
        "name": "where it hangs.",
        "watts": "of its bulb, from 1 to 100; more is not sold.",
        "lit": "whether it is on.",
        "Sends": "`colour`: of its light, a name.",
    }


def test_an_example_is_that_of_the_readme_else_what_is_required() -> None:
    readme = "# Lamps\n\n```yaml\nresources:\n  lamp hall:\n    watts: 40\n```\n"
    assert example(Lamp, readme) == "resources:\n  lamp hall:\n    watts: 40"
    assert example(Lamp, "") == "resources:\n  lamp NAME:\n    watts: ..."


def test_a_kind_is_explained() -> None:
    output = call("doc", "password").output
    assert "  length: a whole number from 1 to 4096, by default 64" in output
    assert "  password: a secret, text" in output


def test_an_unknown_kind_is_suggested() -> None:
    assert "did you mean 'noop'?" in str(call("doc", "nop").exception)


# -- words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("mode", "0600", "0644"), "mode 0600 -> 0644"),
        (Change("mode", None, "0644"), "mode 0644"),
        (Change("state", "file", None), "state file -> (nothing)"),
        (Change("content", "a\nb", "c"), "content changed"),
        (Change("content", None, b"x"), "content set"),
        (Change("content", None, "a\nb"), "content set"),
        (Change("run", None, "find " * 13), f"run {('find ' * 13)[:60]} ..."),
        (Change("content", "x" * 61, None), "content removed"),
        (Change("password", "(secret)", "(secret)"), "password changed"),
        (Change("on", False, True), "on false -> true"),
        (Change("owner", "", "root"), "owner '' -> root"),
        (Change("meta.sema", None, ("db",)), "meta.sema ['db']"),
    ],
)
def test_a_change_is_said_in_few_words(change: Change, said: str) -> None:
    assert sentence(change) == said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Changed("a b", (Change("x", 1, 2), Change("y", 3, 4))), "a b: x 1 -> 2, y 3 -> 4"),
        (Changed("a b", (Change("x", 1, 2),), applied=False), "a b (noop): x 1 -> 2"),
        (Refreshed("a b", ("c d", "e f")), "a b: refreshed because of c d, e f"),
        (Failed("a b", "no"), "error: a b: no"),
        (Failed("a b", "no", 2.0), "error: a b: no; tried again in 2 s"),
        (Blocked("a b", "c d"), "blocked: a b by c d"),
        (Blocked("a b", "c d", "it has no value yet"), "blocked: a b by c d: it has no value yet"),
        (Warned("", "careful"), "warning: careful"),
        (Unwatched("a b", "no", 1.0), "warning: a b: its watch failed, no; begun anew in 1 s"),
        (Converged("", 0, 0, 5000), "converged: 5,000 resources, nothing left to do"),
        (Converged("", 1, 2, 5), "converged: 5 resources, 1 failed, 2 blocked"),
    ],
)
def test_an_event_is_one_line(event: Event, said: str) -> None:
    line = words.line(event)
    assert (f"{line.label}: " if line.label else "") + line.text == said


def test_every_event_has_words_of_its_own() -> None:
    generic = words.line.dispatch(object)
    nameless = {kind for kind in Event.__subclasses__() if words.line.dispatch(kind) is generic}
    assert nameless == {Swapped}, "what is different is told before it is taken over"
    assert words.line(Fighting("a b", 10, 60.0)).label == "warning"


def test_the_last_line_counts() -> None:
    well = Ended(resources=1, repairs=0, failed={}, blocked={}, unfinished=0)
    assert summary(well, Tally(), 1) == "1 resource in 1.00 s: all as declared"
    assert summary(well, Tally(to_change=1), 1).endswith(
        "1 to change in 1.00 s: left as it is (noop)"
    )
    ill = msgspec.structs.replace(well, resources=9, failed={"a": "b"}, blocked={"c": "a"})
    assert summary(ill, Tally(3, 0, 2), 1) == (
        "9 resources, 3 changed, 2 refreshed in 1.00 s: 1 failed, 1 blocked"
    )


def test_control_characters_reach_no_terminal() -> None:
    assert harmless("a\x1b[2J\tb\n") == "a\\x1b[2J\tb\n"


# -- plan


def test_a_plan_is_shown() -> None:
    found = Plan(
        steps=(
            Step(
                "file a", "add", (Change("mode", None, "0644"), Change("content", None, "x\ny\n"))
            ),
            Step("file b", "change", (Change("content", "one\ntwo\n", "one\n2\n"),)),
            Step("file c", "change", (Change("content", "(secret)", "(secret)"),), noop=True),
            Step("file d", "change", pending={"content": 'send["x y"].z'}),
            Step("file e", "drop", (Change("state", "file", None),)),
        ),
        refreshes=(Refresh("svc s", ("file a", "file b")),),
        troubles=(Trouble("exec f", "no", "file a"), Trouble("exec g", "bad")),
        unchanged=4996,
    )
    assert (
        "\n".join(map(click.unstyle, lines(found)))
        == textwrap.dedent("""\
        + file a
            mode: 0644
            content:
                @@ -0,0 +1,2 @@
                +x
                +y
        ~ file b
            content:
                @@ -1,2 +1,2 @@
                 one
                -two
                +2
        ~ file c (noop: left as it is)
            content: (secret)
        ~ file d
            content: (known while running: send["x y"].z)
        - file e
            state: file -> (nothing)
        ? exec f
            (known while running, after file a)
            no
        ! exec g
            bad
        refreshed, in this order:
            svc s, because file a and file b change

        1 to add, 2 to change, 1 to drop, 4,996 unchanged, 1 left as they are (noop), 1 known while running, 1 cannot be checked""")  # noqa: E501
    )


def test_a_plan_says_what_follows_and_why() -> None:
    found = Plan(
        steps=(
            Step("file a", "change", because=(Reason("facts.x", "5.2", "1.5"),), after="exec b"),
            Step("file c", "add", because=(Reason("facts.n", "2"), Reason("facts.u", None))),
        ),
        refreshes=(
            Refresh("svc s", ("file a", "svc r", "noop n"), owed={"file o": 0.0}),
            Refresh("svc r", ("file a",)),
            Refresh("svc t", (), ("file a", "exec b")),
        ),
        troubles=(),
        unchanged=0,
        waiting=(Waiting("file w", ("facts.disks", "facts.net")), Waiting("file v")),
        doubts=tuple(Doubt(f"file {n}", "exec b") for n in range(1005)),
        blocked=(Unreached("file y", "exec z"),),
    )
    assert (
        "\n".join(map(click.unstyle, lines(found)))
        == textwrap.dedent("""\
        ~ file a
            because facts.x 1.5 -> 5.2
            (known while running, after exec b; so it is now)
        + file c
            because facts.n is 2, facts.u is not known
        refreshed, in this order:
            svc s, owed because a run was killed when it was about to change file o, because file a changes, because svc r is refreshed, because noop n passes it on
            svc r, because file a changes
            ? svc t, known while running: if file a or exec b changes something
        as declared now, known while running after exec b: file 0, file 1, file 2 and 1,002 more
        blocked by exec z: file y
        ? file w
            (waits for facts.disks and facts.net, which are not known)
        ? file v
            (waits for facts with which it can be declared, or something else that waits)

        1 to add, 1 to change, 0 to drop, 0 unchanged, 1,005 known while running, 1 blocked, 2 waiting for facts""")  # noqa: E501 - as it is shown
    )


def test_a_long_list_is_shown_part_by_part() -> None:
    before, after = [f"member{n}" for n in range(9)], [f"member{n}" for n in range(1, 9)]
    step = Step("group g", "change", (Change("members", before, after),))
    shown = "\n".join(map(click.unstyle, lines(Plan((step,), (), (), 0))))
    assert "        -member0\n         member1\n" in shown


def test_a_difference_of_very_long_texts_is_only_measured() -> None:
    step = Step("file f", "change", (Change("content", "a\n" * 30_000, "b\n" * 30_001),))
    shown = "\n".join(lines(Plan((step,), (), (), 0)))
    assert "(30,000 lines -> 30,001 lines)" in shown


def test_a_plan_is_data_for_programs() -> None:
    step = Step("a b", "change", (Change("x", Secret("canary"), Path("/")),))
    text = document(Plan((step,), (), (), 0))
    assert json.loads(text)["counts"]["change"] == 1
    assert "canary" not in text


# -- colours


@pytest.mark.parametrize(
    ("choice", "environment", "wanted"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"CLICOLOR": "0"}, False),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_are_as_asked(
    choice: str, environment: dict[str, str], wanted: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(choice) is wanted
