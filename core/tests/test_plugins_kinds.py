"""A kind is imported when it is asked for; one that is broken is named, and nothing else fails."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from textwrap import dedent

import pytest

from setpoint import Change, Fact, PluginError, Resource, Values, hookimpl
from setpoint.errors import SetpointError
from setpoint.plugins import Plugins, UnknownFactError, UnknownKindError
from setpoint.plugins.checks import is_one_typo

Install = Callable[..., None]
GOOD = """\
    from setpoint import Change, Resource, hookimpl

    class Good(Resource):
        kind = "good"

        def check(self) -> list[Change]:
            return []
    """
FACT = """\
    from setpoint import Fact

    class Good(Fact):
        kind = "good"

        async def watch(self):
            yield 1
    """


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution of one module; what it put into `sys.modules` goes at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(
        module: str, code: str, entry: str = "good = {}:Good", group: str = "kinds", name: str = ""
    ) -> None:
        (tmp_path / f"{module}.py").write_text(dedent(code))
        info = tmp_path / f"{name or module}-1.0.dist-info"
        info.mkdir()
        text = f"[setpoint.{group}]\n{entry.format(module)}\n"
        (info / "entry_points.txt").write_text(text)

    yield install  # type: ignore[misc]
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    return Plugins(path=[str(tmp_path)])


def test_a_kind_is_imported_when_it_is_first_asked_for(install: Install, plugins: Plugins) -> None:
    install("good_one", GOOD)
    assert list(plugins.kinds()) == ["good"]
    assert "good_one" not in sys.modules
    kind = plugins.kind("good")
    assert kind is sys.modules["good_one"].Good
    assert plugins.kind("good") is kind
    assert plugins.blame(kind) == "good-one 1.0 (good_one.py:3)"


def test_a_fact_is_imported_when_it_is_first_asked_for(install: Install, plugins: Plugins) -> None:
    install("good_fact", FACT, group="facts")
    assert plugins.fact("good") is sys.modules["good_fact"].Good


def test_a_command_is_imported_when_it_is_called_for(install: Install, plugins: Plugins) -> None:
    install("bell", "def ring(): return 'ring'", "ring = {}:ring", "commands")
    install("dull", "1 / 0", "dull = {}:dull", "commands")
    assert plugins.command("ring")() == "ring"
    with pytest.raises(PluginError, match=r"plugin dull 1\.0: command dull: .*ZeroDivisionError"):
        plugins.command("dull")


def test_a_module_below_a_package_and_a_nested_object_are_found(
    install: Install, plugins: Plugins, tmp_path: Path
) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    code = (
        dedent(GOOD)
        .replace("class Good", "class Outer:\n  class Good")
        .replace("\n    ", "\n      ")
    )
    (tmp_path / "pack" / "inner.py").write_text(code)
    install("unused", "", "good = pack.inner:Outer.Good")
    assert plugins.kind("good").__name__ == "Good"


def test_an_unknown_kind_says_which_was_meant_or_what_to_install(
    install: Install, plugins: Plugins
) -> None:
    install("good_one", GOOD)
    for name, cure in {
        "godo": "did you mean 'good'?",
        "svc": "install setpoint-svc",
        "http:server": "install setpoint-http",
        "fiel": "did you mean 'file'?",
        "xyzzy": "known: good",
    }.items():
        with pytest.raises(UnknownKindError) as caught:
            plugins.kind(name)
        assert str(caught.value) == f"no installed plugin has a kind {name!r}; {cure}"
        assert isinstance(caught.value, SetpointError)


def test_an_unknown_fact_says_which_was_meant_or_what_to_install(plugins: Plugins) -> None:
    for name, cure in {
        "lode": "did you mean 'load'?",
        "load": "install setpoint-sys",
        "kmsg": "install setpoint-kmsg",
        "xyzzy": "none of the 0 facts is like it",
    }.items():
        with pytest.raises(UnknownFactError) as caught:
            plugins.fact(name)
        assert str(caught.value) == f"no installed plugin has a fact {name!r}; {cure}"


HOSTILE = {
    "raises at import": (
        "\n\nraise OSError('no\\nwonder')",
        "bad:Bad cannot be imported, OSError: no (bad.py:3); tell its author, or uninstall it",
    ),
    "raises deep in the library": (
        "import json\n\njson.loads('{')",
        "bad:Bad cannot be imported, JSONDecodeError: Expecting property name enclosed in double "
        "quotes: line 1 column 2 (char 1) (bad.py:3); tell its author, or uninstall it",
    ),
    "leaves the program": (
        "import sys\nsys.exit(3)",
        "bad:Bad cannot be imported, SystemExit: 3 (bad.py:2); tell its author, or uninstall it",
    ),
    "leaves as nothing else does": (
        "raise GeneratorExit",
        "bad:Bad cannot be imported, GeneratorExit (bad.py:1); tell its author, or uninstall it",
    ),
    "raises what cannot be shown": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "bad:Bad cannot be imported, Odd (bad.py:3); tell its author, or uninstall it",
    ),
    "never ends": (
        "def f():\n    f()\nf()",
        "bad:Bad cannot be imported, RecursionError: maximum recursion depth exceeded (bad.py:2); "
        "tell its author, or uninstall it",
    ),
    "is no Python": (
        "x = 1\ny = = 2",
        "bad:Bad cannot be imported, SyntaxError: invalid syntax (bad.py:2); "
        "tell its author, or uninstall it",
    ),
    "needs what is not there": (
        "import os\nimport no_such_library.part",
        "bad:Bad cannot be imported, ModuleNotFoundError: No module named 'no_such_library' "
        "(bad.py:2); install what brings the module 'no_such_library'",
    ),
    "has no such object": (
        "Badd = 1",
        "bad:Bad cannot be imported, AttributeError: module 'bad' has no attribute 'Bad' (bad.py); "
        "did you mean 'Badd'?",
    ),
    "is no class": (
        "def Bad(): pass",
        "must be a subclass of setpoint.Resource, not a function; write one",
    ),
    "is another class": (
        "class Bad: pass",
        "must be a subclass of setpoint.Resource, not the class Bad (bad.py:1); write one",
    ),
    "is of another contract": (
        "setpoint_contract = 2\nclass Bad: pass",
        "needs contract 2, this setpoint has 1 (bad.py:2); upgrade setpoint",
    ),
    "is of an older contract": (
        "class Bad:\n    setpoint_contract = 0",
        "needs contract 0, this setpoint has 1 (bad.py:1); upgrade the plugin",
    ),
    "is of no contract": (
        "class Bad:\n    setpoint_contract = '1'",
        "setpoint_contract must be a whole number, not '1' (bad.py:1); write setpoint_contract = 1",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_kind_is_named_and_the_others_work(
    install: Install, plugins: Plugins, name: str
) -> None:
    code, message = HOSTILE[name]
    install("bad", code, "bad = {}:Bad")
    install("good_one", GOOD)
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugins.kind("bad")
        assert str(caught.value) == f"plugin bad 1.0: kind bad: {message}"
        assert caught.value.distribution == "bad 1.0"
    assert plugins.kind("good").kind == "good"
    assert plugins.problems == []


def test_a_broken_kind_is_imported_once(install: Install, plugins: Plugins, tmp_path: Path) -> None:
    log = tmp_path / "log"
    install(
        "bad", f"with open({str(log)!r}, 'a') as f: f.write('x')\nraise OSError", "bad = {}:Bad"
    )
    for _ in range(3):
        with pytest.raises(PluginError) as caught:
            plugins.kind("bad")
    assert isinstance(caught.value.__cause__, OSError)
    assert log.read_text() == "x"


def test_an_interrupt_while_a_kind_is_imported_is_let_through(
    install: Install, plugins: Plugins
) -> None:
    install("bad", "raise KeyboardInterrupt", "bad = {}:Bad")
    with pytest.raises(KeyboardInterrupt):
        plugins.kind("bad")


def test_a_module_that_is_not_there_is_to_be_installed_again(
    install: Install, plugins: Plugins
) -> None:
    install("bad", "", "bad = missing_part.inner:Bad")
    with pytest.raises(PluginError) as caught:
        plugins.kind("bad")
    assert str(caught.value) == (
        "plugin bad 1.0: kind bad: missing_part.inner:Bad cannot be imported, "
        "ModuleNotFoundError: No module named 'missing_part'; install bad again"
    )


def test_a_kind_that_two_distributions_claim_is_refused_when_it_is_used(
    install: Install, plugins: Plugins, tmp_path: Path
) -> None:
    install("one", GOOD, "good = {0}:Good\nother = {0}:Other")
    install("two", GOOD)
    install("three", GOOD.replace('"good"', '"fine"'), "fine = {}:Good")
    assert plugins.kind("fine").kind == "fine"
    with pytest.raises(PluginError) as caught:
        plugins.kind("good")
    assert str(caught.value) == (
        "kind good comes from both one 1.0 (one:Good) and two 1.0 (two:Good); "
        "uninstall or block one of them"
    )
    assert plugins.problems == []
    assert Plugins(path=[str(tmp_path)], block=["two"]).kind("good").__module__ == "one"


MARKED = """\
from collections.abc import AsyncIterator, Mapping
from functools import wraps
from setpoint import Change, Resource, Values, hookimpl

class Bad(Resource):
    kind = "bad"

    def check(self) -> list[Change]:
        return []
"""
WRONG = {
    "kind = 'worse'": "its kind must be that of its entry point, not 'worse' (bad.py:5); "
    "write kind = 'bad'",
    "@hookimpl\ndef chek_apply(self, apply): ...": "chek_apply is marked @hookimpl, and no verb "
    "(bad.py:11); did you mean 'check_apply'?",
    "@hookimpl\ndef start(self): ...": "start is marked @hookimpl, and no verb (bad.py:11); "
    "known: check_apply, recv, refresh, send, watch",
    "def chek_apply(self, apply): ...": "chek_apply is one letter from the verb check_apply "
    "(bad.py:11); write check_apply, or _chek_apply",
    "async def wacth(self): ...": "wacth is one letter from the verb watch (bad.py:11); "
    "write watch, or _wacth",
    "def refesh(self): ...": "refesh is one letter from the verb refresh (bad.py:11); "
    "write refresh, or _refesh",
    "def sennd(self): ...": "sennd is one letter from the verb send (bad.py:11); "
    "write send, or _sennd",
    "def aply(self, changes): ...": "aply is one letter from the verb apply (bad.py:11); "
    "write apply, or _aply",
    "@hookimpl\nasync def check_apply(self, aply): ...": "check_apply must take (self, apply), "
    "not (self, aply) (bad.py:11); correct its arguments",
    "async def check_apply(self, apply, force): ...": "check_apply must take (self, apply), "
    "not (self, apply, force) (bad.py:11); correct its arguments",
    "def refresh(): ...": "refresh must take (self), not () (bad.py:11); correct its arguments",
    "def recv(self, *, values): ...": "recv must take (self, values), not (self, values) "
    "(bad.py:11); correct its arguments",
    "async def watch(self): ...": "watch must not be a coroutine (bad.py:11); "
    "write `async def` with yield, or `def` that returns a subscription",
    "def watch(self): yield": "watch must not be a generator (bad.py:11); "
    "write `async def` with yield, or `def` that returns a subscription",
    "async def refresh(self): yield": "refresh must not be an async generator (bad.py:11); "
    "return its value",
    "def recv(self, values): yield": "recv must not be a generator (bad.py:11); return its value",
    "@hookimpl(trylast=True)\ndef refresh(self): ...": "refresh: @hookimpl takes no options on a "
    "kind (bad.py:11); leave them out",
    "@hookimpl(specname='refresh')\ndef again(self): ...": "again is marked @hookimpl, and no verb "
    "(bad.py:11); known: check_apply, recv, refresh, send, watch",
    "send: int = 0": "'send' is a verb, and cannot be a param (bad.py:5); "
    "give the param another name",
    "refresh = 5": "refresh must be a method, not an int (bad.py:5); give it another name",
    "def send(self): ...": "has send, and no Sends (bad.py:5); "
    "declare what it sends: class Sends(Values)",
    "class Sends(Values):\n    x: int": "has Sends, and no send (bad.py:5); implement send",
    "class Sends:\n    x: int": "Sends must be a subclass of setpoint.Values, not the class Sends "
    "(bad.py:5); derive it",
    "check = Resource.check": "implements neither check nor check_apply (bad.py:5); "
    "implement check",
}


@pytest.mark.parametrize("body", WRONG)
def test_a_verb_that_is_not_right_is_refused_with_its_line(
    install: Install, plugins: Plugins, body: str
) -> None:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    install("bad", f"{MARKED}\n{indented}", "bad = {}:Bad")
    with pytest.raises(PluginError) as caught:
        plugins.kind("bad")
    assert str(caught.value) == f"plugin bad 1.0: kind bad: {WRONG[body]}"


RIGHT = [
    "def match(self): ...",
    "def _wacth(self): ...",
    "def patch(self): ...",
    "async def check_apply(self, apply, force=False): ...",
    "def check_apply(self, *arguments): ...",
    "@hookimpl\nasync def watch(self): yield",
    "def watch(self): return None",
    "def refresh(self, *, hard=False): ...",
    "def refresh(self): ...",
    "class Sends(Values):\n    x: int\ndef send(self): ...",
    "setpoint_contract = 1",
]


@pytest.mark.parametrize("body", RIGHT)
def test_a_verb_that_is_right_is_taken(install: Install, plugins: Plugins, body: str) -> None:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    install("bad", f"{MARKED}\n{indented}", "bad = {}:Bad")
    assert plugins.kind("bad").kind == "bad"


def test_a_typo_in_a_base_of_the_authors_own_is_seen(install: Install, plugins: Plugins) -> None:
    code = MARKED.replace("Bad(Resource)", "Base(Resource)") + "    def refesh(self): ...\n\n"
    install("bad", f"{code}class Bad(Base):\n    kind = 'bad'\n", "bad = {}:Bad")
    with pytest.raises(PluginError, match=r"refesh is one letter from .* \(bad\.py:10\)"):
        plugins.kind("bad")


@pytest.mark.parametrize("name", ["Bad", "b d", "9", "bad:", "bäd"])
def test_a_kind_that_cannot_be_written_in_a_graph_is_refused(
    install: Install, plugins: Plugins, name: str
) -> None:
    install("bad", MARKED, f"{name} = {{}}:Bad")
    with pytest.raises(PluginError, match="lower case with colons between its parts, not "):
        plugins.kind(name)


FACTS = {
    "class Good: ...": "must be a subclass of setpoint.Fact, not the class Good (bad.py:2); "
    "write one",
    "class Good(Fact):\n    kind = 'good'": "does not implement watch (bad.py:2); "
    "yield the values there",
    "class Good(Fact):\n    kind = 'bad'": "its kind must be that of its entry point, not 'bad' "
    "(bad.py:2); write kind = 'good'",
    "class Good(Fact):\n    kind = 'good'\n    async def watch(self): ...": "watch must yield "
    "values, not return one (bad.py:4); use yield",
}


@pytest.mark.parametrize("code", FACTS)
def test_a_broken_fact_is_named(install: Install, plugins: Plugins, code: str) -> None:
    install("bad", f"from setpoint import Fact\n{code}", group="facts")
    with pytest.raises(PluginError) as caught:
        plugins.fact("good")
    assert str(caught.value) == f"plugin bad 1.0: fact good: {FACTS[code]}"


class Lamp(Resource):
    kind = "lamp"

    class Sends(Values):
        watts: int

    @hookimpl
    async def watch(self) -> AsyncIterator[None]:
        yield

    def check(self) -> list[Change]:
        return []

    @hookimpl
    def send(self) -> Sends:
        return self.Sends(watts=5)


def test_a_program_brings_kinds_of_its_own() -> None:
    plugins = Plugins(path=[])
    plugins.add(Lamp)
    plugins.add(Lamp)
    assert plugins.kind("lamp") is Lamp
    assert plugins.blame(Lamp).startswith("Lamp (")
    with pytest.raises(UnknownKindError, match=r"no .* 'lam'; did you mean 'lamp'\?"):
        plugins.kind("lam")


def test_a_kind_of_the_program_comes_before_an_installed_one(
    install: Install, plugins: Plugins
) -> None:
    install("good_one", GOOD.replace("good", "lamp"), "lamp = {}:Good")
    plugins.add(Lamp)
    assert plugins.kind("lamp") is Lamp


def test_a_kind_of_the_program_is_checked_too() -> None:
    class Bad(Resource):
        kind = "bad"

    class Other(Lamp):
        kind = "lamp"

    plugins = Plugins(path=[])
    with pytest.raises(PluginError, match=r"^kind bad: implements neither check nor check_apply"):
        plugins.add(Bad)
    plugins.add(Lamp)
    with pytest.raises(PluginError, match=r"^kind lamp was added before, from .*; rename one$"):
        plugins.add(Other)
    with pytest.raises(PluginError, match=r"must be a subclass of setpoint\.Resource"):
        plugins.add(Fact)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "meant", "near"),
    [
        ("wacth", "watch", True),
        ("wath", "watch", True),
        ("wwatch", "watch", True),
        ("watchh", "watch", True),
        ("match", "watch", True),
        ("atchw", "watch", False),
        ("wtach", "watch", True),
        ("wahct", "watch", False),
        ("check", "check_apply", False),
        ("", "a", True),
        ("ba", "ab", True),
        ("xy", "ab", False),
    ],
)
def test_one_typo_is_one_letter_or_two_swapped(word: str, meant: str, near: bool) -> None:
    assert is_one_typo(word, meant) is near
    assert is_one_typo(meant, word) is near
