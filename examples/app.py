"""A graph in Python: a password, a file with it, and what follows the machine; then the same as a graph file.

Run it with `python examples/app.py`.
"""

import asyncio
from pathlib import Path

from setpoint import Graph, each, facts, pick, when, where
from setpoint.engine.events import Changed, Event
from setpoint.host import Host
from setpoint.kinds import File, Noop, Password

HOME = Path("/tmp/setpoint-demo/app")

with Graph("app") as app:
    db = Password("db", length=24)
    File(
        f"{HOME}/db.env",
        content=f"DB_PASSWORD={db.send.password}\n",
        mode="0600",
        recurse=True,
        notify=Noop("restart the app"),
    )
    File(f"{HOME}/workers", content=f"{pick(facts.cpu.count > 1, facts.cpu.count - 1, 1)}\n")
    with when(facts.load.x1 > 100):
        File(f"{HOME}/busy", content=f"load {facts.load.x1:.1f}\n", meta={"reverse": True})
    with each(where(facts.disks, lambda disk: disk.used > 200)) as disk:
        File(f"{HOME}/disk-{disk.name}.full", content=f"{disk.used} %\n", meta={"reverse": True})


def told(event: Event) -> None:
    """Print what was changed: called on the loop, so return at once."""
    if isinstance(event, Changed):
        print("changed", event.id)


async def main() -> None:
    """Converge once; `app.run()` would stay, and follow the facts."""
    app.listen(told)
    result = await app.apply(host=Host(state=HOME / "state"))
    print("ok" if result.ok else result.failed)
    print(app.to_yaml())


if __name__ == "__main__":
    asyncio.run(main())
