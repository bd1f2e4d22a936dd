"""How the file that is there differs from the one that is declared: by a look at it, and by asking the server."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from setpoint import Change, Refused
from setpoint_http.client import Answer
from setpoint_http.digests import SHA256, Hashes
from setpoint_http.faults import shown
from setpoint_http.record import Record, digests_of, is_file, recall
from setpoint_http.stopping import Stop
from setpoint_http.transfer import Transfer
from setpoint_http.tries import Tries

if TYPE_CHECKING:
    from setpoint_http.http import Http


def look(http: "Http") -> list[Change]:
    """Return what a look at the file tells, without asking anybody."""
    found = http.host.files.status(http.at)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise Refused(f"{http.at} is a directory", "write the name of a file in it as path")
    if found is None or not is_file(found):
        there = None if found is None else "something else"
        return [Change("content", there, _wanted(http)), *_attributes(http, None)]
    change = _content(http, found)
    return [*([change] if change else []), *_attributes(http, found)]


def ask(http: "Http", stop: Stop) -> list[Change]:
    """Return what a server tells of a file that is there: nothing if it has the same."""
    with Transfer(http, stop) as transfer:
        if http.is_checksum_elsewhere:
            return _compared(http, transfer)
        return _asked(http, transfer)


def id_of(account: str, is_group: bool) -> int | None:
    """Return the number of a user, or of a group, by its name or number; None if there is none."""
    if account.isdecimal():
        return int(account)
    try:
        return grp.getgrnam(account).gr_gid if is_group else pwd.getpwnam(account).pw_uid
    except KeyError:
        return None


def _wanted(http: "Http") -> str:
    """Return what the content is to be, in words."""
    digest = http.fixed_digest
    return str(digest) if digest else shown(http.url)


def _content(http: "Http", found: os.stat_result) -> Change | None:
    """Return how the content differs; None if it does not, as far as can be told here."""
    fixed = http.fixed_digest
    digests = digests_of(http, found, (fixed.algorithm,) if fixed else ())
    if fixed:
        have = digests[fixed.algorithm]
        same = have == fixed.value
        return None if same else Change("content", f"{fixed.algorithm}:{have}", str(fixed))
    known, have = recall(http), f"{SHA256}:{digests[SHA256]}"
    if known is None or known.sha256 != digests[SHA256]:
        return Change("content", have, _wanted(http))
    if known.url == http.url or http.is_checksum_elsewhere:
        return None
    return Change(
        "content", f"{have}, from {shown(known.url)}" if known.url else have, _wanted(http)
    )


def _attributes(http: "Http", found: os.stat_result | None) -> list[Change]:
    """Return how mode, owner and group differ, if they are declared."""
    changes = []
    if http.mode:
        there = None if found is None else f"{stat.S_IMODE(found.st_mode):04o}"
        wanted = f"{int(http.mode, 8):04o}"
        if there != wanted:
            changes.append(Change("mode", there, wanted))
    for attribute, wanted in (("owner", http.owner), ("group", http.group)):
        is_group = attribute == "group"
        number = None if found is None else found.st_gid if is_group else found.st_uid
        if wanted and (number is None or number != id_of(wanted, is_group)):
            changes.append(Change(attribute, _name(number, is_group), wanted))
    return changes


def _name(number: int | None, is_group: bool) -> str | None:
    try:
        if number is None:
            return None
        return grp.getgrgid(number).gr_name if is_group else pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _compared(http: "Http", transfer: Transfer) -> list[Change]:
    """Hold the file against the checksum that is published now; one that fits is what is wanted."""
    wanted = transfer.wanted()
    found = http.host.files.status(http.at)
    if wanted is None or found is None:
        return []
    have = digests_of(http, found, (wanted.algorithm,))[wanted.algorithm]
    if have == wanted.value:
        return []
    return [Change("content", f"{wanted.algorithm}:{have}", str(wanted))]


def _asked(http: "Http", transfer: Transfer) -> list[Change]:
    """Ask the server whether it has something else than what it gave."""
    known = recall(http)
    if known is None:
        return []
    headers = known.headers
    conditions = {
        "If-None-Match": headers.get("etag"),
        "If-Modified-Since": headers.get("last-modified"),
    }
    changes: list[Change] = []

    def work(_: Tries) -> None:
        given = {name: value for name, value in conditions.items() if value}
        with closing(transfer.ask(http.url, given, {200, 304})) as answer:
            if answer.status == 200:
                changes[:] = _differs(answer, known, transfer.body(answer, http.max_size))

    transfer.tried(work)
    return changes


def _differs(answer: Answer, known: Record, body: Iterable[bytes]) -> list[Change]:
    """Return how a new answer differs from what is known; if no header tells, it is read, and nothing is written."""
    for name in ("etag", "last-modified"):
        before, after = known.headers.get(name), answer.headers.get(name)
        if before and after:
            return [] if before == after else [Change("content", before, after)]
    hashes = Hashes()
    for piece in body:
        hashes.add(piece)
    after = hashes.digests()[SHA256]
    if after == known.sha256:
        return []
    return [Change("content", f"{SHA256}:{known.sha256}", f"{SHA256}:{after}")]
