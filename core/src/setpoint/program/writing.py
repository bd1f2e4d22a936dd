"""What a Python program declares, in the form of graph files: the same maps, which are evaluated the same way."""

from collections.abc import Mapping
from typing import Any

from setpoint.declarations import WORDS, Declarations, Map, plain, shown
from setpoint.declarations.written import scalars
from setpoint.errors import GraphError
from setpoint.graphfile.files import File
from setpoint.program.blocks import block
from setpoint.program.declared import Declared
from setpoint.program.places import Program
from setpoint.program.terms import Expression, written
from setpoint.program.values import declared, size_of
from setpoint.values import Secret

_NAMES = frozenset({"vars", "secrets", "defaults"})  # what counts for one file
_OTHERWISE = {  # what a program has other ways for
    "graph": "give the name as the first argument",
    "resources": "call their classes within `with`",
    "facts": "write facts(FACT, NAME) where it is read",
    "edges": "write require, before, notify or listen beside a resource",
    "include": "call a function that declares it",
    "inputs": "give them to a function",
}


class Writing:
    """One graph as it is declared, while the program goes on.

    Args:
        name: of the graph; may be empty.
        sections: other keys of a graph file, with their values.
        source: where it begins.

    """

    def __init__(self, name: str, sections: Mapping[str, Any], source: Program) -> None:
        self.source = source
        self._head, self._facts = Map.new(), Map.new()
        if name:
            self._head.put("graph", name, 0, 0)
        for key, value in sections.items():
            if key in _OTHERWISE:
                raise TypeError(f"a graph of a program has no {key!r}; {_OTHERWISE[key]}")
            key_at, at = self.source.argument(0, key)
            self._head.put(key, declared(value, at), key_at, at)
        self._resources = [Map.new()]  # more than one if an id is declared for different times

    def declare(self, id_: str, given: Mapping[str, Any]) -> None:
        """Declare a resource with the arguments `given`, as its place in the program wants it."""
        here, at = block(), self.source.here()
        id_ = declared(id_, at)
        body = Map.new(at)
        if here.condition is not True:
            of = here.condition_at
            body.put("when", _bare(here.condition, of), of, of)
        if here.items is not None:
            of = here.items_at
            body.put("for_each", _bare(here.items, of), of, of)
        for key, value in given.items():
            key_at, value_at = self.source.argument(at, key)
            made = _references(value) if key in WORDS else value
            body.put(key, declared(made, value_at), key_at, value_at)
        self.source.size += len(id_) + size_of(body)
        self._free(id_).put(id_, body, at, at)

    def fact(self, kind: str, name: str, params: Mapping[str, Any]) -> str:
        """Declare a fact about something; return the name by which it is read."""
        at = self.source.here()
        body, about = Map.new(at), Map.new(at)
        for key, value in {"name": name, **params}.items():
            key_at, value_at = self.source.argument(at, key)
            about.put(key, declared(value, value_at), key_at, value_at)
        body.put(kind, about if params else declared(name, at), at, at)
        for known, other in self._facts.items():
            if other == body:
                return known
        own = f"{kind.replace(':', '_')}_{len(self._facts) + 1}"
        self._facts.put(own, body, at, at)
        return own

    def known(self) -> Map:
        """Return the facts about something alone, as a graph file would have them."""
        tree = Map.new()
        tree.put("facts", _copy(self._facts), 0, 0)
        return tree

    def files(self) -> list[File]:
        """Return what is declared by now, as graph files would have it."""
        found: list[File] = []
        for resources in self._resources:
            tree = Map.new()
            for key, value, key_at, at in self._head.entries():
                if not found or key in _NAMES:
                    tree.put(key, value, key_at, at)
            if self._facts:
                tree.put("facts", self.known()["facts"], 0, 0)
            tree.put("resources", _copy(resources), 0, 0)
            found.append(File(self.source, tree))
        return found

    def tree(self) -> dict[str, Any]:
        """Return what is declared, as one graph file has it.

        Raises:
            GraphError: there is none, because an id is declared more than once.
            TypeError: there is a secret in it.

        """
        cure = "write pick(...) where they are different, and declare it once"
        problems = [
            self.source.problem(at, f"{shown(id_)}: is declared already, at another time; {cure}")
            for resources in self._resources[1:]
            for id_, _, at, _ in resources.entries()
        ]
        if problems:
            raise GraphError(problems)
        tree: dict[str, Any] = plain(self.files()[0].root)
        if any(isinstance(value, Secret) for value in scalars(tree)):
            raise TypeError("a secret is not written out; take it from what a resource sends")
        tree["resources"] = {id_: body or None for id_, body in tree["resources"].items()}
        return {key: value for key, value in tree.items() if value}

    def declarations(self) -> Declarations:
        """Return where what is declared begins to be evaluated."""
        made = Declarations()
        made.sources.append(self.source)
        return made

    def _free(self, id_: str) -> Map:
        """Return the first map that has no such resource."""
        for resources in self._resources:
            if id_ not in resources:
                return resources
        self._resources.append(Map.new())
        return self._resources[-1]


def _copy(tree: Map) -> Map:
    made = Map.new(tree.at)
    for key, value, key_at, at in tree.entries():
        made.put(key, value, key_at, at)
    return made


def _bare(value: Any, at: int) -> Any:
    """Return `value` as `when` and `for_each` take it: an expression without `${{ }}`."""
    return written(value) if isinstance(value, Expression) else declared(value, at)


def _references(value: Any) -> Any:
    """Return the references that `value` stands for: a resource or text, a list of those, or a map to policies."""
    if isinstance(value, Mapping):
        return {_reference(one): policy for one, policy in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_reference(one) for one in value]
    return _reference(value)


def _reference(value: Any) -> str:
    if isinstance(value, Declared):
        return value.id
    if isinstance(value, str):
        return value
    raise TypeError(f"a reference is a resource or its KIND NAME, not {value!r}; give one")
