"""The commands for who writes graph files: schema, init, fmt."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from setpoint.cli import schema as cli_schema
from setpoint.cli.group import setpoint
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
    monkeypatch.setattr(cli_schema, "installed", lambda: plugins)


@pytest.mark.usefixtures("broken")
def test_a_broken_kind_is_left_out_of_the_schema_with_a_warning() -> None:
    result = call("schema")
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["definitions"]["kinds"]) == ["lamp"]
    assert "warning: plugin acme-lamps 1.0: kind light" in result.stderr
    assert "ouch" in result.stderr
