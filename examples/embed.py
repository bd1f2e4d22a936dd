"""Two engines in one asyncio program: each has a graph and a state directory, they share the loop and nothing else.

Run it with `python examples/embed.py`.
"""

import asyncio
from pathlib import Path

from setpoint import Engine
from setpoint.engine.events import Changed, Converged, Event, Refreshed
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint_file import File
from setpoint_noop import Noop

HOME = Path("/tmp/setpoint-demo")


class Kept:
    """One file that an engine keeps, and what that engine has told so far."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, HOME / name / "greeting"
        file = File(str(self.path), content=f"hello from {name}\n", recurse=True)
        told = Noop("told")
        graph = Graph(name)
        graph.add(file, told)
        graph.connect(Edge(file.id, told.id, notify="hold"))
        self.engine = Engine(graph, host=Host(state=HOME / "state" / name))
        self.engine.listen(self.told)
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def told(self, event: Event) -> None:
        """Take an event from the engine: called on the loop, so return at once."""
        if isinstance(event, (Changed, Refreshed, Converged)):
            self.events.put_nowait(event)

    async def converged(self) -> None:
        """Print what happens until nothing is left to do."""
        while not isinstance(event := await self.events.get(), Converged):
            print(f"{self.name}: {type(event).__name__.lower()} {event.id}")


async def main() -> None:
    """Converge both, spoil the file of one, see it repaired, stop."""
    keepers = [Kept("one"), Kept("two")]
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(kept.engine.run()) for kept in keepers]
        for kept in keepers:
            await kept.converged()
        print("one: somebody overwrites its file")
        keepers[0].path.write_text("nonsense\n")
        await keepers[0].converged()
        for kept in keepers:
            kept.engine.stop()
    print("all as declared:", all(run.result().ok for run in runs))


if __name__ == "__main__":
    asyncio.run(main())
