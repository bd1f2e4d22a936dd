"""What came of runs: what the engine tells the journal's trace, each with its cause.

An entry that others follow from is remembered by its number, so that a chain goes on from resource to resource. What an
entry can be:

    changed, differs       set right; would be, but for noop
    failed, retrying       until something happens; to be tried again
    blocked, recovered     by others; as declared again after it had failed or been blocked
    owed, held, dropped    a refresh: because of a change; not before the notifier has recovered; not at all
    refreshed, passed      a refresh that was owed: done; handed on to its own listeners
    sent                   values that differ from those before
    interrupted            its change had begun and not ended, perhaps in a run that died
    lasts, waits, lasted   its run takes long; is to run after that one, or after a time; it is over
    fighting, unwatched    left alone for a while; its watch failed
    left                   the graph
    began, ended, died     a run
    swapped                its graph
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from setpoint.clock import Clock
from setpoint.engine.causes import FIRST, UNKNOWN, Cause, Causes
from setpoint.engine.scheduler import Scheduler
from setpoint.engine.states import BLOCKED
from setpoint.journal import Entry
from setpoint.journal.trace import Difference, First, Trace
from setpoint.values import Change, as_text

LONGEST = 60  # characters of a value in an entry; of a longer one the length is told
LONGEST_TEXT = 2000  # characters of an error, or of a reason
ALIKE = 100  # entries of a sort that follow from one: if a thousand are blocked, of so many
NAMED = 8  # ids, and differences, in one entry


class Tracing:
    """Makes entries of what happens to vertices.

    Args:
        scheduler: of the engine; knows what blocks a vertex.
        causes: why vertices run; is told what follows.
        clock: gives the wall time.
        trace: takes the entries; None: nothing is kept.

    """

    def __init__(
        self, scheduler: Scheduler, causes: Causes, clock: Clock, trace: Trace | None
    ) -> None:
        self._vertices, self._blocked_by = scheduler.vertices, scheduler.blocked_by
        self._causes, self._clock, self._trace = causes, clock, trace
        self._news: dict[int, int] = {}  # vertex to its last entry that a notification follows from
        self._bad: dict[int, int] = {}  # failed or blocked vertex to the entry that says so
        self._freed: dict[
            int, int
        ] = {}  # blocked vertex to the entry that says that its blocker recovered
        self._alike: Counter[tuple[str, int]] = Counter()

    @property
    def is_kept(self) -> bool:
        """Whether anybody reads what is told."""
        return self._trace is not None

    def rest(self) -> None:
        """Note that nothing is left to do."""
        self._causes.rest()
        self._alike.clear()

    def forget(self, v: int) -> None:
        """Forget `v`, which left the graph."""
        self._causes.forget(v)
        for known in (self._news, self._bad, self._freed):
            known.pop(v, None)

    # -- changes, and what follows from them

    def changed(self, v: int, changes: Sequence[Change], applied: bool, seconds: float) -> None:
        """Tell of `changes` without secrets, which were found in `v`, and perhaps `applied`."""
        if self._trace is None:
            return
        cause = self._causes.of(v)
        if cause is FIRST:
            self._changed_first(self._trace, v, changes, applied)
            return
        shown = tuple(map(difference, changes[:NAMED]))
        given = {"changes": shown, "more": len(changes) - len(shown), "seconds": seconds or -1.0}
        self._news[v] = self._add(v, "changed" if applied else "differs", cause, **given)

    def interrupted(self, v: int) -> None:
        """Tell that a change of `v` had begun and not ended, which counts as one."""
        self._news[v] = self._add(v, "interrupted", self._causes.of(v))

    def owed(self, listeners: Iterable[int], by: int) -> None:
        """Tell that `listeners` owe a refresh because of what happened to `by`."""
        number, name = self._news.get(by, 0), self._key(by)
        for s in listeners:
            if not self._vertices.pending[s]:
                self._one_of("owed", number, s, by=(name,))
            self._causes.note(s, "notified", number, name)

    def refreshed(self, v: int, by: Sequence[str], seconds: float) -> None:
        """Tell that `v` has refreshed itself for `by`."""
        self._answered("refreshed", v, by, seconds=seconds)

    def passed(self, v: int, by: Sequence[str]) -> None:
        """Tell that `v`, which cannot refresh itself, passes on that it was notified `by` those."""
        self._answered("passed", v, by)

    def required(self, v: int, by: int) -> None:
        """Note that `v` is looked at because `by`, which it requires, changed."""
        self._causes.note(v, "required", self._news.get(by, 0), self._key(by))

    def sent(self, v: int, fields: Iterable[str], readers: Iterable[int]) -> None:
        """Tell that `v` sends something else in `fields`, and note it for the `readers`."""
        settled = [s for s in readers if not self._vertices.pending[s]]
        if not settled:
            return
        text = ", ".join(sorted(fields))
        cause = Cause("", 0.0, self._news[v]) if v in self._news else self._causes.of(v)
        number = self._add(v, "sent", cause, text=text)
        for s in settled:
            self._causes.note(s, "received", number, self._key(v), text)

    # -- failures, and what follows from them

    def failed(self, v: int, error: str, retry_in: float = -1.0) -> None:
        """Tell that `v` failed with `error`, and in how many seconds it is tried again, if it is."""
        what = "failed" if retry_in < 0 else "retrying"
        given = {"text": error[:LONGEST_TEXT], "seconds": retry_in}
        self._bad[v] = self._add(v, what, self._causes.of(v), **given)
        if retry_in >= 0:
            self._causes.note(v, "retry", self._bad[v])

    def kept_back(self, v: int) -> None:
        """Tell whom `v`, which failed after it may have changed something, does not notify."""
        for s, policy in self._vertices.notify.get(v, {}).items():
            if policy != "fire":
                what = "held" if policy == "hold" else "dropped"
                self._one_of(what, self._bad.get(v, 0), s, by=(self._key(v),))

    def blocked(self, v: int, by: str, why: str) -> None:
        """Tell that `v` is blocked by the resource `by`, and what is at the root of that."""
        root = self._root(by)
        names = (by,) if root is None or self._key(root) == by else (by, self._key(root))
        number = self._bad.get(root, 0) if root is not None else 0
        if number := self._one_of("blocked", number, v, by=names, text=why):
            self._bad[v] = number

    def recovered(self, v: int) -> None:
        """Tell that `v` is as declared again, and note it for those that it had blocked."""
        number, freed = self._bad.pop(v, 0), self._freed.pop(v, 0)
        if number:
            number = self._add(v, "recovered", Cause("", 0.0, freed or number))
        for s in self._vertices.succ[v]:
            if self._vertices.state[s] == BLOCKED:
                self._freed[s] = number
                self._causes.note(s, "freed", number, self._key(v))

    def lasts(self, v: int, since: float) -> int:
        """Tell that a run of `v` that began at the wall time `since` takes long; return the entry."""
        return self._add(v, "lasts", replace(self._causes.of(v), at=since))

    def waits(self, v: int, number: int, by: Sequence[int] = (), seconds: float = -1.0) -> None:
        """Tell that `v` waits for `by`, or for so many `seconds`; `number` is the entry that it follows from."""
        self._add(v, "waits", Cause("", 0.0, number), by=(*map(self._key, by),), seconds=seconds)

    def lasted(self, v: int, number: int, seconds: float) -> None:
        """Tell that the run of `v` is over of which entry `number` tells."""
        self._add(v, "lasted", Cause("", 0.0, number), seconds=seconds)

    def fighting(self, v: int, pause: float) -> None:
        """Tell that something else changes `v` again and again: it is left alone for `pause` seconds."""
        self._add(v, "fighting", Cause("", 0.0, self._news.get(v, 0)), seconds=pause)

    def unwatched(self, v: int, error: str, retry_in: float) -> None:
        """Tell that the watch of `v` failed with `error`, and in how many seconds it is begun anew."""
        self._add(v, "unwatched", UNKNOWN, text=error[:LONGEST_TEXT], seconds=retry_in)

    # -- runs and graphs

    def begin(self, graph: str, died: bool) -> None:
        """Tell that a run of `graph` began, and whether the one before `died`."""
        if died:
            self._tell("", "died", UNKNOWN)
        self._tell("", "began", UNKNOWN, text=graph)

    def end(self) -> None:
        """Tell that the run ended."""
        self._tell("", "ended", UNKNOWN)

    def swapped(
        self,
        added: Iterable[str],
        changed: Iterable[str],
        removed: Sequence[str],
        because: Callable[[str], str],
    ) -> None:
        """Tell of another graph by the ids that differ, and note `because` of what each does."""
        counted = {"added": [*added], "changed": [*changed], "removed": removed}
        if self._trace is None or not any(counted.values()):
            return
        text = ", ".join(f"{len(ids)} {what}" for what, ids in counted.items() if ids)
        number, index = self._tell("", "swapped", UNKNOWN, text=text), self._vertices.index
        for id_ in counted["changed"]:
            self._causes.declare(index[id_], number, because(id_))
        for id_ in counted["added"]:
            if why := because(id_):
                self._causes.declare(index[id_], number, why)
        for id_ in removed[:ALIKE]:
            cause = Cause("declared", 0.0, number, text=because(id_))
            self._causes.left(id_, self._tell(id_, "left", cause))

    # -- the steps of these

    def _answered(self, what: str, v: int, by: Sequence[str], **given: Any) -> None:
        index = self._vertices.index
        number = max((self._news.get(index.get(id_, -1), 0) for id_ in by), default=0)
        cause = Cause("notified" if number else "before", self._causes.of(v).at, number)
        given |= {"by": tuple(by[:NAMED]), "more": len(by[NAMED:])}
        self._news[v] = self._add(v, what, cause, **given)

    def _changed_first(
        self, trace: Trace, v: int, changes: Sequence[Change], applied: bool
    ) -> None:
        number, key = trace.number(), self._key(v)
        if v in self._vertices.notify or v in self._vertices.senders:
            self._news[v] = number
        text = ", ".join([change.attribute for change in changes])
        trace.add_first(First(number, key, self._clock.wall(), text[:LONGEST], applied))

    def _root(self, by: str) -> int | None:
        """Return what blocks the resource `by`, or what blocks that, and so on; None if it has left the graph."""
        root = self._vertices.index.get(by)
        while root is not None and self._blocked_by.get(root, root) != root:
            root = self._blocked_by[root]
        return root

    def _one_of(self, what: str, number: int, v: int, **given: Any) -> int:
        """Tell one of perhaps many things that follow from entry `number`; return 0 if there are too many."""
        self._alike[what, number] += 1
        if self._alike[what, number] > ALIKE:
            return 0
        return self._add(v, what, Cause("", 0.0, number), **given)

    def _add(self, v: int, what: str, cause: Cause, **given: Any) -> int:
        if v in self._bad and not cause.number:  # whatever it was, it came of the failure too
            cause = replace(cause, number=self._bad[v])
        return self._tell(self._key(v), what, cause, **given)

    def _tell(self, id_: str, what: str, cause: Cause, **given: Any) -> int:
        """Keep an entry; return its number, 0 if nobody keeps it."""
        if self._trace is None:
            return 0
        given.setdefault("by", (cause.by,) if cause.by else ())
        entry = Entry(
            number=self._trace.number(),
            id=id_,
            at=self._clock.wall(),
            what=what,
            cause=cause.number,
            why=cause.why,
            since=cause.at,
            reason=cause.text[:LONGEST_TEXT],
            **given,
        )
        self._trace.add(entry)
        return entry.number

    def _key(self, v: int) -> str:
        return self._vertices.resource[v].id


def difference(change: Change) -> Difference:
    """Return `change` in few words."""
    return change.attribute[:LONGEST], short(change.before), short(change.after)


def short(value: Any) -> str | None:
    """Return `value` as it stands within a line, or how long it is; None is nothing."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    try:
        text = as_text(value)
    except Exception:  # a value of a plugin may be as broken as the plugin
        return type(value).__name__
    shown = text if text.isprintable() else repr(text[:LONGEST])
    return shown if len(text) <= LONGEST >= len(shown) else f"{len(text):,} characters"
