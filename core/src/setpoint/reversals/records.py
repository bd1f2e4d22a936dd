"""What is written down of a resource before it changes something, to put that back."""

import os
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.resource import Resource, params
from setpoint.values import Secret

if TYPE_CHECKING:
    from setpoint.host import Host

RECORD = "reverse.json"
PRIOR = "prior"  # what a kind keeps beside it, a content that is no text


class Record(msgspec.Struct, kw_only=True):
    """What is known of one resource that is to be put back.

    graph: the scope of the graph that declared it.
    declared: its params when it last changed something, without secrets.
    earlier: those before they were others; that change may have failed, so that these still hold.
    prior: the params of the resource that undoes it; None if there is nothing to undo.
    after: the ids of those that it required.
    notifies: the ids of those that are refreshed when it changes something, being put back too.
    """

    graph: str
    kind: str
    name: str
    declared: dict[str, Any]
    earlier: dict[str, Any] | None = None
    prior: dict[str, Any] | None
    after: list[str] = []
    notifies: list[str] = []

    @property
    def id(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"


def forget(host: "Host", resource: Resource) -> None:
    """Remove the record of `resource`, and what its kind kept beside it."""
    directory = host.state_path(resource)
    for name in (PRIOR, RECORD):  # the record last: it leads to the other
        path = os.path.join(directory, name)
        if os.path.lexists(path):
            host.files.remove(path, recursive=True)


def plain(resource: Resource, without: Any = ()) -> dict[str, Any]:
    """Return the params of `resource` that differ from what they are if nobody says, as plain values."""
    fields = {field.name: field for field in msgspec.structs.fields(type(resource))}
    found = {
        name: getattr(resource, name) for name in params(type(resource)) if name not in without
    }
    return {
        name: msgspec.to_builtins(value, enc_hook=_revealed)
        for name, value in found.items()
        if value is not msgspec.UNSET and value != fields[name].default
    }


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be written down")
