"""`setpoint facts` and `setpoint doc` with facts that are installed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from setpoint.cli.group import setpoint

Invoke = Callable[..., Result]


@pytest.fixture
def facts(tmp_path: Path) -> Invoke:
    """Call `setpoint facts`."""

    def invoked(*words: str) -> Result:
        return CliRunner().invoke(setpoint, ["facts", "--prefix", str(tmp_path), *words])

    return invoked


def test_what_is_installed_is_listed(facts):
    assert "load      setpoint-sys" in facts().output
    assert {"kmsg", "load"} <= {row["fact"] for row in json.loads(facts("--json").output)}


def test_the_value_of_now_is_told(facts):
    assert facts("load").output.startswith("x1: ")
    assert json.loads(facts("os", "--json").output)["kernel"] == os.uname().release


def test_a_name_and_params_say_what_it_is_about(facts, tmp_path):
    path = tmp_path / "watched"
    path.write_text("hello")
    value: dict[str, Any] = json.loads(facts("file", str(path), "--json").output)
    assert (value["content"], value["size"]) == ("hello", 5)
    assert "year" in facts("datetime", "-p", "timezone=UTC", "-p", "every=day").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lod"], "no installed plugin has a fact 'lod'; did you mean 'load'?"),
        (["load", "-p", "evry=2"], "the fact load has no param 'evry'; did you mean 'every'?"),
        (["load", "-p", "every=0"], "every must be a number from 0.1 to 86400, not 0"),
        (["kmsg", "("], "the fact kmsg: name must be a regular expression, not '('"),
    ],
)
def test_what_is_wrong_is_said(facts, words, message):
    result = facts(*words)
    assert result.exit_code != 0
    assert message in str(result.exception) + result.output


def test_each_change_follows_until_the_end(tmp_path):
    path = tmp_path / "watched"
    argv = [
        Path(sys.executable).with_name("setpoint"),
        "facts",
        "file",
        str(path),
        "--follow",
        "--json",
    ]
    with subprocess.Popen(
        [*argv, "--prefix", str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert json.loads(child.stdout.readline())["exists"] is False
        path.write_text("now")
        while json.loads(child.stdout.readline())["content"] != "now":
            pass
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130


def test_a_fact_is_explained():
    result = CliRunner().invoke(setpoint, ["doc", "load"])
    assert "x15: a number\n      over the last quarter of an hour." in result.output
    both = CliRunner().invoke(setpoint, ["doc", "process"])
    assert "process NAME  (from" in both.output
    assert "fact process  (from" in both.output
