"""One run of an engine: its parts, how they are put together, and when it is over."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from setpoint.engine.batches import Batches
from setpoint.engine.events import Converged, Swapped, Warned
from setpoint.engine.general import General
from setpoint.engine.host import EngineHost
from setpoint.engine.leaving import Leaving
from setpoint.engine.modes import Modes
from setpoint.engine.outcomes import Outcomes
from setpoint.engine.parts import Parts
from setpoint.engine.quick import Quick
from setpoint.engine.result import Result
from setpoint.engine.states import BATCH, BLOCKED, CLEAN, FAILED, NAMES, RERUN, RUN, WAIT
from setpoint.engine.swapping import Difference, Swapping
from setpoint.engine.watchdog import Watchdog
from setpoint.engine.watches import Watches
from setpoint.graph import Graph

NAMED = 100  # resources that wait for facts, of which `setpoint explain` is told


class Run:
    """The parts of an engine while it runs, and how they are put together."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._loop = parts, parts.loop
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._modes = Modes(parts)
        self._outcomes = Outcomes(parts, self._modes)
        self._general = General(parts, self._modes, self._outcomes)
        self._batches = Batches(parts, self._outcomes)
        self._quick = Quick(parts, self._modes, self._outcomes)
        self._watches = Watches(parts, self._outcomes)
        host = EngineHost(parts)
        host.serve(self._general)
        self._swapping = Swapping(parts, self._modes, self._watches, host)
        self._watchdog = Watchdog(parts, self._modes)
        self._leaving = Leaving(parts, self._outcomes)
        self._wanted = Graph()
        self._because: Mapping[str, str] = {}  # of the graph that is wanted
        self._told = -1.0
        self._waiting = False
        parts.stop = self.stop
        self._wire()
        if parts.journal is not None:
            parts.journal.failed = self._journal_failed

    def _journal_failed(self, reason: str) -> None:
        """Tell that the journal cannot be written; called in its thread."""
        event = Warned(
            "", f"{reason}; nothing that notifies others is changed until it can be written"
        )
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._parts.emit, event)

    def _wire(self) -> None:
        scheduler = self._parts.scheduler
        scheduler.repair = self._quick.repair
        scheduler.raised = self._outcomes.raised
        scheduler.blocked = self._outcomes.blocked
        scheduler.put_aside = self._modes.let_by
        scheduler.recovered = self._outcomes.recovered
        scheduler.hand_over = self._hand_over
        scheduler.handed_over = self._handed_over
        scheduler.dispose = self._dispose
        scheduler.idle = self._idle
        scheduler.look_at_leaving = self._leaving.look
        self._leaving.part = lambda: self._take(self._wanted)
        self._parts.host.watcher.after.append(self._after_events)

    def begin(self, graph: Graph) -> None:
        """Start on `graph`."""
        parts = self._parts
        if parts.journal is not None:
            parts.journal.adopt(graph.scope, graph.may_have)
            parts.exchange.restore(parts.journal.sent())
            parts.ledger.restore()
        parts.tracing.begin(graph.name, parts.journal is not None and parts.journal.died)
        self._replace(graph)
        parts.scheduler.kick()
        self._watchdog.look()

    def swap(self, graph: Graph, because: Mapping[str, str]) -> Swapped:
        """Replace the graph; see `Engine.swap`."""
        self._because = because
        return self._take(graph)

    def _take(self, graph: Graph) -> Swapped:
        found = self._replace(graph).declared
        self._parts.tracing.swapped(found.added, found.changed, found.removed, self._why)
        event = Swapped("", len(found.added), len(found.changed), len(found.removed))
        self._parts.last_change = self._parts.now()
        self._parts.emit(event)
        self._parts.scheduler.kick()
        return event

    def _why(self, id_: str) -> str:
        return self._parts.redaction.text(self._because.get(id_, ""))

    def _replace(self, wanted: Graph) -> Difference:
        """Run what is `wanted` from now on, what must not leave yet, and what puts back all else."""
        graph, leaving, going = self._leaving.stay(wanted, self._swapping.graph)
        graph = self._extended(graph)
        found = self._swapping.swap(graph)
        self._parts.scheduler.leaving, self._leaving.going = leaving, going
        self._wanted = wanted
        self._parts.reversals.wanted = wanted
        if not self._parts.options.noop:
            self._parts.reversals.drop_unwanted(wanted)
        return found

    def _extended(self, graph: Graph) -> Graph:
        """Return `graph` with what puts back what it declares no more, and tell what cannot be put back."""
        reversals, told = self._parts.reversals, len(graph.warnings)
        if reversals.are_due(graph):
            graph = graph.copy()
            reversals.extend(graph, self._swapping.resources, self._swapping.graph.edges)
        for warning in graph.warnings[told:]:
            self._parts.emit(Warned("", str(warning)))
        return graph

    def _unfinished(self) -> int:
        """Return how many are not settled; what was, and has only just been told of an event, is."""
        parts = self._parts
        if not parts.scheduler.active:
            return 0
        state, pending = parts.vertices.state, parts.vertices.pending
        return sum(
            bool(state[v] in (RUN, RERUN, WAIT) or pending[v] or v in parts.ledger.owed)
            for v in parts.vertices.index.values()
            if state[v] not in (CLEAN, FAILED, BLOCKED)
        )

    def stop(self) -> None:
        """Finish what runs, then end."""
        self._parts.scheduler.close()
        self._general.drop_queue()
        self._batches.drop_queue()
        if not self._parts.scheduler.flying:
            self._end()

    def cancel(self) -> None:
        """End now."""
        self.stop()
        self._end()

    def mark(self, ids: tuple[str, ...]) -> None:
        """Make `ids`, or all, dirty."""
        parts = self._parts
        parts.last_change = parts.now()
        for key in ids:
            v = parts.vertices.index[key]
            parts.causes.note(v, "asked")
            parts.scheduler.mark(v)
        if not ids:
            parts.causes.note_all("asked")
            parts.scheduler.mark_all()

    def states(self) -> Mapping[str, str]:
        """Return the name of the state of each resource."""
        vertices = self._parts.vertices
        return {key: NAMES[vertices.state[v]] for key, v in vertices.index.items()}

    def result(self) -> Result:
        """Return how things stand."""
        parts = self._parts
        blocked = {
            parts.key(v): self._outcomes.told_blocked.get(v, parts.key(by))
            for v, by in parts.scheduler.blocked_by.items()
        }
        failed = {parts.key(v): why for v, why in self._outcomes.failed.items()}
        return Result(
            resources=len(self._wanted.resources),
            repairs=parts.repairs,
            failed=failed,
            blocked=blocked,
            unfinished=self._unfinished(),
            waiting=len(self._wanted.held),
            exit_code=parts.exit_code,
        )

    async def close(self) -> None:
        """Give back all that is held."""
        parts = self._parts
        self._summarize()
        parts.tracing.end()
        self._watchdog.stop()
        parts.scheduler.close()
        parts.host.watcher.after.remove(self._after_events)
        await self._general.close()
        self._give_up()
        await self._watches.close()
        parts.timers.close()
        parts.threads.close()
        parts.host.close()

    def _give_up(self) -> None:
        """Tell of verbs that have not returned from their threads, which end with the process."""
        parts = self._parts
        for v in tuple(parts.scheduler.flying):
            if parts.vertices.mode[v] == BATCH:
                self._outcomes.stopped(v)

    # -- what the scheduler calls

    def _hand_over(self, v: int) -> None:
        if self._parts.vertices.mode[v] == BATCH:
            self._batches.take(v)
        else:
            self._general.take(v)

    def _handed_over(self) -> None:
        self._quick.start()
        self._batches.start()
        if self._parts.scheduler.flying:
            self._general.start()
            self._watchdog.look()

    def _after_events(self) -> None:
        if self._parts.scheduler.heap:
            self._parts.scheduler.drain()

    def _dispose(self, v: int) -> None:
        parts = self._parts
        key = parts.key(v)
        self._watches.end(v)
        for holder in (self._outcomes, parts.fights, parts.lasting, parts.tracing):
            holder.forget(v)
        parts.limits.leave(key, parts.now())
        parts.ledger.forget(v, key)
        parts.exchange.forget(key)
        self._modes.leave_queue(v)
        if parts.journal is not None and not self._swapping.may_have(key):
            parts.journal.forget([key])
        parts.vertices.release(v)

    # -- convergence

    def _idle(self) -> None:
        parts = self._parts
        if parts.scheduler.stopped:
            self._end()
            return
        parts.lasting.rest()
        if self._told != parts.last_change:
            self._told = parts.last_change
            blocked = len(parts.scheduler.blocked_by)
            failed = len(self._outcomes.failed)
            resources, waiting = len(self._wanted.resources), len(self._wanted.held)
            parts.emit(Converged("", failed, blocked, resources, waiting))
            self._summarize()
        timeout = parts.options.converged_timeout
        if timeout >= 0 and not self._waiting:
            self._waiting = True
            left = max(0.0, parts.last_change + timeout - parts.now())
            parts.timers.after(left, self._look)

    def _summarize(self) -> None:
        """Note for `setpoint status` how things stand, and which trouble of former runs is over."""
        parts = self._parts
        if parts.journal is not None:
            for key in parts.journal.troubled():
                v = parts.vertices.index.get(key)
                if v is not None and parts.vertices.state[v] == CLEAN:
                    parts.journal.outcome(key, "settled")
            parts.journal.summary(
                {
                    "graph": self._swapping.name,
                    "resources": len(self._wanted.resources),
                    "repairs": parts.repairs,
                    "failed": len(self._outcomes.failed),
                    "blocked": len(parts.scheduler.blocked_by),
                    "unfinished": self._unfinished(),
                    "polled": parts.host.watcher.polling,
                    "waiting": len(self._wanted.held),
                    "held": sorted(self._wanted.held)[:NAMED],
                }
            )

    def _look(self) -> None:
        """End if nothing has happened for long enough, else wait for the rest of the time."""
        self._waiting = False
        parts = self._parts
        if parts.scheduler.active:
            return  # `_idle` is called again
        if parts.now() >= parts.last_change + parts.options.converged_timeout:
            self._end()
        else:
            self._idle()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
