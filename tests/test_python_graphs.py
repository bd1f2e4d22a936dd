"""Python programs that run graphs, with the kinds and facts that are installed."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from setpoint import Engine, Graph, each, facts, fn, pick, when, where
from setpoint.engine import Options
from setpoint.engine.events import Changed, Converged, Event, Refreshed, Swapped, Warned
from setpoint.errors import GraphError
from setpoint.host import Host
from setpoint.journal import read_trace
from setpoint.kinds import Exec, File, Noop, Password
from setpoint.program import Runnable, graph

PATIENCE = 10


class Running:
    """A graph that is run, and what it tells."""

    def __init__(self, graph: Runnable, host: Any) -> None:
        self.graph = graph
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        graph.listen(self.events.put_nowait)
        self.run = asyncio.create_task(graph.run(host=host))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; events make us look."""
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                await self.events.get()

    async def told(self, sort: type[Event]) -> Any:
        """Return the next event of a sort."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(event := await self.events.get(), sort):
                pass
        return event

    async def end(self) -> None:
        """Stop it."""
        self.graph.stop()
        await self.run


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Callable[[Runnable], Any]]:
    """Return a function that runs a graph until it has converged."""
    all_of_them: list[tuple[Running, Host]] = []

    async def started(graph: Runnable) -> Running:
        host = Host(state=tmp_path / f"state{len(all_of_them)}")
        running = Running(graph, host)
        all_of_them.append((running, host))
        await running.told(Converged)
        return running

    yield started
    for running, host in all_of_them:
        await running.end()
        host.close()


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Return a file that a fact is about."""
    path = tmp_path / "note"
    path.write_text("1")
    return path


async def test_a_resource_appears_and_disappears_with_a_fact(begin, note, tmp_path):
    with Graph("app") as g:
        content = facts("file", str(note)).content
        with when(fn.int(content) > 4):
            File(str(tmp_path / "busy"), content=f"{content}!", meta={"reverse": True})
        File(str(tmp_path / "state"), content=pick(fn.int(content) > 4, "busy", "idle"))
    running, busy, state = await begin(g), tmp_path / "busy", tmp_path / "state"
    for _ in range(2):
        assert not busy.exists()
        assert state.read_text() == "idle"
        note.write_text("7")
        await running.until(lambda: busy.exists() and state.read_text() == "busy")
        assert busy.read_text() == "7!"
        note.write_text("2")
        await running.until(lambda: not busy.exists() and state.read_text() == "idle")


async def test_each_item_of_a_fact_has_a_resource_of_its_own(begin, note, tmp_path):
    note.write_text("a bb ccc")
    with Graph() as g:
        words = facts("file", str(note)).content.split()
        with each(where(words, lambda word: fn.len(word) > 1)) as word:
            File(f"{tmp_path}/{word}.out", content=f"{word} {fn.len(word)}", meta={"reverse": True})
    running = await begin(g)
    await running.until(lambda: (tmp_path / "ccc.out").exists() and (tmp_path / "bb.out").exists())
    assert (tmp_path / "ccc.out").read_text() == "ccc 3"
    note.write_text("dd bb")
    await running.until(lambda: {p.name for p in tmp_path.glob("*.out")} == {"bb.out", "dd.out"})


async def test_what_is_sent_arrives_and_makes_the_order(tmp_path, host):
    with Graph("app") as g:
        db = Password("db", length=24)
        restarted = Noop("restarted")
        File(f"{tmp_path}/db.pass", content=db.send.password, mode="0600", notify=restarted)
        File(f"{tmp_path}/db.url", content=f"db://app:{db.send.password}@localhost")
        Exec("count", cmd=f"test {fn.len(db.send.password)} = 24")
    following = asyncio.create_task(listed(g))
    await asyncio.sleep(0)  # it listens by now
    result = await g.apply(host=host)
    assert result.ok
    password = (tmp_path / "db.pass").read_text()
    assert len(password) == 24
    assert (tmp_path / "db.url").read_text() == f"db://app:{password}@localhost"
    events = await following
    assert any(isinstance(event, Refreshed) and event.id == "noop restarted" for event in events)
    assert isinstance(events[-1], Converged)
    assert password not in repr(events)


async def listed(graph: Runnable) -> list[Event]:
    """Return all events of one run."""
    return [event async for event in graph.events()]


async def test_a_plan_changes_nothing_and_says_what_an_apply_does(tmp_path, host):
    with Graph() as g:
        File(f"{tmp_path}/a", content=f"{facts.cpu.count} processors")
    found = await g.plan(host=host)
    assert [(step.id, step.action) for step in found.steps] == [(f"file {tmp_path}/a", "add")]
    assert [reason.path for reason in found.steps[0].because] == ["facts.cpu.count"]
    assert not (tmp_path / "a").exists()
    assert (await g.apply(host=host, noop=True)).repairs == 0
    assert not (tmp_path / "a").exists()
    assert (await g.apply(host=host)).ok
    assert (tmp_path / "a").read_text().endswith(" processors")
    assert not (await g.plan(host=host)).steps


async def test_two_graphs_run_side_by_side(begin, tmp_path):
    made = []
    for name in ("one", "two"):
        with Graph(name) as g:
            File(f"{tmp_path}/{name}", content=name)
        made.append(await begin(g))
    one, two = made
    (tmp_path / "one").write_text("spoilt")
    await one.until(lambda: (tmp_path / "one").read_text() == "one")
    assert two.events.empty()
    await two.end()
    (tmp_path / "one").write_text("spoilt")
    await one.until(lambda: (tmp_path / "one").read_text() == "one")


async def test_a_run_takes_no_signal_sets_no_logging_and_leaves_nothing_global(begin, tmp_path):
    def seen() -> list[Any]:
        handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        root = logging.getLogger()
        return [handlers, root.level, list(root.handlers), os.environ.copy(), os.getcwd()]

    before = seen()
    with Graph() as g:
        File(f"{tmp_path}/a", content=f"{facts.cpu.count}")
    running = await begin(g)
    assert seen() == before
    await running.end()
    assert seen() == before


async def test_another_graph_takes_the_place_of_the_one_that_runs(begin, tmp_path):
    with Graph("app") as g:
        File(f"{tmp_path}/a", content="a")
        File(f"{tmp_path}/b", content="b", meta={"reverse": True})
    running = await begin(g)
    with g:
        File(f"{tmp_path}/c", content="c")
    await g.swap(g)
    assert await running.told(Swapped) == Swapped("", added=1, changed=0, removed=0)
    with Graph("app") as other:
        File(f"{tmp_path}/a", content="other")
    await g.swap(other)
    await running.until(lambda: (tmp_path / "a").read_text() == "other")
    await running.until(lambda: not (tmp_path / "b").exists())
    with Graph("app") as wrong:
        File(f"{tmp_path}/a", contents="wrong")
    with pytest.raises(GraphError, match="unknown param 'contents'"):
        await g.swap(wrong)
    (tmp_path / "a").write_text("spoilt")
    await running.until(lambda: (tmp_path / "a").read_text() == "other")


async def test_the_trace_tells_why_a_declaration_is_different(begin, note, tmp_path):
    out = tmp_path / "out"
    with Graph("app") as g:
        File(str(out), content=facts("file", str(note)).content)
    running = await begin(g)
    note.write_text("7")
    await running.until(lambda: out.read_text() == "7")
    with Graph("app") as other:
        File(str(out), content="other")
    await g.swap(other)
    await running.until(lambda: out.read_text() == "other")
    await running.end()
    changed = [entry for entry in read_trace(tmp_path / "state0") if entry.what == "changed"]
    assert [(entry.why, entry.reason) for entry in changed] == [
        ("first", ""),
        ("declared", "facts.file_1.content 1 -> 7"),
        ("declared", "the program gave another graph"),
    ]


async def test_one_graph_runs_once_at_a_time(begin, tmp_path, host):
    with Graph() as g:
        Noop("a")
    with pytest.raises(RuntimeError, match="does not run; start it with `run` first"):
        await g.swap(g)
    await begin(g)
    with pytest.raises(RuntimeError, match="runs already; make another graph"):
        await g.run(host=host)


async def test_a_run_that_is_cancelled_leaves_nothing_behind(note, tmp_path):
    with Graph() as g:
        File(f"{tmp_path}/a", content=facts("file", str(note)).content)
    run = asyncio.create_task(g.run(host=Host(state=tmp_path / "state")))
    converged = asyncio.Event()
    g.listen(lambda event: converged.set() if isinstance(event, Converged) else None)
    async with asyncio.timeout(PATIENCE):
        await converged.wait()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert run.cancelled()
    assert len(asyncio.all_tasks()) == 1


async def test_a_run_is_stopped_at_any_time(tmp_path, host):
    with Graph() as g:
        File(f"{tmp_path}/a", content=facts.hostname.name)
    run = asyncio.create_task(g.run(host=host))
    await asyncio.sleep(0)  # it asks for the fact by now
    g.stop()
    async with asyncio.timeout(PATIENCE):
        assert not (await run).repairs


async def test_a_listener_that_raises_is_taken_off_and_the_rest_goes_on(tmp_path, host):
    with Graph() as g:
        File(f"{tmp_path}/a", content="x")

    def broken(event: Event) -> None:
        raise ValueError("broken")

    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    heard: list[Event] = []
    g.listen(broken)
    g.listen(heard.append)
    assert (await g.apply(host=host)).ok
    assert [str(error["exception"]) for error in errors] == ["broken"]
    assert any(isinstance(event, Converged) for event in heard)


async def test_trouble_with_a_fact_is_an_event(begin, note, tmp_path):
    note.write_text("many")
    with Graph() as g:
        with when(fn.int(facts("file", str(note)).content) > 4):
            Noop("busy")
        Noop("still")
    warnings: list[str] = []
    g.listen(lambda event: warnings.append(event.text) if isinstance(event, Warned) else None)
    await begin(g)
    assert any("test_python_graphs.py:" in text and "'many'" in text for text in warnings)


async def test_the_graph_of_a_program_is_what_its_file_would_be(tmp_path, note):
    with Graph("app") as g:
        db = Password("db", length=24)
        File("/etc/app/db.pass", content=db.send.password, mode="0600", notify=Noop("restarted"))
        with when(facts.load.x1 > 4):
            Noop("busy")
    text = g.to_yaml()
    assert "when: facts.load.x1 > 4" in text
    assert 'content: ${{ send["password db"].password }}' in text
    found = g.live().graph
    assert list(found.resources) == ["password db", "noop restarted", "file /etc/app/db.pass"]
    assert ("password db", "file /etc/app/db.pass") in found.edges


# -- functions


async def test_a_function_is_run_again_when_a_fact_changes_that_it_read(begin, note, tmp_path):
    runs = []
    other = tmp_path / "other"
    other.write_text("x")

    @graph
    def app() -> None:
        runs.append(1)
        count = int(facts("file", str(note)).content)
        for number in range(count):
            File(f"{tmp_path}/{number}.out", content=f"{number} of {count}", meta={"reverse": True})
        if count > 2:
            File(f"{tmp_path}/many", content=facts("file", str(other)).content)

    running = await begin(app)
    await running.until(lambda: (tmp_path / "0.out").exists())
    note.write_text("3")
    await running.until(lambda: (tmp_path / "many").exists() and (tmp_path / "2.out").exists())
    assert (tmp_path / "0.out").read_text() == "0 of 3"
    other.write_text("y")
    await running.until(lambda: (tmp_path / "many").read_text() == "y")
    note.write_text("1")
    await running.until(lambda: not (tmp_path / "1.out").exists())
    before = len(runs)
    other.write_text("nobody reads it now")
    note.write_text("2")
    await running.until(lambda: (tmp_path / "1.out").exists())
    assert len(runs) <= before + 2
    assert (tmp_path / "many").read_text() == "y"


def test_while_a_fact_is_not_known_nothing_is_known_of_the_function(tmp_path):
    @graph
    def app() -> None:
        File(f"{tmp_path}/always", content="x")
        try:
            File(f"{tmp_path}/out", content=facts("kmsg", "an oops").message)
        except Exception:  # what is not known is no error
            Noop("never")

    live = app.live()
    assert not live.graph.resources
    assert [fact.id for fact in live.facts.values()] == ["kmsg an oops"]


async def test_what_a_function_made_before_is_not_put_back_while_it_is_unknown(
    begin, tmp_path, host
):
    out = tmp_path / "out"

    @graph(name="app")
    def known() -> None:
        File(str(out), content="x", meta={"reverse": True})

    @graph(name="app")
    def unknown() -> None:
        File(str(out), content=facts("exec", "sleep 1000").stdout, meta={"reverse": True})

    assert (await known.apply(host=host)).ok
    result = await unknown.run(host=host, options=Options(converged_timeout=0))
    assert result.ok
    assert out.read_text() == "x"


async def test_an_error_of_a_function_has_its_place_and_leaves_what_runs(begin, note, tmp_path):
    @graph(name="app")
    def app() -> None:
        File(f"{tmp_path}/out", content=str(10 // int(facts("file", str(note)).content)))

    warnings: list[str] = []
    app.listen(lambda event: warnings.append(event.text) if isinstance(event, Warned) else None)
    running = await begin(app)
    await running.until(lambda: (tmp_path / "out").exists())
    note.write_text("0")
    await running.until(lambda: bool(warnings))
    assert "test_python_graphs.py:" in warnings[0]
    assert "@graph app: ZeroDivisionError" in warnings[0]
    assert (tmp_path / "out").read_text() == "10"
    note.write_text("5")
    await running.until(lambda: (tmp_path / "out").read_text() == "2")


async def test_the_plan_of_a_function_names_the_facts_that_it_read(tmp_path, note, host):
    @graph
    def app() -> None:
        File(f"{tmp_path}/out", content=facts("file", str(note)).content)

    [step] = (await app.plan(host=host)).steps
    assert [reason.path for reason in step.because] == ["facts.file_1"]


def test_what_is_wrong_in_a_function_has_its_place():
    @graph
    def app() -> None:
        File("/a", content=facts.lod.x1)

    with pytest.raises(
        GraphError, match=r"test_python_graphs\.py:\d+:28: no .* fact 'lod'; did you mean"
    ):
        app.live()

    @graph
    def other() -> None:
        File("/a", contents="x")

    with pytest.raises(
        GraphError, match=r"test_python_graphs\.py:\d+:20: .* unknown param 'contents'"
    ):
        other.live()


async def test_a_function_without_facts_is_a_graph_too(tmp_path, host):
    @graph
    def app() -> None:
        """Keep three files."""
        sender = Password("db", length=8)
        for name in ("a", "b", "c"):
            File(f"{tmp_path}/{name}", content=sender.send.password)

    assert (app.name, app.__doc__) == ("app", "Keep three files.")
    assert (await app.apply(host=host)).ok
    assert len({(tmp_path / name).read_text() for name in "abc"}) == 1


def test_a_function_over_time_cannot_be_in_a_function(note):
    @graph
    def app() -> None:
        with when(fn.held(True, 30)):
            Noop("a")

    with pytest.raises(
        GraphError, match=r"TypeError: held remembers, which a @graph function cannot"
    ):
        app.live()


# -- examples


async def example(name: str, folder: Path) -> list[str]:
    """Run an example in a place of its own, and return what it prints."""
    program = folder / name
    text = (Path(__file__).parents[1] / "examples" / name).read_text()
    program.write_text(text.replace("/tmp/setpoint-demo", str(folder)))
    ran = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=-1, stderr=-1)
    out, errors = await ran.communicate()
    assert (ran.returncode, errors) == (0, b"")
    return out.decode().splitlines()


async def test_the_example_of_a_graph_makes_what_it_declares(tmp_path):
    lines = await example("app.py", tmp_path)
    made = tmp_path / "app"
    assert f"changed file {made}/db.env" in lines
    assert "ok" in lines
    assert lines[lines.index("ok") + 1] == "graph: app"
    assert len((made / "db.env").read_text()) == len("DB_PASSWORD=\n") + 24
    assert int((made / "workers").read_text()) >= 1
    assert not (made / "busy").exists()


async def test_the_example_of_a_function_follows_its_fact(tmp_path):
    assert await example("workers.py", tmp_path) == ["2 more, 1 of other content", "ok"]
    assert (tmp_path / "workers/worker-2").read_text() == "peers = worker-0, worker-1\n"


# -- kinds


def test_a_kind_that_is_not_installed_is_named_with_the_nearest():
    with pytest.raises(
        ImportError, match="no installed plugin has a kind for 'Fil'; did you mean 'File'"
    ):
        from setpoint.kinds import Fil  # noqa: F401


def test_kinds_are_classes_by_the_names_of_families():
    from setpoint import kinds

    assert (kinds.HttpServer.kind, kinds.SshAuthorizedKey.kind) == (
        "http:server",
        "ssh:authorized_key",
    )
    assert {"File", "HttpServer", "Noop"} <= set(dir(kinds))


def test_the_data_of_a_graph_is_still_there_for_programs_of_their_own(tmp_path):
    with Graph() as g:
        Noop("a")
    engine = Engine(g.live().graph, options=Options(converged_timeout=0), durable=False)
    assert asyncio.run(engine.run()).ok


def test_changed_is_told_as_an_object(tmp_path):
    with Graph() as g:
        File(f"{tmp_path}/a", content="x")
    events: list[Event] = []
    g.listen(events.append)
    host = Host(state=tmp_path / "state")
    assert asyncio.run(g.apply(host=host)).repairs == 1
    host.close()
    assert [event.id for event in events if isinstance(event, Changed)] == [f"file {tmp_path}/a"]
