"""What several resources want at the same time, done in one go.

Installing ten packages is one transaction of the package manager, not ten. Each resource still is a vertex of its own,
with its own check, outcome and place in the graph; only the work between is shared:

    class Pkg(Resource):
        async def apply(self, changes):
            await self.host.shared(Transactions).want(self)

A wish waits a moment for others, or as long as the work on earlier wishes takes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

Wish = TypeVar("Wish")
Result = TypeVar("Result")

Do = Callable[[Sequence[Wish]], Awaitable[Mapping[Wish, Result | BaseException]]]


class Together(Generic[Wish, Result]):
    """Gathers wishes, and has them fulfilled many at a time; used on the loop.

    Args:
        do: fulfils the wishes that it is given, one or more, each hashable and different from the others. Returns for
            each what came of it, or the error to raise; if it raises, that is the outcome of all.
        wait: seconds that the first wish waits for others.

    """

    def __init__(self, do: "Do[Wish, Result]", wait: float = 0.05) -> None:
        self._do = do
        self._wait = wait
        self._wishes: dict[Wish, asyncio.Future[Result]] = {}
        self._worker: asyncio.Task[None] | None = None

    async def want(self, wish: Wish) -> Result:
        """Return what comes of `wish`; equal wishes of the same time have the same outcome.

        Raises:
            BaseException: what `do` returned for it, or raised.

        """
        outcome = self._wishes.get(wish)
        if outcome is None:
            outcome = self._wishes[wish] = asyncio.get_running_loop().create_future()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await asyncio.shield(outcome)  # who gives up does not take it from the others

    async def _work(self) -> None:
        """Fulfil wishes until there are none."""
        try:
            await asyncio.sleep(self._wait)
            while self._wishes:
                wishes, self._wishes = self._wishes, {}
                await self._fulfil(wishes)
        finally:
            self._worker = None

    async def _fulfil(self, wishes: dict[Wish, asyncio.Future[Result]]) -> None:
        try:
            results = await self._do(list(wishes))
        except BaseException as error:
            for outcome in wishes.values():
                _settle(outcome, error)
            if not isinstance(error, Exception):
                raise
        else:
            for wish, outcome in wishes.items():
                _settle(outcome, results[wish])

    def close(self) -> None:
        """Stop; what is under way is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
        for outcome in self._wishes.values():
            outcome.cancel()


def _settle(outcome: "asyncio.Future[Result]", result: Result | BaseException) -> None:
    if outcome.done():
        return
    if isinstance(result, asyncio.CancelledError):
        outcome.cancel()
    elif isinstance(result, BaseException):
        outcome.set_exception(result)
        outcome.exception()  # a resource that gave up does not fetch it
    else:
        outcome.set_result(result)
