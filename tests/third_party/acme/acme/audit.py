"""Write a line to the file $ACME_AUDIT for each check of any resource."""

import os
from pathlib import Path

from setpoint import Change, Resource, hookimpl
from setpoint.hookspecs import Proceed


@hookimpl
async def check_apply(resource: Resource, apply: bool, proceed: Proceed) -> list[Change]:
    """Say what was looked at, and how many differences there were."""
    changes: list[Change] = await proceed()
    if path := os.environ.get("ACME_AUDIT"):
        with Path(path).open("a") as file:
            file.write(f"{resource} apply={apply} changes={len(changes)}\n")
    return changes
