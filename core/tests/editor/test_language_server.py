"""What an editor does with the schema, driven as an editor drives the language server for YAML."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from setpoint import graphfile
from setpoint.cli.group import setpoint
from setpoint.graphfile import form
from setpoint.plugins import Plugins

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
MODELINE = "# yaml-language-server: $schema=.setpoint/schema.json\n"


@pytest.fixture(scope="module", autouse=True)
def _schema(editor):
    """Write the schema of what is installed below the folder of the documents."""
    out = editor.folder / ".setpoint/schema.json"
    out.parent.mkdir()
    result = CliRunner().invoke(setpoint, ["schema", "--out", str(out)])
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_there_is_no_false_alarm_in_an_example(example, editor):
    assert editor.complaints(MODELINE + example.read_text()) == []


def test_without_the_modeline_nothing_is_known(editor):
    assert editor.complaints("resources:\n  fiel /etc/motd:\n") == []


WRONG = """\
resources:
  file /etc/motd:
    contents: hi
    mode: 420
    state: gone
    recurse: maybe
    retry: 3
    notify: { noop told: fyre }
  fiel /etc/issue:
  password db: { length: 0 }
  timer tick: {}
  exec run: { returns: [0, 300], env: { A: 1 } }
edges: [ file /etc/motd, noop told ~> exec run ]
defaults: { file: { owners: root } }
resource: {}
"""
SAID = """\
3 contents: Property contents is not allowed.
4 420: must be text; put it in quotes
5 gone: Value is not accepted. Valid values: "", "absent", "exists".
6 maybe: must be true or false, or an expression ${{ }}
7 retry: Property retry is not allowed.
8 fyre: Value is not accepted. Valid values: "hold", "fire", "drop", null.
9 fiel /etc/issue: Property fiel /etc/issue is not allowed.
10 0: Value is below the minimum of 1.
11 timer tick: timer needs 'interval'
12 300: Value is above the maximum of 255.
12 1: must be text; put it in quotes
13 file /etc/motd: an edge is KIND NAME -> KIND NAME, or ~> to notify
14 owners: Property owners is not allowed.
15 resource: Property resource is not allowed.
"""


def test_what_is_wrong_is_marked_at_its_place(editor):
    wanted = [line.split(" ", 1) for line in SAID.splitlines()]
    found = editor.complaints(MODELINE + WRONG)
    shown = {(line - 1, f"{marked}: {message}") for line, marked, message in found}
    assert shown == {(int(line), text) for line, text in wanted}


def test_the_keys_of_a_file_are_completed(editor):
    found = editor.completions(MODELINE)
    assert found.keys() == set(form.KEYS)
    assert written(found["resources"]) == "resources:\n  "


def test_kinds_are_completed_with_what_they_need(editor):
    for begun in ("", "fi"):
        found = editor.completions(f"{MODELINE}resources:\n  {begun}")
        assert found.keys() == set(Plugins().kinds())
        assert written(found["file"]) == "file ${1:NAME}:\n  $2"
        assert written(found["timer"]) == "timer ${1:NAME}:\n  interval: $2"
        assert found["timer"]["documentation"] == "A tick at an interval."


@pytest.mark.parametrize("begun", ["resources:\n  svc nginx:\n", "defaults:\n  svc:\n"])
def test_params_are_completed_with_what_they_mean(begun, editor):
    found = editor.completions(f"{MODELINE}{begun}    ")
    assert {"state", "startup", "on_refresh", "session", "meta"} <= found.keys()
    assert ("notify" in found) == begun.startswith("resources")
    assert "true or false, by default false" in found["session"]["documentation"]["value"]
    assert written(found["session"]) == "session: ${1:false}"
    assert written(found["meta"]) == "meta:\n  "


@pytest.mark.parametrize(
    ("begun", "wanted"),
    [
        ("svc nginx:\n    state: ", {"running", "stopped", "null"}),
        ("file /etc/motd:\n    recurse: ", {"true", "false"}),
        ("noop a:\n    notify:\n      noop b: ", {"hold", "fire", "drop", "null"}),
        ("noop a:\n    meta:\n      reverse: ", {"true", "false"}),
    ],
)
def test_values_are_completed(begun, wanted, editor):
    assert editor.completions(f"{MODELINE}resources:\n  {begun}").keys() == wanted


def test_what_completion_writes_can_be_run(editor, tmp_path):
    keys = editor.completions(MODELINE)
    text = written(keys["resources"])
    item = editor.completions(MODELINE + text)["noop"]
    text += written(item).replace("${1:NAME}", "first").replace("\n  $2", "")
    path = tmp_path / "site.yaml"
    path.write_text(text)
    assert list(graphfile.load([path], Plugins()).resources) == ["noop first"]


def test_a_first_graph_leads_the_editor_to_its_schema(editor):
    place = editor.folder / "new"
    assert CliRunner().invoke(setpoint, ["init", str(place)]).exit_code == 0
    text = (place / "site.yaml").read_text()
    assert editor.complaints(text, place) == []
    wrong = text.replace("content:", "contents:")
    found = [(marked, said) for _, marked, said in editor.complaints(wrong, place)]
    assert found == [("contents", "Property contents is not allowed.")]


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("  fi", "le /etc/motd:\n", "A file, directory or symlink, or that there is none."),
        ("  password db:\n    len", "gth: 24\n", "characters, from 1 to 4096.\n\n*a whole number"),
        ("  noop a:\n    noti", "fy: noop b\n", "is refreshed when this one changed something."),
        ("  noop a:\n    meta: { re", "try: 3 }\n", "how often a failed run is tried again"),
        ("  svc nginx:\n    sta", "te: running\n", "* `running`\n* `stopped`"),
    ],
)
def test_what_is_pointed_at_is_explained(before, after, wanted, editor):
    assert wanted in editor.hover(f"{MODELINE}resources:\n{before}", after)


def written(item: dict[str, Any]) -> str:
    """What the editor writes for an item of completion."""
    text: str = item["textEdit"]["newText"]
    return text
