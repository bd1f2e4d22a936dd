"""What a program knows of the machine: it follows the facts that its graph reads, and evaluates that again."""

import asyncio
from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from setpoint.declarations.facts import told
from setpoint.errors import Problem, SetpointError
from setpoint.following import Facts, tell_if_failed, why
from setpoint.graph import Graph
from setpoint.hiding import Secrets
from setpoint.host import Host
from setpoint.resource import Fact

if TYPE_CHECKING:
    from setpoint.graphfile.causes import Read
    from setpoint.sharing import Moves, Shared, Sharing

QUIET = 0.05  # seconds: changes of facts within that are one evaluation
AT_FIRST = 1.0  # seconds in which facts are to speak before a run begins that stays
AT_ALL = 10.0  # the same of one that does not, and so has no later


class Evaluable(Protocol):
    """What gives a graph for what is known, such as `graphfile.Live`, whose attributes these are."""

    graph: Graph
    troubles: list[Problem]

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Those that the last evaluation has read."""

    @property
    def wake_at(self) -> float | None:
        """When to evaluate again though no fact has changed."""

    @property
    def shares(self) -> "Shared | None":
        """What this host tells others, as of the last evaluation; None if it never did."""

    def because(self, id_: str) -> "Mapping[str, Read]":
        """Return what the declaration of `id_` depends on: path to the value before and now."""

    def evaluate(self, values: Mapping[str, Any]) -> Graph:
        """Return the graph with `values`, those of the facts that are known."""


class Knowing:
    """The facts of one run, used on the loop.

    Args:
        host: this machine.
        warn: called with what a person should know: a fact that fails, an expression that does.
        take: called with each graph but the first.
        secrets: learns what is secret in facts, which is taken out of warnings.

    live: what is evaluated now; None before the first.

    """

    def __init__(
        self,
        host: Host,
        warn: Callable[[str], None],
        take: Callable[[Graph], None],
        secrets: Secrets | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._host, self._take = host, take
        self._warn: Callable[[str], None] = lambda text: warn(self._secrets.text(text))
        self._facts = Facts(self._changed, self._failed, self._secrets)
        self.live: Evaluable | None = None
        self._spoken = asyncio.Event()
        self._turn = asyncio.Lock()  # one graph at a time, or one had the facts of another
        self._is_behind = False  # whether a fact has changed since a new graph had its values
        self._timer: asyncio.TimerHandle | None = None
        self._evaluating: asyncio.Task[None] | None = None
        self._told: set[Problem] = set()
        self._is_sharing = False
        self._sharing: Sharing | None = None
        self._shared: Shared | None = None

    async def graph(self, live: Evaluable, patience: float) -> Graph:
        """Return the graph of `live` from now on, with the facts as they are.

        Args:
            live: what was read of graph files, or declared by a program.
            patience: seconds to wait at most for facts that have not spoken yet.

        Raises:
            GraphError: it is wrong with these facts; those of the graph before are followed then.
            RuntimeError: it was closed meanwhile.

        """
        async with self._turn:
            before = dict(self.live.facts) if self.live else {}
            try:
                graph = await self._settled(live, patience, self._facts, keep=before)
                self.live = live
            finally:
                self._facts.want(self._read_by(self.live) if self.live else {})
            if not self._is_behind:
                self._rest()
            self._evaluated()
        return graph

    async def tried(self, live: Evaluable, patience: float) -> Graph:
        """Return the graph that `live` would be now; what was evaluated before still is, with its facts.

        Args:
            live: what was read of graph files, or declared by a program.
            patience: seconds to wait at most for facts that have not spoken yet.

        Raises:
            GraphError: it is wrong with these facts.

        """
        spoken = self._spoken.set
        others = Facts(lambda _: spoken(), lambda *_: spoken(), self._secrets)
        known = dict(self.live.facts) if self.live else {}
        try:
            return await self._settled(live, patience, others, known=known)
        finally:
            await others.close()

    def share(self) -> None:
        """Tell other hosts what the graph shares, now and after each evaluation: it runs from now on."""
        self._is_sharing = True
        self._share()

    def moves(self, live: Evaluable) -> "Moves | None":
        """Return what other hosts would be told otherwise if `live` took over; None: nothing that is shared."""
        shared = live.shares
        if not self._is_sharing or (self._shared is None and shared is None):
            return None
        from setpoint.sharing import moves

        return moves(self._shared, shared or _nothing(live))

    async def close(self) -> None:
        """Follow nothing any more."""
        if self._sharing is not None:
            await self._sharing.close()
        self._rest()
        if self._evaluating is not None:
            self._evaluating.cancel()
        await self._facts.close()

    async def _settled(
        self,
        live: Evaluable,
        patience: float,
        facts: Facts,
        *,
        known: Mapping[str, Fact] = {},
        keep: Mapping[str, Fact] = {},
    ) -> Graph:
        """Evaluate `live` until it reads no other facts than before.

        Args:
            live: what was read.
            patience: seconds to wait at most.
            facts: follows those that it reads.
            known: those that need not be followed there, because they are already.
            keep: those that are followed too.

        """
        deadline = asyncio.get_running_loop().time() + patience
        graph, new, seen = live.graph, dict[str, Fact](), dict[str, Fact]()
        while not (read := self._read_by(live)).items() <= seen.items():
            seen |= read
            new |= {name: fact for name, fact in read.items() if fact != known.get(name)}
            facts.want({**keep, **new})
            await self._wait(facts, new.keys(), deadline)
            values = {n: v for n, v in self._facts.values.items() if n not in new}
            self._is_behind = False
            graph = await asyncio.to_thread(live.evaluate, {**values, **facts.values})
        return graph

    async def _wait(self, facts: Facts, names: Set[str], deadline: float) -> None:
        """Wait until the facts `names` have spoken, or failed."""
        loop = asyncio.get_running_loop()
        while not names <= facts.values.keys() | facts.problems.keys():
            self._spoken.clear()
            try:
                await asyncio.wait_for(self._spoken.wait(), deadline - loop.time())
            except TimeoutError:
                if facts is self._facts:
                    silent = sorted(names - facts.values.keys())
                    self._warn(f"not known yet: {', '.join(map(told, silent))}")
                return

    def _changed(self, name: str) -> None:
        self._spoken.set()
        self._is_behind = True
        self._evaluate_in(QUIET)

    def _failed(self, name: str, error: BaseException, again: float) -> None:
        self._spoken.set()
        when = f"looked at again in {again:g} s" if again >= 0 else "not looked at again"
        self._warn(f"{told(name)}: {why(error)}; {when}")

    def _evaluate_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= at:  # a fact without rest would put it off for ever
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._evaluate)

    def _rest(self) -> None:
        """Evaluate nothing until a fact changes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _evaluate(self) -> None:
        self._timer = None
        is_busy = self._evaluating is not None and not self._evaluating.done()
        if is_busy or self._turn.locked():
            self._evaluate_in(QUIET)
        elif self.live is not None:
            self._evaluating = asyncio.create_task(self._evaluate_now())
            self._evaluating.add_done_callback(partial(tell_if_failed, "the graph stays as it was"))

    async def _evaluate_now(self) -> None:
        async with self._turn:
            live = self.live
            assert live is not None
            before = live.graph
            try:
                graph = await asyncio.to_thread(live.evaluate, dict(self._facts.values))
                self._facts.want(self._read_by(live))
                if not graph.is_like(before):
                    self._take(graph)
            except SetpointError as error:
                rule = "the graph stays as it was, with these facts it would be wrong"
                self._warn(f"{rule}:\n{error}")
            self._evaluated()

    def _read_by(self, live: Evaluable) -> dict[str, Fact]:
        """Return the facts that the last evaluation of `live` has read, ready to be followed."""
        for name, fact in live.facts.items():
            fact._host = self._host
            fact.call(told(name))
        return dict(live.facts)

    def _evaluated(self) -> None:
        """Say once what is wrong with expressions, and evaluate them again when they want it."""
        assert self.live is not None
        for trouble in dict.fromkeys(self.live.troubles):
            if trouble not in self._told:
                self._warn(str(trouble))
        self._told = set(self.live.troubles)
        self._share()
        if self.live.wake_at is not None and self._timer is None:
            self._evaluate_in(max(0.0, self.live.wake_at - self._host.clock.monotonic()))

    def _share(self) -> None:
        """Bring what this host shares into line with the last evaluation."""
        live = self.live
        if not self._is_sharing or live is None:
            return
        self._shared = live.shares
        if self._shared is None and not self._host.world.exists:  # nor did an earlier run share
            return
        from setpoint.sharing import Sharing

        if self._sharing is None:
            self._sharing = Sharing(self._host, live.graph.scope, self._warn)
        self._sharing.share(self._shared or _nothing(live))


async def known_graph(
    live: Evaluable, host: Host, warn: Callable[[str], None], secrets: Secrets | None = None
) -> Graph:
    """Return the graph of `live` with the facts as they are now; they are followed until then, and no longer.

    The rest is as for `Knowing`.

    Raises:
        GraphError: it is wrong with these facts.

    """
    knowing = Knowing(host, warn, lambda _: None, secrets)
    try:
        return await knowing.graph(live, AT_ALL)
    finally:
        await knowing.close()


def _nothing(live: Evaluable) -> "Shared":
    """Return what `live` shares that shares nothing yet."""
    from setpoint.sharing import Shared

    return Shared(stays=live.graph.may_export)
