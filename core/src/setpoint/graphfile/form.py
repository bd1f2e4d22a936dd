"""Our own form of a graph file, made into declarations: the shape of things, not yet what they mean."""

from collections.abc import Mapping
from typing import Any

import msgspec

from setpoint.declarations import (
    NOTHING,
    WORDS,
    Declaration,
    Declarations,
    Map,
    Seq,
    Source,
    shown,
    value_at,
)
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.graphfile.edges import Edges
from setpoint.graphfile.references import OPEN, Scope

KEYS = ("graph", "vars", "defaults", "resources", "edges")
LATER = frozenset(["include", "inputs", "facts", "secrets", "hosts", "collect", "publish"])
LATER_PARAMS = frozenset({"when", "for_each"})
LATER_META = frozenset(["export", "realize", "hidden"])

_NO_PARAMS = frozenset({"meta", *WORDS, *LATER_PARAMS})


def later(word: str) -> str:
    """Return that `word` comes in a later version."""
    return f"{word!r} is not available in this version; take it out"


class Form:
    """One file in our form.

    Args:
        source: the file.
        root: what is in it.
        declarations: where to put what it declares, and what is wrong.

    """

    def __init__(self, source: Source, root: Map, declarations: Declarations) -> None:
        self.source, self.root, self.into = source, root, declarations
        self.scope = Scope(source, declarations.problems)
        self.literal = OPEN not in source.text
        self.edges = Edges(source, declarations.problems)
        self.defaults: dict[str, tuple[Map, Map]] = {}

    def declare(self) -> None:
        """Put all of the file into the declarations."""
        for key, _, at, _ in self.root.entries():
            if key in LATER:
                self.wrong(at, later(key))
            elif key not in KEYS:
                self.wrong(at, f"unknown key {key!r}; {suggest(key, KEYS)}")
        self._name()
        self.scope.define(self._section("vars", "names to values"))
        for kind, body, key_at, at in self._section("defaults", "kinds to params").entries():
            self._default(kind, body, key_at, at)
        for key, body, key_at, at in self._section("resources", "KIND NAME to params").entries():
            self._resource(key, body, key_at, at)
        self._edges()

    def wrong(self, at: int, message: str) -> None:
        """Report what is wrong at the place `at`."""
        self.into.problems.append(self.source.problem(at, message))

    def _name(self) -> None:
        name = self.root.get("graph", "")
        if not isinstance(name, str):
            at = self._at("graph")
            self.wrong(at, f"graph must be text, not {show(name)}; it is the name of the graph")
        self.into.name = self.into.name or str(name)

    def _at(self, section: str) -> int:
        return value_at(self.root, section, 0)

    def _section(self, section: str, what: str) -> Map:
        """Return the map under the key `section`, an empty one if there is none."""
        return self._map(self.root.get(section), self._at(section), section, what)

    def _map(self, value: Any, at: int, which: str, what: str) -> Map:
        if isinstance(value, Map):
            return value
        if value is not None and value is not msgspec.UNSET:
            self.wrong(at, f"{which} must be a map of {what}, not {show(value)}")
        return Map.new(at)

    def _default(self, kind: str, body: Any, key_at: int, at: int) -> None:
        name = f"defaults of {kind}"
        written = self._map(body, at, name, "params")
        params, meta = Map.new(at), Map.new(at)
        for key, value, place, value_place in written.entries():
            if key in LATER_PARAMS:
                self.wrong(place, f"{name}: {later(key)}")
            elif key in WORDS:
                self.wrong(place, f"{name}: {key!r} is of one resource; write it there")
            elif key == "meta":
                meta = self._meta(name, value, value_place)
            else:
                params.put(key, self.scope.value(value, value_place), place, value_place)
        self.defaults[kind] = params, meta
        self.into.defaults.append(Declaration(name, kind, "", params, self.source, key_at, meta))

    def _meta(self, id_: str, body: Any, at: int) -> Map:
        written = self._map(body, at, f"{shown(id_)}: meta", "meta params")
        meta = Map.new(written.at)
        for key, value, place, value_place in written.entries():
            if key in LATER_META:
                self.wrong(place, f"{shown(id_)}: {later(key)}")
            else:
                meta.put(key, self.scope.value(value, value_place), place, value_place)
        return meta

    def _resource(self, key: str, body: Any, key_at: int, at: int) -> None:
        id_ = self._with_vars(key, key_at) if OPEN in key else key
        rule = wrong_id(id_)
        if rule:
            self.wrong(key_at, rule)
            return
        kind, _, name = id_.partition(" ")
        params, meta = body, NOTHING
        if type(body) is not Map or not self._is_plain(body):
            written = self._map(body, at, shown(id_), "params")
            params, meta = self._params(id_, written, key_at)
        if kind in self.defaults:
            default_params, default_meta = self.defaults[kind]
            params, meta = _merged(default_params, params), _merged(default_meta, meta)
        self.into.resources.append(Declaration(id_, kind, name, params, self.source, key_at, meta))

    def _with_vars(self, key: str, at: int) -> str:
        """Return the id that `key` stands for; one without a name if it stands for none."""
        id_ = self.scope.text(key, at)
        if isinstance(id_, str):
            return id_
        if id_ is not msgspec.UNSET:
            self.wrong(
                at, f"the key of a resource has vars in it, and nothing received, not {show(key)}"
            )
        return key

    def _is_plain(self, body: Map) -> bool:
        """Whether each entry of `body` is a param, with nothing to replace in any of them."""
        if self.literal or not _NO_PARAMS.isdisjoint(body):
            return _NO_PARAMS.isdisjoint(body)
        for value in body.values():
            if (OPEN in value) if type(value) is str else isinstance(value, (Map, Seq)):
                return False
        return True

    def _params(self, id_: str, body: Map, key_at: int) -> tuple[Map, Map]:
        """Return the params and meta params in `body`; its links go to the declarations."""
        params, meta, literal = Map.new(body.at), Map.new(), self.literal
        for key, value, place, value_place in body.entries():
            if key not in _NO_PARAMS:
                params[key] = value if literal else self.scope.value(value, value_place)
                params.places += (place, value_place)
            elif key == "meta":
                meta = self._meta(id_, value, value_place)
            elif key in WORDS:
                if not literal:
                    value = self.scope.value(value, value_place)
                self.into.links += self.edges.beside(id_, key_at, key, value, value_place)
            else:
                self.wrong(place, f"{shown(id_)}: {later(key)}")
        return params, meta

    def _edges(self) -> None:
        written = self.scope.value(self.root.get("edges"), self._at("edges"))
        self.into.links += self.edges.arrows(written, self._at("edges"))


def wrong_id(id_: str) -> str:
    """Return why `id_` cannot be the key of a resource; empty if it can."""
    kind, _, name = id_.partition(" ")
    if kind == "module":
        return f"{show(id_)} is not available in this version; take it out"
    if not name or not kind:
        return f"the key of a resource is KIND NAME, not {show(id_)}; write both"
    if name.strip() != name:
        return f"the name of a resource neither begins nor ends with a space, not {show(id_)}"
    return ""


def _merged(default: Map, own: Mapping[str, Any]) -> Map:
    """Return `own`, and what is in `default` only."""
    result = Map.new()
    for tree, skipped in ((default, own), (own if isinstance(own, Map) else Map.new(), {})):
        for key, value, key_at, at in tree.entries():
            if key not in skipped:
                result.put(key, value, key_at, at)
    return result
