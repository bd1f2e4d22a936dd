"""A real HTTP/1.1 server on loopback that misbehaves on demand, for tests of what fetches things.

    def test_a_break_is_survived(http_server):
        page = http_server.put("/data", b"x" * 1000, etag='"1"')
        page.fault(cut=100)
        assert fetch(http_server.url("/data")) == page.body
        assert [asked.sent for asked in http_server.asked] == [100, 900]

It answers GET and HEAD with ranges, If-Range, ETag, Last-Modified and 304, keeps connections open, and writes down what
it was asked and how much it sent. The fixtures are in `setpoint.testing.http`.
"""

import os
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast

from setpoint.testing.pages import Asked, Fault, Page

BLOCK = 1 << 16  # bytes that are sent at once


class Server:
    """The server; it runs in threads from when it is made until it is closed.

    Args:
        context: of TLS; None serves without.
        ca: where the certificate of its authority lies; empty without TLS.
        client_cert: where a certificate that it accepts lies, with its key; empty without TLS.

    asked: the requests so far, in the order they came.

    """

    def __init__(
        self, context: ssl.SSLContext | None = None, ca: str = "", client_cert: str = ""
    ) -> None:
        self.context, self.ca, self.client_cert = context, ca, client_cert
        self.asked: list[Asked] = []
        self.pages: dict[str, Page] = {}
        self._listener = _Listener(self)
        self.port = int(self._listener.server_address[1])
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str = "/") -> str:
        """Return the URL of `path`, which begins with a slash."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{path}"

    def put(
        self, path: str, body: bytes | Path, *, etag: str = "", modified: float | None = None
    ) -> Page:
        """Serve `body` at `path` from now on; arguments are those of `Page`."""
        page = self.pages[path] = Page(body, etag, modified)
        return page

    def redirect(self, path: str, location: str) -> Page:
        """Redirect from `path` to `location`, a URL or a path, from now on."""
        page = self.put(path, b"")
        page.location = location
        return page

    @property
    def bodies(self) -> int:
        """How many answers had a body of at least a byte."""
        return sum(asked.sent > 0 for asked in self.asked)

    def close(self) -> None:
        """Answer no more, and return when all threads have ended."""
        for page in self.pages.values():
            page.release()
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    """Accepts connections, and knows those that are open, to end them."""

    daemon_threads = False  # so that `server_close` waits for them

    def __init__(self, server: Server) -> None:
        self.server = server
        self.connections: set[socket.socket] = set()
        self.closed = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.server.context:  # shaken hands with in the thread of the connection
            connection = self.server.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: object) -> None:
        self.connections.discard(cast(socket.socket, request))
        super().shutdown_request(request)  # type: ignore[arg-type]

    def server_close(self) -> None:
        self.closed.set()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent: clients that hang up or trust nobody are what is tested.

        What TLS tells them has to arrive: closed before they are read out, a connection takes its last words along.
        """
        if not isinstance(sys.exception(), ssl.SSLError):
            return
        plain = socket.socket(fileno=os.dup(cast(socket.socket, request).fileno()))
        with plain, suppress(OSError):
            plain.settimeout(1)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(BLOCK):
                pass


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits for the client's word that it has the head
    server: _Listener
    asked: Asked

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.command, self.path, headers)
        self.server.server.asked.append(self.asked)
        page = self.server.server.pages.get(self.path)
        fault = page.next_fault() if page else Fault(status=404)
        self.server.closed.wait(fault.pause)
        if page is None or fault.status:
            self._begin(fault.status, {"Retry-After": fault.retry_after, "Content-Length": "0"})
        elif page.location:
            self._begin(302, {**page.headers, "Location": page.location, "Content-Length": "0"})
        elif self._is_known(page):
            self._begin(304, _described(page))
        else:
            with page.open() as body:
                self._send(page, fault, body, with_body=with_body)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer, with those headers that are not empty."""
        self.asked.status = status
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _is_known(self, page: Page) -> bool:
        """Whether the client has what the page holds. Source: RFC 9110 13.1."""
        if "if-none-match" in self.asked.headers:
            return bool(page.etag) and page.etag in self.asked.headers["if-none-match"]
        since = self.asked.headers.get("if-modified-since")
        if since is None or page.modified is None:
            return False
        return parsedate_to_datetime(since).timestamp() >= int(page.modified)

    def _send(self, page: Page, fault: Fault, body: BinaryIO, *, with_body: bool) -> None:
        """Send the page, or the part that was asked for."""
        size = body.seek(0, os.SEEK_END)
        start, stop = self._part(page, size)
        headers = {**_described(page), "Content-Length": str(stop - start)}
        if start >= size > 0:
            self._begin(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        if (start, stop) != (0, size) or self._asks_for_part(page):
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        if fault.length >= 0:
            headers["Content-Length"] = str(fault.length)
        if fault.endless:
            headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}
        self._begin(206 if "Content-Range" in headers else 200, headers)
        body.seek(start)
        if with_body:
            self._pour(page, fault, body, stop - start)

    def _asks_for_part(self, page: Page) -> bool:
        """Whether a part is asked for, and of what the page holds now."""
        condition = self.asked.headers.get("if-range")
        fits = condition in (None, page.etag, _described(page).get("Last-Modified"))
        return page.ranges and fits and self.asked.headers.get("range", "").startswith("bytes=")

    def _part(self, page: Page, size: int) -> tuple[int, int]:
        """Return where the part that is asked for starts and stops; all of it if none is."""
        if not self._asks_for_part(page):
            return 0, size
        first, _, last = self.asked.headers["range"].removeprefix("bytes=").partition("-")
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(int(last) + 1, size) if last else size

    def _pour(self, page: Page, fault: Fault, body: BinaryIO, left: int) -> None:
        """Send `left` bytes of `body`, as far as the fault allows."""
        while left > 0:
            if self.asked.sent == fault.hold:
                page.hold()
            if self.asked.sent == fault.cut:
                self.close_connection = True
                return
            limits = [stop - self.asked.sent for stop in (fault.cut, fault.hold)]
            limits.append(fault.rate // 20)
            piece = body.read(min(BLOCK, left, *(limit for limit in limits if limit > 0)))
            if fault.endless:
                body.seek(0)
            else:
                left -= len(piece)
            self._push(piece, fault)
        if 0 <= fault.length != self.asked.sent:
            self.close_connection = True  # the client would wait for the rest, or read too much

    def _push(self, piece: bytes, fault: Fault) -> None:
        if fault.rate:
            self.server.closed.wait(len(piece) / fault.rate)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if fault.endless else piece)
        self.asked.sent += len(piece)


def _described(page: Page) -> dict[str, str]:
    """Return the headers that tell what the page holds now."""
    modified = "" if page.modified is None else formatdate(page.modified, usegmt=True)
    ranges = "bytes" if page.ranges else "none"
    return {"ETag": page.etag, "Last-Modified": modified, "Accept-Ranges": ranges, **page.headers}
