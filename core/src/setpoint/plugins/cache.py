"""A file that remembers what the directories of the path held, so that a start reads none."""

import contextlib
import marshal
import os
import stat
import sys
import time
from binascii import crc32
from collections.abc import Iterable

from setpoint.plugins.scan import Entry, Found, Garbled, scan

_HEAD = f"setpoint plugins 1 {sys.version_info[0]}.{sys.version_info[1]}\n".encode()
_FRESH = 2_000_000_000  # ns; a directory that changed this lately may change again within one tick
_MOST = 64  # directories; those of other environments that share the file are kept up to this many
_TORN = (OSError, ValueError, EOFError, TypeError)

File = str | os.PathLike[str]
_Known = dict[str, tuple[int, Found]]


def cache_file() -> str:
    """Return where the command keeps it: below /var/cache for root, else below $XDG_CACHE_HOME."""
    if given := os.environ.get("CACHE_DIRECTORY"):
        return os.path.join(given.split(":")[0], "plugins")
    if os.geteuid() == 0:
        return "/var/cache/setpoint/plugins"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "setpoint", "plugins")


def scan_all(path: Iterable[str], cache: File | None) -> list[Found]:
    """Return what each directory of `path` holds, from `cache` where that is still true.

    A cache that is torn, somebody else's, within `path` or not writable is done without.
    """
    directories = dict.fromkeys(filter(None, map(_absolute, path)))
    if cache is not None and _absolute(os.path.dirname(cache)) in directories:
        cache = None  # writing it would change the directory, and so make itself stale
    known = _load(cache) if cache else {}
    found, news = [], {}
    for directory in directories:
        changed = _mtime(directory)
        before = known.get(directory)
        if before is not None and before[0] == changed:
            found.append(before[1])
            continue
        found.append(scan(directory))
        if found[-1].settled and changed and time.time_ns() - changed > _FRESH:
            news[directory] = (changed, found[-1])
    if cache and news:
        _store(cache, {**known, **news})
    return found


def _absolute(directory: str) -> str:
    try:
        return os.path.abspath(directory)
    except OSError:  # the working directory has gone
        return ""


def _mtime(directory: str) -> int:
    """Return when `directory` changed, in ns; 0 if there is none."""
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return 0


def _load(cache: File) -> _Known:
    """Return what `cache` remembers; nothing if it is torn, or another user can have written it."""
    try:
        with open(cache, "rb", opener=_no_link) as file:
            status = os.fstat(file.fileno())
            private = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o022
            if not private or status.st_uid != os.geteuid():
                return {}
            raw = file.read()
        body = raw[len(_HEAD) + 4 :]
        if not raw.startswith(_HEAD + crc32(body).to_bytes(4, "big")):
            return {}
        return {key: (when, _revived(*row)) for key, (when, row) in marshal.loads(body).items()}
    except _TORN:
        return {}


def _no_link(file: str, flags: int) -> int:
    """Open `file` for its owner alone; neither a link is followed nor a pipe waited for."""
    return os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)


def _revived(
    distributions: tuple[str, ...],
    entries: tuple[tuple[str, ...], ...],
    garbled: tuple[tuple[str, ...], ...],
) -> Found:
    return Found(
        distributions,
        tuple(Entry(*row) for row in entries),
        tuple(Garbled(*row) for row in garbled),
    )


def _store(cache: File, known: _Known) -> None:
    """Write `known` to `cache` as a whole, or leave it as it is if that cannot be done."""
    rows = {
        key: (when, (found.distributions, _plain(found.entries), _plain(found.garbled)))
        for key, (when, found) in list(known.items())[-_MOST:]
    }
    body = marshal.dumps(rows)
    new = f"{os.fspath(cache)}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(cache), 0o700, exist_ok=True)
        with open(new, "xb", opener=_no_link) as file:
            file.write(_HEAD + crc32(body).to_bytes(4, "big") + body)
        os.replace(new, cache)
    except OSError:
        _discard(new)


def _plain(rows: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)  # marshal knows no named tuples


def _discard(file: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(file)
