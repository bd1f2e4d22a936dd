"""A file of this machine as an answer, so that file: is fetched as http: is."""

import os
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes, urlsplit

from setpoint.files import Files
from setpoint.paths import chunks
from setpoint_http.stopping import Stop


def path_of(url: str) -> str:
    """Return the path that a file: URL stands for. Source: RFC 8089."""
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


class LocalFile:
    """The file that a URL names, open; its ETag changes whenever somebody writes to it."""

    def __init__(self, files: Files, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.reason = url, ""
        self._fd = files.open(path_of(url), follow=True)
        found = os.fstat(self._fd)
        etag = f'"{found.st_ino:x}-{found.st_ctime_ns:x}-{found.st_size:x}"'
        self.status = 304 if headers.get("If-None-Match") == etag else 200
        self.headers = {"etag": etag, "content-length": str(found.st_size)}

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """Yield what is in it."""
        for piece in chunks(self._fd):
            stop.look()
            yield piece

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)
