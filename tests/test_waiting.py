"""What waits for facts that are not known is told wherever a person asks how things stand."""

from pathlib import Path

from click.testing import CliRunner, Result

from setpoint.cli.group import setpoint

GRAPH = """\
secrets: {{ key: {{ file: {0}/key }} }}
resources:
  file {0}/waits: {{ content: "${{{{ secrets.key }}}}" }}
  file {0}/is-here: {{ content: here }}
  noop after:
    require: file {0}/waits
"""


def said(place: Path, *argv: str) -> Result:
    return CliRunner().invoke(setpoint, [*argv, "--prefix", str(place / "state")])


def test_a_run_that_has_left_out_what_waits_is_not_all_as_declared(tmp_path: Path) -> None:
    graph = tmp_path / "site.yaml"
    graph.write_text(GRAPH.format(tmp_path))
    ended = said(tmp_path, "apply", str(graph))
    assert ended.exit_code == 1
    assert ended.output.endswith(": 2 waiting for facts\n")
    assert (tmp_path / "is-here").exists()
    assert "1 resource, 1 repaired: 2 waiting for facts\n" in said(tmp_path, "status").output
    assert said(tmp_path, "explain", "noop", "after").output.startswith(
        "noop after: when the run ended it waited for facts that are not known, or for something that does\n"
        "  `setpoint plan` names those facts\n"
    )

    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("hunter22")
    ended = said(tmp_path, "apply", str(graph))
    assert ended.exit_code == 0
    assert ended.output.endswith(": all as declared\n")
    assert said(tmp_path, "explain", "noop", "after").exit_code == 1, "nothing is known of it"
