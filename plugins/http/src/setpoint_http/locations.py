"""What a request asks for: the path in it, decoded once, or nothing if no file may have that name."""

import os


def location_of(target: str) -> str | None:
    """Return the path that a request asks for, decoded; None if nothing can be there.

    It begins with a slash, and no part of it is empty, "." or "..", however that is written; a slash at the end stands
    for a directory. It is decoded once: what looks encoded after that is a name.

    Args:
        target: the path in the request as it came, without the query.

    """
    from urllib.parse import unquote_to_bytes

    path = os.fsdecode(unquote_to_bytes(target))
    if not path.startswith("/") or "\0" in path:
        return None
    *parts, last = path[1:].split("/")
    if any(part in ("", ".", "..") for part in parts) or last in (".", ".."):
        return None
    return path
