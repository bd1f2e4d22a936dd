"""Graph files in parts, each evaluated on its own and again when something that it depends on has changed.

A cell is an entry of a file: a var, a resource, an include. While it is evaluated, all that its expressions read is
noted; that it depends on, until it is evaluated the next time.
"""

from collections.abc import Callable, Iterable, Set
from typing import TYPE_CHECKING, Any

from setpoint.declarations import Part, Source
from setpoint.graphfile.known import Known

if TYPE_CHECKING:
    from setpoint.expressions import State

Path = tuple[str, ...]
FREE = 1_000_000  # characters that expressions may add to any file, however short
GROWTH = 10  # and in addition, how many times the length of the file


class Cell:
    """One part of a file.

    Args:
        declare: declares what it has in it, and returns the names that it gives another value.
        name: tells it from others of the file, also in the file that takes the place of that; "" for one that has no
            functions over time.

    part: what it declared last; None before.
    depends: the names that this depends on: of facts, and of values like "vars.port".
    paths: what its expressions read, each with the name that this depends on.
    fields: the names of all that its expressions look up in something, in an item of a list too.
    due: when to evaluate it again though nothing has changed, by `clock.monotonic`; None: no need.

    """

    __slots__ = (
        *("_declare", "_states", "depends", "due", "fields", "is_live", "name", "part", "paths"),
        "spent",
    )

    def __init__(self, declare: Callable[[], Iterable[str] | None], name: str = "") -> None:
        self._declare, self.name = declare, name
        self._states: dict[Any, State] = {}
        self.part: Part | None = None
        self.depends: set[str] = set()
        self.paths: dict[Path, str] = {}
        self.fields: frozenset[str] = frozenset()
        self.due: float | None = None
        self.is_live = False
        self.spent = 0

    def is_stale(self, changed: Set[str], now: float) -> bool:
        """Whether it is to be evaluated, since the names `changed` have other values."""
        if self.part is None or (self.due is not None and self.due <= now):
            return True
        return not self.depends.isdisjoint(changed)

    def evaluate(self, context: "Context") -> Iterable[str]:
        """Declare anew; return the names that have another value now."""
        states, self._states = self._states, {}
        context.begin(self, states)
        self.part, self.depends, self.paths, self.is_live = context.into, set(), {}, False
        self.fields = frozenset()
        moved = self._declare()
        times = [state.wake_at for state in self._states.values()]
        self.due = min((time for time in times if time is not None), default=None)
        return moved or ()

    def inherit(self, before: "Cell") -> None:
        """Let functions over time go on from what those of `before` remember."""
        self._states = {place: state.copy() for place, state in before._states.items()}

    def remember(self, place: Any, state: "State") -> None:
        """Keep what the functions over time of an expression remember."""
        self._states[place] = state


class Context:
    """What is evaluated now.

    Args:
        source: the file.
        known: what is known of the machine.
        module: the name of the module that the file is for; "" if for none.

    into: where to put what is declared, and what is wrong.
    cell: what is evaluated.

    """

    def __init__(self, source: Source, known: Known, module: str = "") -> None:
        self.source, self.known, self.module = source, known, module
        self.into = Part()
        self.cell = Cell(lambda: ())
        self._before: dict[Any, State] = {}
        self._left = FREE + GROWTH * source.size

    def begin(self, cell: Cell, before: "dict[Any, State]") -> None:
        """Evaluate `cell` from now on, whose functions over time remember `before`."""
        self._left += cell.spent
        cell.spent = 0
        self.cell, self.into, self._before = cell, Part(), before

    def wrong(self, at: int, message: str) -> None:
        """Report what is wrong at the place `at`; in what may change it is wrong only as things are now."""
        found = self.into.troubles if self.is_lenient else self.into.problems
        found.append(self.source.problem(at, message))

    @property
    def is_lenient(self) -> bool:
        """Whether what is wrong is like what is not known: it depends on facts, and all else was checked without."""
        return self.cell.is_live and bool(self.known)

    def note(self, path: Path, name: str, *, is_live: bool) -> None:
        """Note that `path` is read, the value of which is `name`'s; `is_live` if that may change."""
        self.cell.paths[path] = name
        self.cell.depends.add(name)
        self.cell.is_live |= is_live

    def state(self, *place: Any) -> "State":
        """Return what the functions over time of the expression that `place` tells remember."""
        from setpoint.expressions import State

        state = self._before.get(place) or State(self.known.clock)
        self.cell.remember(place, state)
        return state

    def spend(self, characters: int) -> bool:
        """Count `characters` that expressions add to the file; return whether that is not too much."""
        self.cell.spent += characters
        self._left -= characters
        return self._left >= 0

    def qualified(self, name: str) -> str:
        """Return `name`, one of this file's own, as it is told from those of modules."""
        return f"{self.module}/{name}" if self.module else name
