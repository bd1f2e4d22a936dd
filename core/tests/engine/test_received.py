"""Expressions over what is sent: read from a file, evaluated once the senders have run."""

from pathlib import Path
from typing import Any

import pytest

from setpoint import Fact, Secret, Values, graphfile
from setpoint.engine.events import Blocked, Changed, Converged
from setpoint.errors import GraphError
from setpoint.expressions.received import Computed
from setpoint.graphfile.live import Live
from setpoint.values import Ref


class Load(Fact):
    """How busy it is."""

    kind = "load"

    class Value(Values):
        x1: float
        x5: float = 0.0


def live(lab: Any, tmp_path: Path, text: str) -> Live:
    lab.plugins.fact = {"load": Load}.__getitem__
    path = tmp_path / "g.yaml"
    path.write_text(text)
    return graphfile.live([path], lab.plugins)


SENDER = "resources:\n  cell a: { value: %s }\n  cell b:\n    value: %s\n"


@pytest.mark.parametrize(
    ("sent", "expression", "expected"),
    [
        ("x", r"""${{ send["cell a"].value + "\n" }}""", "x\n"),
        ("x", '${{ base64(send["cell a"].value) }}', "eA=="),
        ("2", '${{ "two" if send["cell a"].value == 2 else vars.other }}', "two"),
        ("3", '${{ "two" if send["cell a"].value == 2 else vars.other }}', "another"),
        ("{k: [7, {z: 8}]}", '${{ send["cell a"].value.k[1].z }}', 8),
        ("{k: [7, 8]}", '${{ [n * 2 for n in send["cell a"].value.k] }}', [14, 16]),
        ("3", 'n=${{ send["cell a"].value }} ${{ send["cell a"].value + 1 }}.', "n=3 4."),
        ("3", "${{ vars.next * 10 }}", 40),
        ("3", "<${{ vars.next }} ${{ vars.text }}>", "<4 at 3>"),
        ("3", "${{ len(vars.text) + vars.list[1] }}", 7),
        ("null", '${{ default(send["cell a"].value, "none") }}', "none"),
        ("3", '${{ send["cell a"].value if vars.other == "another" else 1 }}', 3),
        ("3", '${{ 5 if vars.other == "another" else send["cell a"].value }}', 5),
    ],
)
async def test_an_expression_has_the_value_that_was_sent(lab, tmp_path, sent, expression, expected):
    text = SENDER % (sent, f"'{expression}'") + (
        """
vars:
  other: another
  next: ${{ send["cell a"].value + 1 }}
  text: at ${{ send["cell a"].value }}
  list: [1, '${{ send["cell a"].value }}']
"""
    )
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert (result.failed, lab.machine.cells["b"]) == ({}, expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            """[1, '${{ send["cell a"].value }}', ['${{ send["cell a"].value + "!" }}']]""",
            [1, "x", ["x!"]],
        ),
        ("""{ k: '<${{ send["cell a"].value }}>', l: { m: 5 } }""", {"k": "<x>", "l": {"m": 5}}),
        ("${{ vars.list }}", [1, "x"]),
    ],
)
async def test_a_value_within_a_list_or_a_map_is_received(lab, tmp_path, written, expected):
    text = SENDER % ("x", written)
    text += """vars: { list: [1, '${{ send["cell a"].value }}'] }\n"""
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert (result.failed, lab.machine.cells["b"]) == ({}, expected)


async def test_a_secret_within_a_map_that_is_received_is_hidden(lab, tmp_path):
    class Asking(lab.cell):
        kind = "asking"
        headers: dict[str, Secret[str]]
        words: list[str]

        def check(self):
            assert self.headers["plain"].reveal() == "me"
            raise OSError(f"it says {self.headers['token'].reveal()} and {self.words}")

    lab.plugins.add(Asking)
    text = """resources:
  cell a: { value: x }
  asking b:
    headers: { token: '${{ "k=" + send["cell a"].secret }}', plain: me }
    words: ['${{ send["cell a"].secret[:8] }}']
"""
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert result.failed == {"asking b": "it says (secret) and ['(secret)']"}


async def test_what_is_not_read_makes_no_edge(lab, tmp_path):
    graph = live(lab, tmp_path, SENDER % ("1", """'${{ 5 if true else send["cell a"].value }}'"""))
    assert (graph.graph.edges, graph.graph.receives) == ({}, {})


async def test_what_comes_of_a_secret_is_one(lab, tmp_path):
    text = SENDER % ("x", """'${{ send["cell a"].secret + "!" }}'""")
    lab.machine.broken["apply b"] = OSError("cannot write hidden-x!")
    result = await lab.converge(live(lab, tmp_path, text).graph, durable=True)
    assert result.failed == {"cell b": "cannot write (secret)"}
    assert "hidden" not in repr(lab.events)


async def test_an_error_is_told_with_its_place(lab, tmp_path):
    text = SENDER % ("1", """'${{ 1 + send["cell a"].value + "x" }}'""")
    result = await lab.converge(live(lab, tmp_path, text).graph)
    path = tmp_path / "g.yaml"
    assert result.failed["cell b"].startswith(f"{path}:4:17: ")


async def test_an_error_shows_no_secret(lab, tmp_path):
    text = SENDER % ("1", """'${{ send["cell a"].secret + 1 }}'""")
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert "hidden-1" not in result.failed["cell b"]


async def test_a_list_is_no_part_of_a_text(lab, tmp_path):
    text = SENDER % ("[1]", """'x${{ send["cell a"].value }}'""")
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert result.failed == {
        "cell b": 'send["cell a"].value is a list or a map, and no part of a text; '
        'write json(...), or ", ".join(...) of its items'
    }


async def test_a_value_of_the_wrong_type_is_told_when_it_arrives(lab, tmp_path):
    class Narrow(lab.cell):
        kind = "narrow"
        value: int = 0

    lab.plugins.add(Narrow)
    text = (SENDER % ("x", """'${{ send["cell a"].value + "y" }}'""")).replace("cell b", "narrow b")
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert result.failed["narrow b"].startswith(
        'value cannot take what it receives from send["cell a"].value + "y": Expected `int`'
    )


async def test_it_waits_for_a_sender_that_has_not_sent(lab, tmp_path):
    class Silent(lab.cell):
        kind = "silent"

        def send(self):
            return None

    lab.plugins.add(Silent)
    text = (SENDER % ("1", """'${{ default(send["cell a"].value, 3) }}'""")).replace(
        "cell a", "silent a"
    )
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert result.blocked == {"cell b": "silent a"}
    assert any(isinstance(event, Blocked) for event in lab.events)


FACTS = SENDER % ("x", """'${{ send["cell a"].value if facts.load.x1 > 4 else "idle" }}'""")


WHEN = "resources: { cell a: { value: x, when: facts.load.x1 > 4 } }\n"


def load(x1: float, x5: float = 0.0) -> dict[str, Any]:
    return {"load": Load.Value(x1=x1, x5=x5)}


async def test_the_receiver_follows_facts(lab, tmp_path):
    files = live(lab, tmp_path, FACTS)
    assert files.graph.held == {"cell b"}
    async with lab.kept(files.evaluate(load(1))) as kept:
        assert lab.machine.cells["b"] == "idle"
        kept.engine.swap(files.evaluate(load(5)))
        await kept.told(Changed, "cell b")
        assert lab.machine.cells["b"] == "x"
        kept.engine.swap(files.evaluate(load(2)))
        await kept.told(Changed, "cell b")
        assert lab.machine.cells["b"] == "idle"


def test_only_what_is_read_makes_a_difference(lab, tmp_path):
    files = live(lab, tmp_path, FACTS)
    first = files.evaluate(load(5))
    [computed] = first.receives["cell b"].values()
    assert isinstance(computed, Computed)
    assert computed.refs == (Ref("cell a", "value"),)
    assert computed.names == {"facts": {"load": {"x1": 5}}}
    assert first.is_like(files.evaluate(load(5, 7)))
    assert not first.is_like(files.evaluate(load(6)))


@pytest.mark.parametrize(
    ("expression", "known"),
    [
        ('${{ send["cell a"].value + facts.load.x1 }}', False),
        ('${{ facts.load.x1 > 4 or send["cell a"].value }}', False),
        ('${{ send["cell a"].value + default(facts.load.x1, 7) }}', True),
        ('${{ present(facts.load) or send["cell a"].value }}', True),
        ('${{ default(facts.load.x1, facts.load.x5) + send["cell a"].value }}', False),
    ],
)
def test_it_is_unknown_with_a_fact_that_is_unless_there_is_something_instead(
    lab, tmp_path, expression, known
):
    graph = live(lab, tmp_path, SENDER % ("1", f"'{expression}'")).graph
    assert ("cell b" in graph.receives) is known
    assert ("cell b" in graph.held) is not known


def test_what_is_known_not_to_be_there_makes_a_difference(lab, tmp_path):
    files = live(lab, tmp_path, WHEN)
    unknown = files.graph
    assert unknown.resources.keys() == files.evaluate(load(1)).resources.keys() == set()
    assert not unknown.is_like(files.graph)
    assert files.graph.is_like(files.evaluate(load(2)))


async def test_a_running_receiver_is_left_alone_when_the_file_only_moves(lab, tmp_path):
    files = live(lab, tmp_path, SENDER % ("1", """'${{ send["cell a"].value + 1 }}'"""))
    async with lab.kept(files.graph) as kept:
        moved = live(lab, tmp_path, "# a line\n" + (tmp_path / "g.yaml").read_text())
        assert files.graph.is_like(moved.graph)
        lab.machine.log.clear()
        found = kept.engine.swap(moved.graph)
        assert found.changed == 0
        lab.machine.disturb("b", None)
        await kept.told(Converged)
    assert lab.machine.cells["b"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('${{ send["cell " + "a"].value + 1 }}', "what is received is written out"),
        ('${{ present(send["cell a"]) }}', "what is received is written out"),
        ("${{ len(send) }}", "what is received is written out"),
        (
            '${{ held(send["cell a"].value > 1, 5) }}',
            "functions over time look at facts, and not beside what is received",
        ),
        ("${{ held(vars.sent > 1, 5) }}", "functions over time look at facts"),
        ('${{ vars.none + send["cell a"].value }}', "there is no 'none' in vars"),
        ('${{ send["cell a"].valu + 1 }}', "cell a sends no 'valu'; did you mean 'value'?"),
        ('${{ send["cell x"].value + 1 }}', "no resource 'cell x' is declared"),
        ('${{ send["cell b"].value + 1 }}', "cannot receive from itself"),
    ],
)
def test_what_cannot_be_is_refused_when_the_file_is_read(lab, tmp_path, text, message):
    file = SENDER % ("1", f"'{text}'") + "vars: { sent: '${{ send[\"cell a\"].value }}' }\n"
    with pytest.raises(GraphError) as caught:
        live(lab, tmp_path, file)
    assert message in str(caught.value)


async def test_what_takes_too_long_is_refused(lab, tmp_path):
    text = SENDER % ("x", "'${{ [send[\"cell a\"].value * 9000 for n in range(9999)] }}'")
    result = await lab.converge(live(lab, tmp_path, text).graph)
    assert "takes more than 200,000 steps" in result.failed["cell b"]
