"""The tasks that await vertices, one at a time each: few while runs are short, more while they only wait.

64 are enough for runs that compute or start short programs: more of them would not be faster. But 64 commands that
sleep for an hour must not hold up a 65th. So as long as vertices queue and hardly one of them gets a worker, the
workers are doubled, until they are as many as the open files of this process allow.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

from setpoint.engine.parts import Parts

FEW = 64  # workers that there may always be, and that stay when they have nothing to do
FILES = 8  # open files for each worker: a child's pipes and pidfd, what it reads, and some to spare
UNLIMITED = 8192  # workers if there is no limit of open files
WAIT = 0.02  # seconds between looks at a queue
SLOW = 16  # workers of which one takes a vertex within that time if runs take 0.3 s on average
TURN = 0.004  # seconds that a worker keeps the loop before others have their turn


class Workers:
    """Awaits `run` for each vertex that is put.

    Args:
        parts: of the engine.
        run: what to await; raises only when its task is cancelled.

    """

    def __init__(self, parts: Parts, run: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        self._parts, self._run = parts, run
        self._queue: deque[int] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = self._begun_before = 0
        self._looking = False

    def put(self, v: int) -> None:
        """Let `v` wait for a worker."""
        self._queue.append(v)

    def start(self) -> None:
        """Have workers for what was put."""
        wanted = len(self._queue)
        while wanted > 0 and self._idle:
            waiting = self._idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                wanted -= 1
        self._hire(min(wanted, FEW - len(self._tasks)))
        if wanted > 0:
            self._look_later()

    def drop_queue(self) -> list[int]:
        """Return those that still wait for a worker, and let none of them have one."""
        dropped = list(self._queue)
        self._queue.clear()
        return dropped

    async def close(self) -> None:
        """Cancel what runs, and wait until it is gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hire(self, number: int) -> None:
        for _ in range(number):
            task = self._parts.loop.create_task(self._work(), name="setpoint worker")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _look_later(self) -> None:
        if not self._looking:
            self._looking = True
            self._begun_before = self._begun
            self._parts.timers.after(WAIT, self._look)

    def _look(self) -> None:
        """Double the workers if vertices wait and hardly one has got a worker."""
        self._looking = False
        if not self._queue:
            return
        number = len(self._tasks)
        if (self._begun - self._begun_before) * SLOW < number:
            self._hire(min(number, most_workers() - number, len(self._queue)))
        self._look_later()

    async def _work(self) -> None:
        began = perf_counter()
        while True:
            while self._queue:
                self._begun += 1
                await self._run(self._queue.popleft())
                if perf_counter() - began > TURN:
                    await asyncio.sleep(0)
                    began = perf_counter()
            if len(self._idle) >= FEW:
                return
            waiting: asyncio.Future[None] = self._parts.loop.create_future()
            self._idle.append(waiting)
            await waiting
            began = perf_counter()


def most_workers() -> int:
    """Return how many workers there may be: as many as have eight open files each, 64 or more.

    What a worker awaits holds files, a child process three or four. A limit that is reached fails whatever needs a file
    next, journal and watches among them, so half of it is left to what is not counted here.
    It is asked anew each time, for it can be changed while the process runs.

    Source: getrlimit(2), RLIMIT_NOFILE.
    """
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft, _ = getrlimit(RLIMIT_NOFILE)
    return UNLIMITED if soft == RLIM_INFINITY else max(FEW, soft // FILES)
