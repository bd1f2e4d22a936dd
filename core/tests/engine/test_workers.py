"""How many vertices are awaited at once: few while runs are short, many while they only wait."""

import asyncio
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest

from setpoint.engine.events import Changed
from setpoint.engine.workers import FEW, most_workers


@pytest.fixture
def gate(lab):
    """Return what those whose names begin with "stuck" wait for."""
    gate = asyncio.Event()
    for i in range(200):
        lab.slow.gate[f"stuck {i}"] = gate
    return gate


def stuck(lab, number):
    return [lab.slow(f"stuck {i}", value=1) for i in range(number)]


async def test_two_hundred_that_wait_do_so_at_once(lab, gate):
    engine = lab.engine(lab.graph(*stuck(lab, 200)), converged_timeout=0)
    running = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: len(lab.machine.done("begin")) == 200)
    gate.set()
    assert (await running).repairs == 200


async def test_sixty_four_that_are_stuck_hold_up_nobody_else(lab, gate):
    graph = lab.graph(*stuck(lab, FEW), lab.slow("free", value=1))
    engine = lab.engine(graph, converged_timeout=0)
    running = asyncio.ensure_future(engine.run())
    await lab.machine.until(lambda: "free" in lab.machine.done("apply"))
    assert not gate.is_set()
    gate.set()
    assert (await running).ok


async def test_a_storm_of_short_runs_makes_few_workers(lab):
    seen = []
    engine = lab.engine(
        lab.graph(*(lab.slow(str(i), value=1) for i in range(2_000))), converged_timeout=0
    )

    def count(event):
        if isinstance(event, Changed) and event.id.endswith("50"):
            seen.append(sum(task.get_name() == "setpoint worker" for task in asyncio.all_tasks()))

    engine.listen(count)
    assert (await engine.run()).ok
    assert 0 < max(seen) <= 2 * FEW


async def test_workers_that_are_needed_no_more_end(lab, gate):
    async with lab.kept(lab.graph(lab.slow("first", value=1))) as kept:
        kept.engine.swap(lab.graph(*stuck(lab, 200)))
        await lab.machine.until(lambda: len(lab.machine.done("begin")) == 201)
        gate.set()
        await kept.heard(lambda event: type(event).__name__ == "Converged")
        await asyncio.sleep(0)  # tasks that end are gone in the next turn
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("setpoint worker") == FEW


@pytest.mark.parametrize(("files", "most"), [(256, 64), (1024, 128), (4096, 512)])
def test_workers_leave_open_files_for_others(files, most):
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (files, hard))
    try:
        assert most_workers() == most
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))
