"""Plain verbs in worker threads, many vertices to a job.

A hop to a thread for each vertex costs three times the work of a small one; a hop for 64 is nearly free. All vertices
of a kind wait in one queue, and every job takes from it until it has had its time. So a vertex that blocks keeps one
thread and nobody else; while some wait and the jobs are slow, there are more jobs.
"""

import time
from collections import deque

from setpoint.engine.outcomes import Outcomes, differences
from setpoint.engine.parts import Parts
from setpoint.engine.threads import MOST
from setpoint.resource import Resource
from setpoint.values import Change

MOST_IN_JOB = 64
TIME_OF_JOB = 0.002  # seconds after which a job brings home what it has
SLOW = 0.005  # seconds after which there are more jobs for what still waits
FIRST_JOBS = 2

Result = tuple[int, list[Change], BaseException | None, float]


class Batches:
    """Queues by kind, and the jobs that empty them."""

    def __init__(self, parts: Parts, outcomes: Outcomes) -> None:
        self._parts, self._outcomes = parts, outcomes
        self._queues: dict[type[Resource], deque[int]] = {}
        self._jobs: dict[type[Resource], int] = {}
        self._growing = False

    def take(self, v: int) -> None:
        """Run `v` in a job."""
        kind = type(self._parts.vertices.resource[v])
        self._queues.setdefault(kind, deque()).append(v)
        self._parts.causes.begin(v)

    def start(self) -> None:
        """Have jobs for what was taken."""
        for kind, queue in self._queues.items():
            if queue:
                wanted = min(FIRST_JOBS, 1 + len(queue) // MOST_IN_JOB)
                self._submit(kind, wanted - self._jobs.get(kind, 0))
                self._grow_later()

    def drop_queue(self) -> None:
        """Start none of those that still wait."""
        for queue in self._queues.values():
            while queue:
                self._parts.scheduler.unstart(queue.popleft())

    def _submit(self, kind: type[Resource], number: int) -> None:
        for _ in range(number):
            self._jobs[kind] = self._jobs.get(kind, 0) + 1
            self._parts.threads.submit(
                lambda: self._job(kind), lambda results, error: self._collect(kind, results, error)
            )

    def _grow_later(self) -> None:
        if not self._growing:
            self._growing = True
            self._parts.timers.after(SLOW, self._grow)

    def _grow(self) -> None:
        """Double the jobs of kinds that still have vertices waiting."""
        self._growing = False
        for kind, queue in self._queues.items():
            if queue:
                jobs = self._jobs[kind]
                self._submit(kind, min(jobs, MOST - jobs, len(queue)))
                if jobs < MOST:
                    self._grow_later()

    def _collect(
        self, kind: type[Resource], results: list[Result], error: BaseException | None
    ) -> None:
        self._jobs[kind] -= 1
        if error is not None:
            raise error
        for v, changes, failure, seconds in results:
            self._finish(v, changes, failure, seconds)
        if self._queues[kind] and not self._parts.scheduler.stopped:
            self._submit(kind, 1)

    def _finish(
        self, v: int, changes: list[Change], failure: BaseException | None, seconds: float
    ) -> None:
        if failure is not None:
            self._outcomes.raised(v, failure)
            return
        if changes:
            self._outcomes.changed(v, changes, applied=True, seconds=seconds)
        self._outcomes.owes(v, changed=bool(changes))
        self._outcomes.succeeded(v)

    # -- in a worker thread

    def _job(self, kind: type[Resource]) -> list[Result]:
        queue, began = self._queues[kind], time.perf_counter()
        results: list[Result] = []
        found: list[tuple[int, list[Change], float]] = []
        for _ in range(MOST_IN_JOB):
            try:
                v = queue.popleft()
            except IndexError:
                break
            start = time.perf_counter()
            changes, failure = self._check(v)
            if changes:
                found.append((v, changes, start))
            else:
                results.append((v, [], failure, 0.0))
            if time.perf_counter() - began > TIME_OF_JOB:
                break
        return results + self._apply(found)

    def _check(self, v: int) -> tuple[list[Change], BaseException | None]:
        resource = self._parts.vertices.resource[v]
        try:
            return differences(resource.check(), resource, self._parts.plugins), None
        except BaseException as error:  # a plugin's SystemExit is its failure, not ours
            return [], error

    def _apply(self, found: list[tuple[int, list[Change], float]]) -> list[Result]:
        results: list[Result] = []
        parts = self._parts
        try:
            notifying = [v for v, _, _ in found if v in parts.vertices.notify]
            if notifying and parts.journal is not None:
                parts.journal.intend_now([parts.key(v) for v in notifying])
            for v in notifying:
                parts.ledger.intend(v)
        except Exception as error:
            return [(v, [], error, 0.0) for v, _, _ in found]
        for v, changes, start in found:
            try:
                parts.vertices.resource[v].apply(changes)
            except BaseException as error:  # as above
                results.append((v, [], error, 0.0))
            else:
                results.append((v, changes, None, time.perf_counter() - start))
        return results
