"""What is remembered of the last run that succeeded, in memory and over restarts."""

from contextlib import suppress
from functools import partial

import msgspec

from setpoint import Resource


class Last(msgspec.Struct, frozen=True):
    """The last run that succeeded.

    mtimes: path to when it was last modified before the run, ns since 1970.
    """

    stdout: str
    stderr: str
    output: str
    code: int
    mtimes: dict[str, int]


def recall(resource: Resource) -> Last | None:
    """Return the last run of `resource`, of this process or an earlier one; None if it had none."""
    if "last" not in resource.memory:
        resource.memory["last"] = None
        with suppress(FileNotFoundError, msgspec.DecodeError):  # a damaged one is as none
            kept = resource.host.files.read(_file(resource))
            resource.memory["last"] = msgspec.json.decode(kept, type=Last)
    last: Last | None = resource.memory["last"]
    return last


async def keep(resource: Resource, last: Last, *, on_disk: bool) -> None:
    """Remember `last`; with `on_disk` over restarts too, readable by the owner only.

    Raises:
        OSError: it cannot be written.

    """
    if on_disk:
        write = partial(resource.host.files.write, mode=0o600)
        await resource.host.in_thread(write, _file(resource), msgspec.json.encode(last))
    resource.memory["last"] = last


def _file(resource: Resource) -> str:
    return str(resource.host.state_directory(resource) / "last.json")
