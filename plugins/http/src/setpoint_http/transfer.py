"""A download: asked for, resumed as often as it breaks off, and held against its digest.

What has come lies in the state directory until all of it is right. Only then the target is written.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from setpoint import Refused
from setpoint_http import digests
from setpoint_http.client import Access, Answer, Client
from setpoint_http.dates import validator
from setpoint_http.digests import Digest
from setpoint_http.faults import BrokenError, of_answer, shown
from setpoint_http.local import LocalFile
from setpoint_http.meter import Meter, amount
from setpoint_http.partial import Partial
from setpoint_http.stopping import Stop
from setpoint_http.tries import Tries

if TYPE_CHECKING:
    from setpoint_http.http import Http

MOST_CHECKSUMS = 1 << 20  # bytes of a checksum file
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Fetched(msgspec.Struct, frozen=True):
    """What a server said about what it gave.

    digests: of the content, by algorithm.
    status: of its last answer; 0 for a file of this machine.
    headers: of its answer, names in lower case.
    """

    digests: dict[str, str]
    status: int
    headers: dict[str, str]


class Transfer:
    """Everything that one resource asks of servers at one time; in a thread.

    Args:
        http: the resource.
        stop: may end it at any time.

    """

    def __init__(self, http: "Http", stop: Stop) -> None:
        self._http, self._stop, self._host = http, stop, http.host
        self._client: Client | None = None

    def __enter__(self) -> "Transfer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._client:
            self._client.__exit__()

    def ask(self, url: str, headers: Mapping[str, str], wanted: Iterable[int]) -> Answer:
        """Return an answer for `url` that has one of the `wanted` statuses; close it.

        Raises:
            BrokenError: it has another one, or there is none; another try may help.
            Refused: no try will.

        """
        if urlsplit(url).scheme == "file":
            return LocalFile(self._host.files, url, headers)
        if self._client is None:
            self._client = Client(Access.of(self._http))
        answer = self._client.get(url, headers)
        if answer.status not in wanted:
            answer.close()
            raise of_answer(answer.url, answer.status, answer.reason, answer.headers)
        return answer

    def tried(self, work: "Callable[[Tries], None]") -> None:
        """Do `work` until it does not break off, as often as the resource wants."""
        tries = Tries(self._http.retry, self._stop, self._tell)
        while True:
            try:
                return work(tries)
            except BrokenError as error:
                tries.failed(error)

    def wanted(self) -> Digest | None:
        """Return the digest that the content has to have; it may have to be fetched. None: any will do."""
        http = self._http
        if not http.is_checksum_elsewhere:
            return http.fixed_digest
        found: list[Digest] = []
        paths = (urlsplit(http.url).path, http.at)
        names = list(dict.fromkeys(path.rpartition("/")[2] for path in paths))

        def work(_: Tries) -> None:
            with closing(self.ask(http.checksum, {}, {200})) as answer:
                text = b"".join(self.body(answer, MOST_CHECKSUMS)).decode(errors="replace")
            found.append(digests.find(text, names, shown(http.checksum)))

        self.tried(work)
        return found[-1]

    def fetch(self, partial: Partial) -> Fetched:
        """Fetch all of it into `partial`, whatever it takes.

        Raises:
            BrokenError: it has been tried often enough.
            Refused: it is not what was wanted.

        """
        got: list[Fetched] = []
        furthest = partial.size

        def work(tries: Tries) -> None:
            nonlocal furthest
            try:
                got.append(self._go_on(partial))
            finally:
                if partial.size > furthest:
                    furthest = partial.size
                    tries.brought_something()

        self.tried(work)
        return got[-1]

    def body(self, answer: Answer, most: int, size: int = 0) -> Iterator[bytes]:
        """Yield the body as it comes.

        Args:
            answer: whose.
            most: bytes that it may have, 0 for any number; if it has more that is Refused.
            size: bytes of it that are there already.

        """
        for piece in answer.pieces(self._stop):
            size += len(piece)
            if most and size > most:
                raise self._too_large(answer, "more", most)
            yield piece

    def _go_on(self, partial: Partial) -> Fetched:
        """Fetch the rest, or all if the server has something else by now or does not do ranges."""
        asked = {}
        if partial.validator:
            asked = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
        with closing(self.ask(self._http.url, asked, {200, 206, 416})) as answer:
            total = _length(answer)
            if answer.status != 200 and not _fits(answer, partial):
                partial.begin("", -1)
                raise BrokenError(f"{shown(answer.url)} sent another part than it was asked for")
            if answer.status == 200:
                partial.begin(validator(answer.headers), total)
            self._pour(answer, partial)
        if partial.is_short:
            have = f"{partial.size} of {partial.total} bytes"
            raise BrokenError(f"{shown(answer.url)} ended too early, after {have}")
        status = 0 if isinstance(answer, LocalFile) else answer.status
        return Fetched(partial.digests(), status, dict(answer.headers))

    def _pour(self, answer: Answer, partial: Partial) -> None:
        most = self._http.max_size
        if most and partial.total > most:
            raise self._too_large(answer, amount(partial.total), most)
        meter = Meter(self._host.clock, self._tell)
        for piece in self.body(answer, most, partial.size):
            partial.add(piece)
            meter.add(len(piece), partial.size, partial.total)

    def _too_large(self, answer: Answer, size: str, most: int) -> Refused:
        rule = f"{shown(answer.url)} must not have more than {amount(most)}, and has {size}"
        return Refused(rule, "raise max_size if that is right")

    def _tell(self, text: str) -> None:
        self._host.progress(self._http, text)


def _length(answer: Answer) -> int:
    """Return how many bytes the body of an answer is to have; -1 if it does not say."""
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else -1


def _fits(answer: Answer, partial: Partial) -> bool:
    """Whether an answer is the rest of what is there. Source: RFC 9110 14.4."""
    part = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status != 206 or not part or int(part[1]) != partial.size:
        return False
    return partial.total < 0 or part[3] in ("*", str(partial.total))
