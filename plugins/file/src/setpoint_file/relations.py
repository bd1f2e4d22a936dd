"""What a file is to other resources of the graph: automatic edges."""

from collections.abc import Iterator
from typing import Any

from setpoint import Need, Thing


def provided(file: Any) -> tuple[Thing, ...]:
    """Return what others may wait for: the path, and a place for files if it is a directory."""
    if file.state == "absent":
        return ()
    path = file.at
    own = Thing("path", path)
    return (own, Thing("directory", path)) if file.is_directory else (own,)


def needed(file: Any) -> Iterator[Need]:
    """Yield what `file` waits for."""
    path = file.at
    yield Need("owned", path, "the package that owns it", nearest=True)
    if file.state == "absent":
        return
    parent = path.rpartition("/")[0] or "/"
    yield Need("directory", parent, "its parent directory", nearest=True)
    if file.owner and isinstance(file.owner, str):
        yield Need("user", file.owner, "its owner")
    if file.group and isinstance(file.group, str):
        yield Need("group", file.group, "its group")
    if file.source and isinstance(file.source, str) and not file.symlink:
        yield _content(file.source)
    if isinstance(file.fragments, tuple):
        yield from map(_content, file.fragments)


def touched(file: Any) -> Iterator[Thing]:
    """Yield what changes with `file`."""
    whole = file.recurse or file.symlink or file.force or file.state == "absent"
    yield Thing("below" if whole else "path", file.at)
    above = file.at.rpartition("/")[0]
    while file.recurse and above:  # made if they are missing
        yield Thing("path", above)
        above = above.rpartition("/")[0]


def read(file: Any) -> Iterator[Thing]:
    """Yield what the check of `file` looks at."""
    yield Thing("below" if file.recurse or file.state == "absent" else "path", file.at)
    fragments = file.fragments if isinstance(file.fragments, tuple) else ()
    for path in () if file.symlink else (file.source, *fragments):
        if path and isinstance(path, str):
            yield Thing("below" if path.endswith("/") else "path", path.rstrip("/") or "/")
    for what, name in (("user", file.owner), ("group", file.group)):
        if name and isinstance(name, str):
            yield Thing(what, name)


def _content(path: str) -> Need:
    """Return the need of what gives a content: a file, or all that is put in a directory."""
    return Need("path", path.rstrip("/") or "/", "its content comes from there")
