"""Lives: work in a forked process, which may be killed anywhere or be somebody else, while the test's loop goes on.

A process that forks has to be quiet: so a thread is started that forks at once, and the life has this thread only. It
has a loop of its own, and must not use what belongs to that of the test.
"""

import asyncio
import importlib
import json
import os
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from ctypes import CDLL
from typing import Any, NamedTuple

from setpoint.testing.killing import LifeError, adopt_orphans, run_and_kill_at_call
from setpoint.testing.points import NEVER, spread

LONGEST = 60  # seconds of a life, and of all that it has started and left alone
NOBODY = 65534
SET_DUMPABLE = 4  # prctl(2)
MISSING = 50  # modules that somebody else cannot read, which are imported for him

Work = Callable[[], Coroutine[Any, Any, object]]


class Life(NamedTuple):
    """How a life went.

    killed: whether it was killed; if not, its work is done.
    calls: how many system calls that change something it has made, with the one that it was killed at.
    """

    killed: bool
    calls: int


class Ending(NamedTuple):
    """How work ended that somebody else did.

    sorts: the names of the class of the error and those above it; none if it went well.
    text: what the error says.
    """

    sorts: tuple[str, ...] = ()
    text: str = ""


class Crash:
    """Points at which a process is killed: before a system call that changes something, by itself or a child."""

    async def live(self, work: Work, killed_at: int = NEVER) -> Life:
        """Do `work` in a process of its own, which is killed at its call number `killed_at`, from 0.

        Returns when all that it has started has ended too.

        Raises:
            LifeError: it failed, its traceback is on stderr; or it hangs.

        """
        found = json.loads(await in_fork(lambda: _lived(work, killed_at)))
        if isinstance(found, str):
            raise LifeError(found)
        return Life(*found)

    async def lives(
        self, work: Work, begin: Callable[[], Awaitable[object]], most: int = 12
    ) -> AsyncIterator[Life]:
        """Yield lives that all do `work` after `begin`: first a whole one, then up to `most` that were killed.

        The points are spread over all that the first one did.
        """
        await begin()
        whole = await self.live(work)
        yield whole
        for at in spread(whole.calls, most):
            await begin()
            yield await self.live(work, at)


async def as_nobody(work: Callable[[str], Coroutine[Any, Any, object]]) -> Ending:
    """Do `work(directory)` as the user nobody, who owns this directory; as we are, if we are not root."""
    directory = tempfile.mkdtemp()  # not below tmp_path, where only root may go
    try:
        if os.geteuid() == 0:
            os.chown(directory, NOBODY, NOBODY)
        for _ in range(MISSING):
            found = json.loads(await in_fork(lambda: _done_by_nobody(lambda: work(directory))))
            if not found["missing"]:
                break
            importlib.import_module(found["missing"])  # nobody may not look where we are installed
        return Ending(tuple(found["sorts"]), found["text"])
    finally:
        shutil.rmtree(directory)


async def in_fork(function: Callable[[], str]) -> str:
    """Return what `function` says in a process of its own.

    Raises:
        LifeError: it said nothing, or it takes longer than a minute.

    """
    with ThreadPoolExecutor(1) as thread:
        said = await asyncio.get_running_loop().run_in_executor(thread, _forked, function)
    if not said:
        raise LifeError(f"it has failed, see stderr, or not ended within {LONGEST} s")
    return said


def _forked(function: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads: see above
        pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LONGEST)
            os.write(writing, function().encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def _lived(work: Work, killed_at: int) -> str:
    """Watch over a life; all that is started in it is ours to wait for, and for nobody else."""
    adopt_orphans()
    try:
        return json.dumps(run_and_kill_at_call(lambda: asyncio.run(work()), killed_at))
    except LifeError as error:
        return json.dumps(str(error))


def _done_by_nobody(work: Work) -> str:
    if os.geteuid() == 0:
        os.chdir("/")
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        CDLL(None).prctl(SET_DUMPABLE, 1, 0, 0, 0)  # as one that never was root
    sorts, text, missing = tuple[str, ...](), "", None
    try:
        asyncio.run(work())
    except Exception as error:
        sorts, text = tuple(sort.__name__ for sort in type(error).__mro__), str(error)
        missing = error.name if isinstance(error, ImportError) else None
    return json.dumps({"sorts": sorts, "text": text, "missing": missing})
