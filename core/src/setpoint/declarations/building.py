"""Declarations made into a graph: every check, and all problems at once."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from setpoint import autoedges
from setpoint.declarations.facts import wanted
from setpoint.declarations.instances import Instances, Made
from setpoint.declarations.links import Names, edges_of, held_by
from setpoint.declarations.model import Declaration, Declarations, shown, uncollected
from setpoint.declarations.sends import Sends
from setpoint.errors import Place, Problem
from setpoint.graph import CycleError, Edge, Graph, are_alike, order

if TYPE_CHECKING:
    from setpoint.plugins import Plugins


def build(declarations: Declarations, plugins: "Plugins", *, automatic: bool = True) -> Graph:
    """Return the graph that `declarations` describe, its kinds taken from `plugins`.

    With `automatic` it has the edges too that follow from what its resources say of themselves.
    A param that receives its value is `msgspec.UNSET` in the resource, and listed in `receives`. What waits for facts
    is checked and left out.

    Raises:
        GraphError: with all that is wrong, in the order of the texts.

    """
    return Builder(plugins, automatic=automatic).build(declarations)


class Builder:
    """Builds one graph after the other; resources of declarations that have been there before are kept.

    Args:
        plugins: where kinds and facts come from.
        automatic: whether to add automatic edges.

    doubles: the ids that were declared more than once, and alike, in the last graph.
    held: those of which something was not known, or which require such a one.
    troubles: what was wrong with resources as the facts were; they are among those held.

    """

    def __init__(self, plugins: "Plugins", *, automatic: bool = True) -> None:
        self._plugins, self._automatic = plugins, automatic
        self.instances = Instances(plugins)
        self.doubles: set[str] = set()
        self.held: frozenset[str] = frozenset()
        self.troubles: list[Problem] = []
        self._made: dict[str, Made] = {}
        self._said: autoedges.Known = {}

    def keep(self, made: Mapping[str, Made]) -> None:
        """Take over what was made of declarations since the last graph was built, by id."""
        self._made.update(made)

    def build(self, declarations: Declarations) -> Graph:
        """Return the graph that `declarations` describe; see `build`."""
        with uncollected():
            building = _Building(declarations, self.instances, self._made)
            building.make_resources()
            edges = building.edges()
            building.graph.facts = wanted(declarations, self._plugins, building.problems)
        declarations.refuse(map(building.without_secrets, building.problems))
        self._made, self.doubles = building.made, building.doubles
        self.troubles = [building.without_secrets(trouble) for trouble in building.troubles]
        return self._finished(building, edges)

    def _finished(self, building: "_Building", edges: list[Edge]) -> Graph:
        graph, declarations = building.graph, building.declarations
        building.hold(edges)
        self.held = frozenset(graph.held)
        for edge in edges:
            if edge.first in graph.resources and edge.then in graph.resources:
                graph.connect(edge)
        for id_, declaration in building.declared.items():
            graph.places[id_] = declaration.source.place(declaration.at)
        graph.secrets = self.instances.secrets
        graph.warnings, graph.modules = declarations.warnings, declarations.modules
        if declarations.sources and not graph.name:
            graph.scope = os.path.abspath(declarations.sources[0].file)
        if self._automatic:
            autoedges.connect(graph, self._said)
        return graph


class _Building:
    """One graph while it is built: all resources that could be made, and what is wrong so far.

    made: what was made of each declaration, by id.
    """

    def __init__(
        self, declarations: Declarations, instances: Instances, before: "Mapping[str, Made]"
    ) -> None:
        self.declarations = declarations
        self.graph = Graph(declarations.name)
        self.problems: list[Problem] = list(declarations.problems)
        self.troubles: list[Problem] = []
        self.declared: dict[str, Declaration] = {}
        self.doubles: set[str] = set()
        self.made: dict[str, Made] = {}
        self.instances, self._before = instances, before
        instances.begin(self.problems)

    def make_resources(self) -> None:
        """Make all resources that can be made."""
        self.instances.check_defaults(self.declarations.defaults)
        for declaration in self.declarations.resources:
            if declaration.id in self.declared:
                self._check_double(declaration)
            else:
                self._make(declaration)
        for declaration in self.declarations.collected:
            if declaration.id not in self.declared:
                self._make(declaration)
        for declaration in self.declarations.trials:
            before = len(self.problems)
            self.instances.check(declaration)
            self._forgives(declaration, before)

    def _make(self, declaration: Declaration) -> None:
        """Make the resource of `declaration`, or take the one that was made of it before."""
        id_, graph = declaration.id, self.graph
        self.declared[id_] = declaration
        made = self._before.get(id_)
        if made is None or made.declaration is not declaration:
            before = len(self.problems)
            made = self.instances.made(declaration)
            if self._forgives(declaration, before):
                self.declarations.waiting.add(id_)
        if made.resource is not None:
            self.made[id_] = made
            graph.resources[id_] = made.resource
        if made.received:
            graph.receives[id_] = made.received
        if made.tainted:
            graph.tainted[id_] = made.tainted

    def _forgives(self, declaration: Declaration, before: int) -> bool:
        """Return whether all that is wrong with `declaration`, the problems after `before`, is so as the facts are.

        Whatever is wrong with it whatever they are was found when none was known.
        """
        is_of_facts = self.declarations.is_known and declaration.is_live
        found = self.problems[before:] if is_of_facts else []
        self.troubles += found
        del self.problems[len(self.problems) - len(found) :]
        return bool(found)

    def hold(self, edges: list[Edge]) -> None:
        """Take out of the graph what waits for facts, and what requires that."""
        held = self.declarations.waiting
        if held:
            successors: dict[str, list[str]] = {}
            for first, then, _, _ in edges:
                successors.setdefault(first, []).append(then)
            reached = list(held)
            for id_ in reached:  # grows while it is walked
                new = [then for then in successors.get(id_, ()) if then not in held]
                held.update(new)
                reached += new
        self.graph.held, self.graph.undecided = held, self.declarations.undecided
        self.graph.absent = self.declarations.absent
        for id_ in held:
            self.graph.resources.pop(id_, None)
            self.graph.receives.pop(id_, None)
            self.graph.tainted.pop(id_, None)

    def _check_double(self, declaration: Declaration) -> None:
        """Report if `declaration` is not equal to the one with the same id."""
        id_ = declaration.id
        self.doubles.add(id_)
        before = len(self.problems)
        first, second = self.made.get(id_), self.instances.made(declaration)
        if self._forgives(declaration, before):
            self.declarations.waiting.add(id_)
        if id_ in self.declarations.waiting:  # it may be that only one of them is there at a time
            return
        if first and second.resource and not _are_alike(first, second):
            self._refuse_double(declaration, self.declared[id_])

    def _refuse_double(self, declaration: Declaration, first: Declaration) -> None:
        where = first.source.place(first.at)
        rule = f"is declared already, and differently, at {where}; make them equal or take one out"
        if (declaration.source, declaration.at) == (first.source, first.at):
            cure = "put into the key what tells them apart, as ${{ each.key }}"
            rule = f"two items of for_each, or two modules, have this key, and differ; {cure}"
        message = f"{shown(declaration.id)}: {rule}"
        self.problems.append(declaration.source.problem(declaration.at, message))

    def edges(self) -> list[Edge]:
        """Return all edges; adds to the problems what leads nowhere or in a circle."""
        names = Names(self.declared, self.declarations.may_be, self.declarations.modules)
        sends = Sends(self.declared, names, self.instances, self.declarations.waiting)
        edges: list[Edge] = []
        for id_, received in self.graph.receives.items():
            edges += sends.edges(self.declared[id_], received)
        edges += edges_of(self.declarations.links, names, self.problems)
        if self.declarations.undecided:
            found = held_by(self.declarations.links, names, self.declarations.is_undecided)
            self.declarations.waiting |= found
        try:
            if edges:
                order(self.declared, edges)
        except CycleError as error:
            self.problems.append(self._cycle(error))
        return edges

    def without_secrets(self, problem: Problem) -> Problem:
        """Return `problem` without the line if there is a secret in it, and none in the message."""
        secrets = self.instances.secrets
        line = "" if secrets.are_in(problem.line) else problem.line
        return problem._replace(message=secrets.text(problem.message), line=line)

    def _cycle(self, error: CycleError) -> Problem:
        """Return the problem, at the first of the edges that is written somewhere."""
        sources = {source.file: source for source in self.declarations.sources}
        places = [edge.origin for edge in error.edges if isinstance(edge.origin, Place)]
        first = self.declared[error.edges[0].first]
        place = min(places, default=first.source.place(first.at))
        source = sources.get(place.file, first.source)
        return source.problem(source.offset(place.line - 1, place.column - 1), str(error))


def _are_alike(one: Made, other: Made) -> bool:
    """Whether the same was declared, whatever an engine has done since with what was made first."""
    if one.resource is None or other.resource is None or one.received != other.received:
        return False
    return one.tainted == other.tainted and are_alike(one.resource, other.resource, one.received)
