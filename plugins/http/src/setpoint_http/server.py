"""The `http:server` resource: params and verbs."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from setpoint import REWATCH, Change, ParamError, Refused, Resource, Values, hookimpl
from setpoint.relations import Need, Thing
from setpoint.watching import Many
from setpoint_http.certificates import Certificate
from setpoint_http.rules import check_path
from setpoint_http.table import Address, Table

if TYPE_CHECKING:
    from setpoint_http.listener import Listener

FIRST_FREE = 1024  # ports below are root's


class HttpServer(Resource):
    """A server for what `http:file` resources name it for; it has nothing of its own.

    It answers GET and HEAD, with ranges, ETags and conditions. It is open while the engine runs and this resource is
    in the graph; if its socket is broken from outside it is opened again, and a new certificate in its files is shown
    from then on. What connects may take its time, but not hold up anybody else.

    name: any; what `http:file` calls it.
    address: IPv4 or IPv6 address to listen at; "0.0.0.0" is all, "::" is all of both. By default only this machine
        can reach it.
    port: from 1 to 65535; 0 takes a free one, which is kept as long as the engine runs.
    cert: absolute path of its certificate with those above it, PEM. Empty serves without TLS.
    key: absolute path of the key, PEM. Empty: it is in cert.
    grace: seconds that answers under way may take when it is closed; 0 breaks them off.

    Sends `url`: where it is, without a slash at its end.
    Sends `port`: the one it listens at.
    """

    kind = "http:server"

    address: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    cert: Annotated[str, REWATCH] = ""
    key: Annotated[str, REWATCH] = ""
    grace: Annotated[float, msgspec.Meta(ge=0)] = 5.0

    class Sends(Values):
        """What others may receive of a server."""

        url: str
        port: int

    def __post_init__(self) -> None:
        check_path("cert", self.cert)
        check_path("key", self.key)
        if self.key and not self.cert:
            raise ParamError("key", "must go with cert; give that too")
        if isinstance(self.address, str) and not _is_address(self.address):
            rule = f"must be an IPv4 or IPv6 address, not {self.address!r}"
            raise ParamError("address", rule, 'write "127.0.0.1", or "0.0.0.0" for all')

    def provides(self) -> Iterable[Thing]:
        """Say that it serves."""
        yield Thing(self.kind, self.name)

    def needs(self) -> Iterable[Need]:
        """Wait for the certificate and its key."""
        for path in filter(None, (self.cert, self.key)):
            yield Need("path", path, "its certificate")

    @hookimpl
    async def watch(self) -> AsyncIterator[None]:
        """Look again when its socket is broken, and when its certificate changes; close it at the end."""
        news = asyncio.Event()
        paths = filter(None, (self.cert, self.key))
        files = Many(*map(self.host.files.changes, paths))
        files.start(news.set)
        self.memory["watched"] = news
        try:
            while True:
                yield
                await news.wait()
                news.clear()
        finally:
            files.stop()
            await asyncio.sleep(0)  # a watch that takes over has begun after this
            if self.memory["watched"] is news:
                await self._close()

    async def check(self) -> list[Change]:
        """Compare the server that runs with the one that is declared."""
        running = self._running
        if running is None or not running.is_listening:
            return [Change("listening", None, str(self._address))]
        changes = []
        if not self._fits(running.address):
            changes.append(Change("listening", str(running.address), str(self._address)))
        certificate = await self.host.in_thread(self._certificate)
        if running.certificate != certificate:
            before, after = (shown and str(shown) for shown in (running.certificate, certificate))
            changes.append(Change("cert", before, after))
        return changes

    async def apply(self, changes: list[Change]) -> None:
        """Open it, open it elsewhere, or show the new certificate to who connects from now on."""
        running = self._running
        certificate = await self.host.in_thread(self._certificate)
        is_moved = any(change.attribute == "listening" for change in changes)
        if running and running.certificate and certificate and not is_moved:
            running.show(certificate)
        else:
            address = self._address
            await self._close()
            await self._open(address, certificate)

    @hookimpl
    async def send(self) -> Sends | None:
        """Say where it is; None if it does not listen."""
        running = self._running
        if running is None:
            return None
        return self.Sends(url=running.url, port=running.address.port)

    @property
    def _running(self) -> "Listener | None":
        return self.host.shared(Table).servers.get(self.name)

    @property
    def _address(self) -> Address:
        """Where to listen: at the port that was taken before, if any will do."""
        running = self._running
        return Address(self.address, self.port or (running.address.port if running else 0))

    def _fits(self, address: Address) -> bool:
        return address.host == self.address and self.port in (0, address.port)

    def _certificate(self) -> Certificate | None:
        """Return what lies in the files now; None without TLS."""
        return Certificate.of(self.cert, self.key or self.cert) if self.cert else None

    async def _open(self, address: Address, certificate: Certificate | None) -> None:
        from setpoint_http.listener import Listener

        table = self.host.shared(Table)
        listener = Listener(self.name, table, self.host.files)
        try:
            await listener.open(address, certificate)
        except OSError as error:
            raise _explained(error, address) from None
        table.servers[self.name] = listener
        listener.broke = self._look_again

    async def _close(self) -> None:
        listener = self.host.shared(Table).servers.pop(self.name, None)
        if listener:
            await listener.close(self.grace)

    def _look_again(self) -> None:
        if "watched" in self.memory:
            self.memory["watched"].set()


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _explained(error: OSError, address: Address) -> Exception:
    """Return the error for an address that cannot be listened at."""
    if error.errno == errno.EADDRINUSE:
        return OSError(error.errno, f"{address} is in use by somebody else; take another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return OSError(error.errno, f"this machine has no address {address.host}; correct address")
    if error.errno == errno.EACCES and os.geteuid() != 0:
        who = f"user {os.geteuid()} may not listen at port {address.port}"
        return Refused(who, f"run as root, or take a port from {FIRST_FREE}")
    return error
