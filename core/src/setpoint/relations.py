"""What a resource is to others: what it provides, and what it needs. Automatic edges follow from it."""

from typing import NamedTuple


class Thing(NamedTuple):
    """Something that a resource provides.

    what: which sort: "path" (exactly this file), "directory" (things can be made below it), "user", "group", "unit"
        (of systemd, its full name), "package", or a kind of a plugin's own. For what a resource touches and reads also
        "below": a path and all that is below it.
    name: its name; a path is absolute and has no slash at its end.
    """

    what: str
    name: str


ANYTHING = Thing(
    "anything", ""
)  # what a resource may touch or read of which nobody knows what it does


class Need(NamedTuple):
    """Something that a resource waits for, if the graph has a resource that provides it.

    what, name: as in `Thing`.
    rule: a few words for people, shown beside the edge: "its parent directory".
    nearest: if nothing provides the path `name`, its nearest parent does.
    notify: the edge carries a notification too.
    after: the one that provides it is to wait for this resource, as for what takes something away.
    """

    what: str
    name: str
    rule: str
    nearest: bool = False
    notify: bool = False
    after: bool = False
