"""Keep machines in the state you declare: a parallel, event-driven resource graph.

What authors of plugins, and programs that declare graphs or embed the engine, need is importable from here. Names are
loaded when they are first used, so that a command which needs none of them starts at once.
"""

from typing import TYPE_CHECKING

from setpoint.lazily import lazy

__version__ = "0.1.0"

_HOMES = {
    "Change": "values",
    "Engine": "engine",
    "Fact": "resource",
    "Graph": "program",
    "Meta": "resource",
    "Need": "relations",
    "ParamError": "errors",
    "PluginError": "errors",
    "REWATCH": "resource",
    "Refused": "errors",
    "Resource": "resource",
    "Secret": "values",
    "SetpointError": "errors",
    "Thing": "relations",
    "Together": "together",
    "Values": "values",
    "each": "program",
    "facts": "program",
    "fn": "program",
    "hookimpl": "hookspecs",
    "pick": "program",
    "when": "program",
    "where": "program",
}

__all__ = [
    "REWATCH",
    "Change",
    "Engine",
    "Fact",
    "Graph",
    "Meta",
    "Need",
    "ParamError",
    "PluginError",
    "Refused",
    "Resource",
    "Secret",
    "SetpointError",
    "Thing",
    "Together",
    "Values",
    "__version__",
    "each",
    "facts",
    "fn",
    "hookimpl",
    "pick",
    "when",
    "where",
]

if TYPE_CHECKING:
    from setpoint.engine import Engine
    from setpoint.errors import ParamError, PluginError, Refused, SetpointError
    from setpoint.hookspecs import hookimpl
    from setpoint.program import Graph, each, facts, fn, pick, when, where
    from setpoint.relations import Need, Thing
    from setpoint.resource import REWATCH, Fact, Meta, Resource
    from setpoint.together import Together
    from setpoint.values import Change, Secret, Values

__getattr__ = lazy(__name__, _HOMES)
