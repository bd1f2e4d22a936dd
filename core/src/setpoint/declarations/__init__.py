"""What people declare, from whichever front end, and how it becomes a graph.

A front end (graph files, Python programs) fills a `Declarations`: resources with params that nobody has checked yet,
links between them, and the place of each where that is known. `build` holds it against the kinds and returns a `Graph`,
or raises one error with everything that is wrong.

In the order of the work: `written` values with places · `model` what is declared · `types`, `params` and `faults` of a
kind · `instances` one resource at a time · `sends` and `links` between them · `building` the whole.
"""

from setpoint.declarations.building import build
from setpoint.declarations.model import (
    NOTHING,
    WORDS,
    Declaration,
    Declarations,
    FactDeclaration,
    Link,
    shown,
    uncollected,
)
from setpoint.declarations.written import Map, Seq, Source, key_at, plain, value_at

__all__ = [
    "NOTHING",
    "WORDS",
    "Declaration",
    "Declarations",
    "FactDeclaration",
    "Link",
    "Map",
    "Seq",
    "Source",
    "build",
    "key_at",
    "plain",
    "shown",
    "uncollected",
    "value_at",
]
