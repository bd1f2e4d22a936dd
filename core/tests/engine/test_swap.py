"""Another graph takes the place of the one that runs."""

import asyncio
from itertools import pairwise

import pytest

from setpoint import Change, Meta, SetpointError
from setpoint.engine.brakes import MOST_GONE, Limits
from setpoint.engine.events import (
    Blocked,
    Changed,
    Converged,
    Failed,
    Fighting,
    Recovered,
    Refreshed,
    Swapped,
)
from setpoint.testing import Kept
from setpoint.values import Ref

each_speed = pytest.mark.parametrize("speed", ["cell", "plain", "slow"])


@each_speed
async def test_what_is_equal_is_not_looked_at(lab, speed):
    kind = getattr(lab, speed)
    async with lab.kept(lab.graph(kind("a", value=1), kind("b", value=2))) as kept:
        lab.machine.log.clear()
        watcher = lab.machine.watchers["a"]
        told = kept.engine.swap(lab.graph(kind("a", value=1), kind("b", value=3)))
        await kept.told(Changed, f"{speed} b")
        assert told == Swapped("", 0, 1, 0)
        assert lab.machine.watchers["a"] is watcher
    assert {name for _, name in lab.machine.log} == {"b"}
    assert lab.machine.cells == {"a": 1, "b": 3}


@each_speed
async def test_what_is_new_begins_and_what_is_gone_leaves(lab, speed):
    kind = getattr(lab, speed)
    async with lab.kept(lab.graph(kind("a", value=1), kind("b", value=2))) as kept:
        kept.engine.swap(lab.graph(kind("b", value=2), kind("c", value=3)))
        await kept.told(Changed, f"{speed} c")
        assert set(lab.machine.watchers) == {"b", "c"}
        assert set(kept.engine.states()) == {f"{speed} b", f"{speed} c"}
    assert lab.machine.cells == {"a": 1, "b": 2, "c": 3}


async def test_new_edges_order_what_is_new(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        new = lab.graph(
            lab.cell("a", value=1),
            lab.slow("b", value=1),
            lab.plain("c", value=1),
            lab.cell("d", value=1),
            edges="cell d -> plain c; plain c -> slow b; cell a -> cell d",
        )
        kept.engine.swap(new)
        await kept.told(Converged)
    assert lab.machine.done("apply") == ["a", "d", "c", "b"]


async def test_a_circle_is_refused_and_the_old_graph_goes_on(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        wrong = lab.graph(
            lab.cell("a", value=2),
            lab.cell("b", value=1),
            edges="cell a -> cell b; cell b -> cell a",
        )
        with pytest.raises(SetpointError, match="cell a"):
            kept.engine.swap(wrong)
        lab.machine.disturb("a", "x")
        await kept.told(Changed)
    assert lab.machine.cells == {"a": 1}


async def test_params_change_after_the_run_that_is_under_way(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    engine = lab.engine(lab.graph(lab.slow("a", value=1)), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.swap(lab.graph(lab.slow("a", value=2)))
    gate.set()
    assert (await task).ok
    assert lab.machine.cells == {"a": 2}
    assert lab.machine.done("apply") == ["a", "a"]


async def test_what_leaves_while_it_runs_finishes_first(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    engine = lab.engine(
        lab.graph(lab.slow("a", value=1), lab.cell("b", value=1)), converged_timeout=0
    )
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.swap(lab.graph(lab.cell("b", value=1)))
    await asyncio.sleep(0)
    gate.set()
    result = await task
    assert result.ok
    assert result.resources == 1
    assert lab.machine.cells == {"a": 1, "b": 1}


async def test_what_comes_back_while_it_leaves_is_the_same_resource(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    engine = lab.engine(lab.graph(lab.slow("a", value=1)), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.swap(lab.graph())
    engine.swap(lab.graph(lab.slow("a", value=3)))
    gate.set()
    result = await task
    assert result.ok
    assert lab.machine.done("begin") == ["a", "a"]
    assert lab.machine.cells == {"a": 3}


async def test_what_was_blocked_by_something_that_left_runs(lab):
    lab.machine.broken["a"] = OSError("x")
    graph = lab.graph(lab.cell("a", value=1), lab.cell("b", value=1), edges="cell a -> cell b")
    async with lab.kept(graph) as kept:
        kept.engine.swap(lab.graph(lab.cell("b", value=1)))
        await kept.told(Converged)
    assert kept.result.ok
    assert lab.machine.cells == {"b": 1}


async def test_what_leaves_is_not_said_to_be_blocked_by_what_leaves_too(lab):
    lab.machine.broken.update(a=OSError("x"), b=OSError("x"))
    three = [lab.cell(name, value=1) for name in "abc"]
    graph = lab.graph(lab.cell("old", value=1), *three, edges="cell a -> cell c; cell b -> cell c")
    async with lab.kept(graph) as kept:
        lab.events.clear()
        kept.engine.swap(without(lab, lab.cell("b", value=1)))
        await kept.told(Swapped)
        kept.engine.mark("cell old")
        await kept.told(Converged)
    assert not [event for event in lab.events if isinstance(event, Blocked)]


async def test_a_failed_resource_is_tried_again_when_its_declaration_changes(lab):
    lab.machine.broken["a"] = OSError("x")
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        del lab.machine.broken["a"]
        kept.engine.swap(lab.graph(lab.cell("a", value=2)))
        await kept.told(Converged)
    assert kept.result.ok


async def test_what_waits_for_its_next_try_is_tried_when_its_declaration_changes(lab):
    lab.machine.broken["a"] = OSError("x")
    late = Meta(retry=-1, delay=3600)
    kept = Kept(lab.engine(lab.graph(lab.cell("a", value=1, meta=late))))
    await kept.told(Failed)
    del lab.machine.broken["a"]
    kept.engine.swap(lab.graph(lab.cell("a", value=2, meta=late)))
    await kept.told(Converged)
    await kept.end()
    assert lab.machine.cells == {"a": 2}


async def test_an_appointment_of_before_does_not_hasten_the_next_try(lab, virtual_clock):
    lab.clock = virtual_clock
    lab.machine.broken["a"] = OSError("x")
    kept = Kept(lab.engine(lab.graph(lab.cell("a", value=1, meta=Meta(retry=9, delay=60)))))
    await kept.told(Failed)
    await asyncio.sleep(40)
    kept.engine.swap(lab.graph(lab.cell("a", value=2, meta=Meta(retry=9, delay=60))))
    await kept.told(Failed)
    await asyncio.sleep(50)
    assert lab.machine.done("check") == ["a", "a"]
    await kept.end()


async def test_declarations_that_change_often_are_no_fight(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=0))) as kept:
        for value in range(1, 20):
            kept.engine.swap(lab.graph(lab.cell("a", value=value)))
            await kept.told(Changed)
        kept.engine.mark()
        await kept.told(Converged)
    assert not [event for event in lab.events if isinstance(event, Fighting)]


async def test_values_that_come_often_are_no_fight(lab):
    def graph(value):
        return lab.graph(
            lab.cell("a", value=value),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )

    async with lab.kept(graph(0)) as kept:
        for value in range(1, 20):
            kept.engine.swap(graph(value))
            await kept.told(Changed, "cell b")
        await kept.told(Converged)
    assert not [event for event in lab.events if isinstance(event, Fighting)]


async def test_who_fires_need_not_be_waited_for_by_what_comes_after_it_has_failed(lab):
    lab.machine.broken["apply a"] = OSError("x")
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        kept.engine.swap(
            lab.graph(lab.cell("a", value=1), lab.cell("b", value=1), edges="cell a ~fire> cell b")
        )
        await kept.told(Changed, "cell b")
    assert set(kept.result.failed) == {"cell a"}


async def test_a_refused_graph_leaves_no_trace(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        wrong = lab.graph(lab.cell("b", value=1), edges="cell b -> cell b")
        wrong.scope = wrong.name = "another"
        with pytest.raises(SetpointError):
            kept.engine.swap(wrong)
        run = kept.engine._running
        assert run._parts.reversals.wanted.scope == ""
        assert not run._parts.scheduler.leaving
        assert run._swapping.name == ""
    assert lab.machine.cells == {"a": 1}


async def test_received_values_are_no_difference(lab):
    def graph():
        return lab.graph(
            lab.cell("a", value="x"),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )

    async with lab.kept(graph()) as kept:
        assert kept.engine.swap(graph()) == Swapped("", 0, 0, 0)


async def test_a_graph_that_only_gained_a_receiver_asks_the_sender(lab):
    async with lab.kept(lab.graph(lab.cell("a", value="x"))) as kept:
        new = lab.graph(
            lab.cell("a", value="x"),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )
        kept.engine.swap(new)
        await kept.told(Changed, "cell b")
    assert lab.machine.cells == {"a": "x", "b": "x"}


async def test_what_is_owed_is_still_owed_after_a_swap(lab):
    lab.machine.broken["refresh b"] = OSError("x")

    def graph(value):
        return lab.graph(
            lab.cell("a", value=1), lab.cell("b", value=value), edges="cell a ~> cell b"
        )

    async with lab.kept(graph(1), durable=True) as kept:
        lab.machine.broken.clear()
        kept.engine.swap(graph(2))
        await kept.told(Converged)
    assert lab.machine.done("refresh") == ["b", "b"]


async def test_a_thousand_swaps_leave_nothing_behind(lab):
    async with lab.kept(lab.graph(lab.cell("0", value=0))) as kept:
        for i in range(1000):
            cells = [lab.cell(str(i + j), value=i, meta=Meta(retry=i % 2)) for j in range(3)]
            kept.engine.swap(lab.graph(*cells, edges=f"cell {i} ~> cell {i + 1}"))
            if i % 50 == 0:
                await kept.told(Converged)
        async with asyncio.timeout(10):
            while len(kept.engine.states()) > 3:  # those of the last swaps are run once
                await kept.told(Converged)
        run = kept.engine._running
        assert len(run._parts.vertices.resource) <= 60
        assert len(lab.machine.watchers) == 3
        assert len(asyncio.all_tasks()) < 70


async def test_only_what_is_for_the_watch_is_remembered_over_other_params(lab):
    cell = lab.cell("a", value=1)
    async with lab.kept(lab.graph(cell)) as kept:
        cell.memory.update(watched="for the watch", found="with other params")
        kept.engine.swap(lab.graph(lab.cell("a", value=2)))
        await kept.told(Changed, "cell a")
    assert cell.memory.get("watched") == "for the watch"
    assert "found" not in cell.memory


# -- what appeared is applied once before it leaves


async def appeared(lab, *resources, edges="", receives=None, **options):
    """Return an engine that keeps `cell old`, to which `resources` have just been added."""
    kept = Kept(lab.engine(lab.graph(lab.cell("old", value=1)), **options))
    await kept.told(Converged)
    kept.engine.swap(
        lab.graph(lab.cell("old", value=1), *resources, edges=edges, receives=receives)
    )
    return kept


def without(lab, *resources, edges=""):
    return lab.graph(lab.cell("old", value=1), *resources, edges=edges)


async def gone(kept, *ids):
    """Wait until `ids` have left."""
    while not kept.engine.states().keys().isdisjoint(ids):
        await kept.told(Swapped)


@each_speed
async def test_what_appeared_is_applied_once_before_it_leaves(lab, speed):
    kind = getattr(lab, speed)
    kept = await appeared(lab, kind("a", value=1))
    assert kept.engine.swap(without(lab)) == Swapped("", 0, 0, 0)
    await gone(kept, f"{speed} a")
    assert lab.machine.done("apply") == ["old", "a"]
    assert set(lab.machine.watchers) == {"old"}
    assert (await kept.end()).resources == 1


async def test_what_it_notifies_is_refreshed(lab):
    kept = await appeared(lab, lab.slow("a", value=1), edges="slow a ~> cell old")
    kept.engine.swap(without(lab))
    await gone(kept, "slow a")
    await kept.told(Converged)
    assert lab.machine.done("refresh") == ["old"]
    await kept.end()


async def test_a_run_under_way_whose_resource_leaves_notifies_all_the_same(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    kept = await appeared(lab, lab.slow("a", value=1), edges="slow a ~> cell old")
    await lab.machine.until(lambda: lab.machine.done("begin"))
    kept.engine.swap(without(lab))
    gate.set()
    await gone(kept, "slow a")
    await kept.told(Converged)
    assert lab.machine.done("refresh") == ["old"]
    await kept.end()


async def test_it_receives_before_it_leaves(lab):
    kept = await appeared(
        lab,
        lab.cell("a", value="x"),
        lab.cell("b"),
        edges="cell a -> cell b",
        receives={"cell b": {"value": Ref("cell a", "value")}},
    )
    kept.engine.swap(without(lab))
    await gone(kept, "cell a", "cell b")
    assert lab.machine.cells == {"old": 1, "a": "x", "b": "x"}
    await kept.end()


async def test_with_realize_off_it_leaves_at_once(lab):
    kept = await appeared(lab, lab.cell("a", value=1, meta=Meta(realize=False)))
    assert kept.engine.swap(without(lab)) == Swapped("", 0, 0, 1)
    assert set(kept.engine.states()) == {"cell old"}
    await kept.end()
    assert lab.machine.done("apply") == ["old"]


async def test_with_noop_it_leaves_at_once(lab):
    kept = await appeared(lab, lab.cell("a", value=1, meta=Meta(noop=True)))
    kept.engine.swap(without(lab))
    assert set(kept.engine.states()) == {"cell old"}
    await kept.end()


@pytest.mark.parametrize("meta", [Meta(), Meta(retry=-1, delay=3600)])
async def test_what_fails_leaves(lab, meta):
    lab.machine.broken["apply a"] = OSError("x")
    kept = await appeared(lab, lab.cell("a", value=1, meta=meta))
    kept.engine.swap(without(lab))
    await gone(kept, "cell a")
    assert lab.machine.done("apply") == ["old", "a"]
    assert (await kept.end()).ok


async def test_what_is_blocked_leaves(lab):
    lab.machine.broken["b"] = OSError("x")
    kept = await appeared(
        lab, lab.cell("b", value=1), lab.cell("a", value=1), edges="cell b -> cell a"
    )
    kept.engine.swap(without(lab, lab.cell("b", value=1)))
    await gone(kept, "cell a")
    assert lab.machine.done("apply") == ["old"]
    assert set((await kept.end()).failed) == {"cell b"}


async def test_what_it_requires_stays_with_it_and_what_does_not_concern_it_does_not_wait(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    kept = await appeared(lab, lab.cell("b", value=1), lab.cell("c", value=1))
    await kept.told(Converged)
    graph = without(
        lab,
        lab.cell("b", value=1),
        lab.cell("c", value=1),
        lab.slow("a", value=1),
        edges="cell b -> slow a",
    )
    kept.engine.swap(graph)
    kept.engine.swap(without(lab, lab.cell("new", value=1)))
    assert set(kept.engine.states()) == {"cell old", "cell b", "slow a", "cell new"}
    await kept.told(Changed, "cell new")
    assert "a" not in lab.machine.cells
    gate.set()
    await gone(kept, "slow a", "cell b")
    assert lab.machine.cells["a"] == 1
    await kept.end()


async def test_what_comes_back_before_it_has_left_stays(lab):
    kept = await appeared(lab, lab.cell("a", value=1))
    kept.engine.swap(without(lab))
    kept.engine.swap(without(lab, lab.cell("a", value=2)))
    await kept.told(Converged)
    assert set(kept.engine.states()) == {"cell old", "cell a"}
    assert lab.machine.cells["a"] == 2
    assert lab.machine.done("apply") == ["old", "a"]
    await kept.end()


async def test_what_leaves_closes_no_circle_with_what_is_new(lab):
    kept = await appeared(
        lab,
        lab.cell("a", value=1),
        lab.cell("b", value=1),
        edges="cell old -> cell a; cell a ~> cell b",
    )
    new = without(lab, lab.cell("b", value=1), edges="cell b -> cell old")
    kept.engine.swap(new)
    await gone(kept, "cell a")
    assert lab.machine.cells == {"old": 1, "a": 1, "b": 1}
    await kept.end()


async def test_a_run_that_ends_when_all_is_done_lets_it_leave_first(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    engine = lab.engine(lab.graph(lab.slow("a", value=1)), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.swap(lab.graph(lab.plain("b", value=1)))
    engine.swap(lab.graph())
    gate.set()
    assert (await task).resources == 0
    assert lab.machine.cells == {"a": 1, "b": 1}


async def test_what_is_not_known_to_be_declared_stays_as_it_is_with_its_edges(lab):
    graph = without(lab, lab.cell("a", value=1), edges="cell old ~> cell a")
    async with lab.kept(graph) as kept:
        new = lab.graph(lab.cell("old", value=2))
        new.held.add("cell a")
        assert kept.engine.swap(new) == Swapped("", 0, 1, 0)
        await kept.told(Refreshed, "cell a")
        lab.machine.disturb("a", 0)
        await kept.told(Changed, "cell a")
        kept.engine.swap(lab.graph(lab.cell("old", value=2)))
        assert set(kept.engine.states()) == {"cell old"}
    assert lab.machine.cells == {"old": 2, "a": 1}


async def test_what_was_gone_does_not_stay_because_nothing_is_known_of_it_now(lab):
    kept = await appeared(lab, lab.cell("a", value=1))
    kept.engine.swap(without(lab))
    new = without(lab)
    new.held.add("cell a")
    kept.engine.swap(new)
    await gone(kept, "cell a")
    assert lab.machine.done("apply") == ["old", "a"]
    await kept.end()


async def test_what_is_left_out_leaves(lab):
    async with lab.kept(without(lab, lab.cell("a", value=1))) as kept:
        new = without(lab)
        new.left_out.add("cell a")
        kept.engine.swap(new)
        assert set(kept.engine.states()) == {"cell old"}


async def test_the_graph_that_was_given_is_left_as_it_was(lab):
    kept = await appeared(lab, lab.cell("a", value=1))
    given = without(lab)
    kept.engine.swap(given)
    assert set(given.resources) == {"cell old"}
    await kept.end()


async def test_nothing_runs_once_more_because_the_engine_stops(lab):
    kept = await appeared(lab, lab.cell("a", value=1))
    kept.engine.swap(without(lab))
    await kept.end()
    assert lab.machine.done("apply") == ["old"]


@each_speed
async def test_who_looks_at_others_of_a_kind_looks_again_when_they_are_other_ones(lab, speed):
    class Census(getattr(lab, speed)):
        kind = "census"

        def look(self):
            self.machine.note("check", self.name)
            peers = self.host.peers(self, "cell").values()
            found = sorted(peer.value for peer in peers)
            return [] if lab.census == found else [Change("value", lab.census, found)]

        def put(self):
            lab.census = self.look()[0].after

    def graph(asks=True, another=0, **cells):
        census = [Census("all")] if asks else []
        made = [lab.cell(name, value=n) for name, n in cells.items()]
        return lab.graph(*census, *made, lab.plain("of another kind", value=another))

    lab.census = []
    async with lab.kept(graph(a=1)) as kept:
        for cells in ({"a": 1, "b": 2}, {"a": 3, "b": 2}, {}):
            kept.engine.swap(graph(**cells))
            await kept.told(Changed, "census all")
            assert lab.census == sorted(cells.values())
            await kept.told(Converged)
        lab.machine.log.clear()
        kept.engine.swap(graph(another=1))
        await kept.told(Converged)
        assert {name for _, name in lab.machine.log} == {"of another kind"}
        for cells in ({}, {"a": 1}):  # who has left is not asked
            kept.engine.swap(graph(asks=False, **cells))
            await kept.told(Converged)


async def test_who_looked_at_another_while_it_ran_sees_how_it_is_declared_in_the_end(lab):
    seen = []

    class Census(lab.cell):
        kind = "census"

        def look(self):
            seen.append([peer.value for peer in self.host.peers(self, "slow").values()])
            return []

    lab.slow.gate["a"] = asyncio.Event()
    kept = Kept(lab.engine(lab.graph(Census("all"), lab.slow("a", value=1))))
    await lab.machine.until(lambda: ("begin", "a") in lab.machine.log)
    kept.engine.swap(lab.graph(Census("all"), lab.slow("a", value=2)))
    lab.slow.gate["a"].set()
    await kept.told(Converged)
    assert seen[-1] == [2]
    await kept.end()


async def test_a_limit_counts_on_when_a_resource_goes_and_comes_back(lab, virtual_clock):
    lab.clock = virtual_clock
    limited = Meta(limit=0.2, burst=2)  # two at once, then one in 5 s
    async with lab.kept(without(lab)) as kept:
        came = []
        for value in range(4):
            kept.engine.swap(without(lab, lab.cell("a", value=value, meta=limited)))
            await kept.told(Changed, "cell a")
            came.append(virtual_clock.monotonic())
            kept.engine.swap(without(lab))
            await gone(kept, "cell a")
    waited = [then - before for before, then in pairwise(came)]
    assert waited == [pytest.approx(n, abs=1) for n in (0, 5, 5)]


def test_what_left_is_known_until_its_limit_is_as_if_it_had_not_run():
    limits, meta = Limits(), Meta(limit=1, burst=2)
    for now in (10.0, 10.0):
        assert limits.take("cell a", meta, now) == 0
    limits.leave("cell a", 10.0)
    limits.leave("cell b", 11.0)  # which never ran
    assert limits.take("cell a", meta, 11.0) == 0
    assert limits.take("cell a", meta, 11.0) == 1
    limits.leave("cell a", 11.0)
    limits.leave("cell b", 13.0)
    assert [limits.take("cell a", meta, 13.0) for _ in range(3)] == [0, 0, 1]


def test_of_those_that_left_not_too_many_are_known():
    limits, meta = Limits(), Meta(limit=0.001, burst=1)
    for n in range(MOST_GONE + 5):
        limits.take(f"cell {n}", meta, 1.0)
        limits.leave(f"cell {n}", 1.0)
    assert limits.take("cell 4", meta, 1.0) == 0
    assert limits.take("cell 5", meta, 1.0) > 0


async def test_edges_that_are_turned_round_do_not_block_in_a_circle(lab):
    lab.machine.broken["a"] = OSError("x")
    cells = [lab.cell(name, value=1) for name in "abc"]
    old = lab.graph(*cells, edges="cell a -> cell b; cell b -> cell c")
    async with lab.kept(old) as kept:
        assert kept.engine.states()["cell c"] == "blocked"
        kept.engine.swap(lab.graph(*cells, edges="cell c -> cell b; cell a -> cell b"))
        await kept.told(Recovered, "cell c")
        await kept.told(Converged)
        assert lab.machine.cells == {"c": 1}
        told = [e.by for e in lab.events if isinstance(e, Blocked) and e.id == "cell b"]
        assert told == ["cell a"]
