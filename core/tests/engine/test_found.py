"""Bugs that were found by trying to break the engine, each as the rule that it broke."""

import asyncio
import gc
import os

import pytest

from setpoint import Meta
from setpoint.clock import Clock
from setpoint.engine.events import Blocked, Converged, Failed, Refreshed
from setpoint.journal import Journal
from setpoint.values import Ref

each_speed = pytest.mark.parametrize("speed", ["cell", "plain", "slow"])


async def until(reached):
    """Wait for what no event tells, such as what a thread has done to the machine."""
    for _ in range(3000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError


def die_with_an_open_journal(state):
    pid = os.fork()
    if pid == 0:
        Journal(state, Clock()).open()
        os._exit(9)
    os.waitpid(pid, 0)


async def begun(lab, name):
    await until(lambda: name in lab.machine.done("begin"))


@each_speed
async def test_what_is_new_and_requires_what_failed_before_is_blocked(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = OSError("x")
    async with lab.kept(lab.graph(kind("a", value=1))) as kept:
        new = lab.graph(
            *(kind(name, value=1) for name in "abc"),
            edges=f"{speed} a -> {speed} b; {speed} b -> {speed} c",
        )
        kept.engine.swap(new)
        await kept.told(Blocked, f"{speed} c")
        await kept.told(Converged)
        del lab.machine.broken["a"]
        lab.machine.disturb("a", None)
        await kept.told(Converged)
    assert lab.machine.cells == {"a": 1, "b": 1, "c": 1}
    assert kept.result.ok


async def test_a_semaphore_is_not_lost_by_who_leaves_its_queue(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    one = Meta(sema=("one",), realize=False)
    a, b, c = (lab.slow(name, value=1, meta=one) for name in "abc")
    engine = lab.engine(lab.graph(a, b, c), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await begun(lab, "a")
    engine.swap(lab.graph(*(lab.slow(name, value=1, meta=one) for name in "ac")))
    gate.set()
    assert (await asyncio.wait_for(task, 2)).ok
    assert lab.machine.cells == {"a": 1, "c": 1}


async def test_a_semaphore_is_not_lost_by_who_has_to_wait_for_another_in_its_queue(lab):
    one = Meta(sema=("one",))

    def graph():
        return lab.graph(
            *(lab.slow(name, value=1, meta=one) for name in "hav"), edges="slow a -> slow v"
        )

    async with lab.kept(graph()) as kept:
        lab.slow.gate["h"] = gate = asyncio.Event()
        lab.machine.log.clear()
        lab.machine.disturb("h", 0)
        await begun(lab, "h")
        lab.machine.disturb("v", 0)
        await asyncio.sleep(0.01)  # it stands in the queue
        lab.machine.disturb("a", 0)
        await asyncio.sleep(0.01)
        gate.set()
        await until(lambda: lab.machine.cells == {"h": 1, "a": 1, "v": 1})
        del kept
    assert lab.machine.done("apply") == ["h", "a", "v"]


async def test_what_is_new_waits_for_what_changed_in_the_same_swap(lab):
    async with lab.kept(lab.graph(lab.slow("a", value=1))) as kept:
        lab.slow.gate["a"] = gate = asyncio.Event()
        lab.machine.log.clear()
        new = lab.graph(lab.slow("a", value=2), lab.slow("b", value=1), edges="slow a -> slow b")
        kept.engine.swap(new)
        await begun(lab, "a")
        await asyncio.sleep(0.01)
        assert "b" not in lab.machine.cells
        gate.set()
        await kept.told(Converged)
    assert lab.machine.cells == {"a": 2, "b": 1}


async def test_a_receiver_of_another_sender_takes_the_other_value(lab):
    def graph(sender):
        return lab.graph(
            *(lab.cell(name, value=name) for name in "ac"),
            *map(lab.cell, "bde"),
            edges=f"cell {sender} -> cell b; cell a -> cell d; cell c -> cell e",
            receives={
                "cell b": {"value": Ref(f"cell {sender}", "value")},
                "cell d": {"value": Ref("cell a", "value")},
                "cell e": {"value": Ref("cell c", "value")},
            },
        )

    async with lab.kept(graph("a")) as kept:
        for sender in "caca":
            kept.engine.swap(graph(sender))
            await until(lambda s=sender: lab.machine.cells["b"] == s)


@pytest.mark.parametrize("literal", [None, "x", "y", "z"])
async def test_a_param_that_is_received_no_more_is_as_declared(lab, literal):
    def graph(value):
        return lab.graph(
            lab.cell("a", value=value),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )

    async with lab.kept(graph("x")) as kept:
        kept.engine.swap(graph("x"))
        kept.engine.swap(graph("y"))
        await until(lambda: lab.machine.cells["b"] == "y")
        kept.engine.swap(lab.graph(lab.cell("a", value="y"), lab.cell("b", value=literal)))
        await until(lambda: lab.machine.cells["b"] == literal)


@each_speed
async def test_one_that_fails_twice_counts_once_for_whom_it_fires_at(lab, speed):
    kind = getattr(lab, speed)
    lab.slow.gate["w"] = gate = asyncio.Event()
    lab.machine.broken["a"] = OSError("x")
    graph = lab.graph(
        kind("a", value=1),
        lab.slow("w", value=1),
        kind("s", value=1),
        edges=f"{speed} a ~fire> {speed} s; slow w -> {speed} s",
    )
    engine = lab.engine(graph, converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    for failures in range(1, 4):
        await until(lambda n=failures: sum(isinstance(event, Failed) for event in lab.events) >= n)
        if failures == 3:
            del lab.machine.broken["a"]
            lab.machine.cells["a"] = 1
        lab.machine.disturb("a", lab.machine.cells.get("a"))
    await asyncio.sleep(0.02)
    assert "s" not in lab.machine.done("check")
    gate.set()
    assert (await asyncio.wait_for(task, 2)).ok
    assert lab.machine.cells == {"a": 1, "w": 1, "s": 1}


@each_speed
async def test_a_change_after_a_failure_is_news_for_those_that_have_heard_of_the_failure(
    lab, speed
):
    kind = getattr(lab, speed)
    lab.machine.broken["apply a"] = OSError("half way")
    graph = lab.graph(
        *(kind(name, value=1) for name in "ahfd"),
        edges=(f"{speed} a ~> {speed} h; {speed} a ~fire> {speed} f; {speed} a ~drop> {speed} d"),
    )
    async with lab.kept(graph, durable=True) as kept:
        assert lab.machine.done("refresh") == ["f"]
        lab.machine.disturb("a", "x")
        await kept.told(Failed)
        await kept.told(Refreshed, f"{speed} f")
        await kept.told(Converged)
        lab.machine.broken.clear()
        lab.machine.disturb("a", "y")
        await kept.told(Converged)
    assert sorted(lab.machine.done("refresh")) == ["d", "f", "f", "f", "h"]


async def test_what_a_resource_owes_that_comes_later_is_paid(lab):
    lab.machine.broken["refresh b"] = OSError("x")
    a, b = lab.cell("a", value=1), lab.cell("b", value=1)
    await lab.converge(lab.graph(a, b, edges="cell a ~> cell b"), durable=True)
    lab.machine.broken.clear()
    lab.machine.log.clear()
    async with lab.kept(lab.graph(lab.cell("a", value=1)), durable=True) as kept:
        a, b = lab.cell("a", value=1), lab.cell("b", value=1)
        kept.engine.swap(lab.graph(a, b, edges="cell a ~> cell b"))
        async with asyncio.timeout(2):
            await kept.told(Refreshed, "cell b")


async def test_a_notifier_that_comes_later_says_what_it_had_begun(lab):
    lab.machine.broken["apply a"] = OSError("half way")
    a, b = lab.cell("a", value=1), lab.cell("b", value=1)
    await lab.converge(lab.graph(a, b, edges="cell a ~> cell b"), durable=True)
    lab.machine.broken.clear()
    lab.machine.cells["a"] = 1
    async with lab.kept(lab.graph(lab.cell("b", value=1)), durable=True) as kept:
        a, b = lab.cell("a", value=1), lab.cell("b", value=1)
        kept.engine.swap(lab.graph(a, b, edges="cell a ~> cell b"))
        async with asyncio.timeout(2):
            await kept.told(Refreshed, "cell b")


async def test_what_is_owed_because_of_one_that_left_is_paid_after_a_restart(lab):
    lab.machine.broken["refresh b"] = OSError("x")
    a, b = lab.cell("a", value=1), lab.cell("b", value=1)
    await lab.converge(lab.graph(a, b, edges="cell a ~> cell b"), durable=True)
    lab.machine.broken.clear()
    assert (await lab.converge(lab.graph(lab.cell("b", value=1)), durable=True)).ok
    assert lab.machine.done("refresh") == ["b", "b"]


async def test_a_call_that_outlives_its_run_is_waited_for_however_the_next_run_is_made(lab):
    import threading

    release, at_once, most = threading.Event(), [], []

    class Stuck(lab.plain):
        def check(self):
            at_once.append(1)
            most.append(len(at_once))
            release.wait()
            at_once.pop()
            return []

    meta = Meta(timeout=0.02)
    async with lab.kept(lab.graph(Stuck("a", meta=meta))) as kept:
        kept.engine.swap(lab.graph(Stuck("a")))
        await asyncio.sleep(0.05)
        release.set()
        await kept.told(Converged)
    assert max(most) == 1


async def test_a_swap_that_does_not_concern_what_failed_does_not_try_it_again(lab):
    lab.machine.broken["a"] = OSError("x")

    def graph(value):
        return lab.graph(
            lab.cell("a", value=1),
            lab.cell("b"),
            lab.cell("c", value=value),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )

    async with lab.kept(graph(1)) as kept:
        lab.machine.log.clear()
        kept.engine.swap(graph(2))
        await kept.told(Converged)
    assert lab.machine.done("check") == ["c"]


async def test_converged_is_not_told_in_the_middle_of_a_swap(lab):
    graph = lab.graph(lab.slow("b", value=1), lab.slow("w", value=1, meta=Meta(retry=1, delay=30)))
    lab.machine.broken["w"] = OSError("x")
    engine = lab.engine(graph)
    task = asyncio.ensure_future(engine.run())
    await until(lambda: {"b", "w"} == set(lab.machine.done("check")))
    await until(lambda: "b" in lab.machine.cells)
    lab.events.clear()
    engine.swap(lab.graph(lab.slow("b", value=2)))
    await until(lambda: lab.machine.cells["b"] == 2)
    engine.stop()
    await task
    told = [type(event).__name__ for event in lab.events]
    assert told.index("Converged") > told.index("Changed"), told


async def test_what_changed_in_a_swap_waits_for_what_it_now_requires(lab):
    async with lab.kept(lab.graph(lab.cell("b", value=1))) as kept:
        lab.slow.gate["a"] = gate = asyncio.Event()
        new = lab.graph(
            lab.slow("a", value=1),
            lab.cell("b", value=2),
            lab.cell("c", value=2),
            edges="slow a -> cell b; cell b -> cell c",
        )
        kept.engine.swap(new)
        await begun(lab, "a")
        await asyncio.sleep(0.01)
        assert lab.machine.cells == {"b": 1}
        gate.set()
        await kept.told(Converged)
    assert lab.machine.done("apply") == ["b", "a", "b", "c"]


async def test_what_comes_back_while_it_leaves_is_watched_once(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    begun_watches = []

    class Counted(lab.slow):
        def watch(self):
            begun_watches.append(1)
            return super().watch()

    engine = lab.engine(lab.graph(Counted("a", value=1)), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await begun(lab, "a")
    engine.swap(lab.graph())
    engine.swap(lab.graph(Counted("a", value=3)))
    gate.set()
    assert (await task).ok
    assert len(begun_watches) == 1


async def test_what_leaves_while_it_runs_ends_nobody_elses_work(lab):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    class Leaving(lab.slow):
        async def apply(self, changes):
            engine.swap(lab.graph(lab.cell("b", value=1)))
            await asyncio.sleep(0)

    class Broken(lab.cell):
        def apply(self, changes):
            raise OSError("it left")

    graph = lab.graph(
        Leaving("a", value=1),
        Broken("c", value=1),
        lab.cell("b", value=1),
        edges="slow a -> cell b; cell c ~> cell b",
    )
    engine = lab.engine(graph, converged_timeout=0)
    assert (await asyncio.wait_for(engine.run(), 2)).ok
    gc.collect()
    await asyncio.sleep(0)
    assert not complaints


async def test_what_is_new_holds_back_what_requires_it_while_it_waits_for_a_semaphore(lab):
    one = Meta(sema=("one",))
    async with lab.kept(lab.graph(lab.slow("w", value=1), lab.cell("b", value=1))) as kept:
        new = lab.graph(
            lab.slow("w", value=2, meta=one),
            lab.slow("a", value=1, meta=one),
            lab.cell("b", value=2),
            edges="slow a -> cell b",
        )
        kept.engine.swap(new)
        await kept.told(Converged)
    assert lab.machine.done("apply")[-1] == "b"


async def test_a_semaphore_is_not_lost_by_who_needs_it_no_more(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    one = Meta(sema=("one",))

    def graph(meta):
        return lab.graph(*(lab.slow(n, value=1, meta=meta if n == "b" else one) for n in "abc"))

    engine = lab.engine(graph(one), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await begun(lab, "a")
    engine.swap(graph(Meta(retry=1)))
    await until(lambda: "b" in lab.machine.cells)
    gate.set()
    assert (await asyncio.wait_for(task, 2)).ok


async def test_what_failed_and_is_blocked_now_is_only_blocked(lab):
    lab.machine.broken["b"] = OSError("x")
    graph = lab.graph(lab.cell("a", value=1), lab.cell("b", value=1), edges="cell a -> cell b")
    async with lab.kept(graph) as kept:
        lab.machine.broken["a"] = OSError("y")
        lab.machine.disturb("a", 2)
        lab.machine.disturb("b", 2)
        await kept.told(Blocked, "cell b")
    assert kept.result.failed == {"cell a": "y"}
    assert kept.result.blocked == {"cell b": "cell a"}


async def test_a_sender_that_gains_a_receiver_again_is_asked_again(lab):
    def graph(value, *, received):
        return lab.graph(
            lab.cell("a", value=value),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}} if received else {},
        )

    async with lab.kept(graph("x", received=True)) as kept:
        kept.engine.swap(graph("x", received=False))
        await kept.told(Converged)
        kept.engine.swap(graph("y", received=False))
        await kept.told(Converged)
        kept.engine.swap(graph("y", received=True))
        await until(lambda: lab.machine.cells["b"] == "y")


async def test_what_failed_is_blocked_when_it_now_requires_what_is_blocked(lab):
    lab.machine.broken.update(a=OSError("x"), c=OSError("y"))

    def graph(edges, value):
        cells = lab.cell("a", value=1), lab.cell("b", value=1), lab.cell("c", value=value)
        return lab.graph(*cells, edges=edges)

    async with lab.kept(graph("cell a -> cell b", 1)) as kept:
        kept.engine.swap(graph("cell a -> cell b; cell b -> cell c", 2))
        await kept.told(Blocked, "cell c")
        await kept.told(Converged)
    assert kept.result.blocked == {"cell b": "cell a", "cell c": "cell b"}


async def test_what_runs_when_it_gains_a_prerequisite_runs_again_after_that(lab):
    lab.slow.gate.update(a=asyncio.Event(), b=asyncio.Event())
    engine = lab.engine(lab.graph(lab.slow("b", value=1)), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await begun(lab, "b")
    engine.swap(lab.graph(lab.slow("a", value=1), lab.slow("b", value=2), edges="slow a -> slow b"))
    await begun(lab, "a")
    lab.slow.gate["b"].set()
    await until(lambda: lab.machine.cells.get("b") == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert lab.machine.done("begin") == ["b", "a"]
    lab.slow.gate["a"].set()
    assert (await asyncio.wait_for(task, 2)).ok
    assert lab.machine.done("apply") == ["b", "a", "b"]


async def test_what_a_killed_engine_left_unfinished_goes_at_the_next_start(lab):
    graph = lab.graph(lab.cell("a", value=1))
    die_with_an_open_journal(lab.state)
    unfinished = lab.state / "resources/cell/a+1/.setpoint-1-1-1~"
    kept = unfinished.with_name("kept")
    kept.parent.mkdir(parents=True)
    unfinished.touch()
    kept.touch()
    await lab.converge(graph, durable=True)
    assert not unfinished.exists()
    assert kept.exists()


async def test_what_is_settled_again_does_not_let_others_go_twice(lab):
    lab.machine.broken.update(b=OSError("x"), c=OSError("y"))
    graph = lab.graph(
        lab.cell("a", value=1),
        lab.plain("b", value=1),
        lab.slow("c", value=1),
        edges="cell a -> plain b; plain b ~fire> slow c",
    )
    async with lab.kept(graph) as kept:
        for _ in range(2):
            lab.machine.log.clear()
            kept.engine.mark()
            await kept.told(Converged)
            assert set(lab.machine.done("check")) == {"a", "b", "c"}
