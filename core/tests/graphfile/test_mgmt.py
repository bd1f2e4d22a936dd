"""mgmt's own form runs as it is, and can be rewritten in ours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import graphfile
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.plugins import Plugins
from setpoint.resource import Meta

Load = Callable[..., Graph]
EXAMPLE = Path(__file__).parents[1] / "corpus" / "good" / "mgmt.yaml"


def graph_of(text: str, plugins: Plugins, folder: Path) -> Graph:
    path = folder / "g.yaml"
    path.write_text(text, encoding="utf-8")
    return graphfile.load([path], plugins)


def contents(graph: Graph) -> Any:
    """Return what two graphs that declare the same have in common."""
    edges = {pair: edge.notify for pair, edge in graph.edges.items()}
    return graph.name, graph.resources, edges, graph.receives


def test_an_example_of_mgmt_is_read(plugins: Plugins) -> None:
    graph = graphfile.load([EXAMPLE], plugins)
    assert graph.name == "mygraph"
    assert list(graph.resources) == ["file file1", "noop noop1", "exec exec1", "timer timer1"]
    file: Any = graph.resources["file file1"]
    assert (file.path, file.content, file.mode) == ("/tmp/mgmt/f1", "i am f1\n", "0644")
    assert [(e.first, e.then, e.notify) for e in graph.edges.values()] == [
        ("file file1", "noop noop1", None),
        ("timer timer1", "exec exec1", "hold"),
    ]


def test_times_are_milliseconds(plugins: Plugins) -> None:
    graph = graphfile.load([EXAMPLE], plugins)
    assert graph.resources["file file1"].meta == Meta(retry=-1, delay=0.5)


def test_guards_have_our_names_and_keep_their_shell(plugins: Plugins) -> None:
    command: Any = graphfile.load([EXAMPLE], plugins).resources["exec exec1"]
    assert command.cmd == "echo hello world"
    assert command.onlyif == "/bin/bash -c 'test -e /x'"
    assert (command.shell, command.watchcmd, command.timeout) == (False, "", 0.0)


def test_a_folder_of_a_guard_becomes_part_of_it(load: Load) -> None:
    graph = load("resources: {exec: [{name: a, nifcmd: test -e x, nifcwd: /a b, cwd: /c}]}")
    command: Any = graph.resources["exec a"]
    assert (command.unless, command.cwd) == ("env -C '/a b' test -e x", "/c")


def test_what_mgmt_ignores_is_warned_about_once() -> None:
    warnings = [str(problem).splitlines()[0] for problem in graphfile.read([EXAMPLE]).warnings]
    assert [warning.removeprefix(str(EXAMPLE)) for warning in warnings] == [
        ":36:1: nothing is collected; convert the file, then collect by kind and host",
        ":27:5: exec has no param 'timeout', it is ignored, as mgmt does",
        ":31:5: exec has no param 'pollint', it is ignored, as mgmt does",
        ":32:5: exec has no param 'state', it is ignored, as mgmt does",
    ]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ("path: /a/b", "/a/b"),
        ("dirname: /x/", "/x/n"),
        ("path: /a/b, dirname: /x/", "/x/b"),
        ("path: /a/b, basename: c", "/a/c"),
        ("dirname: /x/, basename: c", "/x/c"),
    ],
)
def test_a_folder_and_a_name_in_it_are_one_path(params: str, path: str, load: Load) -> None:
    file: Any = load(f"resources: {{file: [{{name: /n/n, {params}}}]}}").resources["file /n/n"]
    assert file.path == path


def test_params_with_another_name_here_are_renamed() -> None:
    text = "resources: {user: [{name: ann, allowduplicateuid: true}], line: [{name: l, file: /x, content: y}], "
    text += "pkg: [{name: p, state: uninstalled}]}"
    assert graphfile.convert(text, "old.yaml") == (
        "resources:\n"
        "  user ann:\n"
        "    allow_duplicate_uid: true\n"
        "  line l:\n"
        "    path: /x\n"
        "    line: y\n"
        "  pkg p:\n"
        "    state: absent\n"
    )


def test_a_number_is_taken_as_it_is_written_where_text_is_wanted(load: Load) -> None:
    graph = load("resources:\n  file:\n  - {name: 1.10, mode: 755, content: 0x1F, owner: 1000}\n")
    file: Any = graph.resources["file 1.10"]
    assert (file.mode, file.content, file.owner) == ("755", "0x1F", "1000")


def test_yes_is_true_where_a_flag_is_wanted(load: Load) -> None:
    graph = load("resources: {file: [{name: /a, recurse: yes, force: 'off'}]}")
    file: Any = graph.resources["file /a"]
    assert (file.recurse, file.force) == (True, False)


def test_equal_resources_are_one(load: Load) -> None:
    assert len(load("resources: {noop: [{name: a}, {name: a}]}").resources) == 1


def test_edges_to_what_is_exported_are_left_out(load: Load) -> None:
    graph = load(
        "resources: {noop: [{name: '@@a'}, {name: b}]}\n"
        "edges: [{name: e, from: {kind: noop, name: a}, to: {kind: noop, name: b}}]"
    )
    assert (list(graph.resources), graph.edges) == (["noop b"], {})


def test_templates_are_left_alone(load: Load) -> None:
    text = "resources: {noop: [{name: 'x ${{ y', comment: '${{ vars.x }} {{ z }}'}]}"
    resource: Any = load(text).resources["noop x ${{ y"]
    assert resource.comment == "${{ vars.x }} {{ z }}"
    assert load(graphfile.convert(text, "g.yaml")).resources == {resource.id: resource}


def test_an_old_file_becomes_a_new_one() -> None:
    assert graphfile.convert(EXAMPLE.read_text(), "old.yaml") == (
        "graph: mygraph\n"
        "resources:\n"
        "  file file1:\n"
        "    path: /tmp/mgmt/f1\n"
        "    content: |\n"
        "      i am f1\n"
        "    mode: '0644'\n"
        "    state: exists\n"
        "    meta:\n"
        "      noop: false\n"
        "      retry: -1\n"
        "      delay: 0.5\n"
        "      burst: 0\n"
        "      autoedge: true\n"
        "  noop noop1:\n"
        "    require: file file1\n"
        "  exec exec1:\n"
        "    cmd: echo hello world\n"
        "    onlyif: /bin/bash -c 'test -e /x'\n"
        "    listen: timer timer1\n"
        "  timer timer1:\n"
        "    interval: 30\n"
        "  file shared:\n"
        "    path: /tmp/mgmt/shared\n"
        "    meta:\n"
        "      export:\n"
        "      - '*'\n"
        "      hidden: true\n"
    )


@pytest.mark.parametrize("name", ["everything", "json", "shared-by-an-alias", "mgmt"])
def test_what_convert_writes_declares_the_same(name: str, plugins: Plugins, tmp_path: Path) -> None:
    text = (EXAMPLE.parent / f"{name}.yaml").read_text()
    first = graph_of(text, plugins, tmp_path)
    written = graphfile.convert(text, "g.yaml")
    assert contents(graph_of(written, plugins, tmp_path)) == contents(first)
    assert graphfile.convert(written, "g.yaml") == written


def test_edges_between_globs_stay_arrows(load: Load) -> None:
    text = "resources: {noop a: , noop b: }\nedges: [noop a* ~> noop b*]\n"
    assert load(graphfile.convert(text, "g.yaml")).edges.keys() == load(text).edges.keys()


def test_what_is_declared_twice_and_differently_is_not_written() -> None:
    with pytest.raises(GraphError, match="noop a: is declared already, and differently"):
        graphfile.convert("resources: {noop: [{name: a}, {name: a, comment: x}]}", "g.yaml")


NAMES = st.text(min_size=1, max_size=6).filter(
    lambda name: name == name.strip() and name[:2] != "@@"
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["${{ x }}", "yes", "0644", "1e3", "5", "a: b", "x\n"]
)
METAS = st.fixed_dictionaries(
    {},
    optional={
        "retry": st.integers(-1, 9),
        "delay": st.integers(0, 9999),
        "timeout": st.integers(0, 9999),
        "poll": st.integers(0, 99),
        "noop": st.booleans(),
        "sema": st.lists(st.sampled_from(["a", "b:2"]), max_size=2),
        "autogroup": st.booleans(),
    },
)
FILES = st.fixed_dictionaries(
    {"name": NAMES},
    optional={"content": TEXTS, "owner": TEXTS, "recurse": st.booleans(), "meta": METAS},
)
NOOPS = st.fixed_dictionaries({"name": NAMES}, optional={"comment": TEXTS, "meta": METAS})
EXECS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={"cmd": TEXTS, "args": st.lists(TEXTS, max_size=3), "ifcmd": TEXTS, "ifshell": TEXTS},
)


@st.composite
def mgmt_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Return a graph in mgmt's form: edges lead from what is earlier to what is later."""
    resources = {
        kind: draw(st.lists(items, max_size=4, unique_by=lambda item: item["name"]))
        for kind, items in {"file": FILES, "noop": NOOPS, "exec": EXECS}.items()
    }
    ends = [{"kind": kind, "name": item["name"]} for kind in resources for item in resources[kind]]
    edges = [
        {"name": "e", "from": first, "to": then, "notify": draw(st.booleans())}
        for number, then in enumerate(ends[1:], 1)
        for first in draw(st.lists(st.sampled_from(ends[:number]), max_size=2))
    ]
    return {"graph": draw(NAMES), "resources": resources, "edges": edges}


@given(tree=mgmt_graphs())
def test_any_graph_of_mgmt_is_rewritten_as_the_same_graph(
    tree: dict[str, Any], plugins: Plugins, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = json.dumps(tree)
    if not any(tree["resources"].values()) or "\\ud" in text:
        return
    first = graph_of(text, plugins, folder)
    assert len(first.resources) == sum(map(len, tree["resources"].values()))
    assert contents(graph_of(graphfile.convert(text, "g.yaml"), plugins, folder)) == contents(first)
