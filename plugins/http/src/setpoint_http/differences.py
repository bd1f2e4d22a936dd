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
from setpoint_http.digests import SHA256, Digest, Hashes
from setpoint_http.faults import shown
from setpoint_http.record import Record, digests_of, is_file, recall
from setpoint_http.stopping import Stop
from setpoint_http.transfer import Transfer
from setpoint_http.tries import Tries

if TYPE_CHECKING:
    from setpoint_http.http import Http

LONGEST = 60  # characters of what a difference shows


def look(http: "Http") -> list[Change]:
    """Return what a look at the file tells, without asking anybody."""
    found = http.host.files.status(http.at)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise Refused(f"{http.at} is a directory", "write the name of a file in it as path")
    if found is None or not is_file(found):
        there = None if found is None else "something else"
        return [Change("content", there, _source(http.url)), *_attributes(http, None)]
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


def _source(url: str) -> str:
    """Return where the content is from, in words that fit into a line."""
    text = shown(url)
    half = (LONGEST - len("from ...")) // 2
    return f"from {text if len(text) <= 2 * half else f'{text[:half]}...{text[-half:]}'}"


def _content(http: "Http", found: os.stat_result) -> Change | None:
    """Return how the content differs; None if it does not, as far as can be told here."""
    fixed = http.fixed_digest
    algorithm = fixed.algorithm if fixed else SHA256
    have = Digest(algorithm, digests_of(http, found, (algorithm,))[algorithm])
    if fixed:
        return None if have == fixed else Change("content", have.brief, fixed.brief)
    known = recall(http)
    if known is None or known.sha256 != have.value:
        return Change("content", have.brief, _source(http.url))
    if known.url == http.url or http.is_checksum_elsewhere:
        return None
    return Change("content", _source(known.url) if known.url else have.brief, _source(http.url))


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
    have = Digest(wanted.algorithm, digests_of(http, found, (wanted.algorithm,))[wanted.algorithm])
    return [] if have == wanted else [Change("content", have.brief, wanted.brief)]


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
            same = before == after
            return [] if same else [Change("content", f"{name} {before}", f"{name} {after}")]
    hashes = Hashes()
    for piece in body:
        hashes.add(piece)
    was, new = Digest(SHA256, known.sha256), Digest(SHA256, hashes.digests()[SHA256])
    return [] if was == new else [Change("content", was.brief, new.brief)]
