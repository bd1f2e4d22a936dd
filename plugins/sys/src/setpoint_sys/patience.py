"""Calls that may hang: on a server that is gone, a disk that does not answer, a directory service."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]

SECONDS = 10.0  # that a look may take


class Patience:
    """Calls functions in threads of their own, that the process does not wait for when it ends.

    Use it as `host.shared(Patience)`. What hangs keeps one thread, whoever asks how often for the same.
    """

    def __init__(self, _: object = None) -> None:
        self._running: dict[str, Future[Outcome]] = {}

    async def call(self, what: str, function: Callable[[], T], seconds: float = SECONDS) -> T:
        """Return what `function` returns.

        Args:
            what: is looked at, for people; a second call with the same waits for the first.
            function: is called in a thread.
            seconds: how long all that may take.

        Raises:
            TimeoutError: it took longer; the thread is left alone.

        """
        try:
            async with asyncio.timeout(seconds):
                while what in self._running:
                    await asyncio.wrap_future(self._running[what])
                result, error = await asyncio.wrap_future(self._begin(what, function))
        except TimeoutError:
            raise TimeoutError(f"{what} must answer within {seconds:g} s, it hangs") from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _begin(self, what: str, function: Callable[[], Any]) -> "Future[Outcome]":
        outcome: Future[Outcome] = Future()
        outcome.set_running_or_notify_cancel()  # from here on nobody who gives up can cancel it
        self._running[what] = outcome
        name, args = f"setpoint looks at {what}", (what, function, outcome)
        threading.Thread(target=self._work, args=args, name=name, daemon=True).start()
        return outcome

    def _work(self, what: str, function: Callable[[], Any], outcome: "Future[Outcome]") -> None:
        try:
            result, error = function(), None
        except BaseException as raised:  # whatever it is belongs to the one who asked
            result, error = None, raised
        del self._running[what]
        outcome.set_result((result, error))
