"""Files that include others: modules with inputs, how often they are there, and what they may reach."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setpoint import graphfile
from setpoint.errors import GraphError
from setpoint.expressions import UNKNOWN
from setpoint.graphfile import Live
from setpoint.plugins import Plugins
from setpoint.selection import select
from setpoint.sharing import Exported, Snapshot
from setpoint.values import Secret

Write = Callable[..., Live]

SITE = """\
inputs:
  name: str
  size: { type: int, default: 3 }
resources:
  noop ${{ inputs.name }}:
    comment: size ${{ inputs.size }}
  noop ${{ inputs.name }} done:
    require: noop ${{ inputs.name }}
"""


@pytest.fixture
def live(tmp_path: Path, plugins: Plugins) -> Write:
    def written(text: str, **others: str) -> Live:
        for name, other in {"site": SITE, **others}.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(other)
        (tmp_path / "graph.yaml").write_text(text)
        return graphfile.live([tmp_path / "graph.yaml"], plugins)

    return written


def refused(live: Write, text: str, **others: str) -> str:
    with pytest.raises(GraphError) as caught:
        live(text, **others)
    return str(caught.value)


def edges(live: Live) -> set[tuple[str, str]]:
    return set(live.graph.edges)


def test_a_file_is_part_of_the_one_that_includes_it(live, tmp_path):
    found = live(
        "include: [base.yaml]\nresources: {noop b: {require: noop a}}", base="resources: {noop a: }"
    )
    assert edges(found) == {("noop a", "noop b")}
    assert found.files == (str(tmp_path / "graph.yaml"), str(tmp_path / "base.yaml"))


def test_a_module_has_inputs_with_defaults(live):
    found = live(
        "include: [{use: site.yaml, with: {name: one}}, {use: site.yaml, as: two, with: {name: two, size: 5}}]"
    )
    assert [r.comment for r in found.graph.resources.values()] == ["size 3", "", "size 5", ""]
    assert found.graph.modules == {
        "site": ["noop one", "noop one done"],
        "two": ["noop two", "noop two done"],
    }


def test_what_goes_from_one_of_two_modules_goes_from_the_part_that_is_that_module(live):
    found = live(
        "include: [{use: shared.yaml, as: a}, {use: shared.yaml, as: b, when: facts.load.x1 > 2}]",
        shared="resources: {noop shared: }",
    )
    before = found.evaluate({"load": {"x1": 5}})
    after = found.evaluate({"load": {"x1": 1}})
    assert set(before.resources) == set(after.resources) == {"noop shared"}
    assert not after.is_like(before), "else nobody asks what the part is now"
    assert set(select(before, ["module b"]).resources) == {"noop shared"}
    assert select(after, ["module b"]).left_out == {"noop shared"}


def test_an_item_without_a_name_that_comes_of_a_fact_is_told_and_keeps_the_rest(live):
    found = live(
        "resources:\n  noop b:\n  noop ${{ each.key }}:\n"
        "    for_each: '[{\"id\": n} for n in [facts.load.x1] if n > 2]'"
    )
    for busy in (1, 5, 1):
        assert set(found.evaluate({"load": {"x1": busy}}).resources) == {"noop b"}
        assert ["has no name" in str(one) for one in found.troubles] == [True] * (busy > 2)


def test_there_is_a_module_for_each_item(live):
    found = live(
        "vars: {sites: {blog: 1, shop: 2}}\n"
        "include:\n"
        "- {use: site.yaml, as: 's-${{ each.key }}', for_each: '${{ vars.sites }}',"
        " with: {name: '${{ each.key }}', size: '${{ each.value }}'}}\n"
        "resources: {noop all: {require: module s-*}, noop shop two: {listen: module s-shop}}\n"
    )
    assert {then for first, then in edges(found) if first == "noop shop"} == {
        "noop all",
        "noop shop done",
        "noop shop two",
    }
    assert ("noop blog", "noop shop two") not in edges(found)


def test_modules_within_modules_have_names_of_their_own(live):
    found = live(
        "include: [{use: outer.yaml, as: x}, {use: outer.yaml, as: y, with: {name: other}}]\n"
        "resources: {noop all: {require: module x/site}}\n",
        outer="inputs: {name: {type: str, default: one}}\n"
        "include: [{use: site.yaml, with: {name: '${{ inputs.name }}'}}]\n"
        "resources: {'noop after ${{ inputs.name }}': {require: module site}}\n",
    )
    assert ("noop one", "noop all") in edges(found)
    assert ("noop other", "noop all") not in edges(found)
    assert ("noop other done", "noop after other") in edges(found)
    assert ("noop one", "noop after other") not in edges(found)


CONDITION = """\
facts: {note: {file: /n}}
include: [{use: site.yaml, with: {name: one}, when: facts.note.content == 'on'}]
resources: {noop all: {listen: module site}}
"""


def note(text: str) -> dict[str, Any]:
    return {"note": {"content": text}}


def test_a_module_comes_and_goes_as_a_resource_does(live):
    found = live(CONDITION)
    assert (set(found.graph.resources), found.graph.held) == (
        set(),
        {"noop one", "noop one done", "noop all"},
    )
    assert set(found.evaluate(note("off")).resources) == {"noop all"}
    assert set(found.evaluate(note("on")).resources) == {"noop one", "noop one done", "noop all"}
    assert set(found.evaluate({}).resources) == {"noop one", "noop one done", "noop all"}
    assert set(found.evaluate(note("off")).resources) == {"noop all"}
    assert found.because("noop one")["facts.note.content"][:2] == (UNKNOWN, "off")


def test_an_input_that_is_not_known_parks_what_reads_it(live):
    found = live(
        "facts: {note: {file: /n}}\n"
        "include: [{use: site.yaml, with: {name: one, size: '${{ len(facts.note.content) }}'}}]\n"
    )
    assert (set(found.graph.resources), found.graph.held) == (
        set(),
        {"noop one", "noop one done"},
    )
    assert found.evaluate(note("four")).resources["noop one"].comment == "size 4"
    assert found.because("noop one")["facts.note.content"][:2] == (UNKNOWN, "four")


def test_facts_of_a_module_are_its_own(live):
    module = """\
inputs: {x: str}
facts: {n: {file: "${{ inputs.x }}"}}
resources: {"noop ${{ inputs.x }}": {comment: "${{ facts.n.content }}"}}
"""
    found = live(
        "include: [{use: m.yaml, as: a, with: {x: /p}}, {use: m.yaml, as: b, with: {x: /q}}]",
        m=module,
    )
    assert {name: fact.name for name, fact in found.facts.items()} == {"a/n": "/p", "b/n": "/q"}
    graph = found.evaluate({"a/n": {"content": "1"}, "b/n": {"content": "2"}})
    assert [graph.resources[f"noop /{x}"].comment for x in "pq"] == ["1", "2"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("nothing.yaml", ":1:11: there is no file"),
        ("graph.yaml", "graph.yaml cannot be included, it includes itself: graph.yaml -> graph.yaml"),
        ("{use: site.yaml}", "the input name is missing; add it below with:"),
        ("{use: site.yaml, with: {nme: x}}", "unknown input 'nme'; did you mean 'name'?"),
        ("{use: site.yaml, with: {name: 5}}", "the input name must be text, not 5"),
        ("{use: site.yaml, with: [name]}", "with must be a map of inputs, not a list"),
        ("{use: site.yaml, with: {name: x}, as: a b}", "a module is named by one word, not 'a b'"),
        ("{us: site.yaml}", "an include has no 'us'; did you mean 'use'?"),
        ("{use: '${{ env.HOME }}'}", "write it as text, without expressions"),
        ("{use: site.yaml, when: 5, with: {name: x}}", "when must be true or false, not 5"),
        ("5", "a file is included by its name, not 5"),
    ],
)  # fmt: skip
def test_a_wrong_include_is_told_where_it_is(entry, message, live):
    assert message in refused(live, f"include: [{entry}]\n")


def test_two_includes_do_not_have_one_name(live):
    text = "include: [{use: site.yaml, with: {name: a}}, {use: site.yaml, with: {name: b}}]\n"
    assert ":1:46: there are two modules 'site'; tell them apart by 'as'" in refused(live, text)


def test_two_modules_of_one_file_do_not_have_one_name(live):
    text = "include: [{use: site.yaml, for_each: [a, b], with: {name: '${{ each.key }}'}}]\n"
    assert "there are two modules 'site'; tell them apart by 'as'" in refused(live, text)


def test_what_two_modules_declare_differently_names_both_places(live):
    text = "include: [{use: site.yaml, with: {name: x}}, {use: site.yaml, as: b, with: {name: x, size: 4}}]\n"
    assert "or two modules, have this key, and differ" in refused(live, text)


def test_a_reference_to_a_module_that_there_is_not_names_the_nearest(live):
    text = (
        "include: [{use: site.yaml, with: {name: x}}]\nresources: {noop a: {require: module sit}}\n"
    )
    assert "no module 'sit' is included; did you mean 'site'?" in refused(live, text)


def test_a_circle_of_files_is_told_with_all_of_it(live):
    found = refused(live, "include: [a.yaml]", a="include: [b.yaml]", b="include: [a.yaml]")
    assert "a.yaml cannot be included, it includes itself: a.yaml -> b.yaml -> a.yaml" in found


def test_what_is_included_reaches_only_what_lies_below(live, tmp_path):
    (tmp_path.parent / "outside.yaml").write_text("resources:\n")
    try:
        live(
            "include: [../outside.yaml, lib/a.yaml]",
            lib__a="include: [../site2.yaml]",
            site2="resources:\n",
        )
        found = refused(live, "include: [lib/a.yaml]", lib__a="include: [../../outside.yaml]")
    finally:
        (tmp_path.parent / "outside.yaml").unlink()
    assert "reaches only below its own directory" in found


def test_what_is_wrong_in_an_included_file_has_its_place_there(live, tmp_path):
    found = refused(live, "include: [a.yaml]", a="resources:\n  noop x: {commnt: 1}\n")
    assert found.startswith(f"{tmp_path}/a.yaml:2:12: noop x: unknown param 'commnt'")


def test_what_is_not_to_be_shared_is_refused(live):
    secret = "secrets: {s: {env: HOME}}\npublish: {a: {b: ['${{ secrets.s }}']}}\n"
    sent = "resources: {exec a: }\npublish: {a: '${{ send[\"exec a\"].stdout }}'}\n"
    found = live(secret)
    found.evaluate({"secrets.s": Secret("hunter2")})
    assert "publish: a has a secret in it" in str(found.troubles[0])
    assert found.shares.published == {"a": UNKNOWN}
    assert "publish: a has what another resource sends in it" in refused(live, sent)
    assert "no installed plugin has a kind 'nop'" in refused(live, "collect: [{kind: nop}]\n")


OFFERS = Snapshot(
    published={"port": {"b": 81}},
    exported={
        "b": {"noop x": Exported(kind="noop", name="x", params={"comment": "of b"})},
        "c": {
            "noop x": Exported(kind="noop", name="x", params={"comment": "of c"}),
            "noop y": Exported(kind="noop", name="y", hosts=("other",)),
            "noop z": Exported(kind="noop", name="z", meta={"retry": 2, "export": ["*"]}),
        },
    },
)


def test_what_others_offer_is_declared_where_nothing_else_is(live):
    found = live(
        "groups: {web: [b, c]}\ncollect: [{kind: noop, from: '@web'}]\n"
        "resources: {noop all: {require: noop *}}\n"
    )
    assert set(found.graph.resources) == set()  # it waits for what there may be
    graph = found.evaluate({"world.shared": OFFERS})
    assert {id_: one.comment for id_, one in graph.resources.items()} == {
        "noop x": "of b",
        "noop z": "",
        "noop all": "",
    }
    assert (graph.resources["noop z"].meta.retry, graph.resources["noop z"].meta.export) == (2, ())
    assert set(graph.edges) == {("noop x", "noop all"), ("noop z", "noop all")}
    assert set(found.evaluate({"world.shared": Snapshot()}).resources) == {"noop all"}


def test_what_is_exported_is_told_and_what_is_hidden_is_not_here(live):
    found = live(
        "publish: {a: '${{ facts.load }}'}\n"
        "resources:\n  noop x: {comment: hi, meta: {export: [web*], hidden: true, retry: 1}}\n"
        "  noop y: {require: noop x}\n"
    )
    assert set(found.graph.resources) == {"noop y"}
    [offer] = found.shares.exported
    assert (offer.id, offer.params, offer.hosts) == ("noop x", {"comment": "hi"}, ("web*",))
    assert found.shares.published == {"a": UNKNOWN}
    found.evaluate({"load": {"x1": 1.5}})
    assert found.shares.published == {"a": {"x1": 1.5}}


@pytest.mark.parametrize(
    ("hosts", "is_there"),
    [("web*", True), ("db", False), ("[db, web1]", True), ("'@all'", True), ("'@none'", False)],
)
def test_a_file_is_for_some_hosts_only(hosts, is_there, tmp_path, plugins):
    groups = "groups: {all: ['@some', x], some: web1, none: [db]}"
    path = tmp_path / "graph.yaml"
    path.write_text(
        f"hosts: {hosts}\n{groups}\nresources: {{noop a: , noop b: {{require: noop a}}}}\n"
    )
    graph = graphfile.live([path], plugins, host="web1.example.org").graph
    assert (set(graph.resources), "noop a" in graph.absent) == (
        ({"noop a", "noop b"}, False) if is_there else (set(), True)
    )


def test_files_that_double_are_refused_and_not_built(live):
    others = {
        f"f{n}": f"include: [{{use: f{n + 1}.yaml, as: a}}, {{use: f{n + 1}.yaml, as: b}}]"
        for n in range(30)
    }
    found = refused(live, "include: [f0.yaml]", **others, f30="resources:\n")
    gc.collect()  # no other test is to pay for that
    assert "more than 10,000 modules" in found
