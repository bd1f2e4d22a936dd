"""What the params of `http` must be; those that are still to be received are left alone."""

import re
from typing import TYPE_CHECKING, Any

from setpoint import ParamError
from setpoint.values import reveal
from setpoint_http.digests import LENGTHS, parse

if TYPE_CHECKING:
    from setpoint_http.http import Http

SCHEMES = ("http", "https", "file")
DIRECT = "direct"  # as proxy: none
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")


def check(http: "Http") -> None:
    """Raise ParamError for the first param of `http` that cannot be."""
    if isinstance(http.url, str):
        check_url("url", http.url, SCHEMES)
    for param in ("path", "ca", "client_cert", "client_key"):
        check_path(param, getattr(http, param))
    _check_digests(http.sha256, http.checksum)
    _check_headers(http.headers)
    _check_auth(reveal(http.auth))
    if http.client_key and not http.client_cert:
        raise ParamError("client_key", "must go with client_cert; give that too")
    if isinstance(http.proxy, str) and http.proxy not in ("", DIRECT):
        check_url("proxy", http.proxy, ("http", "https"), with_password=True)
    if isinstance(http.mode, str) and http.mode and not re.fullmatch(r"0?[0-7]{3,4}", http.mode):
        raise ParamError("mode", f"must be from 0000 to 07777, not {http.mode!r}", 'write "0644"')


def check_url(
    param: str, url: str, schemes: tuple[str, ...], *, with_password: bool = False
) -> None:
    """Raise ParamError if `url` is none of the `schemes`, or holds a password that it must not."""
    from urllib.parse import (
        urlsplit,
    )  # 5 ms, as everything that is not imported at the top of this package

    if _UNSEEN.search(url):
        raise ParamError(
            param, "must not have spaces or unseen characters in it", "write %20 for a space"
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ParamError(param, f"must be a URL, {error}") from None
    if parts.scheme not in schemes:
        raise ParamError(param, f"must begin with {' or '.join(f'{s}://' for s in schemes)}")
    if "@" in parts.netloc and not with_password:
        raise ParamError(param, "must not have a user or password in it", "write them into auth")
    is_file = parts.scheme == "file"
    if is_file and (host not in (None, "localhost") or not parts.path.startswith("/")):
        raise ParamError(param, f"must be like file:///path, not {url!r}")
    if not host and not is_file:
        raise ParamError(param, f"must name a host, and {url!r} does not")


def check_path(param: str, path: Any) -> None:
    """Raise ParamError if `path` is no absolute path of a file."""
    if not isinstance(path, str) or not path:
        return
    if not path.startswith("/"):
        raise ParamError(param, f"must be absolute, not {path!r}")
    if path.endswith("/") or "\0" in path:
        raise ParamError(param, f"must be the path of a file, not {path!r}")


def _check_digests(sha256: Any, checksum: Any) -> None:
    if isinstance(sha256, str) and sha256:
        if checksum:
            raise ParamError("checksum", "must be empty with sha256", "take one of them away")
        if not re.fullmatch(rf"[0-9a-fA-F]{{{LENGTHS['sha256']}}}", sha256):
            raise ParamError("sha256", f"must have 64 hexadecimal digits, not {sha256!r}")
    if isinstance(checksum, str) and checksum:
        if "://" in checksum:
            check_url("checksum", checksum, SCHEMES)
        else:
            parse("checksum", checksum)


def _check_headers(headers: Any) -> None:
    if not isinstance(headers, dict):
        return
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ParamError("headers", f"must have names of letters, digits and -, not {name!r}")
        if re.search(r"[\r\n\0]", str(reveal(value))):
            raise ParamError("headers", f"must be single lines, and {name} is not")
        if name.lower() in ("range", "if-range", "accept-encoding"):
            raise ParamError("headers", f"must leave {name} to the download; take it away")


def _check_auth(auth: Any) -> None:
    if not isinstance(auth, str) or not auth:
        return
    scheme, space, token = auth.partition(" ")
    if space and scheme.lower() == "bearer":
        if not token or re.search(r"[\s\0]", token):
            raise ParamError("auth", "must have one word after bearer")
    elif ":" not in auth or re.search(r"[\r\n\0]", auth):
        raise ParamError("auth", "must be USER:PASSWORD or bearer TOKEN")
