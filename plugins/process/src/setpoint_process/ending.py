"""Ending processes: they are asked, given time, and then killed.

This may take as long as `grace`, so it waits on the loop, for descriptors of the processes that
become readable when they end; only the scans, which block for milliseconds, are given to a thread.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from signal import SIGCONT, SIGKILL, Signals
from typing import Any

from setpoint.processes.proc import Entry, Selection
from setpoint_process.signals import ROUNDS, SETTLE, Outcome, held, pause, pids, send
from setpoint_process.table import scan

AT_ONCE = 64  # processes that are waited for together, so that descriptors do not run out
LOOK_AGAIN = 0.2  # seconds; those that appear meanwhile are asked to end too

InThread = Callable[..., Awaitable[Any]]


async def end(selection: Selection, number: Signals, grace: float, in_thread: InThread) -> Outcome:
    """Send signal `number` to all that is meant; what is left after `grace` seconds is killed.

    Raises:
        TimeoutError: some are still there, or again.

    """
    outcome = Outcome()
    asked: set[tuple[int, int]] = set()
    until = time.monotonic() + grace
    while found := await _left(selection, outcome, in_thread):
        if (rest := until - time.monotonic()) <= 0 and asked:
            await _kill(selection, outcome, in_thread)
            break
        new = [entry for entry in found if entry.identity not in asked]
        asked.update(entry.identity for entry in new)
        send(new, number, outcome)
        send((entry for entry in new if entry.state == "T"), SIGCONT, Outcome())  # else it is deaf
        await _ended(found, min(rest, LOOK_AGAIN))
    return outcome


async def _kill(selection: Selection, outcome: Outcome, in_thread: InThread) -> None:
    """Kill all that is meant, stopped first so that it cannot breed meanwhile."""
    for _ in range(ROUNDS):
        with suppress(TimeoutError):
            await in_thread(pause, selection, lambda entries: None)
        found = await _left(selection, outcome, in_thread)
        if not found:
            return
        send(found, SIGKILL, outcome)
        await _ended(found, SETTLE)
    raise TimeoutError(f"process {pids(found)} does not end, or is started again and again")


async def _left(selection: Selection, outcome: Outcome, in_thread: InThread) -> list[Entry]:
    denied = {entry.identity for entry in outcome.denied}
    found = await in_thread(scan, selection)
    return [entry for entry in found if entry.identity not in denied]


async def _ended(entries: list[Entry], seconds: float) -> None:
    """Return when the first of `entries` have ended, at the latest after `seconds`."""
    with ExitStack() as stack, suppress(ProcessLookupError, TimeoutError):
        ended = [_end_of(stack.enter_context(held(e.identity)), stack) for e in entries[:AT_ONCE]]
        await asyncio.wait_for(_all(ended), seconds)


async def _all(ended: Iterable[asyncio.Future[None]]) -> None:
    for future in ended:
        await future


def _end_of(descriptor: int, stack: ExitStack) -> asyncio.Future[None]:
    """Return a future that is done when the process of `descriptor` has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    stack.callback(partial(loop.remove_reader, descriptor))
    loop.add_reader(descriptor, _finish, ended, descriptor)
    return ended


def _finish(ended: asyncio.Future[None], descriptor: int) -> None:
    asyncio.get_running_loop().remove_reader(descriptor)  # it stays readable for ever
    if not ended.done():
        ended.set_result(None)
