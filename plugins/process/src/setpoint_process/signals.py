"""Pausing and continuing processes, without ever meeting the wrong one.

A signal goes through a descriptor of the process (a pidfd), and only after its start time has been
compared: between a scan and a signal the pid may have passed to another process, the descriptor
cannot.

Processes may breed while they are being stopped. So every round stops what is new, waits until it
stands still, and looks again; one round that finds nothing new is the end, because what stands
still has no children. Only a program that forks and ends over and over, each time sooner than it
can be looked at, may escape.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from setpoint.processes.proc import Entry, Selection, read, threads
from setpoint_process.table import scan

ROUNDS = 100  # a program that breeds faster than this is bred by another one, which does not match
SETTLE = 2.0  # seconds for a stop to take effect; one that waits for a dead disk may take longer


class Outcome:
    """How signals to several processes went.

    done: those that took it, in the order of the signals.
    denied: those that belong to another user.
    """

    def __init__(self) -> None:
        self.done: list[Entry] = []
        self.denied: list[Entry] = []

    def check(self, verb: str) -> None:
        """Raise if something was denied: PermissionError that names `verb` and the pids."""
        if self.denied:
            raise PermissionError(
                f"process {pids(self.denied)}: only its owner or root may {verb} it, "
                f"not user {os.geteuid()}; run as root"
            )


@contextmanager
def held(identity: tuple[int, int]) -> Iterator[int]:
    """Hold a descriptor of exactly that process; its number cannot come to mean another one.

    Raises:
        ProcessLookupError: it has ended.

    """
    pid, start = identity
    descriptor = os.pidfd_open(pid)
    try:
        now = read(pid)
        if now is None or now.start != start or not now.is_alive:
            raise ProcessLookupError(f"process {pid} has ended")
        yield descriptor
    finally:
        os.close(descriptor)


def send(entries: Iterable[Entry], number: int, outcome: Outcome) -> None:
    """Send signal `number` to those `entries` that are still there; note who took it."""
    for entry in entries:
        try:
            with held(entry.identity) as descriptor:
                signal.pidfd_send_signal(descriptor, number)
            outcome.done.append(entry)
        except ProcessLookupError:
            continue
        except PermissionError:
            outcome.denied.append(entry)


def pause(selection: Selection, remember: Callable[[list[Entry]], None]) -> Outcome:
    """Stop all that is meant and runs, until a scan finds nothing new. Blocks.

    Args:
        selection: which processes.
        remember: is called before each round with those that it stops.

    Raises:
        TimeoutError: they appear faster than they can be stopped, or one does not stop.

    """
    outcome = Outcome()
    met: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        new = [e for e in scan(selection) if not e.is_paused and e.identity not in met]
        if not new:
            return outcome
        met.update(entry.identity for entry in new)
        allowed = _probe(new, outcome)
        remember(allowed)
        send(allowed, signal.SIGSTOP, outcome)
        settle(outcome.done)
    raise TimeoutError(f"new processes appear faster than {ROUNDS} rounds can stop them")


def _probe(entries: list[Entry], outcome: Outcome) -> list[Entry]:
    """Return those that may be signalled; note the others in `outcome`."""
    probe = Outcome()
    send(entries, 0, probe)
    outcome.denied += probe.denied
    return probe.done


def settle(entries: Iterable[Entry]) -> None:
    """Return when all of `entries` stand still or have ended.

    Raises:
        TimeoutError: one of them does not; it waits within the kernel.

    """
    until = time.monotonic() + SETTLE
    moving = [entry for entry in entries if _moves(entry)]
    while moving and time.monotonic() < until:
        time.sleep(0.001)  # the kernel tells only a parent that a child stands still
        moving = [entry for entry in moving if _moves(entry)]
    if moving:
        raise TimeoutError(f"process {pids(moving)} does not stop: it waits within the kernel")


def _moves(entry: Entry) -> bool:
    now = threads(entry.pid)
    if all(thread.identity != entry.identity for thread in now):
        return False
    return any(thread.is_alive and not thread.is_paused for thread in now)


def resume(entries: Iterable[Entry]) -> Outcome:
    """Continue `entries`; those that run already do not notice."""
    outcome = Outcome()
    send(entries, signal.SIGCONT, outcome)
    return outcome


def pids(entries: Iterable[Entry], most: int = 10) -> str:
    """Return the pids as a person reads them; of more than `most` only how many they are."""
    numbers = [str(entry.pid) for entry in entries]
    rest = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(numbers[:most]) + rest
