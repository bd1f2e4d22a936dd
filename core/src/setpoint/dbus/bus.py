"""A bus: connected when it is first used, and again whenever the connection was lost."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.dbus.errors import refusal
from setpoint.watching import Subscription

if TYPE_CHECKING:
    from dbus_next.message import Message

    from setpoint.dbus.connection import Answer, Connection
    from setpoint.host import Host

DRIVER = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
FIRST_DELAY, LONGEST_DELAY = 0.01, 1.0  # seconds between two tries to connect
TIMEOUT = 30.0  # seconds for an answer
MOST_RULES = 400  # the system bus takes 512 of a connection

log = logging.getLogger("setpoint.dbus")

Body = list[Any]
Key = tuple[str, str, str]


class Match(NamedTuple):
    """Which signals are meant; an empty word is any.

    sender: the name of the service.
    path, interface, member: as in the message.
    argument: what its first argument is.
    """

    sender: str
    path: str
    interface: str
    member: str
    argument: str = ""

    def __str__(self) -> str:
        """Return it as a match rule. Source: D-Bus specification, "Match Rules"."""
        words = zip(("sender", "path", "interface", "member", "arg0"), self, strict=True)
        return ",".join(("type='signal'", *(f"{key}='{word}'" for key, word in words if word)))

    @property
    def key(self) -> Key:
        """By which the signals are found that may be meant."""
        return self.path, self.interface, self.member

    def means(self, body: Body) -> bool:
        """Whether a signal with this key is one."""
        return not self.argument or body[:1] == [self.argument]


class Listener(NamedTuple):
    """Who listens.

    heard: called with the body of each signal.
    renewed: called when listening has begun, and begun again: signals before may have been missed.
    """

    match: Match
    heard: Callable[[Body], None]
    renewed: Callable[[], None]


class Bus:
    """A message bus, used on the loop.

    Args:
        address: as in DBUS_SYSTEM_BUS_ADDRESS.

    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._listeners: dict[Key, list[Listener]] = {}
        self._rule_of: dict[Listener, str] = {}
        self._rules: Counter[str] = Counter()
        self._enforced: dict[str, Answer] = {}  # what this connection was told
        self._connection: Connection | None = None
        self._opening: asyncio.Task[Connection] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worked = False  # then the bus comes back, and is worth waiting for

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - it stands for the tries together
    ) -> Body:
        """Call a method, and return what it answers: its values, of which variants have `.value`.

        If the connection is lost meanwhile, it is called again: only for methods for which twice is as good as once.

        Raises:
            CallError: it was refused; a PermissionError as well if we may not.
            TimeoutError: there was no answer in `timeout` seconds.
            OSError: there is no such bus.

        """
        from dbus_next.message import Message

        message = Message(destination, path, interface, member, signature=signature, body=[*body])
        try:
            async with asyncio.timeout(timeout):
                answer = await self._ask(message)
        except TimeoutError:
            who = f"{destination} has not answered {member} in {timeout:g} s"
            raise TimeoutError(who) from None
        if answer.message_type.name == "ERROR":
            raise refusal(member, answer.error_name, " ".join(map(str, answer.body)))
        return answer.body

    def listen(self, listener: Listener) -> None:
        """Listen from now on, in any case before any later call is answered."""
        match = listener.match
        self._listeners.setdefault(match.key, []).append(listener)
        if len(self._rules) >= MOST_RULES and str(match) not in self._rules:
            match = match._replace(path="")  # one that is wider stands for all that are too many
        self._rule_of[listener] = str(match)
        self._rules[str(match)] += 1
        if self._connection is not None:
            self._enforce(self._connection, listener)
        else:
            self._keep()

    def ignore(self, listener: Listener) -> None:
        """Listen no more."""
        rule = self._rule_of.pop(listener, None)
        if rule is None:
            return
        key = listener.match.key
        self._listeners[key].remove(listener)
        if not self._listeners[key]:
            del self._listeners[key]
        self._rules[rule] -= 1
        if self._rules[rule]:
            return
        del self._rules[rule]
        if self._enforced.pop(rule, None) and self._connection is not None:
            self._connection.post(_driver("RemoveMatch", rule))

    def signals(self, *matches: Match) -> Subscription:
        """Return a subscription that says when one of the signals came, or may have been missed."""
        return Signals(self, matches)

    def close(self) -> None:
        """Give back the connection."""
        self._listeners.clear()
        self._rule_of.clear()  # so that the end of the connection is not answered with a new one
        for task in (self._opening, self._keeping):
            if task is not None and not task.get_loop().is_closed():
                task.cancel()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _ask(self, message: "Message") -> "Message":
        delay = FIRST_DELAY
        while True:
            try:
                return await (await self._connect()).post(message)
            except OSError:
                if not self._worked:
                    raise
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _connect(self) -> "Connection":
        """Return the connection; who asks at the same time gets the same one."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # this host was used by a loop that has ended
            self._disconnect()
            self._loop, self._opening = loop, None
        if self._connection is not None:
            return self._connection
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> "Connection":
        from setpoint.dbus.connection import Connection  # 80 ms, and many graphs need no bus

        connection = await Connection.open(self._address, self._hear, self._lose)
        self._connection, self._worked = connection, True
        for listener in self._rule_of:  # before any call of those who wait for us
            self._enforce(connection, listener)
        return connection

    def _lose(self) -> None:
        self._connection = None
        self._enforced.clear()
        if self._listeners:
            self._keep()

    def _keep(self) -> None:
        """See to it that there is a connection as long as somebody listens."""
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        delay = FIRST_DELAY
        while self._listeners:
            try:
                await self._connect()
                return
            except OSError:
                await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _enforce(self, connection: "Connection", listener: Listener) -> None:
        """Have the bus send what `listener` wants to hear, and tell it when that is so."""
        rule = self._rule_of[listener]
        if rule not in self._enforced:
            self._enforced[rule] = connection.post(_driver("AddMatch", rule))
        self._enforced[rule].add_done_callback(partial(self._renew, listener))

    def _renew(self, listener: Listener, answer: "Answer") -> None:
        if answer.cancelled() or answer.exception() is not None or listener not in self._rule_of:
            return  # if the connection was lost, the next one will have the rule
        if answer.result().message_type.name == "ERROR":
            log.warning("%s: the bus refused: %s", listener.match, *answer.result().body)
        listener.renewed()

    def _hear(self, message: "Message") -> None:
        key = message.path, message.interface, message.member
        for listener in tuple(self._listeners.get(key, ())):
            if listener.match.means(message.body):
                listener.heard(message.body)


class Signals(Subscription):
    """Says when a signal came.

    Args:
        bus: on which.
        matches: which; one or more, with a path.

    """

    def __init__(self, bus: Bus, matches: tuple[Match, ...]) -> None:
        self._bus, self._matches = bus, matches
        self._begun: list[Listener] = []

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each signal, and whenever one may have been missed.

        Raises:
            RuntimeError: it has begun already.

        """
        if self._begun:
            raise RuntimeError("listening has begun already")
        for match in self._matches:
            self._begun.append(Listener(match, lambda _: changed(), changed))
            self._bus.listen(self._begun[-1])

    def stop(self) -> None:
        """Listen no more."""
        while self._begun:
            self._bus.ignore(self._begun.pop())


def system_bus(host: "Host") -> Bus:
    """Return the system bus: `host.shared(system_bus)`."""
    default = "unix:path=/run/dbus/system_bus_socket"
    return Bus(os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", default))


def user_bus(host: "Host") -> Bus:
    """Return the bus of the user's own session: `host.shared(user_bus)`."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return Bus(os.environ.get("DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime}/bus"))


def _driver(member: str, rule: str) -> "Message":
    from dbus_next.message import Message

    destination, path, interface = DRIVER
    return Message(destination, path, interface, member, signature="s", body=[rule])
