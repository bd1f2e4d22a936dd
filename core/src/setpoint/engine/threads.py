"""Worker threads for verbs that may block: started when they are needed, woken through a queue.

A result comes back through one eventfd that the loop watches. That costs 5 us a job, where `run_in_executor` costs 25;
and many resources travel in one job.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

MOST = 32  # threads; a job that blocks for long keeps one

Job = Callable[[], Any]
Done = Callable[[Any, BaseException | None], None]
Outcome = tuple[Any, BaseException | None]


class Threads:
    """Runs jobs in threads and calls `done(result, error)` for each on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._results: deque[tuple[Done, Any, BaseException | None]] = deque()
        self._threads: list[threading.Thread] = []
        self._free = 0  # threads that wait for a job, less jobs that wait for a thread
        self._lock = threading.Lock()
        self._closed = False
        self._wake = -1

    def submit(self, job: Job, done: Done) -> None:
        """Run `job` in a thread, then `done` on the loop."""
        if self._wake < 0:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._loop.add_reader(self._wake, self._collect)
        with self._lock:
            self._free -= 1
            short = self._free < 0 and len(self._threads) < MOST
        if short:
            self._start()
        self._jobs.put((job, done))

    def call(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[Outcome]:
        """Return a future of what `function` returns, or else raises, run in a thread.

        An error is part of the result: a future refuses some, and others would end the loop.
        """
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if not future.done():
                future.set_result((result, error))

        self.submit(lambda: function(*args), done)
        return future

    def close(self) -> None:
        """Let threads end when they have finished what they do; their results are dropped."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        with self._lock:
            wake, self._wake = self._wake, -1
        if wake >= 0:
            self._loop.remove_reader(wake)
            os.close(wake)

    def join(self, seconds: float) -> list[str]:
        """Wait up to `seconds` for the threads of a closed pool; return the names of busy ones."""
        for thread in self._threads:
            thread.join(seconds)
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _start(self) -> None:
        name = f"setpoint-worker-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        with self._lock:
            self._free += 1
        thread.start()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                result, error = job(), None
            except BaseException as raised:  # a plugin's SystemExit must not end the thread
                result, error = None, raised
            self._results.append((done, result, error))
            del job, done, item, result, error
            with self._lock:
                self._free += 1
                if self._wake >= 0:
                    os.eventfd_write(self._wake, 1)

    def _collect(self) -> None:
        os.eventfd_read(self._wake)
        while self._results and not self._closed:
            done, result, error = self._results.popleft()
            done(result, error)
