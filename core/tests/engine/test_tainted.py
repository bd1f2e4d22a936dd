"""A secret in a param of any type is hidden by the engine, from its first graph on and after each swap."""

from setpoint.engine.events import Changed, Failed
from setpoint.graph import Graph
from setpoint.plan import plan
from setpoint.values import HIDDEN, Secret

CANARY = "s3cr3t-canary"


def tainted(graph: Graph, *secrets: str, **params: str) -> Graph:
    """Return `graph` with a secret in params of its resources, as `build` makes it."""
    graph.tainted = {id_.replace("_", " "): frozenset({param}) for id_, param in params.items()}
    for secret in secrets:
        graph.secrets.learn(Secret(secret))
    return graph


async def test_what_a_secret_param_differs_in_is_not_shown(lab):
    graph = tainted(lab.graph(lab.cell("a", value=CANARY)), CANARY, cell_a="value")
    lab.machine.cells["a"] = "old-password"
    await lab.converge(graph)
    [told] = [event for event in lab.events if isinstance(event, Changed)]
    assert [(change.before, change.after) for change in told.changes] == [(HIDDEN, HIDDEN)]


async def test_nor_after_a_swap_that_changes_it_in_place(lab):
    async with lab.kept(lab.graph(lab.cell("a", value="in-clear"))) as kept:
        kept.engine.swap(tainted(lab.graph(lab.cell("a", value=CANARY)), CANARY, cell_a="value"))
        told = await kept.told(Changed, "cell a")
        assert told.changes[0].after == HIDDEN
        assert told.changes[0].before == HIDDEN
        kept.engine.swap(
            tainted(lab.graph(lab.cell("a", value="another-one")), "another-one", cell_a="value")
        )
        told = await kept.told(Changed, "cell a")
        assert [(c.before, c.after) for c in told.changes] == [(HIDDEN, HIDDEN)]
        assert kept.engine.without_secrets(f"{CANARY} another-one") == f"{HIDDEN} {HIDDEN}"


async def test_a_value_that_was_in_clear_is_hidden_once_it_comes_from_a_secret(lab):
    async with lab.kept(lab.graph(lab.cell("a", value=CANARY))) as kept:
        kept.engine.swap(tainted(lab.graph(lab.cell("a", value=CANARY)), CANARY, cell_a="value"))
        lab.machine.disturb("a", "other")
        told = await kept.told(Changed, "cell a")
        assert [(c.before, c.after) for c in told.changes] == [(HIDDEN, HIDDEN)]


async def test_errors_and_logs_have_it_no_more(lab):
    lab.machine.broken["apply a"] = OSError(f"cannot write {CANARY}")
    await lab.converge(tainted(lab.graph(lab.slow("a", value=CANARY)), CANARY, slow_a="value"))
    [failed] = [event for event in lab.events if isinstance(event, Failed)]
    assert failed.error == f"cannot write {HIDDEN}"


async def test_a_plan_hides_it_too(lab, host):
    graph = tainted(lab.graph(lab.cell("a", value=CANARY)), CANARY, cell_a="value")
    found = await plan(graph, plugins=lab.plugins, host=host)
    assert found.steps[0].changes[0].after == HIDDEN
