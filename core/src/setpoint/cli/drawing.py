"""Graphs as text: for graphviz, for mermaid, for programs."""

import json
from collections.abc import Callable

from setpoint.errors import SetpointError
from setpoint.graph import Graph, Rule


def dot(graph: Graph) -> str:
    """Return `graph` in the language of graphviz; broken arrows notify, grey ones are automatic.

    Source: https://graphviz.org/doc/info/lang.html
    """
    lines = [f"digraph {_quoted(graph.name or 'graph')} {{", "  node [shape=box];"]
    lines += [f"  {_quoted(id_)};" for id_ in graph.resources]
    for edge in graph.edges.values():
        style = ["style=dashed"] if edge.notify else []
        if isinstance(edge.origin, Rule):
            style += ["color=gray", "fontcolor=gray", f"label={_quoted(edge.origin)}"]
        shown = f" [{', '.join(style)}]" if style else ""
        lines.append(f"  {_quoted(edge.first)} -> {_quoted(edge.then)}{shown};")
    return "\n".join([*lines, "}", ""])


def mermaid(graph: Graph) -> str:
    """Return `graph` as a mermaid flowchart; dotted arrows notify, those with a text are automatic.

    Source: https://mermaid.js.org/syntax/flowchart.html
    """
    number = {id_: f"n{count}" for count, id_ in enumerate(graph.resources)}
    lines = ["flowchart TD"]
    lines += [f'  {number[id_]}["{_escaped(id_)}"]' for id_ in graph.resources]
    for edge in graph.edges.values():
        arrow = "-.->" if edge.notify else "-->"
        rule = f"|{_escaped(edge.origin)}|" if isinstance(edge.origin, Rule) else ""
        lines.append(f"  {number[edge.first]} {arrow}{rule} {number[edge.then]}")
    return "\n".join([*lines, ""])


def as_json(graph: Graph) -> str:
    """Return `graph` as one JSON document: ids, edges, where they come from; no params."""
    resources = [
        {"id": id_, "kind": resource.kind, "name": resource.name}
        for id_, resource in graph.resources.items()
    ]
    edges = [
        {
            **edge._asdict(),
            "origin": str(edge.origin),
            "automatic": isinstance(edge.origin, Rule),
        }
        for edge in graph.edges.values()
    ]
    return json.dumps({"name": graph.name, "resources": resources, "edges": edges}) + "\n"


def svg(graph: Graph) -> str:
    """Return `graph` as an SVG picture, drawn by graphviz.

    Raises:
        SetpointError: graphviz is not installed, or failed.

    """
    import subprocess

    try:
        drawn = subprocess.run(
            ["dot", "-Tsvg"], input=dot(graph), capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        why = "an SVG is drawn by graphviz, and there is no program 'dot'"
        raise SetpointError(f"{why}; install graphviz, or take --format mermaid") from None
    except subprocess.CalledProcessError as error:
        raise SetpointError(f"graphviz failed with {error.returncode}: {error.stderr}") from None
    return drawn.stdout


FORMATS: dict[str, Callable[[Graph], str]] = {
    "dot": dot,
    "mermaid": mermaid,
    "svg": svg,
    "json": as_json,
}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """Return `text` for mermaid, which reads it as HTML with entities of its own."""
    return "".join(c if c.isalnum() or c in " /._-:" else f"#{ord(c)};" for c in text)
