"""Functions of other plugins stand around verbs; a broken one is named and left out."""

import gc
import logging
import sys
import threading
import time
import types
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from setpoint import Change, PluginError, Resource, Values, hookimpl
from setpoint.hookspecs import VERBS, Proceed
from setpoint.plugins import Plugins
from setpoint.watching import Still

CHANGE = Change("state", "off", "on")
Install = Callable[..., None]


class Lamp(Resource):
    """Remembers in which thread each verb ran, and with what."""

    kind = "lamp"
    watts: int = 0

    class Sends(Values):
        watts: int

    @hookimpl
    async def check_apply(self, apply: bool) -> list[Change]:
        self._note("check_apply", apply)
        return [CHANGE]

    @hookimpl
    def refresh(self) -> None:
        self._note("refresh", None)

    @hookimpl
    def send(self) -> Sends:
        self._note("send", None)
        return self.Sends(watts=self.watts)

    def _note(self, verb: str, argument: object) -> None:
        self.memory.setdefault("ran", []).append((verb, argument, threading.current_thread()))


class Switch(Lamp):
    kind = "switch"
    quick = True


def module(name: str, **functions: Any) -> types.ModuleType:
    """Return a module with `functions`, each marked as a hook."""
    made = types.ModuleType(name)
    vars(made).update({verb: hookimpl(function) for verb, function in functions.items()})
    return made


def around(name: str, log: list[str], **options: bool) -> types.ModuleType:
    """Return a plugin that writes to `log` before and after each check."""

    async def check_apply(proceed: Proceed) -> list[Change]:
        log.append(f"{name} before")
        changes: list[Change] = await proceed()
        log.append(f"{name} after")
        return changes

    made = types.ModuleType(name)
    vars(made)["check_apply"] = hookimpl(**options)(check_apply)
    return made


@pytest.fixture
def plugins() -> Plugins:
    return Plugins(path=[])


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution of one wrapper plugin."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(dedent(code))
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(f"[setpoint.plugins]\n{name} = {name}\n")

    yield install  # type: ignore[misc]
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("verb", VERBS)
def test_without_wrappers_a_verb_is_the_method_itself(plugins: Plugins, verb: str) -> None:
    lamp = Lamp("hall")
    assert plugins.bind(lamp, verb) == getattr(lamp, verb)
    assert not plugins.wraps(verb)


def test_a_verb_that_the_kind_does_not_have_cannot_be_bound(plugins: Plugins) -> None:
    class Plain(Resource):
        kind = "plain"

    with pytest.raises(AttributeError, match="refresh"):
        plugins.bind(Plain("one"), "refresh")


async def test_a_wrapper_sees_the_result_and_the_arguments(plugins: Plugins) -> None:
    seen: list[object] = []

    async def check_apply(apply: bool, proceed: Proceed, resource: Resource) -> list[Change]:
        seen.extend((resource, apply, await proceed()))
        return [CHANGE, CHANGE]

    plugins.register(module("audit", check_apply=check_apply))
    lamp = Lamp("hall")
    bound = plugins.bind(lamp, "check_apply")
    assert await bound(True) == [CHANGE, CHANGE]
    assert seen == [lamp, True, [CHANGE]]
    assert plugins.wraps("check_apply")
    assert not plugins.wraps("send")


async def test_an_argument_can_be_given_by_name_or_by_place(plugins: Plugins) -> None:
    plugins.register(around("audit", []))
    lamp = Lamp("hall")
    bound = plugins.bind(lamp, "check_apply")
    await bound(True)
    await bound(apply=False)
    assert [argument for _, argument, _ in lamp.memory["ran"]] == [True, False]


async def test_dry_run_is_a_wrapper_of_one_line(plugins: Plugins) -> None:
    async def check_apply(proceed: Proceed) -> Any:
        return await proceed(apply=False)

    plugins.register(around("inner", []))
    plugins.register(module("dry", check_apply=check_apply))
    lamp = Lamp("hall")
    await plugins.bind(lamp, "check_apply")(apply=True)
    assert [argument for _, argument, _ in lamp.memory["ran"]] == [False]


async def test_a_wrapper_that_does_not_proceed_replaces_the_verb(plugins: Plugins) -> None:
    async def check_apply(proceed: Proceed) -> list[Change]:
        return []

    plugins.register(module("frozen", check_apply=check_apply))
    lamp = Lamp("hall")
    assert await plugins.bind(lamp, "check_apply")(apply=True) == []
    assert "ran" not in lamp.memory


async def test_the_last_registered_is_outermost_unless_it_says_otherwise(plugins: Plugins) -> None:
    log: list[str] = []
    plugins.register(around("first", log, tryfirst=True))
    plugins.register(around("one", log))
    plugins.register(around("two", log))
    plugins.register(around("last", log, trylast=True))
    await plugins.bind(Lamp("hall"), "check_apply")(apply=True)
    assert [line.split()[0] for line in log if "before" in line] == ["first", "two", "one", "last"]
    assert [line.split()[0] for line in log if "after" in line] == ["last", "one", "two", "first"]


async def test_a_plain_wrapper_may_hand_on_what_proceed_gives(plugins: Plugins) -> None:
    def check_apply(proceed: Proceed) -> Awaitable[Any]:
        return proceed(apply=False)

    plugins.register(module("dry", check_apply=check_apply))
    assert await plugins.bind(Lamp("hall"), "check_apply")(True) == [CHANGE]


async def test_a_plain_verb_runs_in_a_thread_when_proceed_is_awaited(plugins: Plugins) -> None:
    async def refresh(proceed: Proceed) -> None:
        await proceed()

    async def send(proceed: Proceed) -> Values:
        sent: Values = await proceed()
        return sent

    plugins.register(module("audit", refresh=refresh, send=send))
    lamp, switch = Lamp("hall", watts=40), Switch("door")
    for resource in (lamp, switch):
        await plugins.bind(resource, "refresh")()
        await plugins.bind(resource, "send")()
    here = threading.current_thread()
    assert [(verb, thread is here) for verb, _, thread in lamp.memory["ran"]] == [
        ("refresh", False),
        ("send", False),
    ]
    assert [thread for _, _, thread in switch.memory["ran"]] == [here, here]


async def test_received_values_can_be_seen_and_changed(plugins: Plugins) -> None:
    async def recv(values: Mapping[str, object], proceed: Proceed) -> None:
        await proceed(values={**values, "watts": 60})

    plugins.register(module("brighter", recv=recv))
    lamp = Lamp("hall")
    await plugins.bind(lamp, "recv")({"watts": 20})
    assert lamp.watts == 60


def test_a_watch_is_wrapped_at_once(plugins: Plugins) -> None:
    seen = []

    def watch(resource: Resource, proceed: Callable[[], Still]) -> Still:
        seen.append(resource)
        return proceed()

    plugins.register(module("audit", watch=watch))
    lamp = Lamp("hall")
    assert isinstance(plugins.bind(lamp, "watch")(), Still)
    assert seen == [lamp]


async def test_an_object_with_methods_is_a_plugin_too(plugins: Plugins) -> None:
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        @hookimpl
        async def check_apply(self, proceed: Proceed) -> Any:
            self.count += 1
            return await proceed()

    one, two = Counter(), Counter()
    for counter in (one, one, two):
        plugins.register(counter)
    await plugins.bind(Lamp("hall"), "check_apply")(apply=True)
    assert (one.count, two.count) == (1, 1)


async def test_two_sets_of_plugins_know_nothing_of_each_other(plugins: Plugins) -> None:
    plugins.register(around("audit", []))
    assert not Plugins(path=[]).wraps("check_apply")


async def test_a_bug_in_a_wrapper_is_blamed_on_it(plugins: Plugins, install: Install) -> None:
    async def check_apply(proceed: Proceed) -> Any:
        await proceed()
        raise LookupError("bug")

    plugins.register(around("inner", []))
    plugins.register(module("audit", check_apply=check_apply))
    plugins.register(around("outer", []))
    with pytest.raises(LookupError) as caught:
        await plugins.bind(Lamp("hall"), "check_apply")(apply=True)
    (note,) = caught.value.__notes__
    assert note.startswith("in the wrapper audit, around check_apply (")
    assert "test_plugins_wrappers.py:" in note


async def test_a_failure_of_the_verb_is_not_blamed_on_its_wrappers(plugins: Plugins) -> None:
    class Broken(Resource):
        kind = "broken"

        @hookimpl
        async def check_apply(self, apply: bool) -> list[Change]:
            raise OSError("full")

    plugins.register(around("inner", []))
    plugins.register(around("outer", []))
    with pytest.raises(OSError, match="full") as caught:
        await plugins.bind(Broken("one"), "check_apply")(apply=True)
    assert not hasattr(caught.value, "__notes__")


def test_a_bug_in_a_wrapper_of_watch_is_blamed_on_it(plugins: Plugins) -> None:
    def watch(proceed: Callable[[], Still]) -> Still:
        proceed()
        raise LookupError("bug")

    plugins.register(module("audit", watch=watch))
    with pytest.raises(LookupError) as caught:
        plugins.bind(Lamp("hall"), "watch")()
    assert caught.value.__notes__[0].startswith("in the wrapper audit, around watch (")


async def test_a_wrapper_that_forgets_to_return_is_named(plugins: Plugins) -> None:
    async def check_apply(proceed: Proceed) -> None:
        await proceed()

    plugins.register(around("inner", []))
    plugins.register(module("forgetful", check_apply=check_apply))
    with pytest.raises(PluginError) as caught:
        await plugins.bind(Lamp("hall"), "check_apply")(apply=True)
    assert str(caught.value).startswith("wrapper forgetful: check_apply returned None, not a list")
    assert str(caught.value).endswith("); return what proceed() gives")
    assert not hasattr(caught.value, "__notes__")


async def test_a_plain_wrapper_that_returns_nothing_is_named(plugins: Plugins) -> None:
    def refresh(proceed: Proceed) -> None:
        return None

    plugins.register(module("forgetful", refresh=refresh))
    with pytest.raises(PluginError, match="refresh returned None, not an awaitable") as caught:
        await plugins.bind(Lamp("hall"), "refresh")()
    assert not hasattr(caught.value, "__notes__")


async def test_a_kind_that_returns_nothing_is_named_rather_than_its_wrapper(
    plugins: Plugins,
) -> None:
    class Broken(Resource):
        kind = "broken"

        @hookimpl
        async def check_apply(self, apply: bool) -> Any:
            return None

    plugins.register(around("audit", []))
    with pytest.raises(TypeError, match=r"^broken one: check_apply returned None, not a list"):
        await plugins.bind(Broken("one"), "check_apply")(apply=True)


async def test_a_misspelled_argument_of_proceed_is_an_error(plugins: Plugins) -> None:
    async def check_apply(proceed: Proceed) -> Any:
        return await proceed(aply=False)

    plugins.register(module("dry", check_apply=check_apply))
    with pytest.raises(TypeError, match="unexpected keyword argument 'aply'"):
        await plugins.bind(Lamp("hall"), "check_apply")(apply=True)


async def test_installed_wrappers_are_used_and_inside_those_of_the_program(
    install: Install, tmp_path: Path
) -> None:
    install(
        "stamp",
        """\
        from setpoint import hookimpl

        @hookimpl
        async def check_apply(resource, proceed):
            resource.memory["log"].append("stamp")
            return await proceed()
        """,
    )
    plugins = Plugins(path=[str(tmp_path)])
    lamp = Lamp("hall")
    log = lamp.memory["log"] = []
    plugins.register(around("own", log))
    await plugins.bind(lamp, "check_apply")(apply=True)
    assert log == ["own before", "stamp", "own after"]
    assert plugins.problems == []


def test_a_blocked_wrapper_is_not_imported(install: Install, tmp_path: Path) -> None:
    install("stamp", "raise OSError")
    plugins = Plugins(path=[str(tmp_path)], block=["stamp"])
    assert not plugins.wraps("check_apply")
    assert plugins.problems == []


HEAD = "from setpoint import hookimpl\n"
BROKEN = {
    "raise OSError('no')": "bad cannot be imported, OSError: no (bad.py:1); "
    "tell its author, or uninstall it",
    "raise SystemExit": "bad cannot be imported, SystemExit (bad.py:1); "
    "tell its author, or uninstall it",
    "setpoint_contract = 3": "needs contract 3, this setpoint has 1; upgrade setpoint",
    "x = 1": "implements no hook; mark its functions @hookimpl, or take out its entry point",
    "def send(proceed): ...": "send is not marked (bad.py:1); write @hookimpl above it",
    f"{HEAD}@hookimpl\ndef sned(proceed): ...": "there is no hook 'sned' (bad.py:2); "
    "did you mean 'send'?",
    f"{HEAD}@hookimpl\ndef send(resource): ...": "send must take proceed, or it would replace the "
    "verb of every resource (bad.py:2); take proceed, and call it",
    f"{HEAD}@hookimpl(wrapper=True)\ndef send(proceed): yield": "send must be a function that "
    "takes proceed, not wrapper=True (bad.py:2); write `return await proceed()` where it yields",
    f"{HEAD}@hookimpl(hookwrapper=True)\ndef send(): yield": "send must be a function that takes "
    "proceed, not wrapper=True (bad.py:2); write `return await proceed()` where it yields",
    f"{HEAD}@hookimpl\ndef check_apply(aply, proceed): ...": "check_apply has no argument 'aply' "
    "(bad.py:2); did you mean 'apply'?",
    f"{HEAD}@hookimpl\ndef send(apply, proceed): ...": "send has no argument 'apply' (bad.py:2); "
    "known: proceed, resource",
    f"{HEAD}@hookimpl\ndef send(resource, *, proceed): ...": "send would never be given proceed "
    "(bad.py:2); write proceed without default, before any *",
    f"{HEAD}@hookimpl\ndef check_apply(proceed, apply=True): ...": "check_apply would never be "
    "given apply (bad.py:2); write apply without default, before any *",
    f"{HEAD}@hookimpl\nasync def send(proceed): yield": "send must not be an async generator "
    "(bad.py:2); return its value",
    f"{HEAD}@hookimpl\nasync def watch(proceed): return proceed()": "watch must not be a coroutine "
    "(bad.py:2); write `async def` with yield, or `def` that returns a subscription",
}


@pytest.mark.parametrize("code", BROKEN)
async def test_a_broken_wrapper_is_named_and_the_others_stand(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    install("bad", code)
    install(
        "good",
        f"{HEAD}@hookimpl\nasync def check_apply(proceed): return [*await proceed(), *'x']\n"
        "@hookimpl(optionalhook=True)\ndef of_a_later_version(proceed): ...\n",
    )
    plugins = Plugins(path=[str(tmp_path)])
    assert await plugins.bind(Lamp("hall"), "check_apply")(apply=True) == [CHANGE, "x"]
    message = f"plugin bad 1.0: wrapper bad: {BROKEN[code]}"
    assert [str(problem) for problem in plugins.problems] == [message]
    assert caplog.record_tuples == [("setpoint.plugins", logging.WARNING, message)]


def test_a_broken_wrapper_of_the_program_is_raised(plugins: Plugins) -> None:
    def send(resource: Resource) -> None: ...

    with pytest.raises(PluginError, match=r"^wrapper mine: send must take proceed, .*\.py:\d+\); "):
        plugins.register(module("mine", send=send))
    assert not plugins.wraps("send")


async def test_a_wrapper_costs_little_and_none_costs_nothing(plugins: Plugins) -> None:
    lamp = Lamp("hall")
    bare = plugins.bind(lamp, "send")
    assert bare == lamp.send, "no layer of ours is called"

    class Quiet(Resource):
        kind = "quiet"

        @hookimpl
        async def check_apply(self, apply: bool) -> list[Change]:
            return []

    async def check_apply(proceed: Proceed) -> Any:
        return await proceed()

    quiet = Quiet("one")
    plain = await _seconds(quiet.check_apply)
    plugins.register(module("audit", check_apply=check_apply))
    wrapped = await _seconds(plugins.bind(quiet, "check_apply"))
    assert wrapped < plain * 40, "about a microsecond, where pluggy takes four"


async def _seconds(verb: Callable[..., Any]) -> float:
    """Return the processor time of a thousand calls, best of five."""
    best = 1e9
    gc.disable()
    for _ in range(5):
        started = time.process_time()
        for _ in range(1000):
            await verb(apply=True)
        best = min(best, time.process_time() - started)
    gc.enable()
    return best
