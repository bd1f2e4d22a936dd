"""Kill a process that keeps a journal at each of its steps: no notification may be lost.

The process plays a small machine: sources change, and two listeners are to be refreshed after each
change. What really happened it writes to a file, line by line, which a killed process cannot take
back. Then another process goes on with the same journal, and the file is judged.
"""

import asyncio
import itertools
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from setpoint.clock import Clock
from setpoint.journal import Debt, Journal

NOTIFIES = {"file a": ["svc x", "svc y"], "file b": ["svc y"], "file c": []}
NEVER = 1 << 30


class Machine:
    """What sources and listeners do, one line of `log` for each thing done.

    The protocol is that of the engine: intend, change, resolve; then refresh, clear.
    """

    def __init__(self, root: Path) -> None:
        self.log = os.open(root / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.journal = Journal(root / "state", Clock())
        self.owed: set[Debt] = set()

    def do(self, line: str) -> None:
        os.write(self.log, f"{line}\n".encode())

    def begin(self) -> None:
        self.journal.open()
        self.owed = self.journal.debts()
        for source in sorted(self.journal.intents()):
            self.resolve(source)

    def resolve(self, source: str) -> None:
        self.journal.resolve(source, NOTIFIES[source])
        self.owed |= {Debt(source, then) for then in NOTIFIES[source]}

    def change(self, sources: list[str]) -> None:
        self.journal.intend_now(sources)
        self.changed(sources)

    async def change_async(self, sources: list[str]) -> None:
        await self.journal.intend(sources)
        self.changed(sources)

    def changed(self, sources: list[str]) -> None:
        for source in sources:
            self.do(f"change {source}")
            self.do(f"change {source}")  # a second mutation: dying between the two is dying within
            self.resolve(source)

    def refresh(self) -> None:
        for listener in sorted({debt.then for debt in self.owed}):
            paid = {debt for debt in self.owed if debt.then == listener}
            mark = self.journal.mark()
            self.do(f"refresh {listener}")
            self.journal.clear(paid, mark)
            self.owed -= paid

    def work(self) -> None:
        self.change(["file a", "file b"])
        self.refresh()
        asyncio.run(self.change_async(["file b"]))
        self.journal.keep_sent("file b", {"size": 1})
        self.journal.outcome("file b", "changed")
        self.refresh()
        self.change(["file a", "file c"])
        self.change(["file b"])
        self.refresh()


def in_child(action: Callable[[], None]) -> int:
    """Return how a forked process that does `action` ended: 0, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def live(root: Path, at: int, *, work: bool = True) -> None:
    """Go on with the journal at `root`; die by SIGKILL at the journal's step number `at`."""
    machine, count = Machine(root), iter(range(NEVER))

    def step(name: str) -> None:
        if next(count) == at:
            time.sleep(0.003)  # the worst case: all that may go on meanwhile has gone on
            os.kill(os.getpid(), signal.SIGKILL)

    machine.journal.steps = step
    machine.begin()
    machine.refresh()
    if work:
        machine.work()
    machine.journal.close()


def go_on_and_judge(root: Path, kills: int) -> None:
    assert in_child(partial(live, root, NEVER, work=False)) == 0
    judge(root, kills)


def judge(root: Path, kills: int) -> None:
    """Assert that after its last change each listener was refreshed, and hardly more than needed."""
    lines = (root / "log").read_text().splitlines()
    for source, listeners in NOTIFIES.items():
        for listener in listeners:
            changes = [n for n, line in enumerate(lines) if line == f"change {source}"]
            heard = not changes or f"refresh {listener}" in lines[changes[-1] :]
            assert heard, f"{listener} has not heard of {source}: {lines}"
    for listener, refreshes in needed(lines).items():
        assert lines.count(f"refresh {listener}") <= refreshes + kills, lines


def needed(lines: list[str]) -> Counter[str]:
    """Count the refreshes of each listener that had a change of one of its sources before it."""
    counts, owes = Counter(dict.fromkeys(("svc x", "svc y"), 0)), set()
    for line in lines:
        verb, _, resource = line.partition(" ")
        if verb == "change":
            owes |= set(NOTIFIES[resource])
        elif resource in owes:
            counts[resource] += 1
            owes.discard(resource)
    return counts


@pytest.fixture
def roots() -> Iterator[Iterator[Path]]:
    """Give directories in memory if there is such a place: what a kill leaves is the same there."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield map(Path, (tempfile.mkdtemp(dir=directory) for _ in itertools.count()))


def test_no_refresh_is_lost_by_a_kill_at_any_step(roots: Iterator[Path]) -> None:
    killed = 0
    while in_child(partial(live, root := next(roots), killed)) == -signal.SIGKILL:
        go_on_and_judge(root, kills=1)
        killed += 1
    go_on_and_judge(root, kills=0)
    assert killed > 30  # how many steps there are depends on what shares a transaction


def test_no_refresh_is_lost_by_kills_while_recovering(roots: Iterator[Path]) -> None:
    chance = with_seed()
    for root in itertools.islice(roots, 25):
        steps = [chance.randrange(60), *(chance.randrange(12) for _ in range(3))]
        for at in steps:
            assert in_child(partial(live, root, at)) in (0, -signal.SIGKILL)
        go_on_and_judge(root, kills=len(steps))


def test_no_refresh_is_lost_by_a_kill_at_any_moment(roots: Iterator[Path]) -> None:
    chance = with_seed()
    started = time.monotonic()
    assert in_child(partial(live, next(roots), NEVER)) == 0
    whole_life = time.monotonic() - started
    for root in itertools.islice(roots, 40):
        seconds = chance.uniform(0.001, whole_life)
        assert in_child(partial(live_until_alarm, root, seconds)) in (0, -signal.SIGALRM)
        go_on_and_judge(root, kills=1)


def with_seed() -> random.Random:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to do it again
    return random.Random(seed)


def live_until_alarm(root: Path, seconds: float) -> None:
    """Live, and die after `seconds` wherever that is: SIGALRM, not handled, kills like SIGKILL."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    live(root, NEVER)


def test_a_durable_intent_has_reached_the_file(tmp_path: Path) -> None:
    def die_after_intent() -> None:
        journal = Journal(tmp_path, Clock())
        journal.open()
        journal.intend_now(["file a"])
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die_after_intent) == -signal.SIGKILL
    journal = Journal(tmp_path, Clock())
    journal.open()
    assert journal.intents() == {"file a"}
    journal.close()
