"""What a session leaves on disk about the graphs that it takes over: generations, and how it stands."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from setpoint import asking
from setpoint.errors import SetpointError
from setpoint.generations import Generation, Generations
from setpoint.oserrors import told
from setpoint.paths import absolute

if TYPE_CHECKING:
    from setpoint.graph import Graph
    from setpoint.host import Host


class Keeping:
    """Keeps the graph files that are taken over, and lets others know how it went.

    What cannot be written is told, and stops nothing.

    Args:
        host: gives the state directory, which is ours while the engine runs.
        given: the files that were named on the command line.
        reloads: whether HUP has them loaded again.
        warn: called with what a person should know.

    """

    def __init__(
        self, host: "Host", given: tuple[str, ...], reloads: bool, warn: Callable[[str], None]
    ) -> None:
        self._host, self._warn, self._reloads = host, warn, reloads
        self._given = tuple(map(absolute, given))
        self._generations = Generations(host)
        self._standing: asking.Standing | None = None

    def last(self, scope: str) -> Mapping[str, str]:
        """Return the files, path to text, of the last generation of the graph with that scope; blocks."""
        try:
            found = self._generations.latest(scope)
        except (OSError, SetpointError):
            return {}
        return found.files if found else {}

    async def took(
        self, by: str, graph: "Graph", texts: Mapping[str, str], counts: tuple[int, ...] = ()
    ) -> None:
        """Keep the files `texts`, path to text, that have become `graph`, with what led to it and how many differ.

        Without files nothing is kept, and others hear that it went well.
        """
        number = 0
        new = Generation(
            number=0,
            at=time.time(),
            by=by,
            scope=graph.scope,
            given=self._given,
            files=texts,
            resources=len(graph.resources) + len(graph.held),
            difference=counts,
        )
        try:
            if texts:
                number = (await self._host.in_thread(lambda: self._generations.keep(new))).number
        except (OSError, SetpointError) as error:
            why = told(error) if isinstance(error, OSError) else error
            self._warn(f"this graph is not kept for `setpoint rollback`, {why}")
        await self._stand(generation=number, problem="")

    async def refused(self, problem: str) -> None:
        """Let others know that what was loaded was not taken over, and why."""
        await self._stand(problem=problem)

    async def asks(self) -> None:
        """Let others know that a person is asked whether what was loaded is to be taken over."""
        await self._stand(asks=True)

    async def _stand(self, *, asks: bool = False, **changed: object) -> None:
        try:
            await self._host.in_thread(lambda: self._say(asks, changed))
        except OSError as error:
            self._warn(
                f"`setpoint reload` and `setpoint history` may say what is old, {told(error)}"
            )

    def _say(self, asks: bool, changed: Mapping[str, object]) -> None:
        old = self._standing
        loads = old.loads + (not asks) if old else 0
        now = old or asking.this_process(self._reloads)
        self._standing = msgspec.structs.replace(now, loads=loads, asks=asks, **changed)
        asking.say(self._host, self._standing)
