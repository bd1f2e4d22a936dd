"""The names of the rows, in the order of the promises, each with the module that has it."""

from collections.abc import Callable, Iterator
from importlib import import_module

from benchmarks.bench import Bench, Figure

_MODULES = {
    "converge": "files",
    "untouched": "files",
    "large": "files",
    "engine": "engine",
    "drift-scheduler": "engine",
    "drift": "drift",
    "burst": "drift",
    "events": "events",
    "processes": "processes",
    "sleepers": "processes",
    "swap": "engine",
    "live": "live",
    "graphfile": "graphfile",
    "edges": "graphfile",
    "startup": "startup",
    "idle": "idle",
}
NAMES = tuple(_MODULES)


def row(name: str) -> Callable[[Bench], Iterator[Figure]]:
    """Return what measures the row `name`."""
    rows = import_module(f"benchmarks.rows.{_MODULES[name]}").ROWS
    found: Callable[[Bench], Iterator[Figure]] = rows[name]
    return found
