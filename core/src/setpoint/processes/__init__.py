"""Run children: what they print is streamed and bounded, and their whole group is stopped.

A child is started with `posix_spawn` (vfork: its price does not grow with our memory), leads a
session and a process group of its own, and is waited for through a pidfd in the running loop: no
threads, no signal handlers, no polling. It inherits descriptors 0, 1 and 2, a fixed PATH, and
nothing else of ours.

It has ended when it is reaped and its pipes are closed; a descendant that keeps them open, as
daemons do, delays that by `LINGER` seconds at most. Whoever stops it (a timeout, a cancelled task)
sends `stop_signal` to its group, SIGKILL after `grace` seconds, and SIGKILL to what is left when
the leader has ended, before that is reaped: until then its id, which is the group's too, is not
given to another process. Descendants that moved to a session of their own go on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property
from signal import SIGTERM
from typing import Unpack
from weakref import WeakKeyDictionary, WeakSet

from setpoint.processes.child import LINGER, Child, Sinks
from setpoint.processes.output import (
    LONGEST,
    Completed,
    Kept,
    Lines,
    OnLine,
    ProcessEnded,
    TookTooLong,
)
from setpoint.processes.spawn import PATH, Options, Turns, inherited, launch, spawn

__all__ = [
    "LINGER",
    "LONGEST",
    "PATH",
    "Completed",
    "OnLine",
    "Options",
    "ProcessEnded",
    "Processes",
    "TookTooLong",
]

AHEAD = 1000  # lines that wait for their reader before the child has to
GRACE = 5.0  # seconds between asking and killing
REMEMBERED = 1 << 13  # bytes of output kept to say why a program of `lines` ended


class Processes:
    """Runs programs; one may be used in several loops at once."""

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()
        self._children: WeakSet[Child] = WeakSet()

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 0.0,  # noqa: ASYNC109 - it does more than cancel: it stops the group
        limit: int = 1 << 20,
        capture: bool = True,
        on_line: OnLine | None = None,
        **options: Unpack[Options],
    ) -> Completed:
        """Run a program until it has ended.

        Args:
            argv: the program, looked up in its own PATH unless it has a slash, and its arguments.
            timeout: seconds it may take; 0 is no limit.
            limit: bytes kept of each stream and of both together: the first half and the last.
            capture: whether output is kept; without it and `on_line` it goes to /dev/null.
            on_line: called in the loop with "stdout" or "stderr" and each line, without its end,
                as it comes; what is longer than `LONGEST` characters comes in pieces. Once it has
                returned False it gets only the newest line of those that came together, which is
                enough to show and bears a flood. What it raises stops the program.
            options: see `Options`.

        Raises:
            FileNotFoundError: there is no such program, or no such `cwd`.
            PermissionError: it may not be executed, or not as that user.
            LookupError: there is no such user or group.
            TookTooLong: a TimeoutError; it took longer than `timeout`, and its group was stopped.
            ChildProcessError: something else reaped it, so that its exit code is not known.
            OSError: it cannot be started now.

        """
        kept = Kept(limit), Kept(limit), Kept(limit)
        sinks = _sinks(kept, on_line) if capture else _sinks((), on_line)
        child = await self._start(argv, sinks, options)
        expiry = child.loop.call_later(timeout, child.expire) if timeout else None
        try:
            await child.finish()
        finally:
            if expiry:
                expiry.cancel()
        completed = child.completed(*kept)
        if child.expired:
            raise TookTooLong(argv[0], timeout, completed)
        return completed

    async def lines(
        self, argv: Sequence[str], **options: Unpack[Options]
    ) -> AsyncGenerator[str, None]:
        """Yield each line that a program writes to its standard output, as it comes.

        Few lines are held: who takes them slowly slows the program down. Closing the generator
        stops the program.

        Raises:
            ProcessEnded: the program has ended, with whatever code.
            OSError: as of `run`.

        """
        waiting, arrived = deque[str](), asyncio.Event()

        def put(_: str, line: str) -> None:
            waiting.append(line)
            arrived.set()
            child.hold(len(waiting) >= AHEAD)

        kept = Kept(REMEMBERED)
        child = await self._start(argv, ((Lines("stdout", put), kept), (kept,)), options)
        child.ended.add_done_callback(lambda _: arrived.set())
        try:
            while waiting or not child.ended.done():
                if waiting:
                    yield waiting.popleft()
                else:
                    child.hold(False)
                    arrived.clear()
                    await arrived.wait()
            ended = child.completed(kept, kept, kept)
            raise child.failure or ProcessEnded(argv[0], "must go on running", ended)
        finally:
            await child.gone()

    def kill(self) -> None:
        """Kill every child with its group, for a process that is about to end at once itself."""
        for child in self._children:
            child.kill()

    async def _start(self, argv: Sequence[str], sinks: Sequence[Sinks], options: Options) -> Child:
        """Start a program whose two streams go to `sinks`; without any to /dev/null."""
        what = launch(argv, options)
        await self._turns.setdefault(asyncio.get_running_loop(), Turns()).take()
        spawned = spawn(what, options.get("stdin", b""), bool(sinks), self._closed)
        stop_signal, grace = options.get("stop_signal", SIGTERM), options.get("grace", GRACE)
        child = Child(spawned, sinks, stop_signal, grace)
        self._children.add(child)
        return child

    @cached_property
    def _closed(self) -> list[int]:
        return inherited()


def _sinks(kept: Sequence[Kept], on_line: OnLine | None) -> Sequence[Sinks]:
    """Return where the two streams go: into what is kept of each, of both, and to `on_line`."""
    if not kept and not on_line:
        return ()
    lines = [(Lines(name, on_line),) if on_line else () for name in ("stdout", "stderr")]
    return (*kept[:1], *kept[2:], *lines[0]), (*kept[1:], *lines[1])
