"""The commands for who writes graph files: schema, init, fmt."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from setpoint.cli import init, schema
from setpoint.cli.group import setpoint
from setpoint.errors import SetpointError
from setpoint.files import Files
from setpoint.plugins import Plugins


def call(*args: str | Path, text: str | None = None) -> Result:
    arguments = [str(arg) for arg in args]
    return CliRunner().invoke(setpoint, arguments, input=text, prog_name="setpoint")


# -- schema


def test_the_schema_has_the_kinds_that_are_installed() -> None:
    found = json.loads(call("schema").stdout)
    assert found["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert list(found["definitions"]["kinds"]) == sorted(Plugins().kinds())


def test_the_schema_is_the_same_each_time(tmp_path: Path) -> None:
    assert call("schema", "--out", tmp_path / "schema.json").output == ""
    assert (tmp_path / "schema.json").read_text() == call("schema").stdout


def test_a_place_for_the_schema_that_is_missing_is_named(tmp_path: Path) -> None:
    result = call("schema", "--out", tmp_path / "missing" / "schema.json")
    assert result.exit_code == 1
    assert "missing/schema.json" in result.output
    assert "No such file or directory" in result.output


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plugin of which one kind is right and one is not."""
    info = tmp_path / "acme_lamps-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-lamps\nVersion: 1.0\n")
    points = "[setpoint.kinds]\nlamp = acme_lamp:Lamp\nlight = acme_light:Light\n"
    (info / "entry_points.txt").write_text(points)
    kind = 'from setpoint import Resource\n\nclass Lamp(Resource):\n    """A lamp.\n\n    name: any.\n    """\n'
    (tmp_path / "acme_lamp.py").write_text(
        f'{kind}\n    kind = "lamp"\n\n    def check(self):\n        return []\n'
    )
    (tmp_path / "acme_light.py").write_text("raise RuntimeError('ouch')\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins(path=[str(tmp_path)])
    monkeypatch.setattr(schema, "installed", lambda: plugins)
    monkeypatch.setattr(init, "installed", lambda: plugins)


@pytest.mark.usefixtures("broken")
def test_a_broken_kind_is_left_out_of_the_schema_with_a_warning() -> None:
    result = call("schema")
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["definitions"]["kinds"]) == ["lamp"]
    assert "warning: plugin acme-lamps 1.0: kind light" in result.stderr
    assert "ouch" in result.stderr


# -- fmt

MESSY = "resources:\n    noop a:   # kept\n        comment:   'hi'\n"
CLEAN = 'resources:\n  noop a:     # kept\n    comment: "hi"\n'


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(MESSY)
    return path


def test_a_file_is_formatted_and_keeps_its_mode(messy: Path) -> None:
    messy.chmod(0o640)
    result = call("fmt", messy)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{messy}: formatted\n")
    assert messy.read_text() == CLEAN
    assert stat.S_IMODE(messy.stat().st_mode) == 0o640
    assert call("fmt", messy).output == ""


def test_a_link_to_a_file_stays_a_link(messy: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(messy.name)
    call("fmt", link)
    assert link.is_symlink()
    assert messy.read_text() == CLEAN


def test_what_is_formatted_already_is_not_written(messy: Path) -> None:
    messy.write_text(CLEAN)
    before = messy.stat()
    assert call("fmt", "--check", messy).exit_code == 0
    assert call("fmt", messy).exit_code == 0
    assert (messy.stat().st_ino, messy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_check_says_which_files_would_change_and_changes_none(messy: Path) -> None:
    result = call("fmt", "--check", messy)
    assert (result.exit_code, result.output) == (1, f"{messy}: would be formatted\n")
    assert messy.read_text() == MESSY


def test_diff_shows_what_would_change_and_changes_nothing(messy: Path) -> None:
    messy.write_text(MESSY.rstrip("\n"))
    result = call("fmt", "--diff", messy)
    assert (result.exit_code, messy.read_text()) == (0, MESSY.rstrip("\n"))
    assert result.stdout.splitlines()[3:] == [
        " resources:",
        "-    noop a:   # kept",
        "-        comment:   'hi'",
        "\\ No newline at end of file",
        "+  noop a:     # kept",
        '+    comment: "hi"',
    ]
    assert call("fmt", "--diff", "--check", messy).exit_code == 1


def test_standard_input_is_printed_formatted() -> None:
    result = call("fmt", "-", text=MESSY)
    assert (result.exit_code, result.stdout, result.stderr) == (0, CLEAN, "")
    assert call("fmt", "-", "--check", text=MESSY).exit_code == 1
    assert call("fmt", "-", text="a: [").exit_code == 2


def test_a_wrong_file_is_left_alone_and_the_others_are_formatted(
    messy: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("a: 1\na:   2\n")
    result = call("fmt", wrong, tmp_path / "missing.yaml", messy)
    assert result.exit_code == 2
    assert f"{wrong}:2:1: the key 'a' is there already" in result.stderr
    assert f"{tmp_path}/missing.yaml: cannot be read, No such file or directory" in result.stderr
    assert wrong.read_text() == "a: 1\na:   2\n"
    assert messy.read_text() == CLEAN


def test_a_file_that_cannot_be_written_is_named(
    messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Files, "write", full)
    result = call("fmt", messy)
    assert (result.exit_code, messy.read_text()) == (2, MESSY)
    assert result.stderr == f"{messy} cannot be written, No space left on device\n"


# -- init


def test_a_first_graph_can_be_run_and_is_formatted(tmp_path: Path) -> None:
    result = call("init", tmp_path / "new")
    file = tmp_path / "new/site.yaml"
    assert result.exit_code == 0
    assert f"setpoint plan {file}" in result.stdout
    assert call("check", file).output == f"{file}: can be run; resources: 2, edges: 1\n"
    assert call("fmt", "--check", file).exit_code == 0
    assert (tmp_path / "new/.setpoint/schema.json").read_text() == call("schema").stdout


def test_init_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text("mine\n")
    result = call("init")
    assert isinstance(result.exception, SetpointError)
    assert str(result.exception) == "site.yaml is there already; edit it, or give another name"
    assert [path.name for path in tmp_path.iterdir()] == ["site.yaml"]
    (tmp_path / ".setpoint").mkdir()
    (tmp_path / ".setpoint/schema.json").write_text("{}")
    result = call("init", "other.yml")
    assert "setpoint schema --out .setpoint/schema.json writes it anew" in result.stdout
    assert (tmp_path / ".setpoint/schema.json").read_text() == "{}"
    assert (tmp_path / "other.yml").read_text().startswith("# yaml-language-server: $schema=")


def test_a_place_for_a_first_graph_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("init", tmp_path / "file/site.yaml")
    assert "file/site.yaml cannot be written, " in str(result.exception)


@pytest.mark.usefixtures("broken")
def test_without_the_usual_kinds_a_first_graph_is_empty(tmp_path: Path) -> None:
    assert call("init", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new/site.yaml").read_text().endswith("\n\nresources:\n")
