"""`setpoint facts` and `setpoint doc` with facts that are installed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from setpoint import Fact
from setpoint.cli import telling
from setpoint.cli.group import setpoint
from setpoint.plugins import Plugins

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


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["os.kernel"], f"{os.uname().release}\n"),
        (["facts.os.kernel.upper() + '!'", "--json"], f'"{os.uname().release.upper()}!"\n'),
        (["facts.load.x1 >= 0 and 1 + 1 == 2"], "true\n"),
        (["[n for n in range(3)]", "--json"], "[0, 1, 2]\n"),
        (["file.size", "/dev/null/nothing"], "0\n"),
        (["held(facts.load.x1 < 0, 30)"], "false\n"),
        (["default(env.NOBODY_HAS_THIS, 7)", "--follow"], "7\n"),
    ],
)
def test_an_expression_is_told(facts, words, output):
    assert facts(*words).output == output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["facts.load.x1 > "], "the expression ends too early\n    facts.load.x1 >"),
        (["1 + facts.load.x7"], "\n    1 + facts.load.x7\n                   ^"),
        (["1 + vars.x"], "'vars' is known in a graph file only; there are facts and env"),
        (["facts"], "a fact is named; write facts.NAME"),
        (["facts.load.x1 + 'a'"], "cannot be added"),
        (["facts.load.x1 + facts.file.size", "/etc"], "a name and -p are for one fact"),
        (["nosuch(3)"], "there is no function 'nosuch'"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said_with_its_place(facts, words, message):
    result = facts(*words)
    assert result.exit_code == 1
    assert message in str(result.exception) + result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["lod"],
            "error: no installed plugin has a fact 'lod'; did you mean 'load'?\n    facts.lod",
        ),
        (["1 + vars.x"], "error: 'vars' is known in a graph file only; there are facts and env\n"),
        (["1 + 'a'"], "error: 1 and 'a' cannot be added; "),
        (["1 + 'a'", "-f"], "error: 1 and 'a' cannot be added; "),
        (["load", "-p", "every=["], "error: -p every:2:1: is not YAML, "),
        (["file", "/proc/self/mem"], "error: facts.file: input/output error; "),
    ],
)
def test_every_error_begins_alike(words, message, tmp_path):
    argv = [Path(sys.executable).with_name("setpoint"), "facts", "--prefix", tmp_path, *words]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=15)
    assert (ran.returncode, ran.stdout, ran.stderr[: len(message)]) == (1, "", message)
    assert ran.stderr.count("error:") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["load", "-p", "every"], "-p takes PARAM=VALUE, not 'every'"),
        (["-p", "every=1"], "--follow and -p are for an EXPRESSION; give one"),
        (["--follow"], "--follow and -p are for an EXPRESSION; give one"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(facts, words, message):
    result = facts(*words)
    assert (result.exit_code, message in result.output) == (2, True)


class Told(Fact):
    """What a test says."""

    kind = "told"
    Value = float
    said: ClassVar[asyncio.Queue[float | Exception]]

    async def watch(self) -> AsyncIterator[float]:
        while True:
            value = await self.said.get()
            if isinstance(value, Exception):
                raise value
            yield value


class Heard:
    """What is told of an expression, and what is warned of."""

    def __init__(self, text: str, host: Any) -> None:
        Told.said = asyncio.Queue()
        self.values: asyncio.Queue[Any] = asyncio.Queue()
        self.warnings: asyncio.Queue[str] = asyncio.Queue()
        plugins = Plugins()
        plugins.fact = {"told": Told}.__getitem__  # type: ignore[method-assign,assignment]
        asked = telling.Asked(text, "", {}, plugins)
        self.telling = telling.Telling(
            asked, host, self.values.put_nowait, self.warnings.put_nowait, follow=True
        )

    async def __aenter__(self) -> "Heard":
        self.task = asyncio.create_task(self.telling.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_each_value_of_an_expression_follows(host):
    async with asyncio.timeout(10), Heard("facts.told * 2", host) as heard:
        for number in (1, 2, 3):
            Told.said.put_nowait(number)
            assert await heard.values.get() == 2 * number


async def test_time_alone_changes_what_an_expression_is(host):
    async with asyncio.timeout(10), Heard("held(facts.told > 4, 0.1)", host) as heard:
        Told.said.put_nowait(5)
        assert [await heard.values.get(), await heard.values.get()] == [False, True]


async def test_what_is_not_known_yet_is_said(host, monkeypatch):
    monkeypatch.setattr(telling, "SILENT", 0.01)
    async with asyncio.timeout(10), Heard("facts.told", host) as heard:
        assert await heard.warnings.get() == "not known yet: facts.told"
        Told.said.put_nowait(5)
        assert await heard.values.get() == 5


async def test_an_expression_that_fails_for_a_while_is_followed_on(host):
    async with asyncio.timeout(10), Heard("1 / facts.told", host) as heard:
        Told.said.put_nowait(0)
        assert await heard.warnings.get() == "this divides by 0\n    1 / facts.told\n    ^"
        Told.said.put_nowait(2)
        assert await heard.values.get() == 0.5


async def test_a_fact_that_fails_is_said_and_followed_on(host):
    async with asyncio.timeout(10), Heard("facts.told", host) as heard:
        Told.said.put_nowait(OSError("no device"))
        assert await heard.warnings.get() == "facts.told: no device; looked at again in 0.5 s"
        Told.said.put_nowait(2)
        assert await heard.values.get() == 2


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


def test_following_ends_when_nobody_reads_it_any_more(tmp_path):
    """With `| head -1`; the fact is not blamed for it."""
    path = tmp_path / "watched"
    words = ["facts", "file", str(path), "--follow", "--prefix", str(tmp_path / "state")]
    with subprocess.Popen(
        [Path(sys.executable).with_name("setpoint"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == "exists: false\n"
        child.stdout.close()
        path.write_text("now")
        assert child.stderr.read() == ""
        assert child.wait() == 1


def test_a_fact_is_explained():
    result = CliRunner().invoke(setpoint, ["doc", "load"])
    assert "x15: a number\n      over the last quarter of an hour." in result.output
    both = CliRunner().invoke(setpoint, ["doc", "process"])
    assert "process NAME  (from" in both.output
    assert "fact process  (from" in both.output


@pytest.mark.parametrize(
    ("fact", "lines"),
    [
        ("kmsg", ["Value", "  time: a number"]),
        ("users", ["Value", "  a map", "", "User", "  name: text"]),
        ("weekday", ["Value", "  text"]),
    ],
)
def test_the_value_of_a_fact_is_explained_under_one_heading(fact, lines):
    text = CliRunner().invoke(setpoint, ["doc", fact]).output
    assert "\n".join(lines) in text
    assert text.count("\nValue\n") == 1
