"""Our own form of a graph file, made into declarations: the shape of things, not yet what they mean."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import (
    NOTHING,
    WORDS,
    Declaration,
    Declarations,
    FactDeclaration,
    Map,
    Seq,
    Source,
    shown,
    value_at,
)
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import OPEN, UNKNOWN
from setpoint.graphfile.conditions import is_wanted, items_of
from setpoint.graphfile.edges import Edges
from setpoint.graphfile.ids import barred, pattern, wrong_id
from setpoint.graphfile.known import Known
from setpoint.values import as_text

if TYPE_CHECKING:
    from setpoint.graphfile.references import Scope

KEYS = ("graph", "vars", "facts", "defaults", "resources", "edges")
LATER = frozenset(["include", "inputs", "secrets", "hosts", "collect", "publish"])
CONDITIONS = frozenset({"when", "for_each"})
LATER_META = frozenset(["export", "hidden"])

_NAME = re.compile(r"[A-Za-z_]\w*")
_NO_PARAMS = frozenset({"meta", *WORDS, *CONDITIONS})


def later(word: str) -> str:
    """Return that `word` comes in a later version."""
    return f"{word!r} is not available in this version; take it out"


class Form:
    """One file in our form.

    Args:
        source: the file.
        root: what is in it.
        declarations: where to put what it declares, and what is wrong.
        known: what is known of the machine.

    """

    def __init__(self, source: Source, root: Map, declarations: Declarations, known: Known) -> None:
        self.source, self.root, self.into = source, root, declarations
        self.known = known
        self.literal = source.literal
        self.edges = Edges(source, declarations.problems)
        self.defaults: dict[str, tuple[Map, Map]] = {}

    @cached_property
    def scope(self) -> "Scope":
        """What expressions can name."""
        from setpoint.graphfile.references import Scope  # 10 ms, and most files have none

        scope = Scope(self.source, self.into, self.known)
        if self.literal:  # else it is done where the vars are read
            scope.define(self.vars)
        return scope

    def declare(self) -> None:
        """Put all of the file into the declarations."""
        for key, _, at, _ in self.root.entries():
            if key in LATER:
                self.wrong(at, later(key))
            elif key not in KEYS:
                self.wrong(at, f"unknown key {key!r}; {suggest(key, KEYS)}")
        self._name()
        self._facts()
        self._vars()
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
            if key in WORDS or key in CONDITIONS:
                self.wrong(place, f"{name}: {key!r} is of one resource; write it there")
            elif key == "meta":
                meta = self._meta(name, value, value_place)
            else:
                params.put(key, self.value(value, value_place), place, value_place)
        self.defaults[kind] = params, meta
        self.into.defaults.append(Declaration(name, kind, "", params, self.source, key_at, meta))

    def _meta(self, id_: str, body: Any, at: int) -> Map:
        written = self._map(body, at, f"{shown(id_)}: meta", "meta params")
        meta = Map.new(written.at)
        for key, value, place, value_place in written.entries():
            if key in LATER_META:
                self.wrong(place, f"{shown(id_)}: {later(key)}")
            else:
                meta.put(key, self.value(value, value_place), place, value_place)
        return meta

    def _vars(self) -> None:
        self.vars = self._section("vars", "names to values")
        for name, _, at, _ in self.vars.entries():
            if not _NAME.fullmatch(name):
                rule = f"the name of a var has letters, digits and _ only, not {name!r}"
                self.wrong(at, rule)
        if not self.literal:
            self.scope.define(self.vars)

    def value(self, value: Any, at: int) -> Any:
        """Return `value` with every expression in it replaced."""
        return value if self.literal else self.scope.value(value, at)

    def _facts(self) -> None:
        for name, body, _, at in self._section("facts", "names to facts").entries():
            if not isinstance(body, Map) or len(body) != 1:
                rule = f"the fact {name} must be a map of one fact to what it is about"
                found = f"a map of {len(body)}" if isinstance(body, Map) and body else show(body)
                self.wrong(at, f"{rule}, not {found}; write {{ FACT: NAME }}")
                continue
            [(kind, about, place, about_at)] = body.entries()
            params = about if isinstance(about, Map) else Map.new(about_at)
            about = params.get("name", "") if isinstance(about, Map) else about
            given = Map.new(params.at)
            for param, value, key_at, value_at_ in params.entries():
                if param != "name":
                    given.put(param, value, key_at, value_at_)
            declared = FactDeclaration(kind, as_text(about), given, self.source, place)
            self.into.facts[name] = declared

    def _resource(self, key: str, body: Any, key_at: int, at: int) -> None:
        if not isinstance(body, Map) or CONDITIONS.isdisjoint(body):
            self._instance(key, body, key_at, at)
            return
        rest = Map.new(body.at)
        for name, value, place, value_place in body.entries():
            if name not in CONDITIONS:
                rest.put(name, value, place, value_place)
        items = items_of(self, key, body)
        if items is None:
            self._trial(key, rest, key_at)
            self.into.undecided.append(pattern(key))
        for each in items or ():
            self.scope.each = each
            self._conditional(key, body, rest, key_at, at)
            self.scope.each = {}
        if "for_each" in body:
            self.into.absent.append(pattern(key))

    def _conditional(self, key: str, body: Map, rest: Map, key_at: int, at: int) -> None:
        """Declare one instance if `when` says so."""
        wanted = is_wanted(self, key, body)
        if wanted is not False:
            self._instance(key, rest, key_at, at, is_decided=wanted is True)
            return
        id_ = self.scope.text(key, key_at) if OPEN in key else key
        self.into.absent.append(re.compile(re.escape(id_)) if type(id_) is str else pattern(key))

    def _trial(self, key: str, body: Map, key_at: int) -> None:
        """Have what can be known of a resource checked whose name is not known yet."""
        self.scope.each = {"key": UNKNOWN, "value": UNKNOWN}
        kind, _, name = key.partition(" ")
        links = len(self.into.links)
        params, meta, _ = self._params(key, body, key_at)
        del self.into.links[links:]
        self.into.trials.append(Declaration(key, kind, name, params, self.source, key_at, meta))

    def _instance(
        self, key: str, body: Any, key_at: int, at: int, *, is_decided: bool = True
    ) -> None:
        id_ = self._evaluated(key, key_at) if OPEN in key else key
        if id_ is None:
            self._trial(key, self._map(body, at, shown(key), "params"), key_at)
            self.into.undecided.append(pattern(key))
            return
        rule = wrong_id(id_)
        if rule:
            self.wrong(key_at, rule)
            return
        kind, _, name = id_.partition(" ")
        params, meta = body, NOTHING
        if type(body) is not Map or not self._is_plain(body):
            written = self._map(body, at, shown(id_), "params")
            params, meta, is_whole = self._params(id_, written, key_at)
            is_decided = is_decided and is_whole
        if kind in self.defaults:
            default_params, default_meta = self.defaults[kind]
            params, meta = _merged(default_params, params), _merged(default_meta, meta)
        if not is_decided:
            self.into.waiting.add(id_)
        self.into.resources.append(Declaration(id_, kind, name, params, self.source, key_at, meta))

    def _evaluated(self, key: str, at: int) -> str | None:
        """Return the id that `key` stands for; one without a name if it stands for none; None: not known."""
        id_ = self.scope.text(key, at)
        if isinstance(id_, str) or id_ is UNKNOWN:
            return None if id_ is UNKNOWN else id_
        if id_ is not msgspec.UNSET:
            rule = barred(id_)
            if rule:
                what = f"the key of a resource {rule}, as {show(key)} does"
                self.wrong(at, f"{what}; take it from vars or facts")
            else:
                self.wrong(at, wrong_id(as_text(id_)))
        return key

    def _is_plain(self, body: Map) -> bool:
        """Whether each entry of `body` is a param, with nothing to replace in any of them."""
        if self.literal or not _NO_PARAMS.isdisjoint(body):
            return _NO_PARAMS.isdisjoint(body)
        for value in body.values():
            if (OPEN in value) if type(value) is str else isinstance(value, (Map, Seq)):
                return False
        return True

    def _params(self, id_: str, body: Map, key_at: int) -> tuple[Map, Map, bool]:
        """Return the params and meta params in `body`, and whether all of them are known.

        Its links go to the declarations.
        """
        params, meta, is_whole = Map.new(body.at), Map.new(), True
        for key, written, place, value_place in body.entries():
            if key == "meta":
                meta = self._meta(id_, written, value_place)
                continue
            value = self.value(written, value_place)
            if value is UNKNOWN:
                is_whole, value = False, msgspec.UNSET
            if key in WORDS:
                self.into.links += self.edges.beside(id_, key_at, key, value, value_place)
            else:
                params.put(key, value, place, value_place)
        if UNKNOWN in meta.values():
            return params, Map.new(), False
        return params, meta, is_whole

    def _edges(self) -> None:
        written = self.value(self.root.get("edges"), self._at("edges"))
        self.into.links += self.edges.arrows(written, self._at("edges"))


def _merged(default: Map, own: Mapping[str, Any]) -> Map:
    """Return `own`, and what is in `default` only."""
    result = Map.new()
    for tree, skipped in ((default, own), (own if isinstance(own, Map) else Map.new(), {})):
        for key, value, key_at, at in tree.entries():
            if key not in skipped:
                result.put(key, value, key_at, at)
    return result
