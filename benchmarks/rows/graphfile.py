"""Reading a graph file and checking it, against libyaml's events alone."""

import gc
from collections.abc import Iterator
from time import process_time

import yaml

from benchmarks.bench import Bench, Figure, Times, best
from setpoint import autoedges, graphfile
from setpoint.declarations import uncollected
from setpoint.plugins import Plugins

RESOURCES = 10_000
DIRECTORIES = (RESOURCES - 1) // 10


def _text() -> str:
    """Return a graph of directories, each with nine files, and what is told when they change."""
    lines = ["graph: benchmark", "resources:", "  noop restarted:"]
    for i in range(DIRECTORIES):
        lines += [f"  file /srv/d{i}/:", '    mode: "0755"', "    owner: root"]
        for j in range(9):
            lines += [
                f"  file /srv/d{i}/f{j}:",
                f"    content: the text of file {j} in directory {i}",
                '    mode: "0644"',
                "    owner: root",
                f"    require: file /srv/d{i}/",
                "    notify: noop restarted",
            ]
    return "\n".join(lines) + "\n"


def _events(text: bytes) -> Times:
    """Let libyaml go through `text`; nothing is made of it."""
    began = process_time()
    loader = yaml.CSafeLoader(text)
    while not isinstance(loader.get_event(), yaml.StreamEndEvent):
        pass
    return {"floor": process_time() - began}


def read(bench: Bench) -> Iterator[Figure]:
    """Read 10,000 resources with edges, and check them against their kinds."""
    text = _text()
    path = bench.memory / "graph.yaml"
    path.write_text(text)
    plugins = Plugins()

    def ours() -> Times:
        gc.collect()
        began = process_time()
        graph = graphfile.load([path], plugins)
        took = process_time() - began
        assert len(graph.resources) == 1 + 10 * DIRECTORIES
        assert len(graph.edges) == 2 * 9 * DIRECTORIES
        return {"ours": took}

    found = best(bench.rounds, lambda: _events(text.encode()), ours)
    what = f"read and check {RESOURCES:,} resources"
    yield Figure(what, found["ours"] * 1e3, found["floor"] * 1e3, "ms", 2)


def edges(bench: Bench) -> Iterator[Figure]:
    """Connect 10,000 files, ten directories deep, with the nearest directory above each."""
    text = "resources:\n  file /srv/:\n" + "".join(
        f"  file /srv/{'/'.join('abcdefghij'[: i % 11])}/{i}: {{content: x}}\n"
        for i in range(RESOURCES)
    )
    path = bench.memory / "deep.yaml"
    path.write_text(text)
    graph = graphfile.load([path], Plugins(), automatic=False)

    def ours() -> Times:
        graph.edges.clear()
        gc.collect()
        with uncollected():
            began = process_time()
            autoedges.connect(graph)
            took = process_time() - began
        assert len(graph.edges) == RESOURCES
        return {"ours": took}

    found = best(bench.rounds, ours)
    what = f"automatic edges of {RESOURCES:,} deep files"
    yield Figure(what, found["ours"] * 1e3, None, "ms", most=100)


ROWS = {"graphfile": read, "edges": edges}
