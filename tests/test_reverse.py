"""What leaves the graph is put back, if its meta says so: rule by rule, with real files."""

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setpoint.engine.events import Changed, Converged, Refreshed, Warned
from setpoint_file import File
from setpoint_noop import Noop

Declare = Callable[..., File]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Declare a file that is put back."""

    def declared(name: str = "file", **params: Any) -> File:
        from setpoint import Meta

        params.setdefault("content", "ours")
        params = {name: value for name, value in params.items() if value is not None}
        return File(f"{tmp_path}/{name}", meta=Meta(reverse=True), **params)

    return declared


def records(host) -> list[Path]:
    return sorted(host.state.glob("resources/*/*/reverse.json"))


async def test_what_was_not_there_is_gone_again(engine, declare, tmp_path):
    await engine.converge(declare())
    assert (tmp_path / "file").read_text() == "ours"
    await engine.converge(Noop("other"))
    assert os.listdir(tmp_path) == []
    assert records(engine.host) == []


@pytest.mark.parametrize("content", [b"theirs\n", b"\xff\x00", b"long" * 100_000, b""])
async def test_the_content_of_before_returns(engine, declare, tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o640)
    await engine.converge(declare(mode="0600"))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("ours", 0o600)
    await engine.converge(Noop("other"))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (content, 0o640)
    assert list(engine.host.state.glob("resources/*/*/prior")) == []


async def test_what_was_removed_returns(engine, declare, tmp_path):
    path = tmp_path / "file"
    path.write_text("theirs")
    path.chmod(0o604)
    await engine.converge(declare(content=None, state="absent"))
    assert not path.exists()
    await engine.converge(Noop("other"))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("theirs", 0o604)


async def test_a_symlink_returns(engine, declare, tmp_path):
    path = tmp_path / "file"
    path.symlink_to("somewhere")
    await engine.converge(declare(force=True))
    assert not path.is_symlink()
    await engine.converge(Noop("other"))
    assert os.readlink(path) == "somewhere"


async def test_what_others_have_changed_is_kept(engine, declare, tmp_path):
    path = tmp_path / "file"
    await engine.converge(declare())
    path.write_text("somebody's work")
    await engine.converge(Noop("other"))
    assert path.read_text() == "somebody's work"
    assert records(engine.host) == []


async def test_the_first_state_counts_however_often_ours_changes(engine, declare, tmp_path):
    path = tmp_path / "file"
    path.write_text("first")
    for content in ("one", "two", "three"):
        await engine.converge(declare(content=content))
    await engine.converge(Noop("other"))
    assert path.read_text() == "first"


async def test_what_was_as_declared_from_the_start_is_left(engine, declare, tmp_path):
    (tmp_path / "file").write_text("ours")
    await engine.converge(declare())
    assert records(engine.host) == []
    await engine.converge(Noop("other"))
    assert (tmp_path / "file").read_text() == "ours"


async def test_without_reverse_it_is_left_as_it_is(engine, tmp_path):
    await engine.converge(File(f"{tmp_path}/file", content="ours"))
    await engine.converge(Noop("other"))
    assert (tmp_path / "file").read_text() == "ours"


async def test_the_record_is_its_owners_and_can_be_read(engine, declare):
    await engine.converge(declare())
    (record,) = records(engine.host)
    assert record.stat().st_mode & 0o777 == 0o600
    assert json.loads(record.read_text())["prior"]["state"] == "absent"


async def test_a_running_engine_puts_back_what_leaves_its_graph(engine, declare, tmp_path):
    tree = [
        declare("top/", content=None, state="exists"),
        declare("top/in/", content=None, state="exists"),
        declare("top/in/file"),
    ]
    edges = "; ".join(f"{a.id} -> {b.id}" for a, b in itertools.pairwise(tree))
    async with engine.keeping(*tree, edges=edges) as kept:
        kept.engine.swap(engine.graph(tree[0]))
        await kept.told(Converged)
        assert os.listdir(tmp_path / "top") == []  # the file first, then the directory
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
        assert os.listdir(tmp_path) == []


async def test_what_is_put_back_is_not_kept_so(engine, declare, tmp_path):
    async with engine.keeping(declare()) as kept:
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
        (tmp_path / "file").write_text("somebody's")
        kept.engine.mark()
        await kept.told(Converged)
        assert (tmp_path / "file").read_text() == "somebody's"


async def test_it_may_return_to_the_graph(engine, declare, tmp_path):
    async with engine.keeping(declare()) as kept:
        for _ in range(20):
            kept.engine.swap(engine.graph(Noop("other")))
            kept.engine.swap(engine.graph(declare()))
        await kept.told(Changed) if not (tmp_path / "file").exists() else None
        kept.engine.mark()
        await kept.told(Converged)
        assert (tmp_path / "file").read_text() == "ours"


async def test_what_leaves_before_it_has_run_is_put_back_after_it_has(engine, declare, tmp_path):
    (tmp_path / "file").write_text("theirs")

    def graph(*more, edges=""):
        return engine.graph(Noop("told"), declare("other"), *more, edges=edges)

    async with engine.keeping(Noop("told"), declare("other")) as kept:
        kept.engine.swap(graph(declare(), edges=f"file {tmp_path}/file ~> noop told"))
        kept.engine.swap(graph())
        await kept.told(Refreshed, "noop told")
        assert (tmp_path / "file").read_text() == "ours"
        await kept.told(Changed, f"reverse file {tmp_path}/file")
    assert (tmp_path / "file").read_text() == "theirs"


async def test_edges_that_were_turned_round_meanwhile_close_no_circle(engine, declare, tmp_path):
    one, other = declare("one"), declare("other")
    async with engine.keeping(one, other, edges=f"{one.id} -> {other.id}") as kept:
        changed = declare("one", content="new")
        kept.engine.swap(engine.graph(changed, declare("other"), edges=f"{other.id} -> {one.id}"))
        await kept.told(Changed)
        await kept.told(Converged)
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
    assert os.listdir(tmp_path) == []


async def test_what_was_declared_since_and_not_done_is_still_ours(engine, declare, tmp_path):
    path = tmp_path / "file"
    path.write_text("first")
    async with engine.keeping(declare(content="one"), Noop("other")) as kept:
        kept.engine.swap(engine.graph(declare(content="two"), Noop("other")))
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
    assert path.read_text() == "first"


async def test_what_was_declared_with_less_before_does_not_tell_that_it_is_ours(
    engine, declare, tmp_path
):
    path = tmp_path / "file"
    path.write_text("first")
    await engine.converge(declare(content=None, state="exists", mode="0600"))
    await engine.converge(declare(content="two", state="exists", mode="0600"))
    path.write_text("somebody's work")
    await engine.converge(Noop("other"))
    assert path.read_text() == "somebody's work"


async def test_what_is_not_to_be_put_back_any_more_is_left(engine, declare, tmp_path):
    path = tmp_path / "file"
    async with engine.keeping(declare()) as kept:
        kept.engine.swap(engine.graph(File(str(path), content="ours")))
        await kept.told(Converged)
        assert records(engine.host) == []
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
    assert path.read_text() == "ours"


async def test_what_is_not_to_be_put_back_any_more_after_a_restart_is_left(
    engine, declare, tmp_path
):
    path = tmp_path / "file"
    await engine.converge(declare())
    await engine.converge(File(str(path), content="ours"), noop=True)
    assert len(records(engine.host)) == 1  # a look changes nothing
    await engine.converge(File(str(path), content="ours"))
    await engine.converge(Noop("other"))
    assert path.read_text() == "ours"


async def test_what_waits_for_it_now_is_put_back_first(engine, declare, tmp_path):
    one, other = declare("one"), declare("other")
    async with engine.keeping(one, other) as kept:
        edges = f"{other.id} -> {one.id}"  # that came later, and nothing was changed since
        kept.engine.swap(engine.graph(declare("one"), declare("other"), edges=edges))
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
    done = [event.id for event in engine.events if isinstance(event, Changed)]
    assert done[2:] == [f"reverse {one.id}", f"reverse {other.id}"]


async def test_a_changed_declaration_that_leaves_is_known_to_be_ours(engine, declare, tmp_path):
    path = tmp_path / "file"
    path.write_text("first")
    async with engine.keeping(declare()) as kept:
        kept.engine.swap(engine.graph(declare(content="another")))
        await kept.told(Converged)
        kept.engine.swap(engine.graph(Noop("other")))
        await kept.told(Converged)
    assert path.read_text() == "first"


async def test_graphs_of_other_names_leave_it_alone(engine, declare, tmp_path):
    await engine.converge(declare())
    graph = engine.graph(Noop("other"))
    graph.scope = "another"
    await engine.make(graph, converged_timeout=0).run()
    assert (tmp_path / "file").read_text() == "ours"
    assert len(records(engine.host)) == 1


async def test_with_noop_nothing_is_put_back(engine, declare, tmp_path):
    await engine.converge(declare())
    await engine.converge(Noop("other"), noop=True)
    assert (tmp_path / "file").read_text() == "ours"
    assert len(records(engine.host)) == 1


async def test_what_would_have_to_be_kept_as_a_whole_is_refused_before_it_is_touched(
    engine, declare, tmp_path
):
    (tmp_path / "file").mkdir()
    result = await engine.converge(declare(force=True))
    assert "take out meta.reverse" in result.failed[f"file {tmp_path}/file"]
    assert (tmp_path / "file").is_dir()


async def test_what_cannot_be_put_back_is_told(engine, declare, tmp_path):
    await engine.converge(declare())
    (record,) = records(engine.host)
    record.write_text("{")
    await engine.converge(Noop("other"))
    told = [event.text for event in engine.events if isinstance(event, Warned)]
    assert any("cannot be read" in text and str(record) in text for text in told)
    assert (tmp_path / "file").read_text() == "ours"


async def test_who_was_notified_is_told_that_it_is_put_back(engine, declare):
    told = Noop("told")
    await engine.converge(declare(), told, edges=f"{declare().id} ~> {told.id}")
    engine.events.clear()
    await engine.converge(Noop("told"))
    assert [e.by for e in engine.events if isinstance(e, Refreshed)] == [
        (f"reverse {declare().id}",)
    ]
