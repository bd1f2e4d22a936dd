"""What can go wrong with a request, in words that say what to do; and whether another try may help.

Libraries wrap errors in errors, with URLs and objects in their texts. What happened is in the innermost one.
"""

import errno
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from setpoint import Refused
from setpoint_http.dates import seconds_until

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers after which a later try may help
PATIENCE = "see to the server, or raise retry if it only takes longer"
DEMANDS = ("certificate required", "bad certificate", "handshake failure")


class BrokenError(OSError):
    """A try that failed where another one may not.

    why: what happened.
    cure: what to do about it.
    after: seconds that the server wants it to wait; None if it did not say.
    """

    def __init__(self, why: str, cure: str = PATIENCE, after: float | None = None) -> None:
        super().__init__(f"{why}; {cure}")
        self.why, self.cure, self.after = why, cure, after

    def after_tries(self, count: int) -> "BrokenError":
        """Return it as the last one of so many in a row."""
        tried = f", tried {count} times" if count > 1 else ""
        return BrokenError(f"{self.why}{tried}", self.cure)


def shown(url: str) -> str:
    """Return `url` as it may be seen: without a password, and without a query, which may hold one."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "..." if parts.query else "", ""))


def of_answer(url: str, status: int, reason: str, headers: Mapping[str, str]) -> Exception:
    """Return the error for an answer without what was asked for."""
    said = f"{shown(url)} answers {status} {reason}".rstrip()
    if status in AGAIN:
        return BrokenError(said, after=seconds_until(headers.get("retry-after", "")))
    if status in (401, 403):
        return Refused(said, "give auth, or headers, that are allowed to read it")
    if status == 407:
        return Refused(said, "write the user and password of the proxy into proxy")
    if status in (404, 410):
        return Refused(f"{said}: there is nothing", "correct the url, or put the file there")
    return Refused(said, "correct the url")


def of_failure(url: str, error: BaseException, ca: str, timeout: float) -> Exception:
    """Return the error for a request that was not answered, or an answer that broke off.

    Args:
        url: what was asked.
        error: what a library raised.
        ca: whose certificates were trusted.
        timeout: seconds that were waited for a word of the server.

    """
    host = urlsplit(url).netloc.rpartition("@")[2]
    root = _innermost(error)
    if type(error).__name__ == "ProxyError":
        return BrokenError(f"the proxy did not lead to {host}, {_words(root)}", "see to proxy")
    if isinstance(root, ssl.SSLCertVerificationError):
        return _untrusted(host, root, ca)
    if isinstance(root, ssl.SSLError):
        if any(demand in str(root).lower().replace("_", " ") for demand in DEMANDS):
            return Refused(f"{host} wants a certificate of us", "give one as client_cert")
        return BrokenError(f"TLS with {host} failed, {_words(root)}")
    return _unconnected(host, root, timeout)


def _unconnected(host: str, root: BaseException, timeout: float) -> BrokenError:
    """Return the error for a connection that could not be made, or broke off."""
    if isinstance(root, socket.gaierror):
        return BrokenError(
            f"the host of {host!r} is not found, {_words(root)}", "see to url and DNS"
        )
    if isinstance(root, TimeoutError):
        why = f"{host} said nothing for {timeout:g} s"
        return BrokenError(why, "raise timeout if it is only slow")
    if isinstance(root, ConnectionRefusedError):
        return BrokenError(f"nobody listens at {host}", "see to the server, or correct the url")
    return BrokenError(f"the connection to {host} broke off, {_words(root)}")


def _innermost(error: BaseException) -> BaseException:
    """Return what happened at first: where it was handed on as an argument, it has no traceback of its own."""
    while True:
        held = (arg for arg in error.args if isinstance(arg, BaseException))
        inner = error.__cause__ or error.__context__ or next(held, None)
        if inner is None:
            return error
        error = inner


def _untrusted(host: str, error: ssl.SSLCertVerificationError, ca: str) -> Refused:
    """Return the error for a certificate that nobody vouches for, or that is another's."""
    why = str(error.verify_message or error.reason or "unknown").lower().rstrip(".")
    if "mismatch" in why or "not valid for" in why:
        return Refused(f"{host} has a certificate of another host, {why}", "correct the url")
    cure = "name the certificate of its authority as ca"
    return Refused(
        f"the certificate of {host} is not trusted, {why}; trusted is {ca or 'what requests brings'}",
        cure,
    )


def _words(error: BaseException) -> str:
    """Return what an error of the system or of TLS says, without numbers and objects."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the answer ended too early" if _is_short(error) else str(error).lower()


def _is_short(error: BaseException) -> bool:
    return type(error).__name__ in ("IncompleteRead", "RemoteDisconnected", "InvalidChunkLength")


def is_full(error: OSError) -> bool:
    """Whether there is no room left on the disk."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
