"""Small files of /etc and /proc."""

import shlex


def lines_of(path: str) -> list[str]:
    """Return the lines of a small file; none if there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16).splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def line_of(path: str) -> str:
    """Return the first line of a small file; "" if it has none, is not there or may not be read."""
    try:
        return next(iter(lines_of(path)), "").strip()
    except OSError:
        return ""


def assignments(lines: list[str]) -> dict[str, str]:
    """Return what `lines` assign, as in os-release(5): NAME=value, quoted as for a shell."""
    found = {}
    for line in lines:
        name, is_one, value = line.strip().partition("=")
        if is_one and not name.startswith("#"):
            try:
                found[name] = "".join(shlex.split(value))
            except ValueError:  # a quote that is not closed
                found[name] = value
    return found
