"""What is remembered of a checkout, over restarts."""

from contextlib import suppress

import msgspec

from setpoint import Resource


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """What a ref of a source was when it was last followed.

    commit: the commit.
    moving: the commit that the files were being moved to; empty if that was finished.
    """

    source: str
    ref: str
    commit: str
    moving: str = ""


def recall(resource: Resource) -> Record | None:
    """Return what is remembered of `resource`; None if nothing is."""
    if "record" not in resource.memory:
        resource.memory["record"] = None
        with suppress(FileNotFoundError, msgspec.DecodeError):  # a damaged one is as none
            kept = resource.host.files.read(_path(resource))
            resource.memory["record"] = msgspec.json.decode(kept, type=Record)
    record: Record | None = resource.memory["record"]
    return record


def keep(resource: Resource, record: Record) -> None:
    """Remember `record`.

    Raises:
        OSError: it cannot be written.

    """
    resource.host.state_directory(resource)
    resource.host.files.write(_path(resource), msgspec.json.encode(record), mode=0o600, fsync=True)
    resource.memory["record"] = record


def _path(resource: Resource) -> str:
    return f"{resource.host.state_path(resource)}/record.json"
