"""The engine as programs use it: give it a graph, run it, listen, swap, stop."""

import asyncio
from collections.abc import Callable, Mapping

from setpoint.engine.events import Event, Swapped
from setpoint.engine.parts import Options, Parts
from setpoint.engine.redaction import Redaction
from setpoint.engine.result import Result
from setpoint.engine.run import Run
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.journal import Journal
from setpoint.plugins import Plugins


class Engine:
    """Keeps a machine in the state that a graph declares, in the caller's event loop.

    It takes no signal, sets no logging, and keeps nothing global: several may run in one program, each with a state
    directory of its own.

    Args:
        graph: what to keep. Its resources belong to the engine from now on.
        plugins: what is installed, if something else than what Python finds.
        host: this machine; gives the state directory too.
        durable: keep a journal in the state directory, so that notifications survive a crash.
        options: how to run.

    """

    def __init__(
        self,
        graph: Graph,
        *,
        plugins: Plugins | None = None,
        host: Host | None = None,
        durable: bool = True,
        options: Options | None = None,
    ) -> None:
        self._first = graph
        self._plugins = plugins or Plugins()
        self._host = host or Host()
        self._options = options or Options()
        self._journal = Journal(self._host.root, self._host.clock) if durable else None
        self._listeners: list[Callable[[Event], None]] = []
        self._redaction = Redaction()
        self._running: Run | None = None

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, on the loop; it is to return quickly."""
        self._listeners.append(listener)

    async def run(self) -> Result:
        """Converge the graph and keep it, until it is stopped or `converged_timeout` has passed.

        Raises:
            JournalError: the journal is another engine's, damaged, or cannot be written.
            CycleError: the edges of the graph close a circle.

        """
        if self._journal is not None:
            self._journal.open()
            if self._journal.died:
                self._host.remove_unfinished()
        try:
            run = self._running = Run(self._parts())
            try:
                run.begin(self._first)
                await run.ended
                return run.result()
            finally:
                await run.close()
                self._running = None
        finally:
            if self._journal is not None:
                self._journal.close()

    def without_secrets(self, text: str) -> str:
        """Return `text`, of a log say, with each secret in it replaced that has passed through."""
        return self._redaction.text(text)

    def swap(self, graph: Graph, *, because: Mapping[str, str] = {}) -> Swapped:
        """Run `graph` from now on; what is the same in both goes on undisturbed.

        Args:
            graph: belongs to the engine from now on, with its resources.
            because: id to a short text why its declaration is different now, without secrets
                ("facts.load.x1 1.5 -> 5.2"), for `setpoint explain`; those that are the same may be in it.

        Raises:
            CycleError: its edges close a circle; then the old one goes on.
            RuntimeError: the engine does not run.

        """
        if self._running is None:
            raise RuntimeError("the engine does not run; start it with `run` first")
        return self._running.swap(graph, because)

    def stop(self) -> None:
        """Finish what runs, start nothing, then let `run` return."""
        if self._running is not None:
            self._running.stop()

    def cancel(self) -> None:
        """Cancel what runs, then let `run` return."""
        if self._running is not None:
            self._running.cancel()

    def mark(self, *ids: str) -> None:
        """Look at `ids` again now, or at all resources if none is given; `Converged` follows.

        Raises:
            KeyError: the graph has no such resource.

        """
        if self._running is not None:
            self._running.mark(ids)

    def states(self) -> Mapping[str, str]:
        """Return the state of each resource by id: "settled", "running", "failed" ..."""
        return self._running.states() if self._running is not None else {}

    def _parts(self) -> Parts:
        parts = Parts(
            plugins=self._plugins,
            host=self._host,
            journal=self._journal,
            options=self._options,
            loop=asyncio.get_running_loop(),
        )
        parts.listeners, parts.redaction = self._listeners, self._redaction
        return parts
