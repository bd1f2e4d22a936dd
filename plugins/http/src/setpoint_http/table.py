"""What is served: which server runs, and what it has to serve; one table for all resources of a host.

Servers and what they serve are resources of their own, which come and go in any order. They meet here, by the name of
the server and the location. Used on the loop.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from setpoint.host import Host

if TYPE_CHECKING:
    from setpoint_http.listener import Listener


class Address(msgspec.Struct, frozen=True):
    """Where to listen: an address of this machine, and a port; 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Text(msgspec.Struct, frozen=True):
    """A content that lies in memory.

    digest: its SHA-256, in hexadecimal.
    since: when it was first served, in whole seconds since 1970.
    """

    data: bytes
    digest: str
    since: int

    @classmethod
    def of(cls, content: str) -> "Text":
        """Return `content`, new from now on."""
        from hashlib import sha256

        data = content.encode()
        return cls(data, sha256(data).hexdigest(), int(time.time()))


class Offer(msgspec.Struct):
    """What one resource wants a server to serve.

    owner: the id of the resource.
    location: the path in URLs; with a slash at its end for a directory.
    path: the file or directory; empty if there is a text.
    content_type: as HTTP has it; empty is told by the name.
    asked: how often it was sent, whole or in part.
    news: called when that number has grown.
    """

    owner: str
    location: str
    path: str
    text: Text | None
    content_type: str
    asked: int = 0
    news: Callable[[], None] | None = None


class Table:
    """Who serves, and what; made by `host.shared(Table)`.

    servers: the listener of each server that runs, by name.
    """

    def __init__(self, host: Host) -> None:
        self.servers: dict[str, Listener] = {}
        self._offers: dict[str, dict[str, Offer]] = {}
        self._owned: dict[str, tuple[str, Offer]] = {}

    def of(self, owner: str) -> tuple[str, Offer] | None:
        """Return what is served for the resource `owner`, and by which server; None if nothing is."""
        return self._owned.get(owner)

    def at(self, server: str, location: str) -> Offer | None:
        """Return what `server` has to serve at exactly this location."""
        return self._offers.get(server, {}).get(location)

    def offer(self, server: str, offer: Offer) -> None:
        """Have `server` serve `offer`, now if it runs, instead of what it served for the same owner."""
        self.withdraw(offer.owner)
        self._owned[offer.owner] = server, offer
        self._offers.setdefault(server, {})[offer.location] = offer

    def withdraw(self, owner: str) -> None:
        """Serve for `owner` no more."""
        if owner in self._owned:
            server, offer = self._owned.pop(owner)
            del self._offers[server][offer.location]

    def find(self, server: str, location: str) -> tuple[Offer, str] | None:
        """Return the offer for what is asked for, and where it is below that: empty for the offer itself.

        Of several directories the nearest counts.
        """
        offers = self._offers.get(server, {})
        if location in offers:
            return offers[location], ""
        above = location
        while above != "/":
            above = above[: above.rstrip("/").rfind("/") + 1]
            if above in offers:
                return offers[above], location[len(above) :]
        return None

    def close(self) -> None:
        """Break off what servers do; who has time closes them before."""
        for listener in self.servers.values():
            listener.abort()
        self.servers.clear()
