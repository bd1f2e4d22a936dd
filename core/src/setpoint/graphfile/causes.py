"""What the declaration of a resource depends on, and what that was and is."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from setpoint.expressions import UNKNOWN
from setpoint.graphfile.cells import Cell, Path
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import SHARED, Known


class Read(NamedTuple):
    """What a declaration reads.

    before, now: its value; `UNKNOWN` where it is not known, a `Secret` where it is one.
    fields: the names of what is looked up there, as `used` of each item of a list; and in all else that is read.
    """

    before: Any
    now: Any
    fields: Set[str] = frozenset()


class Causes:
    """Looks up why resources are as they are.

    Args:
        forms: the files that a person has named.

    """

    def __init__(self, forms: Sequence[Form]) -> None:
        self._forms = forms
        self._before: Mapping[str, Any] = {}
        self._now: Mapping[str, Any] = {}
        self._homes: dict[str, tuple[Form, Cell]] | None = None

    def begin(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Look at an evaluation with the facts `now`, after one with those `before`."""
        self._before, self._now, self._homes = before, dict(now), None

    def of(self, id_: str) -> dict[str, Read]:
        """Return the paths that the resource `id_` depends on, with their values before and now."""
        found: dict[str, Read] = {}
        for form, cell in self._homes_of(id_):
            seen: set[Cell] = set()
            sources = list(_sources(form, cell, seen))
            fields = {name for one in seen for name in one.fields}
            for path, name in sources:
                known = form.context.known
                before, now = (_value(v, path, name, known) for v in (self._before, self._now))
                found[".".join(path)] = Read(before, now, fields)
        return found

    def _homes_of(self, id_: str) -> Iterator[tuple[Form, Cell]]:
        if self._homes is None:
            self._homes = {
                declaration.id: (form, cell)
                for form, cell in self._cells()
                if cell.part is not None and cell.paths
                for declaration in (*cell.part.resources, *cell.part.trials)
            }
        if id_ in self._homes:
            yield self._homes[id_]
            return
        for form, cell in self._cells():
            part = cell.part
            if part is not None and cell.paths and (id_ in part.absent or id_ in part.undecided):
                yield form, cell

    def _cells(self) -> Iterator[tuple[Form, Cell]]:
        return (pair for form in self._forms for pair in form.cells())


def _sources(form: Form, cell: Cell, seen: set[Cell]) -> Iterator[tuple[Path, str]]:
    """Yield the paths that `cell` reads and that do not come from the files: through vars, inputs and defaults."""
    seen.add(cell)
    for path, name in cell.paths.items():
        if path == ("world",):  # all of it, too much to be told
            continue
        if path[0] not in ("vars", "inputs", "defaults"):
            yield path, name
        elif (origin := form.origins.get(".".join(path[:2]))) and origin[1] not in seen:
            yield from _sources(*origin, seen)
    if (origin := form.origins.get("")) and origin[1] not in seen:
        yield from _sources(*origin, seen)  # whether it is included


def _value(values: Mapping[str, Any], path: Path, name: str, known: Known) -> Any:
    """Return what is at `path`, of the fact `name`; `UNKNOWN` if there is nothing."""
    found, rest = values.get(name, UNKNOWN), path[2:]
    if path == ("hosts",):
        return known.hosts_in(found)
    if name == SHARED and found is not UNKNOWN:
        found, rest = found.published, path[1:]
    for key in rest:
        if isinstance(found, Mapping):
            found = found.get(key, UNKNOWN)
        else:
            found = getattr(found, key, UNKNOWN) if key in _fields(found) else UNKNOWN
    return found


def _fields(value: Any) -> tuple[str, ...]:
    return getattr(value, "__struct_fields__", ())
