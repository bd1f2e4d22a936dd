"""Plugins that fail in every way there is: each is named, and all that is healthy is kept as ever."""

import signal
import time
from textwrap import dedent, indent
from typing import NamedTuple

import pytest

BOUND = 2.0  # seconds in which drift of healthy resources is repaired; it takes milliseconds
ORIGIN = "bad-plugin 1.0"
HEAD = """\
import asyncio
import threading
import time

from setpoint import Change, Resource, Values, hookimpl


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even its text")


class Bad(Resource):
    kind = "bad"

    def check(self):
        return []
"""
GRAPH = """\
resources:
  file HOME/before:
    content: healthy
  exec healthy:
    cmd: echo healthy
  bad one:
    require: file HOME/before
    listen: exec healthy
  noop told:
    listen: exec healthy
  file HOME/beside:
    content: healthy
  file HOME/behind:
    content: never made
    require: bad one
"""

# What stands beside `check`, or in its place; "here" marks the line that is to be named.
RAISING = {
    "check": """
        def check(self):
            raise RuntimeError("not today")  # here
        """,
    "check with SystemExit": """
        def check(self):
            raise SystemExit(0)  # here
        """,
    "check of a quick kind": """
        quick = True

        def check(self):
            raise RuntimeError("not today")  # here
        """,
    "check with StopIteration": """
        async def check(self):
            return await self.host.in_thread(self.look)  # here

        def look(self):
            return next(iter(()))
        """,
    "quick that raises": """
        @property
        def quick(self):
            raise RuntimeError("not today")

        def check(self):
            raise RuntimeError("nor tomorrow")  # here
        """,
    "async check": """
        async def check(self):
            raise RuntimeError("not today")  # here
        """,
    "async check with CancelledError": """
        async def check(self):
            raise asyncio.CancelledError  # here
        """,
    "check with an error that has no text": """
        def check(self):
            raise Unspeakable  # here
        """,
    "check with a ValueError of its own": """
        def check(self):
            return int("many")  # here
        """,
    "apply": """
        def check(self):
            return [Change("state", None, "good")]

        def apply(self, changes):
            raise RuntimeError("not today")  # here
        """,
    "apply of a quick kind": """
        quick = True

        def check(self):
            return [Change("state", None, "good")]

        def apply(self, changes):
            raise SystemExit("not today")  # here
        """,
    "refresh": """
        def refresh(self):
            raise RuntimeError("not today")  # here
        """,
    "async refresh": """
        async def refresh(self):
            raise SystemExit("not today")  # here
        """,
    "send": """
        class Sends(Values):
            value: str

        def send(self):
            raise RuntimeError("not today")  # here
        """,
    "recv": """
        value: str = ""

        async def recv(self, values):
            raise RuntimeError("not today")  # here
        """,
}
NONSENSE = {
    f"{form} check returns {what}": f"""
        quick = {form == "quick"}

        def check(self):
            {body}

        def apply(self, changes):
            pass
        """
    for form in ("quick", "plain")
    for what, body in {
        "a number": "return 42",
        "nothing": "pass",
        "texts": "return ['something differs']",
        "a list with nothing": "return [None]",
        "a generator": "yield Change('state', None, 'good')",
    }.items()
}
WATCHES = {
    "watch raises": """
        @hookimpl
        def watch(self):
            raise RuntimeError("not today")  # here
        """,
    "watch raises SystemExit": """
        @hookimpl
        def watch(self):
            raise SystemExit("not today")  # here
        """,
    "watch raises later": """
        @hookimpl
        async def watch(self):
            yield
            raise RuntimeError("not today")  # here
        """,
    "watch ends with SystemExit": """
        @hookimpl
        async def watch(self):
            yield
            raise SystemExit("not today")  # here
        """,
    "watch cancels itself": """
        @hookimpl
        async def watch(self):
            yield
            raise asyncio.CancelledError  # here
        """,
    "watch returns nonsense": """
        @hookimpl
        def watch(self):
            return 42
        """,
    "watch returns nothing": """
        @hookimpl
        def watch(self):
            pass
        """,
}


def install(here, body: str, head: str = HEAD, name: str = "bad-plugin", kind: str = "bad") -> None:
    code = head.replace('"bad"', f'"{kind}"') + "\n" + indent(dedent(body).strip("\n"), "    ")
    here.install(name, code + "\n", kinds=f"{kind} = MODULE:Bad")


def start(here, graph: str = GRAPH):
    here.write(graph)
    running = here.start("run")
    running.out.until(f"file {here.home}/beside: ")
    return running


def assert_healthy_are_kept(here, running) -> None:
    """What is healthy has converged, and is repaired as quickly as ever."""
    for name in ("before", "beside"):
        path = here.home / name
        assert path.read_text() == "healthy"
        began = time.monotonic()
        path.unlink()
        running.out.until(f"file {path}: state file")
        assert time.monotonic() - began < BOUND
        assert path.read_text() == "healthy"


# -- verbs that raise, or return nonsense: all of them in one graph


class Told(NamedTuple):
    """What was said of all the bad ones."""

    run: str
    status: str
    plan: str

    def of(self, kind: str) -> tuple[str, str, str]:
        """Return what each of the three said about the resource of a kind."""
        run, status, plan = (
            "\n".join(line for line in said.splitlines() if f"{kind} one: " in line)
            for said in (self.run, self.status, self.plan.replace("\n    ", ": "))
        )
        return run, status, plan


def kind_of(vice: str) -> str:
    """Return the kind that has a vice; its distribution is called the same with "-" for ":"."""
    return "bad:" + vice.lower().replace(" ", "-")


def declared(vice: str) -> str:
    """Return the lines of a graph file with a resource that has a vice, and one behind it."""
    kind = kind_of(vice)
    params = "    value: '${{ send[\"exec healthy\"].stdout }}'\n" if vice == "recv" else ""
    content = f'${{{{ send["{kind} one"].value }}}}' if vice == "send" else "only after it"
    return f"""\
  {kind} one:
    listen: exec healthy
{params}\
  file HOME/behind-{kind}:
    content: '{content}'
    require: {kind} one
"""


@pytest.fixture(scope="module")
def told(there) -> Told:
    vices = {**RAISING, **NONSENSE, **WATCHES}
    for vice, body in vices.items():
        install(there, body, name=kind_of(vice).replace(":", "-"), kind=kind_of(vice))
    there.write(GRAPH.replace("bad one", "noop one") + "".join(map(declared, vices)))
    plan = there.call("plan")
    running = there.start("run")
    running.out.until("converged: ")
    assert_healthy_are_kept(there, running)
    ended = running.stop()
    assert ended.code == 128 + signal.SIGTERM
    assert "Traceback" not in ended.said
    status = there.call("status")
    assert (status.code, status.err) == (1, "")
    return Told(ended.err, status.out, plan.out)


def assert_named(there, vice: str, said: str, line: str = "class Bad") -> None:
    name = kind_of(vice).replace(":", "-")
    assert f"plugin {name} 1.0 ({there.line(name, 'class Bad')})" in said
    assert there.line(name, line) in said


@pytest.mark.parametrize("vice", RAISING)
def test_a_verb_that_raises_is_named_with_its_line(vice, there, told):
    run, status, _ = told.of(kind_of(vice))
    behind = there.home / f"behind-{kind_of(vice)}"
    assert run.startswith(f"error: {kind_of(vice)} one: ")
    assert_named(there, vice, run, "# here")
    assert f"blocked: file {behind} by {kind_of(vice)} one" in told.run
    assert not behind.exists()
    assert status.startswith(f"failed: {kind_of(vice)} one: ")
    assert_named(there, vice, status, "# here")


@pytest.mark.parametrize("vice", NONSENSE)
def test_a_check_that_returns_nonsense_is_named(vice, there, told):
    for said in told.of(kind_of(vice)):
        assert_named(there, vice, said)
        assert "it must return a list of Change" in said


@pytest.mark.parametrize("vice", [vice for vice in RAISING if "check" in vice])
def test_a_plan_tells_of_a_check_that_raises(vice, there, told):
    _, _, plan = told.of(kind_of(vice))
    assert_named(there, vice, plan, "# here")
    assert f"+ file {there.home}/beside\n" in told.plan


@pytest.mark.parametrize("vice", WATCHES)
def test_a_watch_that_fails_is_named_and_its_resource_checked_all_the_same(vice, there, told):
    run, status, _ = told.of(kind_of(vice))
    assert run.startswith(f"warning: {kind_of(vice)} one: its watch failed, ")
    assert_named(there, vice, run, "# here" if "raise" in WATCHES[vice] else "class Bad")
    assert (there.home / f"behind-{kind_of(vice)}").read_text() == "only after it"
    assert status == ""


def test_a_watch_that_hangs_is_named_and_its_resource_checked_all_the_same(here):
    body = """
        @hookimpl
        async def watch(self):
            await asyncio.Event().wait()
            yield
        """
    install(here, body)
    running = start(here)
    assert_healthy_are_kept(here, running)
    said = running.err.until("warning: bad one: its watch has not begun after 5 s")
    assert f"{ORIGIN} ({here.line('bad-plugin', 'class Bad')})" in said
    running.out.until(f"file {here.home}/behind: ")
    assert running.stop().code == 0


# -- blocking


def test_a_verb_that_blocks_the_loop_is_named_and_the_others_go_on_afterwards(here):
    body = """
        async def check(self):
            time.sleep(2.5)  # here
            return []
        """
    install(here, body)
    here.write(GRAPH)
    running = here.start("run")
    said = running.err.until("the event loop has been blocked for 1 s at ")
    assert here.line("bad-plugin", "# here") in said
    assert ORIGIN in said
    running.out.until("converged: ")
    assert_healthy_are_kept(here, running)
    assert running.stop().code == 0


def test_a_quick_kind_that_blocks_is_not_quick_any_more(here):
    body = """
        quick = True

        def check(self):
            time.sleep(2.5)  # here
            return []
        """
    install(here, body)
    here.write(GRAPH)
    running = here.start("run")
    assert here.line("bad-plugin", "# here") in running.err.until("has been blocked for 1 s at ")
    running.out.until("converged: ")
    assert_healthy_are_kept(here, running)
    assert running.stop().code == 0


def test_a_loop_that_is_blocked_for_ever_ends_with_the_third_signal(here):
    install(here, "async def check(self):\n    threading.Event().wait()  # here")
    here.write(GRAPH)
    running = here.start("run")
    said = running.err.until(
        "error: the event loop has been blocked for 5 s, and nothing else goes"
    )
    assert here.line("bad-plugin", "# here") in said
    assert ORIGIN in said
    while running.process.poll() is None:  # nothing is said any more, and signals may coalesce
        running.interrupt()
    assert running.end().code == 128 + signal.SIGINT


NEVER = {
    "plain": "def check(self):\n    threading.Event().wait()",
    "async": "async def check(self):\n    await asyncio.Event().wait()",
    "plain in a batch": """
        def check(self):
            threading.Event().wait()

        async def apply(self, changes):
            pass
        """,
}


@pytest.mark.parametrize("form", NEVER)
def test_a_verb_that_never_returns_keeps_nobody_but_what_requires_it(form, here):
    install(here, NEVER[form])
    running = start(here)
    running.out.until("noop told: refreshed")
    assert_healthy_are_kept(here, running)
    running.interrupt()
    running.err.until("stopping, waiting for bad one; once more cancels")
    running.interrupt()
    place = here.line("bad-plugin", "class Bad")
    told = f"it was stopped in the middle (plugin {ORIGIN} ({place})); a meta.timeout limits it"
    running.err.until(f"error: bad one: {told}")
    ended = running.end()
    assert ended.code == 128 + signal.SIGINT
    assert "2 unfinished" in ended.out
    assert not (here.home / "behind").exists()
    status = here.call("status")
    assert status.code == 1
    assert f"failed: bad one: {told}" in status.out


def test_a_time_limit_is_for_verbs_that_never_return(here):
    install(here, "def check(self):\n    threading.Event().wait()  # here")
    here.write(GRAPH.replace("one:\n", "one:\n    meta: { timeout: 0.2 }\n"))
    ended = here.call("apply")
    assert ended.code == 1
    assert "error: bad one: it took longer than 0.2 s" in ended.err
    assert (here.home / "beside").exists()


# -- import


@pytest.mark.parametrize("line", ["raise SystemExit(0)", "def f(:"])
def test_a_kind_that_cannot_be_imported_is_named_where_it_is_used_and_only_there(line, here):
    install(here, "", head=f"{line}  # here\n{HEAD}")
    here.write(GRAPH)
    ended = here.call("apply")
    assert (ended.code, ended.out) == (1, "")
    place = here.line("bad-plugin", "# here")
    assert f"graph.yaml:6:3: plugin {ORIGIN}: kind bad: bad_plugin:Bad cannot be imp" in ended.err
    assert place in ended.err
    assert not (here.home / "before").exists()
    here.write("resources:\n  file HOME/before:\n    content: healthy\n")
    assert here.call("apply").code == 0
    kinds = here.call("kinds")
    assert (kinds.code, kinds.err) == (0, "")
    assert ["bad", *ORIGIN.split()] in map(str.split, kinds.out.splitlines())


def test_a_graph_goes_on_when_one_with_a_broken_kind_is_to_take_its_place(here):
    install(here, "", head="raise SystemExit(3)  # here\n")
    healthy = "resources:\n  file HOME/before:\n    content: healthy\n"
    here.write(healthy + "  file HOME/beside:\n    content: healthy\n")
    running = here.start("run")
    running.out.until("converged: ")
    here.write(GRAPH)
    running.err.until("the graph stays as it was, the new one is wrong:")
    assert here.line("bad-plugin", "# here") in running.err.until(ORIGIN)
    assert_healthy_are_kept(here, running)
    assert running.stop().code == 0


# -- wrappers

WRAPPER = """\
from setpoint import hookimpl

@hookimpl
async def check_apply(resource, proceed):
    changes = await proceed()
    if resource.name == "one":
        raise {error}  # here
    return changes
"""
WRAPPED = """\
resources:
  file HOME/before:
    content: healthy
  noop one:
    require: file HOME/before
  file HOME/beside:
    content: healthy
  file HOME/behind:
    content: never made
    require: noop one
"""


@pytest.mark.parametrize("error", ["RuntimeError('not today')", "OSError('not today')"])
def test_a_wrapper_that_raises_is_named_and_not_the_kind(error, here):
    here.install("bad-audit", WRAPPER.replace("{error}", error), plugins="audit = MODULE")
    running = start(here, WRAPPED)
    said = running.err.until("error: noop one: ")
    place = here.line("bad-audit", "@hookimpl")
    assert f"not today; in the wrapper audit of bad-audit 1.0, around check_apply ({place})" in said
    assert "setpoint-noop" not in said
    running.err.until(f"blocked: file {here.home}/behind by noop one")
    assert_healthy_are_kept(here, running)
    assert running.stop().code == 128 + signal.SIGTERM
    assert "bad-audit 1.0" in here.call("status").out


def test_a_wrapper_that_cannot_be_imported_is_named_and_left_out(here):
    here.install("bad-audit", "raise SystemExit(0)  # here", plugins="audit = MODULE")
    running = start(here, WRAPPED)
    said = running.err.until("warning: plugin bad-audit 1.0: wrapper audit: bad_audit cannot be ")
    assert here.line("bad-audit", "# here") in said
    running.out.until(f"file {here.home}/behind: ")
    assert_healthy_are_kept(here, running)
    assert running.stop().code == 0
