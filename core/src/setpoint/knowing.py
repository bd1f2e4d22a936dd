"""What a program knows of the machine: it follows the facts that its graph reads, and evaluates that again."""

import asyncio
from collections.abc import Callable

from setpoint.errors import Problem, SetpointError
from setpoint.following import Facts
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host

QUIET = 0.05  # seconds: changes of facts within that are one evaluation
AT_FIRST = 1.0  # seconds in which facts are to speak before a run begins that stays
AT_ALL = 10.0  # the same of one that does not, and so has no later


class Knowing:
    """The facts of one run, used on the loop.

    Args:
        host: this machine.
        warn: called with what a person should know: a fact that fails, an expression that does.
        take: called with each graph but the first.

    """

    def __init__(
        self, host: Host, warn: Callable[[str], None], take: Callable[[Graph], None]
    ) -> None:
        self._host, self._warn, self._take = host, warn, take
        self._facts = Facts(self._changed, self._failed)
        self._live: Live | None = None
        self._spoken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._evaluating: asyncio.Task[None] | None = None
        self._told: set[Problem] = set()

    async def graph(self, live: Live, patience: float) -> Graph:
        """Return the graph of `live` from now on, with the facts as they are.

        Args:
            live: what was read of graph files.
            patience: seconds to wait at most for facts that have not spoken yet.

        Raises:
            GraphError: it is wrong with these facts; those of the graph before are followed then.

        """
        for fact in live.facts.values():
            fact._host = self._host
        before = self._live.facts if self._live else {}
        self._facts.want({**before, **live.facts})
        graph = live.graph
        if live.facts:
            await self._wait(set(live.facts), patience)
            graph = await asyncio.to_thread(live.evaluate, dict(self._facts.values))
        self._live = live
        self._facts.want(live.facts)
        self._evaluated()
        return graph

    async def close(self) -> None:
        """Follow nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._evaluating is not None:
            self._evaluating.cancel()
        await self._facts.close()

    async def _wait(self, names: set[str], patience: float) -> None:
        """Wait until the facts `names` have spoken, or failed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while not names <= self._facts.values.keys() | self._facts.problems.keys():
            self._spoken.clear()
            try:
                await asyncio.wait_for(self._spoken.wait(), deadline - loop.time())
            except TimeoutError:
                silent = sorted(names - self._facts.values.keys())
                self._warn(f"not known yet: {', '.join(f'facts.{name}' for name in silent)}")
                return

    def _changed(self, name: str) -> None:
        self._spoken.set()
        self._evaluate_in(QUIET)

    def _failed(self, name: str, error: BaseException, again: float) -> None:
        self._spoken.set()
        when = f"looked at again in {again:g} s" if again >= 0 else "not looked at again"
        self._warn(f"facts.{name}: {error or type(error).__name__}; {when}")

    def _evaluate_in(self, seconds: float) -> None:
        if self._live is None:  # `graph` does it
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._evaluate)

    def _evaluate(self) -> None:
        self._timer = None
        if self._evaluating is not None and not self._evaluating.done():
            self._evaluate_in(QUIET)
            return
        self._evaluating = asyncio.create_task(self._evaluate_now())

    async def _evaluate_now(self) -> None:
        live = self._live
        assert live is not None
        before = live.graph
        try:
            graph = await asyncio.to_thread(live.evaluate, dict(self._facts.values))
            if live is self._live and not graph.is_like(before):
                self._take(graph)
        except SetpointError as error:
            self._warn(f"the graph stays as it was, with these facts it would be wrong:\n{error}")
        self._evaluated()

    def _evaluated(self) -> None:
        """Say once what is wrong with expressions, and evaluate them again when they want it."""
        assert self._live is not None
        for trouble in dict.fromkeys(self._live.troubles):
            if trouble not in self._told:
                self._warn(str(trouble))
        self._told = set(self._live.troubles)
        if self._live.wake_at is not None and self._timer is None:
            self._evaluate_in(max(0.0, self._live.wake_at - self._host.clock.monotonic()))
