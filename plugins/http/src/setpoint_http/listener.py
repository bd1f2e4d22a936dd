"""A socket that listens, and the answers to who connects; aiohttp speaks HTTP."""

import asyncio
import logging
import select
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from setpoint.files import Files
from setpoint_http.answers import answer, refuse
from setpoint_http.bodies import open_body
from setpoint_http.certificates import Certificate
from setpoint_http.locations import location_of
from setpoint_http.table import Address, Table

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.web import BaseRequest, StreamResponse

METHODS = "GET, HEAD"
BACKLOG = 128
QUIET = 75.0  # seconds that a connection may be kept without a request


class Listener:
    """A server that runs, for one resource.

    address: where it listens, with the port that it got.
    certificate: what it shows; None without TLS.
    broke: called when its socket listens no more.
    """

    def __init__(self, name: str, table: Table, files: Files) -> None:
        self._name, self._table, self._files = name, table, files
        self.certificate: Certificate | None = None
        self.broke: Callable[[], None] = lambda: None

    async def open(self, address: Address, certificate: Certificate | None) -> None:
        """Listen at `address`, behind TLS if there is a certificate.

        Raises:
            OSError: that is not possible.

        """
        self.certificate, self.context = certificate, certificate and certificate.context()
        self._web = _speaker(self._handle)
        self._socket = _bind(address)
        self.address = Address(address.host, self._socket.getsockname()[1])
        self._server = await asyncio.get_running_loop().create_server(
            self._web, sock=self._socket, ssl=self.context, backlog=BACKLOG, start_serving=False
        )
        self._ending = _Ending(self._socket, self._broken)
        try:
            await self._server.start_serving()
        except BaseException:
            self._stop_listening()
            raise

    def show(self, certificate: Certificate) -> None:
        """Show another certificate to who connects from now on."""
        assert self.context
        certificate.load(self.context)
        self.certificate = certificate

    @property
    def url(self) -> str:
        """Where it is, without a slash at its end; as this machine reaches it, if it listens at all addresses."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address.host, self.address.host)
        return f"{'https' if self.certificate else 'http'}://{Address(local, self.address.port)}"

    @property
    def is_listening(self) -> bool:
        """Whether the socket still listens."""
        try:
            return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        except OSError:
            return False

    async def close(self, seconds: float) -> None:
        """Listen no more; answers that are under way have `seconds` to be finished."""
        self._stop_listening()
        self._web.pre_shutdown()
        await self._web.shutdown(seconds)

    def abort(self) -> None:
        """Listen no more, and break off what is under way."""
        self._stop_listening()
        for connection in self._web.connections:
            connection.force_close()

    def _broken(self) -> None:
        """Stop to accept, which would fail over and over, and tell."""
        self._stop_listening()
        self.broke()

    def _stop_listening(self) -> None:
        self._ending.close()
        self._server.close()

    async def _handle(self, request: "BaseRequest") -> "StreamResponse":
        if request.method not in ("GET", "HEAD"):
            return await refuse(request, 405, Allow=METHODS)
        location = location_of(request.rel_url.raw_path)
        found = self._table.find(self._name, location) if location else None
        if found is None:
            return await refuse(request, 404)
        offer, below = found
        body = await asyncio.to_thread(open_body, self._files, offer, below)
        if body is None:
            return await refuse(request, 404)
        try:
            response = await answer(request, body)
        finally:
            body.close()
        if response.status in (200, 206):
            offer.asked += 1
            if offer.news:
                offer.news()
        return response


class _Ending:
    """Tells once when a socket listens no more: shut down, or ended by ss(8).

    Selectors have no word for that, but an epoll without any wish reports just this. Source: epoll_ctl(2), EPOLLHUP.
    """

    def __init__(self, listening: socket.socket, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._epoll.register(listening.fileno(), 0)
        self._loop.add_reader(self._epoll.fileno(), self._ended)

    def close(self) -> None:
        """Look no more."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _ended(self) -> None:
        self.close()
        self._tell()


def _speaker(handle: "Callable[[BaseRequest], Awaitable[StreamResponse]]") -> "web.Server":
    """Return what speaks HTTP, and calls `handle` for each request."""
    from aiohttp import web  # 180 ms, and only servers need it

    return web.Server(
        handle,
        access_log=None,
        logger=logging.getLogger("setpoint.http:server"),
        keepalive_timeout=QUIET,
        handler_cancellation=True,
    )


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server(
        (address.host, address.port),
        family=family,
        backlog=BACKLOG,
        dualstack_ipv6=address.host == "::",
    )
