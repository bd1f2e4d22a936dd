"""What people declare, from whichever front end, before it is instances."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from setpoint.declarations.written import Source
from setpoint.errors import GraphError, Problem
from setpoint.graph import Policy
from setpoint.ids import Ids
from setpoint.resource import Fact

NOTHING: Mapping[str, Any] = {}
WILD = frozenset("*?[")  # what makes a glob of a reference
MODULE = "module "  # how a reference to all of a module begins
WORDS = ("require", "before", "notify", "listen")  # edges as they are written beside a resource


class Declaration(msgspec.Struct, gc=False):
    """One resource as it is written.

    id: kind and name, "file /etc/motd".
    params: param to value: text, numbers, lists and maps that the kind's types have yet to accept,
        or a `Ref` or `Text`, or `msgspec.UNSET` for one that is wrong and reported already. A `Map`
        if the places of the values are known.
    meta: the same for meta params, in the units of `Meta`.
    source, at: where its name is written.
    is_live: whether it may be another one at another time.
    """

    id: str
    kind: str
    name: str
    params: Mapping[str, Any]
    source: Source
    at: int = 0
    meta: Mapping[str, Any] = NOTHING
    is_live: bool = False


class Link(NamedTuple):
    """An edge as it is written; each end is an id, or a glob that stands for several ids.

    subject: what a message names when an end is missing: the resource at which this is written.
    first_at, then_at: where the ends are written.
    """

    subject: str
    first: str
    then: str
    notify: Policy | None
    source: Source
    first_at: int = 0
    then_at: int = 0


class FactDeclaration(msgspec.Struct):
    """A fact as it is written, with a name of its own.

    kind: which fact.
    name: what it is about.
    params: as those of a resource.
    source, at: where it is written.
    made: it itself, if core has it and not a plugin.
    """

    kind: str
    name: str
    params: Mapping[str, Any]
    source: Source
    at: int
    made: Fact | None = None


class Part:
    """What somebody has declared, in order, and what is wrong with how it is written.

    resources: what becomes a resource; an id that is there twice must be declared alike.
    defaults: by kind, what resources of that kind get unless they say otherwise. Front ends have
        merged them into `resources` already; they are here to be checked even if nobody needs them.
    links: edges beside those that follow from values.
    problems: what is wrong already; `build` adds to it what it finds.
    warnings: what a person should know, though the graph runs.
    facts: those with a name of their own, by that; None for one of which it is not known what it is about.
    reads: the paths below `facts` that expressions read, each with where that is first.
    troubles: what is wrong with expressions as the facts are now; what depends on them is like
        unknown.
    waiting: the ids of resources of which something is not known yet.
    trials: resources that are not there, or whose name is not known yet, to be checked as far as that goes.
    absent: the ids of what is declared but not there as the facts are now.
    undecided: those of what may be there or not.
    included: the names of modules.
    published: what this host tells others, by name.
    exported: resources that this host offers to others.
    collected: resources that others offer, and that are declared where there is no such id.
    """

    def __init__(self) -> None:
        self.resources: list[Declaration] = []
        self.defaults: list[Declaration] = []
        self.links: list[Link] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.facts: dict[str, FactDeclaration | None] = {}
        self.reads: dict[tuple[str, ...], tuple[Source, int]] = {}
        self.troubles: list[Problem] = []
        self.waiting: set[str] = set()
        self.trials: list[Declaration] = []
        self.absent, self.undecided = Ids(), Ids()
        self.included: list[str] = []
        self.published: dict[str, Any] = {}
        self.exported: list[Declaration] = []
        self.collected: list[Declaration] = []
        self._filled: list[tuple[str, Any]] | None = None

    @property
    def filled(self) -> list[tuple[str, Any]]:
        """What there is in it, by name, once it is complete: of most things there is nothing."""
        if self._filled is None:
            self._filled = [(name, of) for name, of in vars(self).items() if of]
        return self._filled

    def declare(self, declaration: Declaration, *, is_whole: bool = True) -> None:
        """Add a resource: to what is here, unless it is hidden, and to what others may collect.

        With `is_whole` false something of it, or whether it is there, is not known yet.
        """
        if "export" in declaration.meta and is_whole:
            self.exported.append(declaration)
        if not is_whole:
            self.waiting.add(declaration.id)
        if declaration.meta.get("hidden") is True:
            self.trials.append(declaration)
            self.absent.add(declaration.id)
        else:
            self.resources.append(declaration)

    def add(self, other: "Part") -> None:
        """Add all of `other`, which is complete."""
        for name, more in other.filled:
            mine = getattr(self, name)
            if isinstance(mine, list):
                mine += more
            elif not isinstance(mine, (str, bool)):
                mine.update(more)


class Declarations(Part):
    """All that was declared.

    name: what the graph is called; "" if nobody says.
    sources: the texts, in the order in which they were given.
    modules: the name of each module to the ids of its resources.
    is_known: whether facts are known, so that what is wrong with a resource that depends on them is so only now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name, self.is_known = "", False
        self.sources: list[Source] = []
        self.modules: dict[str, list[str]] = {}

    def copy(self) -> "Declarations":
        """Return what can be added to without changing this one."""
        made = Declarations()
        for name, value in vars(self).items():
            is_plain = value is None or isinstance(value, (str, bool))
            setattr(made, name, value if is_plain else value.copy())
        made._filled = None
        return made

    def may_be(self, reference: str) -> bool:
        """Whether there may be a resource `reference`, an id or a glob, at another time."""
        if not WILD.isdisjoint(reference):
            return bool(self.absent or self.undecided)
        return reference in self.absent or reference in self.undecided

    def is_undecided(self, reference: str) -> bool:
        """Whether it is not known if there is a resource `reference`, an id or a glob."""
        return bool(self.undecided) and self.undecided.meet(reference)

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Do nothing if there are no `problems`.

        Raises:
            GraphError: with all of them, once each, in the order of the texts.

        """
        found = dict.fromkeys(problems)
        if found:
            rank = {source.file: number for number, source in enumerate(self.sources)}
            raise GraphError(sorted(found, key=lambda p: (rank.get(p.place.file, 0), p.place[1:])))


def shown(id_: str) -> str:
    """Return `id_` as it stands in a message, which is one line."""
    return id_ if id_.isprintable() else repr(id_)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector off: it finds nothing while a graph is built, and takes as long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
