"""Graph files whose expressions read facts: the graph that they declare with what is known now.

The files are read once; then each evaluation is a function of the facts alone. While it is not known whether something
is there, what runs stays exactly as it is, and nothing new starts. What depends on nothing that has changed is taken
over from the evaluation before.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.clock import Clock
from setpoint.declarations import Builder, Declarations, Part, patched, uncollected
from setpoint.errors import Problem
from setpoint.graph import Graph
from setpoint.graphfile.causes import Causes, Read
from setpoint.graphfile.cells import Cell
from setpoint.graphfile.files import File, groups_of
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import Known
from setpoint.paths import absolute
from setpoint.values import secrets_in

if TYPE_CHECKING:
    from setpoint.plugins import Plugins
    from setpoint.resource import Fact
    from setpoint.sharing import Shared

T = TypeVar("T")


class Live:
    """Graph files that have been read.

    Args:
        roots: those in our form that somebody has named.
        rest: what is declared in other forms, which read no facts.
        plugins: where kinds and facts come from.
        files: the absolute paths of all that were read, included ones too.
        automatic: whether to add automatic edges.
        clock: for functions over time.
        host: what this host is called; what it calls itself by default.

    graph: the graph of the last evaluation; at first of one in which no fact is known.
    troubles: what was wrong with expressions then, as the facts were.
    texts: path, absolute, to text of all files that were read.

    Raises:
        GraphError: with all that is wrong whatever the facts are.

    """

    def __init__(
        self,
        roots: Sequence[File],
        rest: Declarations,
        plugins: "Plugins",
        *,
        files: Sequence[str] = (),
        automatic: bool = True,
        clock: Clock | None = None,
        host: str = "",
    ) -> None:
        self.files = tuple(files)
        self.texts = {absolute(source.file): source.text for source in rest.sources}
        self._rest = rest
        self._known = Known(clock=clock, host=host)
        self._known.groups = groups_of(roots, rest.problems)
        self._forms = [Form(root, self._known) for root in roots]
        self._builder = Builder(plugins, automatic=automatic)
        self._causes = Causes(self._forms)
        self._is_built = self._shares = self._is_constant = False
        self._last = Graph()
        self.troubles: list[Problem] = []
        self._before = Graph()
        self.graph = self.evaluate({})
        self._before, self._is_built = Graph(), False  # nothing runs yet
        self._is_constant = not any(cell.is_live or cell.due is not None for cell in self._cells())
        if self._is_constant:
            self._forget(plugins)

    def _forget(self, plugins: "Plugins") -> None:
        """Keep nothing but the graph: it will never be another one, and may be large."""
        shared = [part for part in (self._rest, *self._parts()) if part.exported or part.published]
        self._rest = Declarations()
        for part in shared:
            self._rest.exported += part.exported
            self._rest.published.update(part.published)
        self._forms, self._causes, self._builder = [], Causes([]), Builder(plugins)

    @property
    def facts(self) -> "Mapping[str, Fact]":
        """The facts that the last evaluation reads, by name."""
        return self.graph.facts

    @property
    def wake_at(self) -> float | None:
        """When to evaluate again though no fact has changed, by `clock.monotonic`; None: no need."""
        return min((cell.due for cell in self._cells() if cell.due is not None), default=None)

    @property
    def shares(self) -> "Shared | None":
        """What this host tells others, as of the last evaluation; None if it never did."""
        offered = [one for part in (self._rest, *self._parts()) for one in part.exported]
        parts = (self._rest, *self._parts())
        published = [(name, value) for part in parts for name, value in part.published.items()]
        if not self._shares and not offered and not published:
            return None
        from setpoint.graphfile.shared import offers
        from setpoint.sharing import Shared

        self._shares = True  # so that what is declared no more is withdrawn
        return Shared(dict(published), offers(offered), self._last.may_export)

    def inherit(self, before: "Live") -> None:
        """Take the place of `before`: functions over time go on from what they remember there.

        They are told apart by the file, the module, the entry and their text.
        """
        known = {_name(form, cell): cell for form, cell in before._all_cells() if cell.name}
        for form, cell in self._all_cells():
            if (old := known.get(_name(form, cell))) is not None:
                cell.inherit(old)

    def because(self, id_: str) -> dict[str, Read]:
        """Return what the declaration of the resource `id_`, which may be absent now, depends on.

        Returns:
            Dotted paths, such as "facts.load.x1", each with the value at the evaluation before, and now:
            `expressions.UNKNOWN` where it is not known, a `Secret` where it is one.

        """
        return self._causes.of(id_)

    def evaluate(self, values: Mapping[str, Any]) -> Graph:
        """Return the graph with `values`, those of the facts that are known, by name.

        Raises:
            GraphError: what it would be is wrong; the one of before still holds.

        """
        if self._is_constant:
            self.graph = self._last.copy()
            return self.graph
        self._causes.begin(dict(self._known), values)
        changed = self._known.renew(values)
        for secret in secrets_in([self._known[name] for name in changed]):
            self._builder.instances.secrets.learn(secret)  # first: errors are without it
        with uncollected():
            moved = [pair for form in self._forms for pair in form.evaluate(changed)]
            graph = patched(self._last, moved, self._builder) if self._is_built else None
            self._is_built = False  # until it is known that nothing is wrong
            self._last = graph or self._built()
            self._is_built = True
        found = [trouble for part in self._parts() for trouble in part.troubles]
        self.troubles = found + self._builder.troubles
        self.graph, self._before = self._last.copy(), self._last
        return self.graph

    def _all_cells(self) -> Iterator[tuple[Form, Cell]]:
        return (pair for form in self._forms for pair in form.cells())

    def _cells(self) -> Iterator[Cell]:
        return (cell for _, cell in self._all_cells())

    def _parts(self) -> Iterator[Part]:
        return (cell.part for cell in self._cells() if cell.part is not None)

    def _built(self) -> Graph:
        """Return the graph of all that is declared now."""
        declarations = declared(self._forms, self._rest)
        declarations.is_known = bool(self._known)
        graph = self._builder.build(declarations)
        self._stay(graph)
        return graph

    def _stay(self, graph: Graph) -> None:
        """Keep in `graph` what was in the last one and of which nothing new is known."""
        before = self._before
        kept = [
            id_ for id_ in before.resources if id_ not in graph.resources and graph.may_have(id_)
        ]
        for id_ in kept:
            graph.resources[id_] = before.resources[id_]
            graph.held.discard(id_)
            _take(id_, before.receives, graph.receives)
            _take(id_, before.places, graph.places)
            _take(id_, before.tainted, graph.tainted)
        if kept:
            for pair, edge in before.edges.items():
                if not {*pair}.isdisjoint(kept) and {*pair} <= graph.resources.keys():
                    graph.edges.setdefault(pair, edge)


def _name(form: Form, cell: Cell) -> tuple[str, str, str]:
    return form.file.source.file, form.context.module, cell.name


def _take(id_: str, before: Mapping[str, T], now: dict[str, T]) -> None:
    if id_ in before:
        now[id_] = before[id_]


def declared(forms: Sequence[Form], rest: Declarations) -> Declarations:
    """Return what `forms`, as they were last evaluated, and `rest` declare together."""
    declarations = rest.copy()
    for form in forms:
        name = form.root.get("graph")
        declarations.name = declarations.name or (name if isinstance(name, str) else "")
        for owner, cell in form.cells():
            if cell.part is not None:
                declarations.add(cell.part)
                _note(owner.context.module, cell.part, declarations)
    for name in declarations.included:
        declarations.modules.setdefault(name, [])
    return declarations


def _note(module: str, part: Part, declarations: Declarations) -> None:
    """Let all modules around it know the resources of `part`."""
    ids = [declaration.id for declaration in part.resources] if module else []
    while ids and module:
        declarations.modules.setdefault(module, []).extend(ids)
        module = module.rpartition("/")[0]
