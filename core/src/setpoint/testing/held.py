"""What this process holds: descriptors, threads, children, tasks. What there is more of afterwards has leaked."""

import asyncio
import gc
import os
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

POOL = "setpoint-testing"  # what the threads of a pool are called that is emptied by `own_threads`
_NUMBER = re.compile(r":?\[[0-9]+\]")  # of a socket or pipe
PATIENCE, STEP = 1.0, 0.01  # seconds: what ends by itself, a thread say, may take a moment


def held() -> Counter[str]:
    """Return what is held now, in words, and how often."""
    gc.collect()
    found: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing
            target = os.readlink(f"/proc/self/fd/{number}")
            found[f"descriptor of {_NUMBER.sub('', target)}"] += 1
    for thread in threading.enumerate():
        if not thread.name.startswith((POOL, "asyncio_")):  # those a loop keeps for later
            found[f"thread {thread.name}"] += 1
    for pid in _children():
        found[f"child {_command(pid)}"] += 1
    for task in asyncio.all_tasks():
        found[f"task {getattr(task.get_coro(), '__qualname__', task)}"] += 1
    return found


async def more_than(before: Counter[str]) -> Counter[str]:
    """Return what is held beyond `before`, once that has had time to go."""
    more = held() - before
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while more and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(STEP)
        more = held() - before
    return more


@asynccontextmanager
async def own_threads() -> AsyncIterator[None]:
    """Let verbs run in threads that have all finished at the end, also those of a cancelled run."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(4, POOL)
    loop.set_default_executor(pool)
    try:
        yield
    finally:
        loop.set_default_executor(ThreadPoolExecutor(4, POOL))
        await asyncio.to_thread(pool.shutdown)


def in_words(more: Counter[str]) -> str:
    """Return what leaked as a person reads it."""
    return ", ".join(f"{count} x {what}" for what, count in sorted(more.items()))


def _children() -> list[str]:
    pids: list[str] = []
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError), open(f"/proc/self/task/{thread}/children") as file:
            pids += file.read().split()
    return pids


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return "that has just ended"
