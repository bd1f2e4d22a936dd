"""Graphs as Python programs: what they declare is what a graph file would, and is evaluated as that is.

    with Graph("app") as g:
        db = Password("db", length=24)
        File("/etc/app/db.pass", content=db.send.password, mode="0600")
        with when(facts.load.x1 > 4):
            Process("stress", match="^stress", state="paused")

In the order of the work: `terms` builds the text of an expression by Python's operators (`choices` and `fn` what has
no operator, `names` what it is about), which `marks` keep within other text · `blocks` says what holds where the
program is · `declared` is a resource, `values` its params · `writing` puts all of it into the maps that graph files
are read into, with `places` of the program · `graphs` and `reruns` evaluate those, `running` runs them. `stubs` tells
type checkers what is installed.
"""

from typing import TYPE_CHECKING

from setpoint.lazily import lazy

if TYPE_CHECKING:
    from setpoint.program import fn
    from setpoint.program.blocks import each, when
    from setpoint.program.choices import pick, where
    from setpoint.program.declared import Declared, class_of
    from setpoint.program.graphs import Graph
    from setpoint.program.names import env, facts, hosts, secrets, world
    from setpoint.program.reruns import Function, graph
    from setpoint.program.running import Runnable
    from setpoint.program.terms import Expression

_HOMES = {
    "Declared": "declared",
    "Expression": "terms",
    "Function": "reruns",
    "Graph": "graphs",
    "Runnable": "running",
    "class_of": "declared",
    "each": "blocks",
    "env": "names",
    "facts": "names",
    "fn": "",
    "graph": "reruns",
    "hosts": "names",
    "pick": "choices",
    "secrets": "names",
    "when": "blocks",
    "where": "choices",
    "world": "names",
}

__all__ = [
    "Declared",
    "Expression",
    "Function",
    "Graph",
    "Runnable",
    "class_of",
    "each",
    "env",
    "facts",
    "fn",
    "graph",
    "hosts",
    "pick",
    "secrets",
    "when",
    "where",
    "world",
]

__getattr__ = lazy(__name__, _HOMES)
