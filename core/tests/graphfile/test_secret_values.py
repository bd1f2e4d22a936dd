"""Secrets in values of graph files: they go where a value goes, and taint it; nothing that is seen depends on one."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from setpoint import Secret, graphfile
from setpoint.errors import GraphError

CANARY = "hunter2-hunter2"


@pytest.fixture
def evaluated(tmp_path: Path, plugins):
    """Return what gives the graph of resources in which `facts.hostname` is secret."""

    def evaluate(resources: str, head: str = "") -> Any:
        path = tmp_path / "site.yaml"
        path.write_text(f"{head}resources:\n{textwrap.indent(textwrap.dedent(resources), '  ')}")
        live = graphfile.live([path], plugins)
        graph = live.evaluate({"hostname": Secret(CANARY)})
        if live.troubles:
            raise GraphError(live.troubles)
        return graph

    return evaluate


@pytest.mark.parametrize(
    ("written", "param", "value", "known"),
    [
        ("content: ${{ facts.hostname }}", "content", CANARY, CANARY),
        (
            'content: "user = root, key = ${{ facts.hostname }}"',
            "content",
            f"user = root, key = {CANARY}",
            CANARY,
        ),
        ("content: ${{ facts.hostname + 'x' }}", "content", f"{CANARY}x", f"{CANARY}x"),
        ("fragments: [a, '${{ facts.hostname }}']", "fragments", ["a", CANARY], CANARY),
        ("fragments: ['-p${{ facts.hostname }}']", "fragments", [f"-p{CANARY}"], CANARY),
        ("fragments: ${{ facts.hostname.split('-') }}", "fragments", CANARY.split("-"), "hunter2"),
        ("content: see ${{ vars.key }}", "content", f"see key={CANARY}", f"key={CANARY}"),
    ],
)
def test_a_secret_is_a_value_like_any_other_and_hidden(written, param, value, known, evaluated):
    head = 'vars:\n  key: "key=${{ facts.hostname }}"\n'
    graph = evaluated(f"file /a:\n  {written}\n", head)
    assert getattr(graph.resources["file /a"], param) == value
    assert graph.tainted == {"file /a": frozenset({param})}
    assert graph.secrets.text(f"user = root, {known}") == "user = root, (secret)"


def test_a_secret_beside_what_is_received_waits_with_it(evaluated):
    graph = evaluated(
        """\
        password p:
          length: 5
        file /a:
          content: ${{ send["password p"].password }}-${{ facts.hostname }}
        """
    )
    [wanted] = graph.receives["file /a"].values()
    found = wanted.resolve(lambda ref: Secret("received"))
    assert isinstance(found, Secret)
    assert found.reveal() == f"received-{CANARY}"
    assert graph.tainted == {"file /a": frozenset({"content"})}
    assert graph.secrets.text(f"- {CANARY}") == "- (secret)"


def test_what_a_fact_tells_is_hidden_whatever_is_made_of_it(evaluated):
    graph = evaluated("file /a:\n  content: ${{ sha256(facts.hostname) }}\n")
    made = graph.resources["file /a"].content
    assert len(made) == 64
    assert graph.secrets.text(f"{CANARY} {made}") == "(secret) (secret)"


def test_an_equal_value_that_has_become_secret_is_another_graph(plugins, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("resources:\n  file /a:\n    content: is ${{ facts.hostname }}\n")
    live = graphfile.live([path], plugins)
    before = live.evaluate({"hostname": "pin"})
    assert live.evaluate({"hostname": "pin"}).is_like(before)
    hidden = live.evaluate({"hostname": Secret("pin")})
    assert hidden.resources["file /a"].content == before.resources["file /a"].content
    assert not hidden.is_like(before)


def test_what_stays_because_nothing_is_known_stays_hidden(plugins, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("resources:\n  file /a:\n    content: ${{ facts.hostname }}\n")
    live = graphfile.live([path], plugins)
    live.evaluate({"hostname": Secret(CANARY)})
    graph = live.evaluate({})
    assert graph.resources["file /a"].content == CANARY
    assert graph.tainted == {"file /a": frozenset({"content"})}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ("file /${{ facts.hostname }}:", "the key of a resource cannot depend on a secret"),
        ("file /a-${{ facts.hostname }}:", "the key of a resource cannot depend on a secret"),
        (
            "noop x:\n  when: facts.hostname == 'a'",
            "when cannot depend on a secret, which would be",
        ),
        ("noop ${{ each.key }}:\n  for_each: ${{ facts.hostname.split('-') }}", "for_each cannot"),
        (
            "noop ${{ each.key }}:\n  for_each: ['${{ facts.hostname }}']",
            "the key of an item cannot",
        ),
        (
            "noop ${{ each.key }}:\n  for_each: [{name: '${{ facts.hostname }}'}]",
            "the key of an item",
        ),
        ("noop x:\n  require: noop ${{ facts.hostname }}", "require cannot depend on a secret"),
        (
            "noop x:\n  meta: { retry: '${{ len(facts.hostname) }}' }",
            "meta.retry cannot have a secret",
        ),
        ("file /a:\n  mode: ${{ facts.hostname }}", "mode must be from 0 to 07777, not '(secret)'"),
        (
            "exec x:\n  timeout: ${{ facts.hostname }}",
            "timeout must be a number of 0 or more, and the",
        ),
        (
            "user x:\n  key: { type: '${{ facts.hostname }}' }",
            "key must be a map, and the secret is",
        ),
        ("noop x:\n  bogus: ${{ facts.hostname }}", "unknown param 'bogus'"),
    ],
)
def test_nothing_that_is_seen_depends_on_a_secret(resources, message, evaluated):
    with pytest.raises(GraphError) as caught:
        evaluated(f"{resources}\n")
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
