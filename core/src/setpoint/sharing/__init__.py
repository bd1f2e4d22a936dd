"""What the hosts of one world tell each other: values by name, and resources that others may declare.

A host has a key for each value and each resource, below `shared/HOST/`. What is under it says whose it is: graphs on
one host share side by side, and none takes away or overwrites what is another's. What a graph shares stays when its run
ends, for it is still true then; it is withdrawn when a run of that graph declares it no more.

`entries` what is under a key · `keeping` brings that into line with what a graph declares · `fact` follows all of it.
"""

from setpoint.sharing.entries import (
    PREFIX,
    Exported,
    Snapshot,
    exported,
    snapshot,
    unshared,
)
from setpoint.sharing.fact import World
from setpoint.sharing.keeping import Moves, Shared, Sharing, bring_in_line, moves

__all__ = [
    "PREFIX",
    "Exported",
    "Moves",
    "Shared",
    "Sharing",
    "Snapshot",
    "World",
    "bring_in_line",
    "exported",
    "moves",
    "snapshot",
    "unshared",
]
