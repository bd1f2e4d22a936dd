"""What people declare, from whichever front end, and how it becomes a graph.

A front end (graph files, Python programs) fills a `Declarations`: resources with params that nobody has checked yet,
links between them, and the place of each where that is known. `build` holds it against the kinds and returns a `Graph`,
or raises one error with everything that is wrong.

In the order of the work: `written` values with places · `model` what is declared · `types`, `params` and `faults` of a
kind · `instances` one resource at a time · `sends` and `links` between them · `building` the whole.
"""

from setpoint.declarations.building import Builder, build
from setpoint.declarations.model import (
    MODULE,
    NOTHING,
    WORDS,
    Declaration,
    Declarations,
    FactDeclaration,
    Link,
    Part,
    shown,
    uncollected,
)
from setpoint.declarations.patching import patched
from setpoint.declarations.written import Map, Seq, Source, key_at, plain, value_at

__all__ = [
    "MODULE",
    "NOTHING",
    "WORDS",
    "Builder",
    "Declaration",
    "Declarations",
    "FactDeclaration",
    "Link",
    "Map",
    "Part",
    "Seq",
    "Source",
    "build",
    "key_at",
    "patched",
    "plain",
    "shown",
    "uncollected",
    "value_at",
]
