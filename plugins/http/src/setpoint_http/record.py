"""What is known of the file that was fetched: where from, its digests, and how it looked when these were made.

As long as it looks the same nobody has written to it, and one stat tells that it is right. Two writes may leave the
same time if they are within a tick of the kernel's clock, so a file that was just written is waited for; and after a
crash of the machine a file may have lost what was written last, so it is read once after each boot.
"""

import os
import stat
import time
from typing import TYPE_CHECKING

import msgspec

from setpoint import Refused
from setpoint.files import Files
from setpoint.paths import chunks
from setpoint_http.digests import SHA256, Hashes
from setpoint_http.partial import boot

if TYPE_CHECKING:
    from setpoint_http.http import Http

TICK = 0.02  # seconds: two ticks at 100 Hz

Look = tuple[int, int, int, str]


class Record(msgspec.Struct, frozen=True):
    """What is known of the file.

    url: where it was fetched from; "" if it was there and was right.
    digests: of what is in it, by algorithm.
    look: how it looked when they were made.
    status: of the last answer with all of it; 0 if there was none.
    headers: of that answer, names in lower case.
    """

    url: str
    digests: dict[str, str]
    look: Look | None = None
    status: int = 0
    headers: dict[str, str] = {}

    @property
    def sha256(self) -> str:
        """The SHA-256 of what is in it, in hexadecimal."""
        return self.digests[SHA256]


def look_of(found: os.stat_result) -> Look:
    """Return what every write to a file changes, and a boot."""
    return found.st_ctime_ns, found.st_ino, found.st_size, boot()


def recall(http: "Http") -> Record | None:
    """Return what is known of the file of `http`; None if nothing is."""
    memory = http.memory
    if "record" not in memory:
        try:
            text = http.host.files.read(_path(http))
            memory["record"] = msgspec.json.decode(text, type=Record)
        except (OSError, Refused, msgspec.DecodeError, UnicodeDecodeError):
            memory["record"] = None
    found: Record | None = memory["record"]
    return found


def remember(http: "Http", record: Record) -> None:
    """Note what is known of the file of `http`, also for the next process if there is a place for it.

    A check makes no such place: it changes nothing.
    """
    http.memory["record"] = record
    if os.path.isdir(http.host.state_path(http)):
        http.host.files.write(_path(http), msgspec.json.encode(record), mode=0o600)


def digests_of(http: "Http", found: os.stat_result, algorithms: tuple[str, ...]) -> dict[str, str]:
    """Return the digests of the file of `http`, which is read only if it may have been written to.

    Args:
        http: the resource.
        found: the status of its file, just looked at.
        algorithms: those that are needed, beside SHA-256.

    """
    known = recall(http)
    if known and known.look == look_of(found) and {*algorithms} <= known.digests.keys():
        return known.digests
    young = TICK - (time.time() - found.st_ctime)
    if 0 < young <= TICK:
        time.sleep(young)
    digests, found = _read(http.host.files, http.at, algorithms)
    known = known or Record("", digests)
    if known.sha256 == digests[SHA256]:  # else somebody wrote to it, which is not to be kept
        remember(http, msgspec.structs.replace(known, digests=digests, look=look_of(found)))
    return digests


def _read(
    files: Files, path: str, algorithms: tuple[str, ...]
) -> tuple[dict[str, str], os.stat_result]:
    """Return the digests of the file at `path`, and its status before it was read."""
    fd = files.open(path)
    try:
        found = os.fstat(fd)
        hashes = Hashes(algorithms)
        for piece in chunks(fd):
            hashes.add(piece)
    finally:
        os.close(fd)
    return hashes.digests(), found


def is_file(found: os.stat_result | None) -> bool:
    """Whether there is a regular file."""
    return found is not None and stat.S_ISREG(found.st_mode)


def _path(http: "Http") -> str:
    return os.path.join(http.host.state_path(http), "record")
