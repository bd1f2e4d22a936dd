"""Asking for a URL as one resource does: with its credentials, which no other host gets.

A session belongs to one transfer: it shares neither cookies nor passwords with others, and nothing is read from
~/.netrc. Redirects are followed here, for a library would send our headers along.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

import msgspec

from setpoint import Refused, __version__
from setpoint.paths import CHUNK
from setpoint.values import reveal
from setpoint_http.faults import of_failure, shown
from setpoint_http.rules import DIRECT
from setpoint_http.stopping import Stop

if TYPE_CHECKING:
    import requests

    from setpoint_http.http import Http

MOST_REDIRECTS = 10
PORTS = {"http": 80, "https": 443}
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


class Answer(Protocol):
    """What came of asking for a URL; the headers first, and then the body.

    url: where it came from, after redirects.
    status: as HTTP has it.
    reason: the words beside it.
    headers: names in lower case.
    """

    url: str
    status: int
    reason: str
    headers: dict[str, str]

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """Yield the body as it comes; raises BrokenError if that breaks off."""

    def close(self) -> None:
        """Take no more of it."""


class Access(msgspec.Struct, frozen=True):
    """How a resource asks: what it shows, and whom it trusts.

    home: the URL whose host gets the credentials.
    """

    home: str
    headers: dict[str, bytes]
    user: tuple[bytes, bytes] | None
    ca: str
    certificate: str | tuple[str, str] | None
    proxy: str
    timeout: float

    @classmethod
    def of(cls, http: "Http") -> "Access":
        """Return how `http` asks."""
        headers = {name: _encoded(value) for name, value in http.headers.items()}
        auth, user = str(reveal(http.auth)), None
        scheme, _, token = auth.partition(" ")
        if scheme.lower() == "bearer":
            headers["Authorization"] = _encoded(f"Bearer {token}")
        elif auth:
            name, _, password = auth.partition(":")
            user = (name.encode(), password.encode())
        pair = (http.client_cert, http.client_key) if http.client_key else http.client_cert
        ca = http.ca or next(filter(os.path.exists, _bundles()), "")
        return cls(http.url, headers, user, ca, pair or None, http.proxy, http.timeout)


def _encoded(value: object) -> bytes:
    """Return the value of a header as it is sent."""
    return str(reveal(value)).strip().encode()


def _bundles() -> Iterator[str]:
    """Yield where the authorities that this machine trusts may be."""
    found = ssl.get_default_verify_paths().cafile
    if found:
        yield found
    yield from BUNDLES


class Client:
    """Asks for URLs, with `access`; close it."""

    def __init__(self, access: Access) -> None:
        import requests  # 160 ms, and only downloads need it

        self._access = access
        self._session = requests.Session()
        self._session.trust_env = (
            False  # no ~/.netrc, and of the environment only what is asked for
        )
        self._session.headers.clear()
        self._session.headers.update(
            {
                "User-Agent": f"setpoint/{__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            }
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Return the answer for `url`, redirects followed; close it.

        Raises:
            BrokenError: there was no answer, another try may help.
            Refused: no try will.

        """
        asked = url
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(url, headers)
            location = self._session.get_redirect_target(answer)
            if location is None:
                return _Fetched(answer, url, self._access)
            answer.close()
            url = _led(url, location)
        raise Refused(
            f"{shown(asked)} redirects more than {MOST_REDIRECTS} times, at last to {shown(url)}",
            "correct the url",
        )

    def _ask(self, url: str, headers: Mapping[str, str]) -> "requests.Response":
        access = self._access
        given: dict[str, str | bytes] = dict(headers)
        credentials: dict[str, Any] = {}
        if is_home(access.home, url):
            given = {**access.headers, **given}
            credentials = {"auth": access.user, "cert": access.certificate}
        try:
            return self._session.get(
                url,
                headers=given,
                stream=True,
                allow_redirects=False,
                timeout=(access.timeout, access.timeout),
                verify=access.ca or True,
                proxies=_proxies(access.proxy, url),
                **credentials,
            )
        except OSError as error:
            raise of_failure(url, error, access.ca, access.timeout) from None
        except ValueError as error:  # what the library thinks of the url, or of a redirect
            raise Refused(f"{shown(url)} cannot be asked for, {error}", "correct the url") from None


class _Fetched:
    """An answer of a server."""

    def __init__(self, response: "requests.Response", url: str, access: Access) -> None:
        self._response, self.url, self._access = response, url, access
        self.status, self.reason = response.status_code, response.reason or ""
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """Yield the body as it was sent, never unpacked: digests and ranges count those bytes."""
        from urllib3.exceptions import HTTPError

        raw = self._response.raw
        try:
            with stop.breaks(raw.shutdown):
                while piece := raw.read1(CHUNK, decode_content=False):
                    stop.look()
                    yield piece
        except (OSError, HTTPError) as error:
            stop.look()
            raise of_failure(self.url, error, self._access.ca, self._access.timeout) from None

    def close(self) -> None:
        """Hang up, unless all of it has come."""
        self._response.close()


def is_home(home: str, url: str) -> bool:
    """Whether `url` leads to where `home` does, so that it may have the credentials for that.

    The same scheme, host and port; or from port 80 to TLS on port 443, which is the same host, better guarded.
    """
    here, there = urlsplit(home), urlsplit(url)
    if (here.hostname or "") != there.hostname:
        return False
    ports = [parts.port or PORTS.get(parts.scheme) for parts in (here, there)]
    if here.scheme == there.scheme:
        return ports[0] == ports[1]
    return (here.scheme, there.scheme) == ("http", "https") and ports == [80, 443]


def _led(url: str, location: str) -> str:
    """Return where `url` redirects to.

    Raises:
        Refused: it is nowhere to follow to.

    """
    there = urljoin(url, location)
    scheme = urlsplit(there).scheme
    if scheme not in PORTS:
        raise Refused(f"{shown(url)} redirects to {scheme!r}, not to http or https")
    if urlsplit(url).scheme == "https" and scheme == "http":
        cure = "if that is wanted, write this url itself, and a checksum"
        raise Refused(f"{shown(url)} redirects to {shown(there)}, which is without TLS", cure)
    return there


def _proxies(proxy: str, url: str) -> dict[str, str]:
    """Return the proxies for `url`, by scheme: the one that is given, or those of the environment."""
    if proxy == DIRECT:
        return {}
    if proxy:
        return dict.fromkeys(PORTS, proxy)
    from requests.utils import get_environ_proxies

    return dict(get_environ_proxies(url))
