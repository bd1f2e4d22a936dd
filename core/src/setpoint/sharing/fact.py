"""The fact `world`."""

import asyncio
from collections.abc import AsyncGenerator

from setpoint.resource import Fact
from setpoint.sharing.entries import PREFIX, Snapshot, snapshot

PAUSE = 0.01  # seconds from one look to the next at least
REST = 4  # times as long as a look takes, so that a flood of changes does not keep a processor


class World(Fact):
    """What all hosts of the world share, this one too.

    What cannot be read, because another version has written it, is told once and left out.

    name: empty.
    """

    kind = "world"
    Value = Snapshot

    async def watch(self) -> AsyncGenerator[Snapshot, None]:
        """Yield what is shared, then what it has become.

        Raises:
            OSError: the world cannot be read.

        """
        loop = asyncio.get_running_loop()
        before, told = None, set[str]()
        async for _ in self.host.world.changes(PREFIX):
            began = loop.time()
            entries = await self.host.world.entries(PREFIX)
            found, unread = await self.host.in_thread(snapshot, entries)
            for key in set(unread) - told:
                self.host.log(self).warning("%s cannot be read, it is left out", key)
            told = set(unread)
            took = loop.time() - began
            if found != before:
                before = found
                yield found
            await asyncio.sleep(max(PAUSE, REST * took))
