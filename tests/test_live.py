"""Graphs that follow facts: rule by rule, with the facts of real files."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from setpoint import Engine, graphfile
from setpoint.engine import Options
from setpoint.engine.events import Changed, Converged, Event, Refreshed, Swapped
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.knowing import Knowing
from setpoint.plugins import Plugins
from setpoint.testing.clocks import HandClock

PATIENCE = 10


class Place:
    """A graph file that is run, and the files that its facts are about."""

    def __init__(self, root: Path, host: Any) -> None:
        self.root, self.host = root, host
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.warnings: list[str] = []
        self.swaps: list[Graph] = []
        self.warned = asyncio.Event()
        self.knowing = Knowing(host, self._warn, self._take)

    def say(self, name: str, text: str) -> None:
        """Write what the fact `name` tells."""
        (self.root / name).write_text(text)

    def live(self, text: str, clock: Any = None) -> Live:
        """Return a graph file in which HERE is this place."""
        path = self.root / "site.yaml"
        path.write_text(text.replace("HERE", str(self.root)))
        return graphfile.live([path], Plugins(), clock=clock)

    async def begin(self, text: str) -> None:
        """Run it, until it has converged."""
        graph = await self.knowing.graph(self.live(text), PATIENCE)
        self.engine = Engine(graph, plugins=Plugins(), host=self.host, options=Options())
        self.engine.listen(self.events.put_nowait)
        self.run = asyncio.create_task(self.engine.run())
        await self.told(Converged)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.warned.set()

    def _take(self, graph: Graph) -> None:
        self.swaps.append(graph)
        self.engine.swap(graph)

    async def told(self, sort: type[Event], id_: str = "") -> Any:
        """Return the next event of a sort."""
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self.events.get()
                if isinstance(event, sort) and id_ in ("", event.id):
                    return event

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; events make us look."""
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                await self.events.get()

    async def end(self) -> None:
        """Stop."""
        await self.knowing.close()
        if hasattr(self, "engine"):
            self.engine.stop()
            await self.run


@pytest.fixture
async def place(tmp_path: Path, host: Any) -> AsyncIterator[Place]:
    made = Place(tmp_path, host)
    yield made
    await made.end()


FACTS = """\
facts:
  a: { file: HERE/a }
  b: { file: HERE/b }
"""


async def test_a_param_follows_a_fact(place):
    place.say("a", "one")
    await place.begin(
        FACTS + 'resources: {file HERE/out: {content: "<${{ facts.a.content }}>"}, noop still: }'
    )
    assert (place.root / "out").read_text() == "<one>"
    place.say("a", "two")
    await place.told(Changed)
    assert (place.root / "out").read_text() == "<two>"
    assert not any(isinstance(event, Changed) for event in place.events._queue)  # type: ignore[attr-defined]


async def test_a_graph_is_tried_without_a_touch_to_the_facts_of_the_one_that_runs(place):
    place.say("a", "one")
    place.say("b", "other")
    text = FACTS + 'resources: {file HERE/out: {content: "<${{ facts.a.content }}>"}}'
    await place.begin(text)
    other = place.live(text.replace("HERE/a", "HERE/b").replace("HERE/out", "HERE/new"))
    tried = await place.knowing.tried(other, PATIENCE)
    (new,) = tried.resources.values()
    assert new.content == "<other>"
    assert place.swaps == []
    place.say("b", "another")
    place.say("a", "two")
    await place.told(Changed)
    assert (place.root / "out").read_text() == "<two>"


async def test_a_resource_appears_and_disappears_and_is_put_back(place):
    place.say("a", "no")
    await place.begin(
        FACTS
        + """\
resources:
  file HERE/out:
    when: facts.a.content == "yes"
    content: here
    meta: {reverse: true}
    notify: noop told
  noop told:
"""
    )
    out = place.root / "out"
    for _ in range(3):
        assert not out.exists()
        place.say("a", "yes")
        await place.told(Refreshed, "noop told")
        assert out.read_text() == "here"
        place.say("a", "no")
        await place.until(lambda: not out.exists())
        assert (await place.told(Refreshed, "noop told")).by == (f"reverse file {out}",)


async def test_each_item_is_an_instance_of_its_own(place):
    place.say("a", "x y")
    await place.begin(
        FACTS
        + """\
resources:
  file HERE/${{ each.key }}.out:
    for_each: facts.a.content.split()
    content: ${{ each.value * 2 }}
    meta: {reverse: true}
"""
    )
    names = lambda: sorted(path.name for path in place.root.glob("*.out"))  # noqa: E731
    assert names() == ["x.out", "y.out"]
    place.say("a", "y z")
    await place.until(lambda: names() == ["y.out", "z.out"])
    assert (place.root / "z.out").read_text() == "zz"
    event = await place.told(Converged)
    assert event.failed == 0
    (graph,) = place.swaps
    changed = {id_ for id_ in graph.resources if id_.endswith("y.out")}
    assert len(changed) == 1  # y is there all the time


async def test_unknown_is_not_false(place):
    graph = place.live(
        FACTS
        + """\
resources:
  noop always:
  noop perhaps:
    when: facts.a.exists
  noop waits:
    comment: ${{ facts.b.content }}
  noop after:
    require: noop waits
  noop much-later:
    require: noop after
  noop other:
    listen: noop perhaps
"""
    ).graph
    assert list(graph.resources) == ["noop always"]
    assert graph.held == {
        "noop perhaps",
        "noop waits",
        "noop after",
        "noop much-later",
        "noop other",
    }


async def test_what_runs_stays_while_it_is_not_known_whether_it_should(place):
    live = place.live(
        FACTS
        + """\
resources:
  noop one:
    when: facts.a.exists
  noop ${{ each.key }}:
    for_each: facts.b.content.split()
    require: noop one
"""
    )
    known = {"a": {"exists": True}, "b": {"content": "x y"}}
    before = live.evaluate(known)
    assert list(before.resources) == ["noop one", "noop x", "noop y"]
    assert len(before.edges) == 2
    after = live.evaluate({})
    assert after.resources == before.resources
    assert after.edges.keys() == before.edges.keys()
    assert list(live.evaluate({**known, "b": {"content": ""}}).resources) == ["noop one"]


async def test_an_edge_to_what_is_absent_does_nothing(place):
    live = place.live(
        FACTS
        + """\
resources:
  noop perhaps:
    when: facts.a.exists
  noop always:
    require: noop perhaps
    notify: noop item-*
  noop item-${{ each.key }}:
    for_each: facts.b.content.split()
edges: ["noop item-7 -> noop always"]
"""
    )
    graph = live.evaluate({"a": {"exists": False}, "b": {"content": ""}})
    assert list(graph.resources) == ["noop always"]
    assert graph.edges == {}


async def test_an_error_in_an_expression_stops_nothing(place):
    place.say("a", "5")
    await place.begin(
        FACTS
        + """\
resources:
  file HERE/out:
    content: ${{ int(facts.a.content) + 1 }}!
  file HERE/other:
    content: ${{ facts.a.content }}
"""
    )
    place.say("a", "five")
    await place.until(lambda: (place.root / "other").read_text() == "five")
    assert (place.root / "out").read_text() == "6!"
    (warning,) = place.warnings
    assert "site.yaml:6:18: " in warning
    assert "'five'" in warning
    place.say("a", "7")
    await place.until(lambda: (place.root / "out").read_text() == "8!")


async def test_a_fact_that_makes_no_difference_disturbs_nothing(place):
    place.say("a", "1")
    place.say("b", "x")
    await place.begin(
        FACTS
        + """\
resources:
  file HERE/out:
    content: ${{ facts.b.content }}
  noop listens:
    comment: ${{ send["file HERE/out"].path }}
    when: facts.a.content != ""
"""
    )
    before = place.knowing.live.graph
    place.say("a", "2")
    async with asyncio.timeout(PATIENCE):
        while place.knowing.live.graph is before:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    assert place.swaps == []
    place.say("b", "y")
    await place.until(lambda: (place.root / "out").read_text() == "y")
    assert len(place.swaps) == 1


async def test_a_graph_that_would_be_wrong_leaves_the_old_one(place):
    place.say("a", "x y")
    await place.begin(
        FACTS
        + """\
resources:
  file HERE/${{ each.value[0] }}.out:
    for_each: facts.a.content.split()
    content: ${{ each.value }}
"""
    )
    place.say("a", "x1 x2")
    await place.warned.wait()
    assert "two items of for_each, or two modules, have this key" in place.warnings[0]
    assert sorted(path.name for path in place.root.glob("*.out")) == ["x.out", "y.out"]
    assert place.swaps == []


async def test_values_that_go_on_are_told_with_a_held_condition(place, virtual_clock):
    text = FACTS + 'resources: {noop hot: {when: "held(facts.a.size > 3, 30)"}}'
    live = place.live(text, virtual_clock)
    began = virtual_clock.monotonic()
    assert list(live.evaluate({"a": {"size": 9}}).resources) == []
    assert live.wake_at == pytest.approx(began + 30)
    await asyncio.sleep(31)
    assert list(live.evaluate({"a": {"size": 9}}).resources) == ["noop hot"]
    assert list(live.evaluate({"a": {"size": 1}}).resources) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comment: ${{ facts.load.x2 }}", "there is no 'x2' in facts.load; known: x1, x15, x5"),
        (
            "comment: ${{ facts.lod.x1 }}",
            "no installed plugin has a fact 'lod'; did you mean 'load'",
        ),
        ("when: facts.os.id.x", "facts.os.id is text, it has no 'x'"),
        ("when: facts.weekday.x == 1", "facts.weekday is text, it has no 'x'"),
        ("when: facts.disks[0].none == 1", ""),
        ("coment: ${{ facts.load.x1 }}", "unknown param 'coment'; did you mean 'comment'?"),
    ],
)
async def test_what_is_wrong_whatever_the_facts_are_is_said_at_once(place, text, message):
    text = f"resources:\n  noop a:\n    {text}\n"
    if not message:  # only the value tells
        place.live(text)
        return
    with pytest.raises(GraphError) as caught:
        place.live(text)
    assert message in str(caught.value)


async def test_only_what_is_read_is_followed(place):
    live = place.live(FACTS + "resources: {noop a: {comment: '${{ facts.a.content }}'}}")
    assert list(live.facts) == ["a"]
    assert live.facts["a"].name == f"{place.root}/a"


async def test_a_saved_file_goes_on_with_what_is_known(place):
    place.say("a", "one")
    text = FACTS + 'resources: {file HERE/out: {content: "${{ facts.a.content }}"}}'
    await place.begin(text)
    followed = place.knowing._facts._tasks["a"]
    graph = await place.knowing.graph(place.live(text.replace('"$', '"new $')), PATIENCE)
    place.engine.swap(graph)
    assert (await place.told(Swapped)).changed == 1
    await place.until(lambda: (place.root / "out").read_text() == "new one")
    assert place.knowing._facts._tasks["a"] is followed  # not begun anew


async def test_a_plan_names_what_waits(place):
    from setpoint.plan import plan

    graph = place.live(FACTS + "resources: {noop a: {when: facts.a.exists}, noop b: }").graph
    found = await plan(graph, plugins=Plugins(), host=place.host)
    assert [one.id for one in found.waiting] == ["noop a"]
    assert found.unchanged == 1


async def test_after_a_restart_unknown_is_not_false_either(place):
    text = """\
facts:
  a: { file: HERE/a }
  b: { file: HERE/b }
resources:
  file HERE/one:
    when: facts.a.content == "yes"
    content: here
    meta: {reverse: true}
  file HERE/${{ each.key }}.out:
    for_each: facts.b.content.split()
    content: here
    meta: {reverse: true}
"""
    names = {"one", "x.out"}
    known = {"a": {"content": "yes"}, "b": {"content": "x"}}

    async def converge(facts: dict[str, Any]) -> set[str]:
        graph = place.live(text).evaluate(facts)
        options = Options(converged_timeout=0)
        await Engine(graph, plugins=Plugins(), host=place.host, options=options).run()
        return {path.name for path in place.root.iterdir()} & names

    assert await converge(known) == names
    assert await converge({}) == names  # no fact has spoken: nothing is put back
    assert await converge({"a": {"content": "no"}}) == {"x.out"}
    assert await converge({**known, "b": {"content": ""}}) == {"one"}


async def test_what_must_be_given_may_be_known_later(place):
    graph = place.live(
        FACTS
        + """\
resources:
  timer t: { interval: "${{ float(facts.a.content) }}" }
  value v: { value: "${{ facts.a.content }}" }
  file HERE/link: { source: "${{ facts.a.content }}", symlink: true }
"""
    ).graph
    assert graph.held == {"timer t", "value v", f"file {place.root}/link"}


FUSSY = """
facts: {n: {file: HERE/n}}
resources:
  timer t: {interval: "${{ float(facts.n.content) }}"}
  noop w: {when: "${{ facts.n.content }}"}
  noop after: {require: timer t}
  noop other: {comment: "n is ${{ facts.n.content }}"}
"""


def n(content: str) -> dict[str, Any]:
    return {"n": {"content": content}}


def test_a_value_that_a_param_refuses_parks_only_its_resource(place):
    live = place.live(FUSSY)
    assert set(live.evaluate(n("-5")).resources) == {"noop other"}
    assert [str(trouble).split(": ", 1)[1].partition("\n")[0] for trouble in live.troubles] == [
        "noop w: when must be true or false, not '-5'",
        "timer t: interval must be a number above 0 and of at most 1000000000.0, not -5.0",
    ]
    assert set(live.evaluate(n("5")).resources) == {"timer t", "noop after", "noop other"}
    graph = live.evaluate(n("-1"))
    assert (graph.resources["timer t"].interval, graph.resources["noop other"].comment) == (
        5,
        "n is -1",
    )


def test_a_value_that_a_param_refuses_parks_what_is_declared_twice(place):
    twice = FUSSY.split("  noop after")[0].replace("timer t", "timer ${{ each.value }}")
    live = place.live(twice.replace("{interval", "{for_each: [t, t], interval"))
    assert not live.evaluate(n("-5")).resources
    assert set(live.evaluate(n("5")).resources) == {"timer t"}


def test_what_is_saved_anew_goes_on_counting(place):
    clock = HandClock()
    text = """
facts: {n: {file: HERE/n}}
resources:
  noop w: {when: "held(facts.n.content == 'on', 30)"}
"""
    live = place.live(text, clock)
    live.evaluate(n("on"))
    clock.now = 20
    again = place.live(text.replace("resources:", "# a word\nresources:\n  noop new:"), clock)
    again.inherit(live)
    assert set(again.evaluate(n("on")).resources) == {"noop new"}
    clock.now = 31
    assert set(again.evaluate(n("on")).resources) == {"noop new", "noop w"}


async def test_a_fact_that_changes_without_rest_keeps_no_other_from_being_followed(
    place: Place,
) -> None:
    place.say("calm", "one")
    await place.begin("""\
facts:
  calm: { file: HERE/calm }
  restless: { exec: { name: "while :; do echo $((i += 1)); sleep 0.01; done", shell: true } }
resources:
  noop restless: { comment: "${{ facts.restless }}" }
  file HERE/out: { content: "${{ facts.calm.content }}" }
""")
    place.say("calm", "two")
    await place.told(Changed, f"file {place.root}/out")
    assert (place.root / "out").read_text() == "two"


async def test_what_two_modules_declare_alike_is_the_same_also_when_one_comes_while_it_runs(
    place: Place,
) -> None:
    (place.root / "site-module.yaml").write_text("""\
inputs: { name: str, at: str }
resources:
  password shared:
  file ${{ inputs.at }}/${{ inputs.name }}:
    content: ${{ send["password shared"].password }}
    notify: noop told
  noop told:
    comment: ${{ inputs.at }}
  file ${{ inputs.at }}/all:
    content: ${{ send["password shared"].password }}
""")
    place.say("names", "one")
    await place.begin("""\
facts: { names: { file: HERE/names } }
include:
  - use: site-module.yaml
    for_each: facts.names.content.split()
    as: ${{ each.key }}
    with: { name: "${{ each.key }}", at: HERE }
""")
    place.say("names", "one two")
    await place.until(lambda: bool(place.swaps or place.warnings))
    assert place.warnings == []
    await place.told(Converged)
    assert (place.root / "two").read_text() == (place.root / "one").read_text()
