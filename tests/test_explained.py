"""`setpoint explain` tells each cause and each result, in order, also of a run that was killed."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setpoint import Change, Resource, Values, hookimpl
from setpoint.cli.explain import Found, Since
from setpoint.engine import lasting
from setpoint.engine.events import Changed, Converged, Failed, Fighting, Recovered, Refreshed
from setpoint.errors import Refused
from setpoint.graph import Edge
from setpoint.host import Host
from setpoint.journal import Entry, read_status, read_trace
from setpoint.resource import Meta
from setpoint.testing.engines import Kept
from setpoint.values import Ref, Secret
from setpoint_exec import Exec
from setpoint_file import File
from setpoint_noop import Noop


class Source(Resource):
    """Sends what is in a file.

    name: the path of the file.
    """

    kind = "source"

    class Sends(Values):
        """What it sends."""

        text: str

    @hookimpl
    def watch(self) -> Any:
        return self.host.watcher.path(self.name)

    def check(self) -> list[Change]:
        return []

    @hookimpl
    def send(self) -> Sends:
        return self.Sends(text=Path(self.name).read_text())


class Fickle(Resource):
    """Fails after it has changed something, as long as a file is there.

    name: the path of the file.
    """

    kind = "fickle"
    done: ClassVar[set[str]] = set()

    @hookimpl
    def watch(self) -> Any:
        return self.host.watcher.path(self.name)

    def check(self) -> list[Change]:
        return [] if self.name in self.done else [Change("done", False, True)]

    def apply(self, changes: list[Change]) -> None:
        if os.path.exists(self.name):
            raise Refused("not today", "remove the file")
        self.done.add(self.name)


class Hidden(Resource):
    """Has a secret that differs once.

    name: any.
    text: the secret.
    """

    kind = "hidden"
    text: Secret[str] = Secret("")

    def check(self) -> list[Change]:
        return (
            []
            if "done" in self.memory
            else [Change("text", f"not {self.text.reveal()}", self.text)]
        )

    def apply(self, changes: list[Change]) -> None:
        self.memory["done"] = True


class Broken(Resource):
    """Is absent; its watch fails while `is_broken`.

    name: the path of a file.
    """

    kind = "broken"
    is_broken: ClassVar[bool] = False

    @hookimpl
    def watch(self) -> Any:
        if self.is_broken:
            raise OSError("ask later")
        return self.host.watcher.path(self.name)

    def check(self) -> list[Change]:
        return [Change("state", "file", None)] if os.path.exists(self.name) else []

    def apply(self, changes: list[Change]) -> None:
        os.unlink(self.name)


class Ticks(Broken):
    """What requires it looks again when it has changed.

    name: the path of a file.
    """

    kind = "ticks"
    is_broken: ClassVar[bool] = False
    rechecks = True


def explained(host: Host, id_: str = "", since: Since = Since()) -> list[str]:  # noqa: B008 - is frozen
    """What is told of a resource, or of all: lines that are not empty, without times and places in depth."""
    found = Found(read_trace(host.root), read_status(host.root))
    told = found.of(id_, since) if id_ else found.all(since)
    text = "\n".join(told.lines()).replace(f"{os.environ['HERE']}/", "")
    date, clock, took = (
        r" ?\d{4}-\d\d-\d\d",
        r" ?\d\d:\d\d:\d\d(\.\d+)?",
        r" \([\d.]+ m?s\)|, [\d.]+ m?s before",
    )
    text = re.sub(f"{date}|{clock}|{took}", "", text)
    return list(filter(None, map(str.strip, text.splitlines())))


def entries(host: Host, what: str) -> list[Entry]:
    return [entry for entry in read_trace(host.root) if entry.what == what]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", str(tmp_path))


async def test_what_something_else_changed_is_followed_to_the_refresh(engine, host, tmp_path):
    file, told = File(f"{tmp_path}/motd", content="hello"), tmp_path / "told"
    reload = Exec("reload", cmd=f"echo >> {told}", shell=True, refresh_only=True)
    async with engine.keeping(file, reload, edges=f"{file.id} ~> exec reload") as kept:
        Path(file.name).write_text("other")
        await kept.told(Refreshed)
        await kept.told(Converged)
    chains = [
        "file motd changed when it was first looked at: state, content",
        "exec reload refreshed, for file motd",
        "file motd changed because something changed it: content other -> hello",
        "exec reload owes a refresh because of file motd",
        "exec reload refreshed, for file motd",
    ]
    assert explained(host, "exec reload") == [
        "exec reload: settled since, refreshed twice",
        *chains,
    ]
    assert explained(host, file.id) == [
        f"{file.id}: settled since, changed twice".replace(f"{tmp_path}/", ""),
        *chains,
    ]
    assert explained(host) == ["a run began", *chains, "the run ended"]


async def test_a_notification_is_followed_through_what_only_passes_it_on(engine, host, tmp_path):
    file, end = File(f"{tmp_path}/a", content="a"), Exec("end", cmd="true", refresh_only=True)
    between = File(f"{tmp_path}/between", content="b")
    edges = f"{file.id} ~> {between.id}; {between.id} ~> exec end"
    async with engine.keeping(file, between, end, edges=edges) as kept:
        Path(file.name).write_text("b")
        await kept.told(Refreshed, "exec end")
        await kept.told(Converged)
    assert explained(host, "exec end", Since(chains=1))[1:] == [
        "file a changed because something changed it: content b -> a",
        "file between does not refresh itself, and passes on that file a changed",
        "exec end owes a refresh because of file between",
        "exec end refreshed, for file between",
    ]


async def test_a_blocked_chain_names_its_root_and_how_it_got_free(engine, host, tmp_path):
    file = File(f"{tmp_path}/none/a", content="a")
    first, last = Noop("first"), Exec("last", cmd="true")
    edges = f"{file.id} -> noop first; noop first -> exec last"
    async with engine.keeping(file, first, last, edges=edges) as kept:
        (tmp_path / "none").mkdir()
        await kept.told(Recovered, "exec last")
    assert explained(host, "exec last")[1:] == [
        "file none/a failed when it was first looked at: none is not there; declare it too, or write recurse: true",
        "exec last blocked by noop first, at the root of it file none/a",
        "file none/a is as declared again",
        "noop first is as declared again",
        "exec last changed because noop first is as declared again: run (nothing) -> cmd true",
        "exec last is as declared again",
    ]


async def test_another_declaration_says_because_of_what(engine, host, tmp_path):
    def graph(content: str, *more: Resource) -> Any:
        return engine.graph(File(f"{tmp_path}/a", content=content), *more)

    file = f"file {tmp_path}/a"
    async with engine.keeping(File(f"{tmp_path}/a", content="one"), Noop("old")) as kept:
        kept.engine.swap(
            graph("two"), because={file: "site.yaml was saved", "noop old": "when is false"}
        )
        await kept.told(Changed, file)
        new = File(f"{tmp_path}/new", content="x")
        kept.engine.swap(graph("two", new), because={new.id: "facts.load.x1 1.5 -> 5.2"})
        await kept.told(Changed, new.id)
        kept.engine.swap(graph("three", new))
        await kept.told(Changed, file)
    assert explained(host)[2:] == [
        "another graph took the place of the one that ran: 1 changed, 1 removed",
        "noop old left the graph because when is false",
        "file a changed because site.yaml was saved: content one -> two",
        "another graph took the place of the one that ran: 1 added",
        "file new changed because facts.load.x1 1.5 -> 5.2: state (nothing) -> file, content (nothing) -> x",
        "another graph took the place of the one that ran: 1 changed",
        "file a changed because its declaration is different: content two -> three",
        "the run ended",
    ]
    assert explained(host, "noop old") == [
        "noop old: not in the graph since",
        "noop old left the graph because when is false",
    ]


async def test_what_is_put_back_says_who_left_the_graph_and_because_of_what(engine, host, tmp_path):
    def declare() -> File:
        return File(f"{tmp_path}/a", content="ours", meta=Meta(reverse=True))

    file, back = declare().id, f"reverse {declare().id}"
    async with engine.keeping(declare()) as kept:
        kept.engine.swap(engine.graph(), because={file: "facts.load.x1 5.2 -> 1.5"})
        await kept.told(Changed, back)
    assert explained(host, back)[1:] == [
        "file a left the graph because facts.load.x1 5.2 -> 1.5",
        "reverse file a changed because file a left the graph: state file -> (nothing)",
    ]
    await engine.converge(declare())
    await engine.converge()  # between two runs nobody saw it go
    assert explained(host, back)[-1:] == [
        "reverse file a changed because file a left the graph: state file -> (nothing)"
    ]
    assert [entry.why for entry in entries(host, "changed") if entry.id == back] == ["left"] * 2


async def test_a_reason_with_a_known_secret_is_told_without_it(engine, host, tmp_path):
    async with engine.keeping(Exec("a", cmd="true")) as kept:
        secret = Hidden("b", text=Secret("hunter2-hunter2"))
        kept.engine.swap(engine.graph(secret), because={secret.id: "text is hunter2-hunter2 now"})
        await kept.told(Changed, secret.id)
    assert explained(host, secret.id)[1:] == [
        "hidden b changed because text is (secret) now: text (secret) -> (secret)"
    ]
    assert "hunter2" not in str(read_trace(host.root))


async def test_a_value_that_came_says_which_and_from_whom(engine, host, tmp_path):
    (tmp_path / "source").write_text("one")
    source, file = Source(f"{tmp_path}/source"), File(f"{tmp_path}/a")
    graph = engine.graph(source, file, edges=f"{source.id} -> {file.id}")
    graph.receives[file.id] = {"content": Ref(source.id, "text")}
    kept = Kept(engine.make(graph))
    await kept.told(Converged)
    Path(source.name).write_text("another")
    await kept.heard(
        lambda event: isinstance(event, Changed) and event.changes[0].after == "another"
    )
    await kept.end()
    assert explained(host, file.id, Since(chains=1))[1:] == [
        "source source sends another text because something changed it",
        "file a changed because source source sends another text: content one -> another",
    ]


async def test_a_failure_tells_when_it_is_tried_again_and_what_came_of_it(engine, host, tmp_path):
    file = File(f"{tmp_path}/none/a", content="a", meta=Meta(retry=-1, delay=0.3, poll=600))
    kept = Kept(engine.make(engine.graph(file)))
    await kept.told(Failed)
    (tmp_path / "none").mkdir()
    await kept.told(Converged)
    await kept.end()
    why = "none is not there; declare it too, or write recurse: true; tried again in 300 ms"
    assert explained(host, file.id) == [
        "file none/a: settled since, changed once",
        f"file none/a failed when it was first looked at: {why}",
        "file none/a changed when it was tried again: state (nothing) -> file, content (nothing) -> a",
        "file none/a is as declared again",
    ]


async def test_polls_and_people_are_told_from_events(engine, host, tmp_path):
    path = tmp_path / "a"
    async with engine.keeping(File(str(path), content="a", meta=Meta(poll=0.2))) as kept:
        path.write_text("b")
        await kept.told(Changed)
    async with engine.keeping(File(str(path), content="a", meta=Meta(poll=600))) as kept:
        for ask in (lambda: kept.engine.mark(f"file {path}"), kept.engine.mark):
            path.write_text("c")
            ask()
            await kept.told(Changed)
    assert [line for line in explained(host, f"file {path}") if "->" in line] == [
        "file a changed when it was looked at as often as its meta.poll says: content b -> a",
        *["file a changed when somebody asked to look at it: content c -> a"] * 2,
    ]


async def test_what_is_fought_over_is_told_with_all_that_was_found(engine, host, tmp_path):
    path = tmp_path / "a"
    async with engine.keeping(File(str(path), content="ours")) as kept:
        for number in range(5):
            path.write_text(f"theirs {number}")
            await kept.told(Changed)
        await kept.told(Fighting)
    *found, fight = explained(host, f"file {path}")[-6:]
    told = "file a changed because something changed it: content theirs {} -> ours"
    assert found == [told.format(number) for number in range(5)]
    assert fight == "file a left alone for 1 s: something else changes it back again and again"


async def test_a_failed_notifier_tells_whom_it_holds_back_and_whom_it_drops(engine, host, tmp_path):
    fickle = Fickle(f"{tmp_path}/fickle")
    Path(fickle.name).touch()
    graph = engine.graph(fickle, Noop("held"), Noop("dropped"), Noop("fired"))
    for policy in ("hold", "drop", "fire"):
        listener = {"hold": "held", "drop": "dropped", "fire": "fired"}[policy]
        graph.connect(Edge(fickle.id, f"noop {listener}", policy))
    kept = Kept(engine.make(graph))
    await kept.told(Refreshed, "noop fired")
    await kept.told(Converged)
    Path(fickle.name).unlink()
    await kept.told(Refreshed, "noop held")
    await kept.told(Converged)
    await kept.end()
    failed = "fickle fickle failed when it was first looked at: not today; remove the file"
    assert explained(host, "noop held")[1:3] == [
        failed,
        "noop held is not refreshed before fickle fickle is as declared (hold)",
    ]
    assert (
        explained(host, "noop dropped")[2]
        == "noop dropped is not refreshed, because fickle fickle failed (drop)"
    )
    assert "noop fired refreshed, for fickle fickle" in explained(host, "noop fired")
    assert "noop held refreshed, for fickle fickle" in explained(host, "noop held")
    assert not entries(host, "dropped")[1:]


async def test_a_watch_that_fails_and_begins_anew_is_told(engine, host, tmp_path):
    path = tmp_path / "a"
    Broken.is_broken = True
    async with engine.keeping(Broken(str(path), meta=Meta(delay=0.2))) as kept:
        path.touch()
        Broken.is_broken = False
        await kept.told(Changed)
    assert explained(host, f"broken {path}")[1:] == [
        "broken a: its watch failed, ask later; begun anew in 200 ms",
        "broken a changed when its watch had begun anew: state file -> (nothing)",
    ]


async def test_what_looks_again_because_of_what_it_requires_says_so(engine, host, tmp_path):
    clock, path = tmp_path / "clock", tmp_path / "a"
    async with engine.keeping(
        Ticks(str(clock)),
        Broken(str(path), meta=Meta(poll=600)),
        edges=f"ticks {clock} -> broken {path}",
    ) as kept:
        path.touch()
        clock.touch()
        await kept.told(Changed, f"broken {path}")
    assert explained(host, f"broken {path}")[1:] == [
        "ticks clock changed because something changed it: state file -> (nothing)",
        "broken a changed because ticks clock changed, which it requires: state file -> (nothing)",
    ]


async def until_kept(kept: Kept, host: Host, what: str, id_: str) -> None:
    """Wait until the journal has such an entry."""
    loop, written = asyncio.get_running_loop(), asyncio.Event()
    kept.engine._journal.steps = lambda step: (
        step == "trace:durable" and loop.call_soon_threadsafe(written.set)
    )
    await written.wait()
    while id_ not in [entry.id for entry in entries(host, what)]:
        written.clear()
        await written.wait()


async def test_what_waits_names_the_run_that_takes_long(engine, host, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    long, last = Exec("long", cmd=f"read x < {fifo}", shell=True), Exec("last", cmd="true")
    graph = engine.graph(
        long, Noop("between"), last, edges="exec long -> noop between; noop between -> exec last"
    )
    kept = Kept(engine.make(graph))
    await until_kept(kept, host, "waits", last.id)
    waits, runs = explained(host, last.id), explained(host, long.id)
    fifo.write_text("go\n")
    await kept.told(Converged)
    await kept.end()
    assert waits == [
        "exec last: waiting, since",
        "waits for exec long",
        "exec long runs since when it was first looked at",
        "exec last waits for exec long",
    ]
    assert runs[0] == "exec long: running, since"
    assert explained(host, last.id)[0] == "exec last: settled since, changed once"
    assert "exec long has run for 0 s" in re.sub(
        r"[\d.]+ s$", "0 s", "\n".join(explained(host, long.id)), flags=re.M
    )


async def test_what_waits_for_a_semaphore_names_the_run_that_has_it(engine, host, tmp_path):
    fifo, one = tmp_path / "fifo", Meta(sema=("one",))
    os.mkfifo(fifo)
    long = Exec("long", cmd=f"read x < {fifo}", shell=True, meta=one)
    kept = Kept(engine.make(engine.graph(long, Exec("next", cmd="true", meta=one))))
    await until_kept(kept, host, "waits", "exec next")
    waits = explained(host, "exec next")
    fifo.write_text("go\n")
    await kept.told(Converged)
    await kept.end()
    assert waits[:2] == ["exec next: waiting, since", "waits for exec long"]
    assert explained(host, "exec next")[0] == "exec next: settled since, changed once"


async def test_what_its_limit_keeps_waiting_says_so_and_how_long(engine, host, tmp_path):
    file = File(f"{tmp_path}/a", content="a", meta=Meta(limit=0.1, burst=1))
    kept = Kept(engine.make(engine.graph(file)))
    await kept.told(Changed, file.id)
    kept.engine.mark(file.id)
    await until_kept(kept, host, "waits", file.id)
    waits = [re.sub(r"[\d.]+ s ", "10 s ", line) for line in explained(host, file.id)]
    await kept.end()
    assert waits == [
        "file a: waiting, since, changed once",
        "waits 10 s for its meta.limit",
        "file a changed when it was first looked at: state, content",
        "file a waits 10 s for its meta.limit",
    ]


async def test_what_waited_for_its_limit_and_changed_nothing_is_settled(
    engine, host, tmp_path, monkeypatch
):
    monkeypatch.setattr(lasting, "LONG", 0.01)
    file = File(f"{tmp_path}/a", content="a", meta=Meta(limit=1, burst=1))
    async with engine.keeping(file) as kept:
        kept.engine.mark(file.id)
        await kept.told(Converged)
    assert entries(host, "waits")
    assert explained(host, file.id)[0] == "file a: settled since, changed once"


async def test_what_noop_leaves_is_told_too(engine, host, tmp_path):
    path = tmp_path / "a"
    path.write_text("a")
    async with engine.keeping(File(str(path), content="a", meta=Meta(noop=True))) as kept:
        path.write_text("b")
        await kept.told(Changed)
    assert explained(host, f"file {path}") == [
        "file a: not as declared since, and left so (noop)",
        "file a differs because something changed it, and is left as it is: content b -> a",
    ]


async def test_chains_stand_in_the_order_in_which_they_began(engine, host, tmp_path):
    await engine.converge(Noop("any"))

    def entry(number: int, id_: str, cause: int = 0) -> Entry:
        return Entry(number=number, id=id_, at=number, what="recovered", cause=cause)

    trace = [entry(1, "file old"), entry(2, "file a"), entry(3, "file b"), entry(4, "exec", 2)]
    latest = Found(trace, read_status(host.root)).all(Since(chains=2))
    assert [[e.number for e in chain.entries] for chain in latest.chains] == [[2, 4], [3]]


# -- the command, while an engine runs and after it died

KILLED = """\
    resources:
      exec slow:
        cmd: touch HOME/made; echo up; read x < HOME/fifo
        shell: true
        creates: HOME/made
        notify: noop told
      noop told:
      file HOME/motd:
        content: hello
        notify: exec reload
      exec reload:
        cmd: test -e HOME/fast || { echo waits; read x < HOME/fifo; }
        shell: true
        refresh_only: true
"""


@pytest.mark.timeout(60)
async def test_after_a_kill_it_tells_what_was_under_way_and_then_what_came_of_it(here):
    os.mkfifo(here.home / "fifo")
    here.write(KILLED)
    running = here.start("run", "--json")
    said: set[str] = set()
    while said < {"up", "waits"}:
        said.add(json.loads(running.out.until('"Progress"'))["text"])
    while (
        f"  owes a refresh because of file {here.home}/motd since "
        not in here.call("explain", "exec", "reload").out
    ):
        assert running.process.poll() is None  # debts are written soon, not at once
    running.process.kill()
    running.end()
    os.close(os.open(here.home / "fifo", os.O_WRONLY | os.O_NONBLOCK))  # which ends its children
    told = here.call("explain", "exec", "slow")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[:2] == [
        "exec slow: settled",
        "  its change has begun and not ended",
    ]
    assert "the last run was killed: what it did in its last half second may be missing" in told.out
    (here.home / "fast").touch()
    assert here.call("apply").code == 0
    told = here.call("explain", "noop", "told").out
    first, last = told.splitlines()[-2:]
    assert first.endswith("exec slow had begun to change and not ended, which counts as a change")
    assert "  noop told refreshed, for exec slow (" in last
    reload = here.call("explain", "exec", "reload").out
    assert (
        f"exec reload refreshed, for file {here.home}/motd, owed since before this run (" in reload
    )
    assert "the run before did not end by itself" in here.call("explain").out


def test_the_command_tells_json_and_names_what_may_have_been_meant(here):
    here.write("resources:\n  file HOME/motd:\n    content: hello\n")
    never = here.call("explain")
    assert (never.code, never.err.count("there never was a run with this state directory")) == (
        1,
        1,
    )
    here.call("apply")
    wrong = here.call("explain", "file", f"{here.home}/mtd")
    assert wrong.code == 1
    assert (
        f"the journal has nothing about 'file {here.home}/mtd', it is in no graph that ran"
        in wrong.err
    )
    assert f"; did you mean 'file {here.home}/motd'?" in wrong.err
    assert here.call("explain", "file").code == 2
    assert "write 15m, 1h, 2d, or 5" in here.call("explain", "--since", "yesterday").err
    found = json.loads(here.call("explain", "file", f"{here.home}/motd", "--json").out)
    (entry,) = found["chains"][0]
    assert (entry["what"], entry["why"], entry["text"]) == ("changed", "first", "state, content")
    assert here.call("explain", "--since", "0s").out == "no entries are kept about that\n"


def test_while_an_engine_runs_it_is_told_what_it_did(here):
    here.write("resources:\n  file HOME/motd:\n    content: hello\n")
    running = here.run()
    (here.home / "other").write_text("other")
    (here.home / "other").rename(here.home / "motd")  # at once: not empty in between
    running.event("Changed", f"file {here.home}/motd")
    wanted = "changed because something changed it: content other -> hello"
    while wanted not in here.call("explain", "file", f"{here.home}/motd").out:
        assert running.process.poll() is None
    running.stop()


@pytest.mark.root
async def test_who_may_not_read_the_journal_is_told_so(engine, host):
    from setpoint.testing.lives import as_nobody

    await engine.converge(Noop("a"))

    async def ask(_: str) -> None:
        from setpoint.cli.status import refuse_none

        refuse_none(Path(host.root))

    assert (
        "this user may not read it; ask as the user who runs the graph"
        in (await as_nobody(ask)).text
    )
