"""A plan says what a run would change, and changes nothing."""

from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from setpoint import Change, Meta, Refused, Resource, Secret, Thing, Values, hookimpl
from setpoint.clock import Clock
from setpoint.errors import Place
from setpoint.expressions import UNKNOWN, Expression
from setpoint.expressions.received import Computed
from setpoint.graph import Edge, Graph
from setpoint.graphfile.causes import Read
from setpoint.host import Host
from setpoint.journal import Debt, Journal
from setpoint.plan import Blocked, Plan, Reason, plan
from setpoint.plugins import Plugins
from setpoint.relations import ANYTHING
from setpoint.values import HIDDEN, Received, Ref, Text

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


class Said(Resource):
    """Sends what it has to say.

    text: that; empty is nothing.
    is_due: whether it is not as declared.
    """

    kind = "said"

    text: str = ""
    is_due: bool = False

    class Sends(Values):
        text: str

    async def check(self) -> list[Change]:
        return [Change("run", None, "it")] if self.is_due else []

    async def apply(self, changes: list[Change]) -> None:
        raise AssertionError("a plan must not apply")

    @hookimpl
    def send(self) -> Sends | None:
        return self.Sends(text=self.text) if self.text else None


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


async def planned(made: Graph, state: Path, **more: Any) -> Plan:
    plugins = Plugins(path=[])
    plugins.add(Cell, Vault, Broken)
    host = Host(state=state)
    try:
        return await plan(made, plugins=plugins, host=host, **more)
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


EXPRESSION = Expression('vars.begin + send["vault v"].key')
WITHIN = Text(("key=", Ref("vault v", "key")))
COMPUTED = Computed(EXPRESSION, {"vars": {"begin": "key="}}, Place("site.yaml", 3, 5))


def receiving(source: Received = WITHIN) -> Graph:
    made = graph(Vault(name="v"), Cell(name="a"), edges=(Edge("vault v", "cell a"),))
    made.receives["cell a"] = {"value": source}
    return made


def hearing(sender: Said) -> Graph:
    edges = (Edge("said s", "cell a"), Edge("cell a", "cell b"))
    made = graph(sender, Cell(name="a"), Cell(name="b"), edges=edges)
    made.receives["cell a"] = {"value": Ref("said s", "text")}
    return made


@pytest.mark.parametrize("source", [WITHIN, COMPUTED], ids=["text", "expression"])
async def test_a_value_that_only_the_run_makes_is_known_while_running(
    tmp_path: Path, source: Received
) -> None:
    Vault.opened = False
    found = await planned(receiving(source), tmp_path)
    assert [step.id for step in found.steps] == ["vault v", "cell a"]
    assert found.steps[1].pending == {"value": 'send["vault v"].key'}
    assert found.steps[1].changes == ()


@pytest.mark.parametrize("noop", [False, True])
async def test_what_a_sender_that_has_nothing_to_send_would_give_is_not_waited_for(
    tmp_path: Path, machine: dict[str, Any], noop: bool
) -> None:
    sender = Said(name="s", is_due=noop, meta=Meta(noop=noop))
    found = await planned(hearing(sender), tmp_path)
    assert found.blocked == (
        Blocked("cell a", "said s", 'send["said s"].text'),
        Blocked("cell b", "cell a"),
    )
    assert [step.id for step in found.steps] == (["said s"] if noop else [])


async def test_a_sender_that_runs_first_may_have_something_to_send(tmp_path: Path) -> None:
    found = await planned(hearing(Said(name="s", is_due=True)), tmp_path)
    assert found.blocked == ()
    assert found.steps[1].pending == {"value": 'send["said s"].text'}


async def test_a_sender_that_is_left_as_it_is_sends_what_is_there(tmp_path: Path) -> None:
    sender = Said(name="s", is_due=True, text="there", meta=Meta(noop=True))
    found = await planned(hearing(sender), tmp_path)
    assert found.steps[1].changes == (Change("value", None, "there"),)


async def test_what_was_sent_in_a_former_run_is_received(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.keep_sent("said s", {"text": "before"})
    await journal.flush()
    journal.close()
    found = await planned(hearing(Said(name="s")), tmp_path)
    assert found.steps[0].changes == (Change("value", None, "before"),)


@pytest.mark.parametrize("source", [WITHIN, COMPUTED], ids=["text", "expression"])
async def test_a_sender_that_is_as_declared_sends(
    tmp_path: Path, machine: dict[str, Any], source: Received
) -> None:
    machine["a"] = f"key={CANARY}"
    found = await planned(receiving(source), tmp_path)
    assert (found.steps, found.unchanged) == ((), 2)


@pytest.mark.parametrize("source", [WITHIN, COMPUTED], ids=["text", "expression"])
@pytest.mark.parametrize("opened", [True, False])
async def test_secrets_are_hidden(
    tmp_path: Path, machine: dict[str, Any], opened: bool, source: Received
) -> None:
    Vault.opened = opened
    machine["a"] = f"key={CANARY}, and more"
    found = await planned(receiving(source), tmp_path)
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


# -- what is known while running


def shell(name: str, *, reads: bool = False) -> Resource:
    """Return a resource of which nobody knows what it changes, and which perhaps looks at anything."""

    class Shell(Cell):
        kind = "shell"

        def touches(self) -> tuple[Thing, ...]:
            return (ANYTHING,)

        def reads(self) -> tuple[Thing, ...]:
            return (ANYTHING,) if reads else ()

    return Shell(name=name, value="" if reads else "run")


async def test_what_follows_something_that_may_change_anything_is_known_while_running(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(b="same", c="same")
    made = graph(
        shell("a"),
        Cell(name="b", value="same"),
        Cell(name="c", value="same"),
        Cell(name="d", value="new"),
        Cell(name="e"),
        edges=(
            Edge("shell a", "cell b"),
            Edge("shell a", "cell d"),
            Edge("cell b", "cell e", "hold"),
        ),
    )
    machine["e"] = ""
    found = await planned(made, tmp_path)
    assert [(doubt.id, doubt.after) for doubt in found.doubts] == [
        ("cell b", "shell a"),
        ("cell e", "shell a"),
    ]
    assert [(step.id, step.after) for step in found.steps] == [
        ("shell a", ""),
        ("cell d", "shell a"),
    ]
    refresh = {one.id: one for one in found.refreshes}["cell e"]
    assert (refresh.by, refresh.perhaps, refresh.certain) == ((), ("cell b",), False)
    assert found.unchanged == 1, "what is not ordered is taken to be independent"


async def test_a_check_that_may_look_at_anything_is_open_once_something_changes(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(a="", b="", c="")
    still = graph(Cell(name="a"), shell("b", reads=True), edges=(Edge("cell a", "shell b"),))
    assert (await planned(still, tmp_path)).unchanged == 2
    moving = graph(
        Cell(name="x", value="new"),
        Cell(name="a"),
        shell("b", reads=True),
        edges=(Edge("cell x", "cell a"), Edge("cell a", "shell b")),
    )
    found = await planned(moving, tmp_path)
    assert [(doubt.id, doubt.after) for doubt in found.doubts] == [("shell b", "cell x")]


@pytest.mark.parametrize(
    ("touched", "read", "meets"),
    [
        (Thing("path", "/a/b"), Thing("path", "/a/b"), True),
        (Thing("path", "/a/b"), Thing("path", "/a/c"), False),
        (Thing("path", "/a"), Thing("path", "/a/b"), False),
        (Thing("directory", "/a"), Thing("path", "/a"), True),
        (Thing("below", "/a"), Thing("path", "/a/b"), True),
        (Thing("below", "/a"), Thing("path", "/ab"), False),
        (Thing("path", "/a/b/c"), Thing("below", "/a"), True),
        (Thing("path", "/b/c"), Thing("below", "/a"), False),
        (Thing("user", "u"), Thing("user", "u"), True),
        (Thing("user", "u"), Thing("group", "u"), False),
    ],
)
async def test_who_reads_what_another_touches_may_be_found_otherwise(
    tmp_path: Path, machine: dict[str, Any], touched: Thing, read: Thing, meets: bool
) -> None:
    class First(Cell):
        kind = "first"

        def touches(self) -> tuple[Thing, ...]:
            return (touched,)

    class Then(Cell):
        kind = "then"

        def reads(self) -> tuple[Thing, ...]:
            return (read,)

    machine["b"] = ""
    made = graph(
        First(name="a", value="new"),
        Cell(name="between"),
        Then(name="b"),
        edges=(Edge("first a", "cell between"), Edge("cell between", "then b")),
    )
    machine["between"] = ""
    found = await planned(made, tmp_path)
    assert [doubt.id for doubt in found.doubts] == (["then b"] if meets else [])


async def test_a_kind_that_fails_to_say_what_it_reads_may_read_anything(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    class Dumb(Cell):
        kind = "dumb"

        def reads(self) -> tuple[Thing, ...]:
            raise RuntimeError("no")

    machine["b"] = ""
    made = graph(Cell(name="a", value="new"), Dumb(name="b"), edges=(Edge("cell a", "dumb b"),))
    assert [doubt.id for doubt in (await planned(made, tmp_path)).doubts] == ["dumb b"]


async def test_links_that_are_there_are_seen_through(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    class Placed(Cell):
        kind = "placed"

        def provides(self) -> tuple[Thing, ...]:
            return (Thing("path", self.name),)

    first, then = f"{tmp_path}/link/x", f"{tmp_path}/real/x"
    machine[then] = ""
    made = graph(
        Placed(name=first, value="new"),
        Placed(name=then),
        edges=(Edge(f"placed {first}", f"placed {then}"),),
    )
    assert len((await planned(made, tmp_path)).doubts) == 1


async def test_a_value_that_may_become_another_leaves_its_receiver_open(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(a=f"key={CANARY}", x="")
    made = receiving()
    made.add(Cell(name="x", value="new"))
    made.connect(Edge("cell x", "vault v", "hold"))
    found = await planned(made, tmp_path)
    assert [(doubt.id, doubt.after) for doubt in found.doubts] == [("cell a", "vault v")]


async def test_what_requires_what_cannot_be_checked_is_blocked(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(d="", e="")
    made = graph(
        Broken(name="a"),
        Cell(name="b", value="new"),
        Cell(name="c", value="new"),
        Cell(name="d"),
        Cell(name="e"),
        edges=(
            Edge("broken a", "cell b", "hold"),
            Edge("cell b", "cell c"),
            Edge("broken a", "cell d", "fire"),
            Edge("cell b", "cell e", "fire"),
        ),
    )
    found = await planned(made, tmp_path)
    assert [(one.id, one.by) for one in found.blocked] == [
        ("cell b", "broken a"),
        ("cell c", "cell b"),
    ]
    assert (found.steps, found.unchanged) == ((), 2)


# -- what a former run left


async def left_behind(state: Path, *, intent: bool) -> None:
    """Have a run leave a debt of `cell b` because of `cell a`, and perhaps an intent of `cell a`."""
    journal = Journal(state, Clock())
    journal.open()
    journal.owe([Debt("cell gone", "cell b")])
    if intent:
        await journal.intend(["cell a", "cell of another graph"])
    await journal.flush()
    journal.close()


async def test_refreshes_that_are_owed_are_planned(tmp_path: Path, machine: dict[str, Any]) -> None:
    machine.update(a="", b="", c="")
    await left_behind(tmp_path, intent=False)
    made = graph(
        Cell(name="a"), Cell(name="b"), Cell(name="c"), edges=(Edge("cell b", "cell c", "hold"),)
    )
    found = await planned(made, tmp_path)
    owed, further = found.refreshes
    assert (owed.id, owed.by, list(owed.owed)) == ("cell b", ("cell gone",), ["cell gone"])
    assert owed.owed["cell gone"] > 1e9
    assert (further.id, further.by) == ("cell c", ("cell b",))
    assert found.changes_something


async def test_what_a_killed_run_was_about_to_change_counts_as_changed(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine.update(a="", b="")
    await left_behind(tmp_path, intent=True)
    made = graph(Cell(name="a"), Cell(name="b"), edges=(Edge("cell a", "cell b", "hold"),))
    (found,) = (await planned(made, tmp_path)).refreshes
    assert set(found.by) == {"cell a", "cell gone"}
    assert found.owed["cell a"] == 0


async def test_a_journal_is_read_while_an_engine_has_it(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    machine["b"] = ""
    journal = Journal(tmp_path, Clock())
    journal.open()
    journal.owe([Debt("cell a", "cell b")])
    await journal.flush()
    found = await planned(graph(Cell(name="b")), tmp_path)
    journal.close()
    assert [one.id for one in found.refreshes] == ["cell b"]


# -- why


async def test_what_a_declaration_follows_from_is_said(tmp_path: Path) -> None:
    def because(id_: str) -> dict[str, Read]:
        key = Read(Secret(CANARY), Secret(CANARY))
        facts = {"facts.load": Read(1.5, 5.2), "facts.key": key}
        waits = {"facts.disks": Read(UNKNOWN, UNKNOWN)}
        return waits if id_ == "cell w" else facts

    made = graph(Cell(name="a", value="new"))
    made.held.add("cell w")
    found = await planned(made, tmp_path, because=because)
    assert found.steps[0].because == (
        Reason("facts.load", "5.2", "1.5"),
        Reason("facts.key", HIDDEN),
    )
    assert [(one.id, one.facts) for one in found.waiting] == [("cell w", ("facts.disks",))]


async def test_the_graph_that_is_planned_may_run(tmp_path: Path, machine: dict[str, Any]) -> None:
    made = graph(Cell(name="a", value="new"))
    before = made.resources["cell a"]
    await planned(made, tmp_path)
    assert made.resources["cell a"] is before
    assert before._host is None


async def test_a_hidden_difference_has_a_mark_that_only_the_key_gives(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    marks = set()
    for before, key in (("one", b"k"), ("two", b"k"), ("two", b"other")):
        machine["a"] = f"key={before}"
        found = await planned(receiving(), tmp_path, key=key)
        marks.add(found.steps[0].mark)
    assert len(marks) == 3
    assert all(len(mark) == 64 for mark in marks)
    assert (await planned(receiving(), tmp_path)).steps[0].mark == ""
