"""The kernel's news of the network: links, addresses, routes."""

import errno
import socket
from contextlib import ExitStack

from setpoint_sys.sources import Readable

LINK, IPV4_ADDRESS, IPV4_ROUTE, IPV6_ADDRESS, IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400
GROUPS = LINK | IPV4_ADDRESS | IPV4_ROUTE | IPV6_ADDRESS | IPV6_ROUTE


class Network(Readable):
    """Tells that something about the network has changed, not what; use it as `host.shared(Network)`.

    Source: rtnetlink(7), RTMGRP_LINK and so on.
    """

    def connect(self, held: ExitStack) -> int:
        """Return the descriptor of a socket in the groups; it is in the network namespace of this thread."""
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        held.enter_context(self._socket)
        self._socket.bind((0, GROUPS))
        return self._socket.fileno()

    def drain(self) -> None:
        """Drop what is said, and tell that something was; what was lost was something too."""
        try:
            while self._socket.recv(1 << 16):
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        self.tell()
