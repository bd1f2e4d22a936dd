"""What an engine promises, each rule on resources that run on the loop, in threads, and as coroutines."""

import asyncio

import pytest

from setpoint import Meta, Refused, Resource, Secret, SetpointError
from setpoint.engine.events import (
    Blocked,
    Changed,
    Converged,
    Failed,
    Fighting,
    Recovered,
    Refreshed,
    Unwatched,
    Warned,
)
from setpoint.values import Ref, Text

KINDS = ["cell", "plain", "slow"]
each_speed = pytest.mark.parametrize("speed", KINDS)


@each_speed
async def test_what_differs_is_repaired_and_told(lab, speed):
    kind = getattr(lab, speed)
    result = await lab.converge(lab.graph(kind("a", value=1), kind("b", value=2)))
    assert result.ok
    assert lab.machine.cells == {"a": 1, "b": 2}
    assert {e.id for e in lab.events if isinstance(e, Changed)} == {f"{speed} a", f"{speed} b"}
    assert result.repairs == 2


@each_speed
async def test_a_second_run_changes_nothing(lab, speed):
    kind = getattr(lab, speed)
    await lab.converge(lab.graph(kind("a", value=1)))
    lab.machine.log.clear()
    result = await lab.converge(lab.graph(kind("a", value=1)))
    assert result.repairs == 0
    assert lab.machine.log == [("check", "a")]


@each_speed
async def test_what_requires_another_runs_after_it(lab, speed):
    kind = getattr(lab, speed)
    names = [str(i) for i in range(20)]
    edges = "; ".join(f"{speed} {i + 1} -> {speed} {i}" for i in range(19))
    await lab.converge(lab.graph(*(kind(n, value=1) for n in names), edges=edges))
    assert lab.machine.done("apply") == names[::-1]


async def test_order_holds_between_the_speeds(lab):
    graph = lab.graph(
        lab.cell("a", value=1),
        lab.plain("b", value=1),
        lab.slow("c", value=1),
        lab.mute("d", value=1),
        edges="slow c -> plain b; plain b -> cell a; cell a -> mute d",
    )
    await lab.converge(graph)
    assert lab.machine.done("apply") == ["c", "b", "a", "d"]


async def test_what_does_not_require_each_other_runs_at_the_same_time(lab):
    gates = {name: asyncio.Event() for name in "abc"}
    lab.slow.gate.update(gates)
    engine = lab.engine(lab.graph(*(lab.slow(n, value=1) for n in "abc")), converged_timeout=0)
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: len(lab.machine.done("begin")) == 3)
    for gate in gates.values():
        gate.set()
    assert (await task).ok


@each_speed
async def test_drift_is_repaired_and_nothing_else_is_looked_at(lab, speed):
    kind = getattr(lab, speed)
    edges = f"{speed} a -> {speed} b"
    async with lab.kept(lab.graph(kind("a", value=1), kind("b", value=2), edges=edges)) as kept:
        lab.machine.log.clear()
        lab.machine.disturb("a", "drifted")
        await kept.told(Changed, f"{speed} a")
    assert lab.machine.cells["a"] == 1
    assert "b" not in lab.machine.done("check")


@each_speed
async def test_an_event_during_a_run_makes_it_run_again(lab, speed):
    kind = getattr(lab, speed)
    once = []

    class Jumpy(kind):
        def put(self):
            super().put()
            if not once:
                once.append(1)
                self.host._parts.loop.call_soon_threadsafe(self.machine.disturb, self.name, "again")

    Jumpy.machine = lab.machine
    async with lab.kept(lab.graph(Jumpy("a", value=1))):
        await lab.machine.until(lambda: lab.machine.done("apply") == ["a", "a"])
        assert lab.machine.cells["a"] == 1


@each_speed
async def test_a_failure_blocks_what_requires_it_and_says_by_whom(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = OSError("no space left")
    graph = lab.graph(
        *(kind(n, value=1) for n in "abcd"),
        edges=f"{speed} a -> {speed} b; {speed} b -> {speed} c",
    )
    result = await lab.converge(graph)
    assert result.failed == {f"{speed} a": "no space left"}
    assert result.blocked == {f"{speed} b": f"{speed} a", f"{speed} c": f"{speed} b"}
    assert not result.ok
    assert lab.machine.cells == {"d": 1}
    assert Blocked(f"{speed} b", f"{speed} a", "failed") in lab.events


@each_speed
async def test_what_was_blocked_runs_when_the_cause_is_gone(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = OSError("busy")
    graph = lab.graph(
        *(kind(n, value=1) for n in "abc"), edges=f"{speed} a -> {speed} b; {speed} b -> {speed} c"
    )
    async with lab.kept(graph) as kept:
        del lab.machine.broken["a"]
        lab.machine.disturb("a", None)
        await kept.told(Converged)
    assert lab.machine.cells == {"a": 1, "b": 1, "c": 1}
    assert kept.result.ok
    assert Recovered(f"{speed} a") in lab.events


async def test_one_of_two_causes_gone_is_not_enough(lab):
    lab.machine.broken.update(a=OSError("x"), b=OSError("y"))
    graph = lab.graph(
        *(lab.cell(n, value=1) for n in "abc"), edges="cell a -> cell c; cell b -> cell c"
    )
    async with lab.kept(graph) as kept:
        del lab.machine.broken["a"]
        lab.machine.disturb("a", None)
        await kept.told(Converged)
        assert "c" not in lab.machine.cells
        del lab.machine.broken["b"]
        lab.machine.disturb("b", None)
        await kept.told(Converged)
    assert lab.machine.cells["c"] == 1


@each_speed
async def test_a_failed_run_is_tried_again_as_often_as_meta_says(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = OSError("x")
    result = await lab.converge(lab.graph(kind("a", value=1, meta=Meta(retry=3))))
    assert len(lab.machine.done("check")) == 4
    assert [e.retry_in for e in lab.events if isinstance(e, Failed)] == [0, 0, 0, -1]
    assert not result.ok


async def test_what_is_refused_is_not_tried_again(lab):
    lab.machine.broken["a"] = Refused("it cannot be", "do otherwise")
    result = await lab.converge(lab.graph(lab.cell("a", value=1, meta=Meta(retry=3))))
    assert len(lab.machine.done("check")) == 1
    assert result.failed == {"cell a": "it cannot be; do otherwise"}


async def test_the_same_refusal_within_a_second_is_told_once(lab, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(lab.clock, "monotonic", lambda: now[0])
    lab.machine.broken["a"] = Refused("it cannot be")
    async with lab.kept(lab.graph(lab.cell("a", value=1))) as kept:
        for seconds in (0.5, 0.9, 1.1):
            now[0], looks = seconds, len(lab.machine.done("check"))
            lab.machine.disturb("a", None)
            await lab.machine.until(lambda looks=looks: len(lab.machine.done("check")) > looks)
            await kept.told(Converged)
    assert len([e for e in lab.events if isinstance(e, Failed)]) == 2


async def test_retries_are_counted_over_the_life_unless_they_are_reset(lab):
    for reset, retries in ((False, [0, -1, -1]), (True, [0, -1, 0, -1])):
        lab.events.clear()
        meta = Meta(retry=1, retry_reset=reset)
        async with lab.kept(lab.graph(lab.cell("a", value=1, meta=meta))) as kept:
            for _ in range(2):
                lab.machine.broken["a"] = OSError("x")
                lab.machine.disturb("a", None)
                await kept.heard(lambda event: isinstance(event, Failed) and event.retry_in < 0)
                del lab.machine.broken["a"]
                lab.machine.disturb("a", None)
                await kept.told(Recovered)
        assert [e.retry_in for e in lab.events if isinstance(e, Failed)] == retries


@pytest.mark.parametrize("how", ["resource", "everywhere"])
@each_speed
async def test_noop_changes_nothing_and_notifies_nobody(lab, speed, how):
    kind = getattr(lab, speed)
    meta = Meta(noop=how == "resource")
    graph = lab.graph(
        kind("a", value=1, meta=meta), kind("b", value=2), edges=f"{speed} a ~> {speed} b"
    )
    result = await lab.converge(graph, noop=how == "everywhere")
    assert "a" not in lab.machine.cells
    assert lab.machine.done("refresh") == []
    assert ("b" in lab.machine.cells) == (how == "resource")
    told = next(e for e in lab.events if isinstance(e, Changed) and e.id == f"{speed} a")
    assert not told.applied
    assert result.ok


@each_speed
@pytest.mark.parametrize("durable", [False, True])
async def test_a_change_refreshes_those_that_listen(lab, speed, durable):
    kind = getattr(lab, speed)
    graph = lab.graph(
        *(kind(n, value=1) for n in "abc"), edges=f"{speed} a ~> {speed} b; {speed} a -> {speed} c"
    )
    async with lab.kept(graph, durable=durable) as kept:
        assert lab.machine.done("refresh") == ["b"]
        lab.machine.disturb("a", "x")
        await kept.told(Refreshed, f"{speed} b")
        lab.machine.disturb("c", "x")
        await kept.told(Converged)
    assert lab.machine.done("refresh") == ["b", "b"]


async def test_a_refresh_is_a_change_for_those_that_listen_further(lab):
    graph = lab.graph(
        *(lab.cell(n, value=1) for n in "abc"), edges="cell a ~> cell b; cell b ~> cell c"
    )
    lab.machine.cells.update(b=1, c=1)
    await lab.converge(graph)
    assert lab.machine.done("refresh") == ["b", "c"]


async def test_a_kind_without_refresh_passes_the_notification_on(lab):
    graph = lab.graph(
        lab.cell("a", value=1),
        lab.mute("m", value=1),
        lab.cell("c", value=1),
        edges="cell a ~> mute m; mute m ~> cell c",
    )
    lab.machine.cells.update(m=1, c=1)
    await lab.converge(graph, durable=True)
    assert lab.machine.done("refresh") == ["c"]


@each_speed
async def test_a_failed_refresh_stays_owed(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["refresh b"] = OSError("x")
    graph = lab.graph(kind("a", value=1), kind("b", value=1), edges=f"{speed} a ~> {speed} b")
    assert not (await lab.converge(graph, durable=True)).ok
    lab.machine.broken.clear()
    lab.machine.log.clear()
    graph = lab.graph(kind("a", value=1), kind("b", value=1), edges=f"{speed} a ~> {speed} b")
    assert (await lab.converge(graph, durable=True)).ok
    assert lab.machine.done("apply") == []
    assert lab.machine.done("refresh") == ["b"]


@each_speed
@pytest.mark.parametrize(
    ("policy", "at_failure", "later"), [("hold", 0, 1), ("fire", 1, 0), ("drop", 0, 0)]
)
async def test_what_a_notifier_that_failed_half_way_means_is_the_edges_choice(
    lab, speed, policy, at_failure, later
):
    kind = getattr(lab, speed)
    lab.machine.broken["apply a"] = OSError("half way")

    def graph():
        return lab.graph(
            kind("a", value=1), kind("b", value=1), edges=f"{speed} a ~{policy}> {speed} b"
        )

    assert not (await lab.converge(graph(), durable=True)).ok
    assert len(lab.machine.done("refresh")) == at_failure
    assert ("b" in lab.machine.cells) == (policy == "fire")
    lab.machine.broken.clear()
    lab.machine.log.clear()
    lab.machine.cells["a"] = 1  # the half that was done was all there was to do
    assert (await lab.converge(graph(), durable=True)).ok
    assert len(lab.machine.done("refresh")) == later


@each_speed
async def test_who_is_fired_at_does_not_wait_for_a_notifier_that_is_blocked(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = OSError("x")
    graph = lab.graph(
        *(kind(name, value=1) for name in "abcd"),
        edges=f"{speed} a -> {speed} b; {speed} b ~fire> {speed} c; {speed} c -> {speed} d",
    )
    async with lab.kept(graph) as kept:
        assert set(lab.machine.cells) == {"c", "d"}
        lab.machine.broken.clear()
        kept.engine.mark(f"{speed} a")
        await kept.told(Converged)
        assert set(lab.machine.cells) == {"a", "b", "c", "d"}
        assert lab.machine.done("refresh") == ["c"]


@each_speed
async def test_a_value_travels_before_the_receiver_is_checked(lab, speed):
    kind = getattr(lab, speed)
    graph = lab.graph(
        kind("a", value="x"),
        kind("b"),
        kind("c"),
        edges=f"{speed} a -> {speed} b; {speed} a -> {speed} c",
        receives={
            f"{speed} b": {"value": Ref(f"{speed} a", "value")},
            f"{speed} c": {"value": Text(("<", Ref(f"{speed} a", "value"), ">"))},
        },
    )
    await lab.converge(graph)
    assert lab.machine.cells == {"a": "x", "b": "x", "c": "<x>"}


async def test_a_secret_is_hidden_wherever_it_travels(lab):
    graph = lab.graph(
        lab.cell("a", value="x"),
        lab.cell("b"),
        edges="cell a -> cell b",
        receives={"cell b": {"value": Ref("cell a", "secret")}},
    )
    lab.machine.broken["apply b"] = OSError("cannot write hidden-x")
    result = await lab.converge(graph, durable=True)
    assert "hidden" not in repr(lab.events)
    assert result.failed == {"cell b": "cannot write (secret)"}
    for path in lab.state.rglob("*"):
        assert path.is_dir() or b"hidden-x" not in path.read_bytes()


async def test_a_secret_within_a_map_is_hidden(lab):
    class Asking(Resource):
        kind = "asking"
        headers: dict[str, Secret[str]]

        def check(self):
            raise OSError(f"it says {self.headers['token'].reveal()}")

    lab.plugins.add(Asking)
    result = await lab.converge(lab.graph(Asking("a", headers={"token": Secret("canary")})))
    assert result.failed == {"asking a": "it says (secret)"}


async def test_a_value_that_differs_makes_the_receiver_run_again(lab):
    graph = lab.graph(
        lab.cell("a", value="x"),
        lab.cell("b"),
        edges="cell a -> cell b",
        receives={"cell b": {"value": Ref("cell a", "value")}},
    )
    async with lab.kept(graph) as kept:
        changed = lab.graph(
            lab.cell("a", value="y"),
            lab.cell("b"),
            edges="cell a -> cell b",
            receives={"cell b": {"value": Ref("cell a", "value")}},
        )
        kept.engine.swap(changed)
        await kept.told(Changed, "cell b")
    assert lab.machine.cells["b"] == "y"


async def test_changed_is_remembered_until_a_run_succeeds(lab):
    seen = []

    class Curious(lab.cell):
        def look(self):
            seen.append(self.changed)
            return super().look()

    graph = lab.graph(
        lab.cell("a", value="x"),
        Curious("b", meta=Meta(retry=1)),
        edges="cell a -> cell b",
        receives={"cell b": {"value": Ref("cell a", "value")}},
    )
    lab.machine.broken["apply b"] = OSError("once")
    async with lab.kept(graph) as kept:
        lab.machine.broken.clear()
        lab.machine.disturb("b", None)
        await kept.told(Converged)
        lab.machine.disturb("b", None)
        await kept.told(Converged)
    assert seen == [{"value"}, {"value"}, {"value"}, set()]


async def test_a_receiver_waits_for_a_value_that_does_not_exist(lab):
    class Silent(lab.cell):
        def send(self):
            return None

    graph = lab.graph(
        Silent("a", value=1),
        lab.cell("b"),
        edges="cell a -> cell b",
        receives={"cell b": {"value": Ref("cell a", "value")}},
    )
    result = await lab.converge(graph)
    assert result.blocked == {"cell b": "cell a"}
    assert "b" not in lab.machine.done("check")
    assert any(isinstance(e, Blocked) and "no value yet" in e.why for e in lab.events)


async def test_a_semaphore_bounds_how_many_run_at_once(lab):
    peak = 0
    running = 0

    class Counting(lab.slow):
        async def apply(self, changes):
            nonlocal peak, running
            running += 1
            peak = max(peak, running)
            for _ in range(5):
                await asyncio.sleep(0)
            running -= 1
            self.put()

    for options, meta, expected in (
        ({}, Meta(sema=("two:2", "x:9")), 2),
        ({"sema": 3}, Meta(), 3),
        ({}, Meta(sema=("one",)), 1),
    ):
        peak = 0
        lab.machine.cells.clear()
        graph = lab.graph(*(Counting(str(i), value=1, meta=meta) for i in range(30)))
        assert (await lab.converge(graph, **options)).ok
        assert peak == expected


async def test_semaphores_are_not_lost_by_who_is_blocked(lab):
    meta = Meta(sema=("one", "other"))
    lab.machine.broken["f"] = OSError("x")
    cells = [lab.slow(str(i), value=1, meta=meta) for i in range(6)]
    graph = lab.graph(
        lab.slow("f", value=1, meta=Meta(sema=("one",))),
        *cells,
        edges="; ".join(f"slow f -> slow {i}" for i in range(3)),
    )
    result = await lab.converge(graph)
    assert len(result.blocked) == 3
    assert set(lab.machine.cells) == {"3", "4", "5"}


async def test_a_limit_spreads_runs_over_time(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=0, meta=Meta(limit=20, burst=2)))) as kept:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(4):
            lab.machine.disturb("a", "x")
            await kept.told(Changed)
        assert loop.time() - began > 0.1  # two at once, then one in each 50 ms


async def test_without_events_a_poll_finds_the_drift(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=1, meta=Meta(poll=0.02)))) as kept:
        lab.machine.cells["a"] = "drifted"
        assert "a" not in lab.machine.watchers
        await kept.told(Changed)
        assert lab.machine.cells["a"] == 1


@pytest.mark.parametrize("speed", ["plain", "slow"])
async def test_what_takes_too_long_fails(lab, speed):
    import threading

    release = threading.Event()

    class Sleepy(getattr(lab, speed)):
        if speed == "slow":

            async def check(self):
                await asyncio.get_running_loop().create_future()
        else:

            def check(self):
                release.wait()
                return []

    try:
        result = await lab.converge(lab.graph(Sleepy("a", meta=Meta(timeout=0.05))))
    finally:
        release.set()
    assert "took longer than 0.05 s" in result.failed[f"{speed} a"]


@each_speed
async def test_a_fight_is_damped_and_told(lab, speed):
    kind = getattr(lab, speed)
    async with lab.kept(lab.graph(kind("a", value=1))) as kept:
        heard = []
        kept.engine.listen(heard.append)

        def strike(event):
            if isinstance(event, Changed):
                asyncio.get_running_loop().call_soon(lab.machine.disturb, "a", "mine")

        kept.engine.listen(strike)
        lab.machine.disturb("a", "mine")
        await kept.told(Fighting)
        before = len(lab.machine.done("apply"))
        lab.machine.disturb("a", "mine")
        await asyncio.sleep(0.05)  # far less than the pause, far more than a repair
        assert len(lab.machine.done("apply")) == before <= 7


@each_speed
async def test_a_plugin_that_exits_or_raises_oddly_is_only_its_own_failure(lab, speed):
    kind = getattr(lab, speed)
    lab.machine.broken["a"] = SystemExit(3)
    lab.machine.broken["b"] = RecursionError("deep")
    result = await lab.converge(lab.graph(*(kind(n, value=1) for n in "abc")))
    assert set(result.failed) == {f"{speed} a", f"{speed} b"}
    assert "SystemExit: 3" in result.failed[f"{speed} a"]
    assert "conftest.py" in result.failed[f"{speed} a"]
    assert lab.machine.cells == {"c": 1}


@each_speed
async def test_a_check_that_returns_nonsense_is_named(lab, speed):
    kind = getattr(lab, speed)

    class Wrong(kind):
        if speed == "slow":

            async def check(self):
                return True
        else:

            def check(self):
                return True

    result = await lab.converge(lab.graph(Wrong("a")))
    assert "returned bool; it must return a list of Change" in result.failed[f"{speed} a"]


async def test_a_watch_that_fails_is_told_and_begun_anew(lab):
    tries = []

    class Unlucky(lab.cell):
        def watch(self):
            tries.append(1)
            lab.machine.note("watch", self.name)
            if len(tries) < 3:
                raise OSError("no more watches")
            return super().watch()

    async with lab.kept(lab.graph(Unlucky("a", value=1, meta=Meta(delay=0.01)))) as kept:
        assert lab.machine.cells["a"] == 1
        await lab.machine.until(lambda: len(tries) == 3)
        lab.machine.disturb("a", "x")
        await kept.told(Changed)
    assert sum(isinstance(e, Unwatched) for e in lab.events) == 2


async def test_an_async_watch_is_followed(lab):
    queue = asyncio.Queue()

    class Streaming(lab.cell):
        async def watch(self):
            yield
            while True:
                yield await queue.get()

    async with lab.kept(lab.graph(Streaming("a", value=1))) as kept:
        lab.machine.cells["a"] = "x"
        queue.put_nowait(None)
        await kept.told(Changed)


async def test_a_watch_that_never_begins_is_named_and_done_without(lab, monkeypatch):
    from setpoint.engine import watches

    monkeypatch.setattr(watches, "PATIENCE", 0.02)

    class Hanging(lab.cell):
        async def watch(self):
            await asyncio.get_running_loop().create_future()
            yield

    result = await lab.converge(lab.graph(Hanging("a", value=1), lab.cell("b", value=1)))
    assert result.ok
    assert any(isinstance(e, Warned) and "has not begun" in e.text for e in lab.events)


async def test_a_plugin_that_blocks_the_loop_is_named(lab, monkeypatch):
    import time

    from setpoint.engine import watchdog

    monkeypatch.setattr(watchdog, "BLOCKED", 0.05)

    class Blocking(lab.cell):
        def check(self):
            time.sleep(0.4)
            return []

    async with lab.kept(lab.graph(Blocking("a"))):
        pass
    told = next(e.text for e in lab.events if isinstance(e, Warned))
    assert "test_engine.py" in told
    assert "has been blocked" in told


async def test_blocking_in_a_thread_holds_up_nobody(lab):
    import threading

    release = threading.Event()

    class Stuck(lab.plain):
        def check(self):
            if self.name == "0":
                release.wait()
            return super().check()

    engine = lab.engine(lab.graph(*(Stuck(str(i), value=1) for i in range(200))))
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: len(lab.machine.done("apply")) == 199)
    release.set()
    engine.stop()
    await task


async def test_a_listener_that_raises_does_not_stop_the_engine(lab):
    engine = lab.engine(lab.graph(lab.cell("a", value=1)), converged_timeout=0)
    complaints = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: complaints.append(context)
    )

    def bad(event):
        raise ValueError("bad listener")

    engine.listen(bad)
    assert (await engine.run()).ok
    assert len(complaints) == 1


async def test_stop_finishes_what_runs_and_starts_nothing(lab):
    lab.slow.gate["a"] = gate = asyncio.Event()
    graph = lab.graph(lab.slow("a", value=1), lab.slow("b", value=1), edges="slow a -> slow b")
    engine = lab.engine(graph)
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.stop()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    result = await task
    assert lab.machine.cells == {"a": 1}
    assert result.unfinished == 1
    assert not result.ok


async def test_cancel_ends_what_runs(lab):
    lab.slow.gate["a"] = asyncio.Event()
    engine = lab.engine(lab.graph(lab.slow("a", value=1)))
    task = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: lab.machine.done("begin"))
    engine.cancel()
    result = await asyncio.wait_for(task, 1)
    assert not result.ok


async def test_two_engines_in_one_program_do_not_meet(lab, tmp_path):
    other = type(lab)(tmp_path / "other")
    async with (
        lab.kept(lab.graph(lab.cell("a", value=1)), durable=True) as one,
        other.kept(other.graph(other.cell("a", value=2)), durable=True) as two,
    ):
        lab.machine.disturb("a", "x")
        await one.told(Changed)
        other.machine.disturb("a", "x")
        await two.told(Changed)
    assert (lab.machine.cells, other.machine.cells) == ({"a": 1}, {"a": 2})


async def test_a_second_engine_on_the_same_state_is_refused(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=1)), durable=True):
        with pytest.raises(SetpointError, match="pid"):
            await lab.converge(lab.graph(), durable=True)


async def test_signals_are_not_taken(lab):
    import signal

    before = {
        s: signal.getsignal(s)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    }
    async with lab.kept(lab.graph(lab.cell("a", value=1))):
        assert {s: signal.getsignal(s) for s in before} == before


async def test_a_change_rechecks_what_requires_a_kind_that_asks_for_it(lab):
    class Tick(lab.cell):
        rechecks = True

    graph = lab.graph(Tick("t", value=1), lab.plain("b", value=1), edges="cell t -> plain b")
    async with lab.kept(graph) as kept:
        lab.machine.log.clear()
        lab.machine.disturb("t", 0)
        await kept.told(Converged)
        assert lab.machine.done("check").count("b") == 1
