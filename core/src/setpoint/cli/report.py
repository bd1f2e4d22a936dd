"""What a session says while an engine runs: a line for each event, or JSON, and the progress."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import msgspec

from setpoint.cli.logged import shown
from setpoint.cli.screen import Screen
from setpoint.cli.words import PRINTED, Line, Tally, counts, line, summary
from setpoint.engine import Engine, Result
from setpoint.engine.events import Changed, Converged, Event, Progress, Refreshed, Swapped
from setpoint.graph import Graph
from setpoint.hiding import Secrets

if TYPE_CHECKING:
    from setpoint.cli.edited import Edited
    from setpoint.comparing import Comparison
    from setpoint.plan import Plan

LASTING = 0.5  # seconds after which a progress that is of interest only then is shown
REDRAW = 0.25  # seconds between two looks at the progress, at least
SHARE = 20  # of the time at most one part in so many is spent on looking
NAMED = 2  # running resources that the progress names


class Report:
    """Says what happens in one engine.

    Args:
        as_json: one JSON object a line for each event, and one for the result.
        color: whether to use colours; None: on a terminal.
        stays: the engine goes on when it has converged, so that this is worth a line.

    secrets: those of facts.

    """

    def __init__(self, as_json: bool, color: bool | None, stays: bool) -> None:
        self._screen = Screen(color, self._gone)
        self._as_json, self._stays = as_json, stays
        self.secrets = Secrets()
        self._engine: Engine | None = None
        self._done = Tally()
        self._converged: Converged | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._left_out = ""
        self._held: dict[str, asyncio.TimerHandle] = {}  # id to what shows its progress later

    @contextmanager
    def about(self, engine: Engine) -> Iterator[None]:
        """Say what happens in `engine`, and what is logged, inside a `with`.

        What resources print meanwhile goes to stderr if programs read the events.
        """
        self._engine = engine
        engine.listen(self._told)
        self._look_later(REDRAW)
        try:
            with redirect_stdout(sys.stderr) if self._as_json else nullcontext(), self.logged(""):
                yield
        finally:
            self._rest()
            while self._held:
                self._held.popitem()[1].cancel()

    def logged(self, logger: str) -> AbstractContextManager[None]:
        """Return what says inside a `with` what is logged by that logger, or with an empty one by any."""
        return shown(logger, self.warn, self.error, self.without_secrets)

    def end(self, result: Result, seconds: float) -> None:
        """Say how the run ended, which took `seconds`."""
        if self._as_json:
            tally = {**self._done._asdict(), "ok": result.ok, "seconds": seconds}
            self._json({"type": "Ended", **msgspec.to_builtins(result), **tally})
        else:
            self._screen.print(summary(result, self._done, seconds))

    def stopping(self) -> None:
        """Say that the engine stops, and what it waits for."""
        running = self._running()
        what = f", waiting for {_some(running)}; once more cancels" if running else ""
        self.tell(f"stopping{what}")

    def without_secrets(self, text: str) -> str:
        """Return `text` with each secret in it replaced that facts or the engine know."""
        text = self.secrets.text(text)
        return self._engine.without_secrets(text) if self._engine is not None else text

    def warn(self, text: str) -> None:
        """Say something that a person should know."""
        self._screen.show(Line(text, "warning"))

    def error(self, text: str) -> None:
        """Say what went wrong."""
        self._screen.show(Line(text, "error"))

    def tell(self, text: str) -> None:
        """Say `text` to the person, beside what programs read."""
        self._screen.tell(text)

    # -- graphs

    def edited(self, edited: "Edited") -> None:
        """Say what is different in a graph that was loaded."""
        from setpoint.cli.edited import document, lines

        if edited.found:
            self._converged = None  # when that is done is worth a line, if all is as before too
        if self._as_json:
            self._json(document(edited))
        else:
            self.show("\n".join(lines(edited)))

    def followed(self, found: "Comparison", because: Mapping[str, str]) -> None:
        """Say what is different because facts are, id to which."""
        from setpoint.cli.edited import sentences

        if self._as_json:
            moved = {"comes": found.comes, "changes": found.changes, "goes": found.goes}
            self._json({"type": "Followed", **moved, "because": because})
        else:
            self.show("\n".join(sentences(found, because)))

    def planned(self, found: "Plan") -> None:
        """Say what a run would change."""
        from setpoint.cli.planned import document, lines

        if self._as_json:
            self._json({"type": "Planned", "plan": msgspec.json.decode(document(found))})
        else:
            self.show("\n".join(lines(found)))

    def left_out(self, graph: Graph) -> None:
        """Say how much of a graph is left out, if it is not what was said last."""
        from setpoint.cli.only import left_out

        text = left_out(graph)
        if text != self._left_out and self._as_json:
            self._json({"type": "LeftOut", "left_out": len(graph.left_out)})
        elif text != self._left_out:
            self.show(text or "left out: nothing")
        self._left_out = text

    def show(self, text: str) -> None:
        """Write `text`, which may have colours and is harmless, to stdout."""
        self._screen.paint(self.without_secrets(text).removesuffix("\n"))

    def ask(self, question: str) -> None:
        """Show `question` below all that is said from now on; empty: none."""
        self._screen.ask(question)

    # -- events

    def _told(self, event: Event) -> None:
        self._count(event)
        is_news = not isinstance(event, Converged) or (self._stays and event != self._converged)
        if isinstance(event, Converged):
            self._converged = event
            self._rest()
        elif self._timer is None:
            self._look_later(REDRAW)
        if self._as_json:
            self._json(msgspec.to_builtins(event, enc_hook=str))
        elif is_news and not _is_told(event):
            self._show(event)

    def _show(self, event: Event) -> None:
        """Show `event` now, or a while later if it is of no interest before, and nothing else is heard."""
        if held := self._held.pop(event.id, None):
            held.cancel()
        if isinstance(event, Progress) and event.if_lasting:
            later, news = asyncio.get_running_loop().call_later, line(event)
            self._held[event.id] = later(LASTING, self._screen.show, news)
        else:
            self._screen.show(line(event))

    def _count(self, event: Event) -> None:
        done = self._done
        if isinstance(event, Changed) and event.applied:
            self._done = done._replace(changed=done.changed + 1)
        elif isinstance(event, Changed):
            self._done = done._replace(to_change=done.to_change + 1)
        elif isinstance(event, Refreshed):
            self._done = done._replace(refreshed=done.refreshed + 1)

    def _json(self, document: dict[str, object]) -> None:
        text = msgspec.json.encode({"time": time.time(), **document}, enc_hook=str)
        self._screen.print(text.decode())

    def _gone(self) -> None:
        """Stop: nobody reads what happens."""
        if self._engine is not None:
            self._engine.stop()

    # -- progress

    def _look_later(self, seconds: float) -> None:
        if self._screen.has_progress:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        assert self._engine is not None
        began = time.perf_counter()
        states = self._engine.states()
        number = Counter(states.values())
        running = self._running()
        wrong = counts(running=len(running), failed=number["failed"], blocked=number["blocked"])
        text = f"{number['settled']:,} of {len(states):,} settled{', ' if wrong else ''}{wrong}"
        self._screen.progress(f"{text}: {_some(running)}" if running else text)
        self._look_later(max(REDRAW, SHARE * (time.perf_counter() - began)))

    def _rest(self) -> None:
        """Show no progress until something happens."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._screen.progress("")

    def _running(self) -> list[str]:
        states = self._engine.states() if self._engine is not None else {}
        return [key for key, state in states.items() if state == "running"]


def _is_told(event: Event) -> bool:
    """Whether a person knows it already: what is different in a graph, what a resource has printed."""
    if isinstance(event, Changed):
        return event.applied and all(change.attribute == PRINTED for change in event.changes)
    return isinstance(event, Swapped)


def _some(ids: list[str]) -> str:
    """Return the first of `ids`, and how many more there are."""
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
