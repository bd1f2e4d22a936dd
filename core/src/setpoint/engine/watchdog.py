"""Notices a plugin that blocks the loop, says which, and lets the others go on.

A thread looks every second whether the loop still turns, but only while something runs that may block it: an idle
engine is not woken.
"""

import logging
import sys
import threading
from types import FrameType

from setpoint.engine.events import Warned
from setpoint.engine.modes import Modes
from setpoint.engine.parts import Parts
from setpoint.resource import Resource

BLOCKED = 1.0  # seconds without a turn of the loop that are reported, once it turns again
STUCK = 5.0  # seconds after which that is not waited for


class Watchdog:
    """Watches one loop from beside it, once `look` was called, until nothing runs any more."""

    def __init__(self, parts: Parts, modes: Modes) -> None:
        self._parts, self._modes = parts, modes
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = threading.get_ident()

    def look(self) -> None:
        """Look until nothing runs any more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="setpoint-watchdog", daemon=True)
            self._thread.start()
        if not self._wanted.is_set():
            self._wanted.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopped.wait(BLOCKED):
            turned = threading.Event()
            try:
                self._parts.loop.call_soon_threadsafe(self._turned, turned)
            except RuntimeError:
                return  # the loop is closed
            if not turned.wait(BLOCKED) and not self._stopped.is_set():
                self._report(turned)
            scheduler = self._parts.scheduler
            if not (scheduler.flying or scheduler.ready or self._stopped.is_set()):
                self._wanted.clear()

    def _turned(self, turned: threading.Event) -> None:
        """Say, on the loop, that it turns."""
        turned.set()
        self._parts.lasting.look()

    def _report(self, turned: threading.Event) -> None:
        """Tell who blocks the loop, on the loop; if that takes too long, by the log from here."""
        where, kind = culprit(sys._current_frames().get(self._loop_thread))
        blamed = f" (plugin {self._parts.plugins.blame(kind)})" if kind else ""
        cure = "a verb that may block is to be a plain `def` without `quick`"
        said = f"at {where}{blamed}; {cure}"
        event = Warned("", f"the event loop has been blocked for {BLOCKED:g} s {said}")
        self._parts.loop.call_soon_threadsafe(self._parts.emit, event)
        if kind is not None and kind.quick is True:
            self._parts.loop.call_soon_threadsafe(self._modes.slow_down, kind)
        if not turned.wait(STUCK):
            logging.getLogger(__name__).error(
                "the event loop has been blocked for %g s, and nothing else goes on, %s",
                STUCK,
                said,
            )
            turned.wait()


def culprit(frame: FrameType | None) -> tuple[str, type[Resource] | None]:
    """Return where a resource's verb is in the stack of `frame`, and its kind if it is one's."""
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "unknown"
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Resource):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}", type(owner)
        frame = frame.f_back
    return where, None
