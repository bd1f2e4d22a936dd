"""Secrets of graphs: taken from files, the environment and programs, followed, and never told."""

import asyncio
import logging
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from setpoint import Fact
from setpoint.declarations.written import Map, Seq, Source
from setpoint.errors import Refused
from setpoint.following import Facts
from setpoint.secrets import MAX_BYTES, SecretEnv, SecretExec, SecretFile, declared
from setpoint.testing import FactSuite
from setpoint.values import Secret

CANARY = "s3cr3t-canary"


class TestSecretFile(FactSuite):
    @pytest.fixture
    def fact(self, host, tmp_path):
        self.path, self.count = tmp_path / "db", 0
        put(self.path, "first")
        return SecretFile(str(self.path), _host=host)

    async def change(self, fact):
        self.count += 1
        put(self.path, f"other {self.count}")


class TestSecretEnv(FactSuite):
    moves = False

    @pytest.fixture
    def fact(self, host, monkeypatch):
        monkeypatch.setenv("SETPOINT_TEST_DB", CANARY)
        return SecretEnv("SETPOINT_TEST_DB", _host=host)


class TestSecretExec(FactSuite):
    @pytest.fixture
    def fact(self, host, tmp_path):
        self.path, self.count = tmp_path / "db", 0
        self.path.write_text("first")
        return SecretExec(f"cat {self.path}", every=1, _host=host)

    async def change(self, fact):
        self.count += 1
        put(self.path, f"other {self.count}")


def put(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file as who gives out secrets does: a whole one takes the place of the old one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


class Followed:
    """A fact that is followed as a run does it, and what it tells."""

    def __init__(self) -> None:
        self.facts = Facts(self._moved, self._failed)
        self.told: list[str] = []
        self._news = asyncio.Event()

    def _moved(self, name: str) -> None:
        self._news.set()

    def _failed(self, name: str, error: BaseException, again: float) -> None:
        self.told.append(f"{type(error).__name__}: {error!s} {error!r}")
        self._news.set()

    @property
    def value(self) -> Any:
        found = self.facts.values.get("x")
        return found.reveal() if isinstance(found, Secret) else found

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not reached():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def followed(fact: Fact) -> AsyncIterator[Followed]:
    following = Followed()
    following.facts.want({"x": fact})
    try:
        yield following
    finally:
        await following.facts.close()


async def first(fact: Fact) -> str:
    """Return the first value of a secret."""
    async with asyncio.timeout(10), followed(fact) as following:
        await following.until(lambda: bool(following.value or following.told))
        assert not following.told, following.told
        return str(following.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [("db\n", "db"), ("db", "db"), ("db\n\n", "db\n"), (" a b \n", " a b "), ("ä\n€\n", "ä\n€")],
)
async def test_one_newline_at_the_end_is_no_part_of_it(written, value, host, tmp_path, monkeypatch):
    path = tmp_path / "db"
    path.write_text(written)
    monkeypatch.setenv("SETPOINT_TEST_DB", written)
    facts = [SecretFile(str(path)), SecretEnv("SETPOINT_TEST_DB"), SecretExec(f"cat {path}")]
    for fact in facts:
        fact._host = host
        assert await first(fact) == value
        assert CANARY not in repr(fact)


async def test_a_file_that_comes_later_is_known_at_once(host, tmp_path):
    path = tmp_path / "later/db"
    async with followed(SecretFile(str(path), _host=host)) as following:
        await following.until(lambda: bool(following.told))
        assert following.facts.problems["x"] == f"there is no {path}"
        path.parent.mkdir()
        put(path, CANARY)
        await following.until(lambda: following.value == CANARY)
        assert following.facts.problems == {}
        assert len(following.told) == 1  # it is told once


async def test_a_file_that_goes_leaves_its_value(host, tmp_path):
    path = tmp_path / "db"
    put(path, CANARY)
    async with followed(SecretFile(str(path), _host=host)) as following:
        await following.until(lambda: following.value == CANARY)
        path.unlink()
        await following.until(lambda: bool(following.told))
        assert following.value == CANARY
        put(path, "another")
        await following.until(lambda: following.value == "another")


async def test_volumes_that_are_swapped_through_symlinks_are_followed(host, tmp_path):
    """As Kubernetes does it: db -> ..data/db, and ..data -> a directory that is made anew."""
    os.symlink("..data/db", tmp_path / "db")

    def publish(number: int) -> None:
        made = tmp_path / f"..{number}"
        made.mkdir()
        (made / "db").write_text(f"secret {number}")
        os.symlink(made.name, tmp_path / "..data_tmp")
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")

    publish(1)
    async with followed(SecretFile(str(tmp_path / "db"), _host=host)) as following:
        for number in (1, 2, 3):
            await following.until(lambda wanted=f"secret {number}": following.value == wanted)
            publish(number + 1)
        assert following.told == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "this is empty"),
        (b"\n", "this is empty"),
        (b"\xffs3cr3t-canary", "this is no UTF-8"),
        (b"s3cr3t-canary" * (MAX_BYTES // 10), "this has more"),
    ],
)
async def test_what_is_no_secret_is_refused_and_the_old_one_stays(content, rule, host, tmp_path):
    path = tmp_path / "db"
    put(path, "old")
    async with followed(SecretFile(str(path), _host=host)) as following:
        await following.until(lambda: following.value == "old")
        path.write_bytes(content)
        await following.until(lambda: rule in "".join(following.told))
        assert following.value == "old"
        put(path, "new")
        await following.until(lambda: following.value == "new")
        assert CANARY not in "".join(following.told)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 0), (0o444, 1), (0o602, 1)])
async def test_a_file_that_others_may_read_is_told_once(mode, warned, host, tmp_path, caplog):
    path = tmp_path / "db"
    put(path, CANARY, mode)
    async with followed(SecretFile(str(path), _host=host)) as following:
        await following.until(lambda: following.value == CANARY)
        put(path, "another", mode)
        await following.until(lambda: following.value == "another")
    found = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(found) == warned
    assert all(f"its mode is {mode:04o}" in record.getMessage() for record in found)


async def test_a_variable_that_is_not_set_is_an_error(host, monkeypatch):
    monkeypatch.delenv("SETPOINT_TEST_DB", raising=False)
    with pytest.raises(Refused, match="the environment has no SETPOINT_TEST_DB; set it, and"):
        await anext(SecretEnv("SETPOINT_TEST_DB", _host=host).watch())


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        (
            "print('s3cr3t-canary'); sys.stderr.write('s3cr3t-canary'); sys.exit(3)",
            "found exit code 3",
        ),
        (
            "print('s3cr3t-canary', flush=True); time.sleep(60)",
            "must end within 0.5 s, was stopped",
        ),
        ("print()", "this is empty"),
        ("os.write(1, b's3cr3t-canary\\xff')", "must print UTF-8"),
        ("[os.write(1, b's3cr3t-canary' * 9000) for _ in range(900)]", "and this has more"),
        ("os.kill(os.getpid(), 9)", "found killed by SIGKILL"),
    ],
)
async def test_a_program_that_fails_is_told_without_what_it_said(code, rule, host, caplog):
    program = shlex.join([sys.executable, "-c", f"import os, sys, time; {code}"])
    timeout = 0.5 if "sleep" in code else 20.0
    async with followed(SecretExec(program, timeout=timeout, _host=host)) as following:
        await following.until(lambda: bool(following.told))
        assert rule in following.told[0]
        assert CANARY not in following.told[0].replace(shlex.quote(code), "")
        assert "x" not in following.facts.values
    assert CANARY not in caplog.text


async def test_a_program_gets_a_minimal_environment_and_no_shell(host, monkeypatch):
    monkeypatch.setenv("SETPOINT_TEST_DB", CANARY)
    assert await first(SecretExec("env", env={"A": "b"}, _host=host)) in (
        f"PATH={os.defpath}\nA=b",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nA=b",
    )
    assert await first(SecretExec("echo $HOME * 'a b'", _host=host)) == "$HOME * a b"


# -- as they are written


def tree(value: Any) -> Any:
    """Return `value` as the reader of graph files makes it."""
    if isinstance(value, dict):
        made = Map.new(5)
        for key, inner in value.items():
            made.put(key, tree(inner), 6, 7)
        return made
    if isinstance(value, list):
        items = Seq.new(5)
        for inner in value:
            items.put(inner, 8)
        return items
    return value


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        ({"file": "/run/secrets/db"}, SecretFile("/run/secrets/db")),
        ({"env": "DB"}, SecretEnv("DB")),
        ({"exec": "pass show db"}, SecretExec("pass show db")),
        ({"exec": ["pass", "show", "a b"]}, SecretExec("pass show 'a b'")),
        ({"exec": {"name": ["pass"], "every": 60}}, SecretExec("pass", every=60)),
        (
            {"exec": {"name": "pass x", "timeout": 5, "env": {"A": "b"}}},
            SecretExec("pass x", timeout=5, env={"A": "b"}),
        ),
    ],
)
def test_a_secret_is_declared_by_where_it_comes_from(body, fact):
    problems = []
    assert declared("db", tree(body), Source("site.yaml", "x" * 20), 5, problems) == fact
    assert problems == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (
            "hunter2",
            "the secret db must be a map of file, env, exec to what it is about, not 'hunter2'",
        ),
        (
            {},
            "the secret db must be a map of file, env, exec to what it is about, not an empty map",
        ),
        (
            {"file": "/a", "env": "B"},
            "the secret db comes from one of file, env, exec, not from 2; params stand below it",
        ),
        (
            {"fiel": "/a"},
            "a secret comes from file, env, exec, not from 'fiel'; did you mean 'file'?",
        ),
        ({"file": "db"}, "the secret db: name must be an absolute path, not 'db'"),
        ({"file": 5}, "the secret db: name must be text that is not empty, not 5"),
        ({"file": ["/a"]}, "the secret db: name must be text that is not empty, not a list"),
        ({"env": ""}, "the secret db: name must be text that is not empty, not ''"),
        ({"exec": {"every": 5}}, "the secret db: name must be text that is not empty, not ''"),
        ({"exec": "'a"}, "the secret db: name must be words as a shell has them, found no closing"),
        ({"exec": [""]}, "the secret db: name must be a command"),
        ({"exec": ["a", 5]}, "the secret db: name must be text that is not empty, not a list"),
        ({"exec": {"name": "a", "evry": 5}}, "has no param 'evry'; did you mean 'every'?"),
        (
            {"exec": {"name": "a", "every": 0.5}},
            "the secret db: every must be 0, or 1 or more, not 0.5",
        ),
        ({"exec": {"name": "a", "timeout": "5"}}, "timeout must be a number from 0.1 to 86400"),
    ],
)
def test_a_wrong_secret_is_refused_at_its_place(body, rule):
    problems = []
    source = Source("site.yaml", "secrets: the text of the file")
    assert declared("db", tree(body), source, 5, problems) is None
    assert [rule in problem.message for problem in problems] == [True], problems
    assert problems[0].place[:2] == ("site.yaml", 1)
    assert problems[0].place.column in (6, 7, 8)
