"""What happens now and then, told to all who listen: opened for the first of them, closed after the last."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from setpoint.watching import Subscription

if TYPE_CHECKING:
    from setpoint.host import Host

Concerns = Callable[[Any], bool]


class Source(ABC):
    """Something that many may listen to, and that costs nothing while nobody does. Used on the loop.

    Args:
        host: what it belongs to: `host.shared(Network)` is the one of all facts.

    """

    def __init__(self, host: "Host") -> None:
        self.host = host
        self._listeners: dict[Listening, None] = {}

    def listen(self, concerns: Concerns = lambda news: True) -> Subscription:
        """Return a subscription to this.

        Args:
            concerns: says whether news, of the kind that the source has, are to be heard; by default all are.
                News may be None: something was lost, so everything may have changed.

        """
        return Listening(self, concerns)

    def add(self, listener: "Listening") -> None:
        """Let `listener` hear from now on.

        Raises:
            OSError: the kernel does not give what is needed.

        """
        if not self._listeners:
            self.begin()
        self._listeners[listener] = None

    def remove(self, listener: "Listening") -> None:
        """Let `listener` hear no more."""
        if self._listeners.pop(listener, self) is None and not self._listeners:
            self.end()

    def tell(self, news: Any = None) -> None:
        """Tell those whom `news` concern; None is that there is no telling what has changed."""
        for listener in tuple(self._listeners):
            listener.hear(news)

    def close(self) -> None:
        """Let nobody hear any more."""
        if self._listeners:
            self._listeners.clear()
            self.end()

    @abstractmethod
    def begin(self) -> None:
        """Call `tell` whenever it happens, from now on; `OSError` if that cannot be."""

    @abstractmethod
    def end(self) -> None:
        """Give back what `begin` took."""


class Listening(Subscription):
    """One who listens to a source.

    Args:
        source: what to listen to.
        concerns: whether news are to be heard.

    """

    def __init__(self, source: Source, concerns: Concerns) -> None:
        self._source, self._concerns = source, concerns
        self._changed: Callable[[], None] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin.

        Raises:
            OSError: the source cannot be opened.
            RuntimeError: it has begun already.

        """
        if self._changed is not None:
            raise RuntimeError("listening has begun already")
        self._source.add(self)
        self._changed = changed

    def stop(self) -> None:
        """Hear no more."""
        if self._changed is not None:
            self._changed = None
            self._source.remove(self)

    def hear(self, news: Any) -> None:
        """Call back if `news` matter; not if it was stopped meanwhile."""
        if self._changed is not None and self._concerns(news):
            self._changed()


class Otherwise(Subscription):
    """One subscription, or another where that cannot begin.

    Args:
        first: what tells more.
        second: what can always be had.

    """

    def __init__(self, first: Subscription, second: Subscription) -> None:
        self._first, self._second = first, second

    def start(self, changed: Callable[[], None]) -> None:
        """Begin the first, or else the second."""
        try:
            self._first.start(changed)
        except OSError:
            self._second.start(changed)

    def stop(self) -> None:
        """Stop the one that has begun."""
        self._first.stop()
        self._second.stop()


class Relay(Source):
    """Lets many hear what one subscription says.

    Args:
        host: what it belongs to.
        subscription: begun for the first listener.

    """

    def __init__(self, host: "Host", subscription: Subscription) -> None:
        super().__init__(host)
        self._subscription = subscription

    def begin(self) -> None:
        """Begin the subscription."""
        self._subscription.start(self.tell)

    def end(self) -> None:
        """Stop the subscription."""
        self._subscription.stop()


class Readable(Source):
    """A descriptor that can be read when something has happened.

    descriptor: while somebody listens.
    """

    descriptor: int

    @abstractmethod
    def connect(self, held: ExitStack) -> int:
        """Return the descriptor, which does not block; what closes it goes into `held`."""

    @abstractmethod
    def drain(self) -> None:
        """Read all that is there, and `tell` of it."""

    def begin(self) -> None:
        """Open the descriptor, and let the loop read it."""
        loop = asyncio.get_running_loop()
        with ExitStack() as held:
            self.descriptor = self.connect(held)
            loop.add_reader(self.descriptor, self.drain)
            held.callback(loop.remove_reader, self.descriptor)
            self._held = held.pop_all()

    def end(self) -> None:
        """Close it."""
        self._held.close()
