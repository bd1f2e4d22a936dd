"""A `@graph` function: plain Python, run again when a fact changes that it has read.

Run it with `python examples/workers.py`: it keeps a file for each worker that a file called `wanted` asks for, and
writes 3 into that when the first one is there.
"""

import asyncio
from pathlib import Path

from setpoint import facts
from setpoint.engine import Options
from setpoint.engine.events import Converged, Swapped
from setpoint.host import Host
from setpoint.kinds import File
from setpoint.program import graph

HOME = Path("/tmp/setpoint-demo/workers")
WANTED = HOME / "wanted"


@graph
def workers() -> None:
    """Declare one file for each worker."""
    wanted = facts("file", str(WANTED)).content.strip()
    names = [f"worker-{number}" for number in range(int(wanted or 0))]
    for name in names:
        others = sorted({*names} - {name})
        File(f"{HOME}/{name}", content=f"peers = {', '.join(others)}\n", meta={"reverse": True})


async def main() -> None:
    """Run it until nothing has happened for a second; meanwhile ask for more workers, once."""
    HOME.mkdir(parents=True, exist_ok=True)
    WANTED.write_text("1\n")
    events = workers.events()
    options = Options(converged_timeout=1)
    run = asyncio.create_task(workers.run(host=Host(state=HOME / "state"), options=options))
    async for event in events:
        if isinstance(event, Swapped):
            print(f"{event.added} more, {event.changed} of other content")
        elif isinstance(event, Converged):
            WANTED.write_text("3\n")
    print("ok" if (await run).ok else "not all is as declared")


if __name__ == "__main__":
    asyncio.run(main())
