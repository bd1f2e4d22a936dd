"""Locks of a git that was killed: it leaves them for ever, and each later git refuses to work.

A lock is stale when nobody works in the checkout: no git that is there, and nobody who has the lock open.
"""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint_git import Git

NAMES = ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock")
PATIENCE, PAUSE = 60.0, 0.2  # seconds


async def clear_locks(git: "Git", uid: int) -> None:
    """Remove stale locks of a checkout; wait for those who are at work there.

    Raises:
        OSError: somebody works there for longer than a minute.

    """
    deadline = git.host.clock.monotonic() + PATIENCE
    while locks := await git.host.in_thread(lambda: list(_locks(f"{git.at}/.git"))):
        worker = await git.host.in_thread(_worker, git.at, locks)
        if not worker:
            for path in locks:
                with suppress(FileNotFoundError):
                    git.host.files.remove(path)
            return
        if git.host.clock.monotonic() > deadline:
            raise OSError(errno.EBUSY, f"process {worker} works in there", git.at)
        git.host.progress(git, f"waits for process {worker}, which works in there")
        await asyncio.sleep(PAUSE)


def _locks(directory: str) -> Iterator[str]:
    """Yield the locks of a repository."""
    yield from filter(os.path.lexists, (f"{directory}/{name}" for name in NAMES))
    for parent, _, names in os.walk(f"{directory}/refs"):
        yield from (f"{parent}/{name}" for name in names if name.endswith(".lock"))


def _worker(path: str, locks: list[str]) -> int:
    """Return a process that works in the checkout at `path`; 0 if there is none."""
    real = os.path.realpath(path)
    held = {os.path.realpath(lock) for lock in locks}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):  # it has ended, or is not ours to look at
            if _is_git_within(pid, real) or not held.isdisjoint(_opened(pid)):
                return int(pid)
    return 0


def _is_git_within(pid: str, path: str) -> bool:
    with open(f"/proc/{pid}/comm", errors="replace") as file:
        if not file.read().startswith("git"):
            return False
    return f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(f"{path}/")


def _opened(pid: str) -> Iterator[str]:
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{number}")
