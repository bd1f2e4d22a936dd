"""One connection to a bus, made by dbus-next, until it is lost.

Only low-level messages are used. What dbus-next 0.2.3 lacks is mended here (docs/decisions/0018-dbus-next.md): a full
socket does not end the connection, a call does not hang when it is lost, sockets are closed, and nothing is written to
the log about what was under way. Imports dbus-next, so it is imported by who is about to connect.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageType
from dbus_next.errors import AuthError
from dbus_next.message import Message

from setpoint.dbus.errors import ConnectionLostError

IN_FLIGHT = 64  # calls without an answer; the daemon refuses more than 128
AUTHENTICATION = 10.0  # seconds; a bus that systemd starts when it is asked for takes a while

Answer = asyncio.Future[Message]


class Connection:
    """Sends calls, in the order of `post`, and hands on signals.

    Args:
        bus: connected.
        heard: called with each signal.
        lost: called once, when the connection is gone.

    """

    def __init__(
        self, bus: "MendedBus", heard: Callable[[Message], None], lost: Callable[[], None]
    ) -> None:
        self._bus, self._heard, self._lost = bus, heard, lost
        self._waiting: deque[tuple[Message, Answer]] = deque()
        self._pending: dict[int, Answer] = {}
        self._is_open = True
        self._loop = asyncio.get_running_loop()
        bus.add_message_handler(self._receive)
        bus.when_lost(self.close)

    @classmethod
    async def open(
        cls, address: str, heard: Callable[[Message], None], lost: Callable[[], None]
    ) -> "Connection":
        """Connect to the bus at `address`.

        Raises:
            OSError: there is no bus, or it does not want us.

        """
        try:
            bus = MendedBus(address)
        except OSError as error:
            raise OSError(error.errno, "cannot connect to the bus", address) from None
        try:
            async with asyncio.timeout(AUTHENTICATION):
                await bus.connect()
        except BaseException as error:
            bus.close()
            if isinstance(error, TimeoutError | EOFError | AuthError):
                raise ConnectionLostError(f"the bus at {address} does not let us in") from error
            raise
        name = bus.unique_name or ""
        if not name.startswith(":"):  # dbus-next takes what an error says for our name
            bus.close()
            raise ConnectionLostError(f"the bus at {address} does not let us in: {name}")
        return cls(bus, heard, lost)

    def post(self, message: Message) -> Answer:
        """Send a call, and return the future of its answer.

        Raises:
            ConnectionLostError: by the future; there was no answer before the end.

        """
        answer: Answer = self._loop.create_future()
        answer.add_done_callback(look_at)
        if self._is_open:
            self._waiting.append((message, answer))
            self._send()
        else:
            answer.set_exception(ConnectionLostError("the bus went away"))
        return answer

    def close(self) -> None:
        """End the connection, if it has not ended; calls that wait for an answer fail."""
        if not self._is_open:
            return
        self._is_open = False
        self._bus.close()
        for answer in (*self._pending.values(), *(answer for _, answer in self._waiting)):
            if not answer.done() and not self._loop.is_closed():
                answer.set_exception(ConnectionLostError("the bus went away"))
        self._lost()

    def _send(self) -> None:
        while self._waiting and len(self._pending) < IN_FLIGHT:
            message, answer = self._waiting.popleft()
            if answer.done():  # nobody waits for it any more
                continue
            message.serial = self._bus.next_serial()
            self._pending[message.serial] = answer
            answer.add_done_callback(lambda _, serial=message.serial: self._make_room(serial))  # type: ignore[misc]
            self._bus.send(message).add_done_callback(look_at)

    def _make_room(self, serial: int) -> None:
        """Let another call go: this one is answered, or its answer will not be looked at."""
        if self._pending.pop(serial, None) and self._is_open:
            self._send()

    def _receive(self, message: Message) -> bool:
        """Handle each message that comes; return that dbus-next has nothing to do with it."""
        if message.message_type is MessageType.SIGNAL:
            self._heard(message)
            return True
        answer = self._pending.get(message.reply_serial)
        if answer and not answer.done():
            answer.set_result(message)
        return True


class MendedBus(MessageBus):
    """A bus that gives back what it holds, and waits while its socket is full."""

    def __init__(self, address: str) -> None:
        super().__init__(bus_address=address)
        self._writer.sock = _Patient(self._sock)

    def _setup_socket(self) -> None:
        try:
            super()._setup_socket()  # type: ignore[no-untyped-call]
        except BaseException:
            self._close_socket()
            raise

    async def _auth_readline(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = await self._loop.sock_recv(self._sock, 1)
            if not byte:
                raise EOFError  # dbus-next would read on for ever
            line += byte
        return line[:-2].decode()

    def when_lost(self, call: Callable[[], None]) -> None:
        """Call `call` when the connection has ended."""

        def tell(future: "asyncio.Future[None]") -> None:
            look_at(future)
            call()

        self._disconnect_future.add_done_callback(tell)

    def close(self) -> None:
        """Give back the socket."""
        if not self._loop.is_closed():
            self._finalize()  # type: ignore[no-untyped-call]
        self._close_socket()

    def _close_socket(self) -> None:
        with suppress(OSError):  # what it wants to write out is for nobody
            self._stream.close()
        self._sock.close()


class _Patient:
    """The socket that dbus-next writes to: if it is full nothing was sent, which is no error."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, data: memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0


def look_at(future: "asyncio.Future[Any]") -> None:
    """Look at the outcome, so that nobody complains that nobody did."""
    if not future.cancelled():
        future.exception()
