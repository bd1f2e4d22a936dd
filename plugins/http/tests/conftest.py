"""Downloads from the server of `setpoint.testing`, and a proxy that is one."""

import asyncio
import http.client
import http.server
import select
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from setpoint.host import Host
from setpoint_http import Http

SECONDS = 10.0


@pytest.fixture
def declare(host: Host, tmp_path: Path) -> Callable[..., Http]:
    """Declare the file `tmp_path/got` to be downloaded."""

    def declared(url: str, name: str = "", **params: Any) -> Http:
        return Http(name or str(tmp_path / "got"), url=url, _host=host, **params)

    return declared


def until(holds: Callable[[], bool]) -> None:
    """Return when something holds that nobody tells of."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Proxy:
    """A proxy: forwards requests, and connects to what CONNECT names. asked: their first lines."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.requestline)
                host, _, rest = self.path.removeprefix("http://").partition("/")
                connection = http.client.HTTPConnection(host, timeout=SECONDS)
                connection.request("GET", f"/{rest}", headers=dict(self.headers))
                answer = connection.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.read())
                connection.close()
                self.close_connection = True

            def do_CONNECT(self) -> None:
                asked.append(self.requestline)
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    join(self.connection, there)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def join(one: socket.socket, other: socket.socket) -> None:
    """Hand on what either says, until one of them has no more to say."""
    ways = {one: other, other: one}
    while True:
        for ready in select.select([*ways], [], [], SECONDS)[0]:
            said = ready.recv(65536)
            if not said:
                return
            ways[ready].sendall(said)


class Said(NamedTuple):
    """An answer. headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(url: str, target: str, method: str = "GET", ca: str = "", **headers: str) -> Said:
    """Ask the server at `url` for exactly `target`, which no library makes another one."""
    host, _, port = url.partition("//")[2].rpartition(":")
    context = ssl.create_default_context(cafile=ca) if ca else None
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *lines])
    writer.write(f"{head}\r\n\r\n".encode("latin-1"))
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    first, _, body = said.partition(b"\r\n\r\n")
    status, *rest = first.decode("latin-1").split("\r\n")
    found = dict(line.split(": ", 1) for line in rest)
    names = {name.lower(): value for name, value in found.items()}
    return Said(int(status.split()[1]), names, body)


@pytest.fixture(name="ask")
def asking() -> Callable[..., Awaitable[Said]]:
    return ask


@pytest.fixture
def wait() -> Callable[[Callable[[], bool]], Any]:
    """Wait, awaited, until something holds that nobody tells of."""
    return lambda holds: asyncio.to_thread(until, holds)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()
