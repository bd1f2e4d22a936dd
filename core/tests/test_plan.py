"""A plan says what a run would change, and changes nothing."""

from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from setpoint import Change, Meta, Refused, Resource, Secret, Values, hookimpl
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint.plan import Plan, plan
from setpoint.plugins import Plugins
from setpoint.values import HIDDEN, Ref, Text

CANARY = "s3cr3t-canary"


class Cell(Resource):
    """Holds a value in a dictionary, which is its machine.

    value: what it is to hold.
    """

    kind = "cell"
    machine: ClassVar[dict[str, Any]] = {}

    value: str = ""

    def check(self) -> list[Change]:
        found = self.machine.get(self.name)
        if found == self.value:
            return []
        return [Change("value", found, self.value or None)]

    def apply(self, changes: list[Change]) -> None:
        raise AssertionError("a plan must not apply")

    @hookimpl
    def refresh(self) -> None:
        raise AssertionError("a plan must not refresh")


class Reader(Resource):
    """Needs a cell to be there.

    cell: its name.
    """

    kind = "reader"

    cell: str = ""

    def check(self) -> list[Change]:
        if self.cell not in Cell.machine:
            raise Refused(f"there is no {self.cell}", "did you mean 'y'?")
        return []


class Vault(Resource):
    """Sends a secret once it is open."""

    kind = "vault"
    opened: ClassVar[bool] = True

    class Sends(Values):
        key: Secret[str]

    async def check(self) -> list[Change]:
        return [] if self.opened else [Change("key", None, Secret(CANARY))]

    async def apply(self, changes: list[Change]) -> None:
        raise AssertionError("a plan must not apply")

    @hookimpl
    def send(self) -> Sends:
        return self.Sends(key=Secret(CANARY))


class Broken(Resource):
    """Has a bug."""

    kind = "broken"

    def check(self) -> list[Change]:
        return [1 / 0]  # type: ignore[list-item]

    def apply(self, changes: list[Change]) -> None:
        raise AssertionError("a plan must not apply")


@pytest.fixture(autouse=True)
def machine() -> dict[str, Any]:
    Cell.machine.clear()
    Vault.opened = True
    return Cell.machine


def graph(*resources: Resource, edges: tuple[Edge, ...] = ()) -> Graph:
    made = Graph()
    made.add(*resources)
    for edge in edges:
        made.connect(edge)
    return made


async def planned(made: Graph, state: Path) -> Plan:
    plugins = Plugins(path=[])
    plugins.add(Cell, Vault, Broken)
    host = Host(state=state)
    try:
        return await plan(made, plugins=plugins, host=host)
    finally:
        host.close()


async def test_each_attribute_is_shown_before_and_after(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(b="old", c="gone", d="same")
    made = graph(
        Cell(name="a", value="new"),
        Cell(name="b", value="new"),
        Cell(name="c"),
        Cell(name="d", value="same"),
    )
    found = await planned(made, tmp_path)
    assert [(step.id, step.action) for step in found.steps] == [
        ("cell a", "add"),
        ("cell b", "change"),
        ("cell c", "drop"),
    ]
    assert found.steps[1].changes == (Change("value", "old", "new"),)
    assert found.unchanged == 1
    assert found.changes_something
    assert not found.failed


async def test_nothing_is_written_not_even_the_state_directory(tmp_path: Path) -> None:
    class Keeper(Cell):
        """Asks for its directory."""

        kind = "keeper"

        def check(self) -> list[Change]:
            return [Change("directory", None, str(self.host.state_directory(self)))]

    found = await planned(graph(Keeper(name="a")), tmp_path / "state")
    assert found.steps[0].changes[0].after.startswith(str(tmp_path / "state/resources/keeper/a+"))
    assert not (tmp_path / "state").exists()


async def test_refreshes_are_predicted_along_edges_in_order(tmp_path: Path) -> None:
    Cell.machine.update(b="", c="", d="")
    made = graph(
        Cell(name="a", value="new"),
        Cell(name="b"),
        Cell(name="c"),
        Cell(name="d"),
        edges=(
            Edge("cell a", "cell b", "hold"),
            Edge("cell b", "cell c", "hold"),
            Edge("cell a", "cell d"),
        ),
    )
    found = await planned(made, tmp_path)
    assert [(refresh.id, refresh.by) for refresh in found.refreshes] == [
        ("cell b", ("cell a",)),
        ("cell c", ("cell b",)),
    ]
    assert found.unchanged == 3


async def test_a_kind_without_refresh_passes_the_notification_on(tmp_path: Path) -> None:
    class Silent(Resource):
        """Has nothing to refresh."""

        kind = "silent"

        def check(self) -> list[Change]:
            return []

    Cell.machine["c"] = ""
    made = graph(
        Cell(name="a", value="new"),
        Silent(name="b"),
        Cell(name="c"),
        edges=(Edge("cell a", "silent b", "hold"), Edge("silent b", "cell c", "hold")),
    )
    found = await planned(made, tmp_path)
    assert [(refresh.id, refresh.by) for refresh in found.refreshes] == [("cell c", ("silent b",))]


async def test_a_resource_with_noop_is_not_counted_and_notifies_nobody(tmp_path: Path) -> None:
    Cell.machine["b"] = ""
    made = graph(
        Cell(name="a", value="new", meta=Meta(noop=True)),
        Cell(name="b"),
        edges=(Edge("cell a", "cell b", "hold"),),
    )
    found = await planned(made, tmp_path)
    assert found.steps[0].noop
    assert found.count("add") == 0
    assert found.refreshes == ()
    assert not found.changes_something


def receiving() -> Graph:
    made = graph(Vault(name="v"), Cell(name="a"), edges=(Edge("vault v", "cell a"),))
    made.receives["cell a"] = {"value": Text(("key=", Ref("vault v", "key")))}
    return made


async def test_a_value_that_only_the_run_makes_is_known_while_running(tmp_path: Path) -> None:
    Vault.opened = False
    found = await planned(receiving(), tmp_path)
    assert [step.id for step in found.steps] == ["vault v", "cell a"]
    assert found.steps[1].pending == {"value": 'send["vault v"].key'}
    assert found.steps[1].changes == ()


async def test_a_sender_that_is_as_declared_sends(tmp_path: Path, machine: dict[str, Any]) -> None:
    machine["a"] = f"key={CANARY}"
    found = await planned(receiving(), tmp_path)
    assert (found.steps, found.unchanged) == ((), 2)


@pytest.mark.parametrize("opened", [True, False])
async def test_secrets_are_hidden(tmp_path: Path, machine: dict[str, Any], opened: bool) -> None:
    Vault.opened = opened
    machine["a"] = f"key={CANARY}, and more"
    found = await planned(receiving(), tmp_path)
    assert CANARY not in str(msgspec.to_builtins(found, enc_hook=str))
    hidden = found.steps[-1 if opened else 0].changes[0]
    assert hidden.after == HIDDEN


async def test_a_secret_in_an_error_is_hidden(tmp_path: Path) -> None:
    class Chatty(Cell):
        """Says too much."""

        kind = "chatty"

        def check(self) -> list[Change]:
            raise OSError(f"no {self.value}")

    made = graph(Vault(name="v"), Chatty(name="a"), edges=(Edge("vault v", "chatty a"),))
    made.receives["chatty a"] = {"value": Ref("vault v", "key")}
    found = await planned(made, tmp_path)
    assert [trouble.error for trouble in found.troubles] == [f"no {HIDDEN}"]


async def test_what_cannot_be_checked_is_told(tmp_path: Path) -> None:
    found = await planned(graph(Reader(name="r", cell="x"), Broken(name="b")), tmp_path)
    first, second = found.troubles
    assert first.error == "there is no x; did you mean 'y'?"
    assert second.error.startswith("plugin Broken")
    assert "ZeroDivisionError" in second.error
    assert found.failed


async def test_a_check_that_needs_what_would_be_made_first_is_no_failure(tmp_path: Path) -> None:
    made = graph(
        Cell(name="x", value="1"), Reader(name="r", cell="x"), edges=(Edge("cell x", "reader r"),)
    )
    found = await planned(made, tmp_path)
    assert found.troubles[0].after == "cell x"
    assert found.troubles[0].error == "there is no x", "what to do is for those that nothing mends"
    assert not found.failed
    assert found.changes_something


async def test_many_are_checked(tmp_path: Path) -> None:
    found = await planned(graph(*(Cell(name=str(n)) for n in range(1000))), tmp_path)
    assert found.count("change") + found.count("drop") + found.count("add") == 1000
