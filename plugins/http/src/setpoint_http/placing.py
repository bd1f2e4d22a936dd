"""Putting a download where it is wanted, once all of it is right."""

from typing import TYPE_CHECKING

from setpoint import Refused
from setpoint_http.differences import id_of
from setpoint_http.digests import SHA256, Digest
from setpoint_http.faults import shown
from setpoint_http.partial import Partial
from setpoint_http.record import Record, digests_of, is_file, remember
from setpoint_http.stopping import Stop
from setpoint_http.transfer import Transfer

if TYPE_CHECKING:
    from setpoint_http.http import Http


def fetch(http: "Http", stop: Stop) -> bool:
    """Fetch the file of `http` and put it in its place; return whether there was something else before.

    Raises:
        OSError: it did not come, or cannot be written.
        Refused: it is not what was wanted, or cannot be had.

    """
    files, directory = http.host.files, str(http.host.state_directory(http))
    _accounts(http)  # before anything is fetched for an owner that is not there
    with Transfer(http, stop) as transfer:
        wanted = transfer.wanted()
        others = (wanted.algorithm,) if wanted else ()
        with Partial(files, directory, http.url, others) as partial:
            try:
                got = transfer.fetch(partial)
                _compare(http, wanted, got.digests)
            except Refused:
                partial.drop()
                raise
            stop.look()
            changed = _put(http, partial, got.digests[SHA256])
            remember(http, Record(http.url, got.digests, None, got.status, got.headers))
            partial.drop()
    return changed


def adorn(http: "Http") -> None:
    """Give the file its mode, owner and group, as far as they are declared."""
    owner, group = _accounts(http)
    mode = int(http.mode, 8) if http.mode else None
    http.host.files.set_attributes(http.at, mode=mode, owner=owner, group=group)


def _put(http: "Http", partial: Partial, sha256: str) -> bool:
    """Put what has come in its place, unless it is there already; return whether it was not."""
    files = http.host.files
    found = files.status(http.at)
    if found is not None and is_file(found) and digests_of(http, found, ())[SHA256] == sha256:
        adorn(http)
        return False
    if not http.target:
        files.rename(partial.path, http.at)
        adorn(http)
        return True
    owner, group = _accounts(http)
    mode = int(http.mode, 8) if http.mode else None
    files.write(http.at, partial.pieces(), mode=mode, owner=owner, group=group, keep=True)
    return True


def _accounts(http: "Http") -> tuple[int, int]:
    """Return the numbers of the declared owner and group; -1 if there is none declared."""
    numbers = []
    for param, account in (("owner", http.owner), ("group", http.group)):
        number = id_of(account, param == "group") if account else -1
        if number is None:
            what = "user" if param == "owner" else "group"
            raise Refused(f"there is no {what} {account!r}", f"make it first, or correct {param}")
        numbers.append(number)
    return numbers[0], numbers[1]


def _compare(http: "Http", wanted: Digest | None, digests: dict[str, str]) -> None:
    """Raise Refused if what was fetched is not what is wanted."""
    if wanted is None or digests[wanted.algorithm] == wanted.value:
        return
    have = Digest(wanted.algorithm, digests[wanted.algorithm])
    where = f", as {shown(http.checksum)} has it" if http.is_checksum_elsewhere else ""
    raise Refused(
        f"{shown(http.url)} must have {wanted}{where}, and has {have}",
        f"correct {'sha256' if http.sha256 else 'checksum'}, or what the server has",
    )
