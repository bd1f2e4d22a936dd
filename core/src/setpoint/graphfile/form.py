"""Our own form of a graph file, made into declarations: the shape of things, not yet what they mean."""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import WORDS, Declaration, Map, Part, Seq, shown, value_at
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import OPEN, UNKNOWN
from setpoint.graphfile.cells import Cell, Context
from setpoint.graphfile.conditions import CONDITIONS
from setpoint.graphfile.edges import Edges
from setpoint.graphfile.entries import Entries
from setpoint.graphfile.files import File, hosts_of
from setpoint.graphfile.ids import foreseen, patterns
from setpoint.graphfile.known import Known, wrong_hosts

if TYPE_CHECKING:
    from setpoint.graphfile.includes import Include
    from setpoint.graphfile.references import Scope

KEYS = (
    *("graph", "hosts", "groups", "inputs", "vars", "facts", "secrets", "include", "defaults"),
    *("resources", "edges", "publish", "collect"),
)
MAPS = {
    "groups": "names to hosts",
    "inputs": "names to types",
    "vars": "names to values",
    "facts": "names to facts",
    "secrets": "names to where they are",
    "defaults": "kinds to params",
    "resources": "KIND NAME to params",
    "publish": "names to values",
}


class Form:
    """One file in our form, evaluated as often as what it depends on changes.

    Args:
        file: what was read.
        known: what is known of the machine.
        module: the name under which it is included; "" for a file of its own.
        is_decided: whether it is known that it is included; else nothing of it begins.

    """

    def __init__(
        self, file: File, known: Known, module: str = "", *, is_decided: bool = True
    ) -> None:
        self.file, self.root, self.is_decided = file, file.root, is_decided
        self.context = Context(file.source, known, module)
        self.literal = file.source.literal
        self.edges = Edges(self.context)
        self.includes: list[Include] = []
        self._defaults: dict[str, tuple[Map, Map]] = {}
        self._live_defaults: set[str] = set()
        self.given: set[str] = set()  # the inputs that who includes it has given
        self._moved: set[str] = set()  # those with another value since the last evaluation
        self.origins: dict[str, tuple[Form, Cell]] = {}  # where the values of names come from
        self._cells = list(self._entries())

    @cached_property
    def scope(self) -> "Scope":
        """What expressions can name."""
        from setpoint.graphfile.references import Scope  # 10 ms, and most files have none

        return Scope(self.context)

    # -- evaluating

    def evaluate(self, changed: Set[str]) -> Iterator[tuple[Part | None, Part]]:
        """Evaluate what depends on the names `changed`; yield what that declared before, and declares now."""
        moved = {*changed, *self._moved}
        self._moved = set()
        now = self.context.known.clock.monotonic()
        for cell in self._cells:
            if cell.is_stale(moved, now):
                before = cell.part
                moved.update(cell.evaluate(self.context))
                assert cell.part is not None
                yield before, cell.part
        for include in self.includes:
            for form in include.forms:
                yield from form.evaluate(changed)

    def cells(self) -> Iterator[tuple["Form", Cell]]:
        """Yield all cells, those of what is included before its own."""
        for include in self.includes:
            for form in include.forms:
                yield from form.cells()
        for cell in self._cells:
            yield self, cell

    def give(self, name: str, value: Any, *, is_live: bool) -> None:
        """Let the input `name` be `value` from the next evaluation on; `is_live` if that may change."""
        self.given.add(name)
        self._moved.update(self.scope.assign("inputs", name, value, is_live=is_live))

    @contextmanager
    def beside(self, each: Mapping[str, Any]) -> Iterator[None]:
        """Let `each` be that inside a `with`."""
        if not each:  # a resource without `for_each` needs no scope
            yield
            return
        before, self.scope.each = self.scope.each, each
        try:
            yield
        finally:
            self.scope.each = before

    # -- cells

    def _entries(self) -> Iterator[Cell]:
        yield Cell(self._shape)
        if not self._is_for_this_host():
            yield Cell(self._be_absent)
            return
        if self.file.needs_scope:
            from setpoint.graphfile.sections import cells

            yield from cells(self)
        for kind, body, key_at, at in self.section("defaults").entries():
            yield Cell(partial(self._default, kind, body, key_at, at), f"defaults {kind}")
        yield from self._resources()
        yield Cell(self._edges, "edges")

    def _resources(self) -> Iterator[Cell]:
        """Yield a cell for each resource that may change, and one for those in a row that do not."""
        entries = Entries(self)
        constant: list[tuple[str, Any, int, int]] = []
        for entry in self.section("resources").entries():
            if self._is_constant(entry[0], entry[1]):
                constant.append(entry)
                continue
            if constant:
                yield Cell(partial(_declare_all, entries, constant))
                constant = []
            yield Cell(partial(entries.declare, *entry), f"resources {entry[0]}")
        if constant:
            yield Cell(partial(_declare_all, entries, constant))

    def _is_constant(self, key: str, body: Any) -> bool:
        if isinstance(body, Map) and not CONDITIONS.isdisjoint(body):
            return False
        return self.literal or not (OPEN in key or has_expressions(body))

    def _is_for_this_host(self) -> bool:
        names = hosts_of(self.root.get("hosts"))
        return names is None or self.context.known.is_among(names)

    def _be_absent(self) -> None:
        """Declare nothing but what there is on other hosts."""
        self.context.into.absent.update(patterns(self.file))

    # -- sections

    def _shape(self) -> None:
        """Report keys that there are not, and sections of a wrong type."""
        for key, value, at, value_place in self.root.entries():
            if key not in KEYS:
                hint = suggest(key, KEYS) or f"known: {', '.join(KEYS)}"
                self.context.wrong(at, f"unknown key {key!r}; {hint}")
            elif key in MAPS and not isinstance(value, Map) and value is not None:
                what = f"{key} must be a map of {MAPS[key]}, not {show(value)}"
                self.context.wrong(value_place, what)
            elif key == "graph" and not isinstance(value, str):
                what = f"graph must be text, not {show(value)}; it is the name of the graph"
                self.context.wrong(value_place, what)
            elif key == "hosts" and (rule := wrong_hosts(self.context.known, value)):
                self.context.wrong(value_place, f"hosts {rule}")

    def at(self, section: str) -> int:
        """Return where the value of `section` is written."""
        return value_at(self.root, section, 0)

    def section(self, section: str) -> Map:
        """Return the map under the key `section`, an empty one if there is none or something else."""
        found = self.root.get(section)
        return found if isinstance(found, Map) else Map.new(self.at(section))

    def map_of(self, value: Any, at: int, which: str, what: str) -> Map:
        """Return `value` if it is a map; an empty one if it is nothing, or wrong, which is reported."""
        if isinstance(value, Map):
            return value
        if value is not None and value is not msgspec.UNSET:
            self.context.wrong(at, f"{which} must be a map of {what}, not {show(value)}")
        return Map.new(at)

    def value(self, value: Any, at: int) -> Any:
        """Return `value` with every expression in it replaced."""
        return value if self.literal else self.scope.value(value, at)

    def meta(self, id_: str, body: Any, at: int) -> Map:
        """Return the meta params that `body`, of `id_`, holds."""
        written = self.map_of(body, at, f"{shown(id_)}: meta", "meta params")
        meta = Map.new(written.at)
        for key, value, place, value_place in written.entries():
            found = foreseen(self.value(value, value_place), value)
            meta.put(key, found, place, value_place)
        return meta

    def with_defaults(
        self, kind: str, params: Any, meta: Mapping[str, Any]
    ) -> tuple[Any, Mapping[str, Any], bool]:
        """Return `params` and `meta` of a resource with what it gets by default, and whether all that is known."""
        if kind not in self._defaults:
            return params, meta, True
        default_params, default_meta = self._defaults[kind]
        params, meta = _merged(default_params, params), _merged(default_meta, meta)
        if kind not in self._live_defaults:
            return params, meta, True
        self.context.note(("defaults", kind), f"defaults.{kind}", is_live=True)
        unknown = [name for name, value in params.items() if value is UNKNOWN]
        params.update(dict.fromkeys(unknown, msgspec.UNSET))
        if UNKNOWN in meta.values():
            return params, Map.new(), False
        return params, meta, not unknown

    def _default(self, kind: str, body: Any, key_at: int, at: int) -> Iterable[str]:
        name = f"defaults of {kind}"
        written = self.map_of(body, at, name, "params")
        params, meta = Map.new(at), Map.new(at)
        for key, value, place, value_place in written.entries():
            if key in WORDS or key in CONDITIONS:
                self.context.wrong(place, f"{name}: {key!r} is of one resource; write it there")
            elif key == "meta":
                meta = self.meta(name, value, value_place)
            else:
                params.put(key, self.value(value, value_place), place, value_place)
        self._defaults[kind] = params, meta
        self.origins[f"defaults.{kind}"] = self, self.context.cell
        source = self.context.source
        default = Declaration(name, kind, "", _known(params), source, key_at, _known(meta))
        self.context.into.defaults.append(default)
        if self.context.cell.is_live:
            self._live_defaults.add(kind)
        return (f"defaults.{kind}",)

    def _edges(self) -> None:
        written, at = self.root.get("edges"), self.at("edges")
        if isinstance(written, Seq):
            found = Seq.new(at)
            for item, place in written.entries():  # on its own, so that what is wrong has its place
                found.put(foreseen(self.value(item, place), item), place)
        else:
            found = foreseen(self.value(written, at), written)
        self.context.into.links += self.edges.arrows(found, at)


def _declare_all(entries: Entries, constant: list[tuple[str, Any, int, int]]) -> None:
    for entry in constant:
        entries.declare(*entry)


def has_expressions(value: Any) -> bool:
    """Whether there is an expression somewhere in `value`."""
    if type(value) is str:
        return OPEN in value
    if isinstance(value, (Map, Seq)):
        inner = value.values() if isinstance(value, Map) else value
        keys = any(OPEN in key for key in value) if isinstance(value, Map) else False
        return keys or any(map(has_expressions, inner))
    return False


def _known(tree: Map) -> Map:
    """Return `tree` without values for what is not known."""
    result = Map.new(tree.at)
    for key, value, key_at, at in tree.entries():
        result.put(key, msgspec.UNSET if value is UNKNOWN else value, key_at, at)
    return result


def _merged(default: Map, own: Mapping[str, Any]) -> Map:
    """Return `own`, and what is in `default` only."""
    result = Map.new()
    for tree, skipped in ((default, own), (own if isinstance(own, Map) else Map.new(), {})):
        for key, value, key_at, at in tree.entries():
            if key not in skipped:
                result.put(key, value, key_at, at)
    return result
