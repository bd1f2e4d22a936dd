"""An engine at work, as a program runs it, and how much CPU time it takes for what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import process_time

from setpoint import Engine
from setpoint.engine import Options
from setpoint.engine.events import Converged, Event, Failed
from setpoint.graph import Graph
from setpoint.host import Host

STILL = 0.02  # seconds in which nothing happens, so that nothing more will
NOISE = 0.001  # seconds of CPU time that waiting takes


class Running:
    """An engine that runs in this loop.

    began: CPU seconds for building the graph and beginning the watches.
    failures: what went wrong, which nothing should.
    """

    def __init__(self, graph: Graph, state: Path, *, watch: bool) -> None:
        self.engine = Engine(graph, host=Host(state=state), options=Options(watch=watch))
        self.engine.listen(self._told)
        self._converged = asyncio.Event()
        self.began = 0.0
        self.failures: list[str] = []

    def _told(self, event: Event) -> None:
        if isinstance(event, Converged):
            self._converged.set()
        elif isinstance(event, Failed):
            self.failures.append(f"{event.id}: {event.error}")

    async def begin(self) -> "asyncio.Task[object]":
        """Start the engine; return when all is built and watched, and nothing is checked yet."""
        began = process_time()
        task = asyncio.create_task(self.engine.run())
        await asyncio.sleep(0)  # the engine has had its first turn then, and no other
        self.began = process_time() - began
        return task

    async def converged(self) -> float:
        """Wait until it has converged; return the CPU seconds that this took."""
        began = process_time()
        await self._converged.wait()
        self._converged.clear()
        return process_time() - began

    async def look_at_all(self) -> float:
        """Let it look at all resources; return the CPU seconds that this took."""
        began = process_time()
        self.engine.mark()
        await self._converged.wait()
        self._converged.clear()
        return process_time() - began

    async def quiet(self) -> float:
        """Wait until it does nothing any more; return the CPU seconds that this took."""
        began = used = process_time()
        while True:
            await asyncio.sleep(STILL)
            if process_time() - used < NOISE:
                return used - began
            used = process_time()


@asynccontextmanager
async def running(graph: Graph, state: Path, *, watch: bool = True) -> AsyncIterator[Running]:
    """Run an engine for `graph`, whose watches have begun, and which is about to converge."""
    run = Running(graph, state, watch=watch)
    task = await run.begin()
    try:
        yield run
    finally:
        run.engine.stop()
        await task
        assert not run.failures, run.failures[:3]
