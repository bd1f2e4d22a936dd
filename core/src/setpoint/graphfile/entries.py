"""One entry of `resources:`: no instance, one, or one for each item."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import NOTHING, WORDS, Declaration, Map, Seq, shown
from setpoint.declarations.types import show
from setpoint.expressions import OPEN, UNKNOWN
from setpoint.graphfile.conditions import CONDITIONS, is_wanted, items_of
from setpoint.graphfile.ids import barred, foreseen, pattern, wrong_id
from setpoint.values import as_text

if TYPE_CHECKING:
    from setpoint.graphfile.form import Form

_NO_PARAMS = frozenset({"meta", *WORDS, *CONDITIONS})


class Entries:
    """Declares what is written under `resources:` of one file.

    Args:
        form: the file.

    """

    def __init__(self, form: "Form") -> None:
        self._form, self._context = form, form.context

    def declare(self, key: str, body: Any, key_at: int, at: int) -> None:
        """Declare all instances of the resource `key` with `body`."""
        if not isinstance(body, Map) or CONDITIONS.isdisjoint(body):
            self._instance(key, body, key_at, at, is_decided=self._form.is_decided)
            return
        rest = Map.new(body.at)
        for name, value, place, value_place in body.entries():
            if name not in CONDITIONS:
                rest.put(name, value, place, value_place)
        items = items_of(self._form, shown(key), body)
        if items is None:
            self._undecided(key, rest, key_at)
        for each in items or ():
            with self._form.beside(each):
                self._conditional(key, body, rest, key_at, at)
        if "for_each" in body:
            self._context.into.absent.add(pattern(key))

    def _conditional(self, key: str, body: Map, rest: Map, key_at: int, at: int) -> None:
        """Declare one instance if `when` says so."""
        wanted = is_wanted(self._form, shown(key), body)
        if wanted is not False:
            is_decided = wanted is True and self._form.is_decided
            self._instance(key, rest, key_at, at, is_decided=is_decided)
            return
        id_ = self._form.scope.text(key, key_at) if OPEN in key else key
        self._context.into.absent.add(id_ if type(id_) is str else pattern(key))

    def _undecided(self, key: str, body: Map, key_at: int) -> None:
        """Have what can be known of a resource checked whose name is not known yet; its edges hold back."""
        into, kind, _, name = self._context.into, *key.partition(" ")
        with self._form.beside({"key": UNKNOWN, "value": UNKNOWN, **self._form.scope.each}):
            params, meta, _ = self._params(key, body, key_at)
        into.undecided.add(pattern(key))
        into.undecided.add(key)  # so stand it in its edges
        source = self._context.source
        is_live = self._context.cell.is_live
        into.trials.append(Declaration(key, kind, name, params, source, key_at, meta, is_live))

    def _instance(self, key: str, body: Any, key_at: int, at: int, *, is_decided: bool) -> None:
        id_ = self._evaluated(key, key_at) if OPEN in key else key
        if id_ is None:
            self._undecided(key, self._form.map_of(body, at, shown(key), "params"), key_at)
            return
        rule = wrong_id(id_)
        if rule:
            self._context.wrong(key_at, rule)
            self._context.into.undecided.add(pattern(key))
            return
        params, meta = body, NOTHING
        if type(body) is not Map or not self._is_plain(body):
            written = self._form.map_of(body, at, shown(id_), "params")
            params, meta, is_whole = self._params(id_, written, key_at)
            is_decided = is_decided and is_whole
        kind, _, name = id_.partition(" ")
        params, meta, is_whole = self._form.with_defaults(kind, params, meta)
        source, is_live = self._context.source, self._context.cell.is_live
        declaration = Declaration(id_, kind, name, params, source, key_at, meta, is_live)
        is_whole = is_whole and is_decided and ("export" not in meta or self._exports(declaration))
        self._context.into.declare(declaration, is_whole=is_whole)

    def _exports(self, declaration: Declaration) -> bool:
        """Return whether others may have `declaration`; reports it if not."""
        from setpoint.graphfile.shared import is_exportable

        return is_exportable(self._context, declaration)

    def _evaluated(self, key: str, at: int) -> str | None:
        """Return the id that `key` stands for; one without a name if it stands for none; None: not known."""
        id_ = self._form.scope.text(key, at)
        rule = barred(id_, key)
        if not rule and (isinstance(id_, str) or id_ is UNKNOWN):
            return None if id_ is UNKNOWN else id_
        if id_ is not msgspec.UNSET:
            what = f"the key of a resource {rule}, as {show(key)} does; take it from vars or facts"
            self._context.wrong(at, what if rule else wrong_id(as_text(id_)))
        return None if self._context.is_lenient else key

    def _is_plain(self, body: Map) -> bool:
        """Whether each entry of `body` is a param, with nothing to replace in any of them."""
        if self._form.literal or not _NO_PARAMS.isdisjoint(body):
            return _NO_PARAMS.isdisjoint(body)
        for value in body.values():
            if (OPEN in value) if type(value) is str else isinstance(value, (Map, Seq)):
                return False
        return True

    def _params(self, id_: str, body: Map, key_at: int) -> tuple[Map, Mapping[str, Any], bool]:
        """Return the params and meta params in `body`, and whether all of them are known.

        Its links go to what is declared.
        """
        form, into = self._form, self._context.into
        params, meta, is_whole = Map.new(body.at), Map.new(), True
        for key, written, place, value_place in body.entries():
            if key == "meta":
                meta = form.meta(id_, written, value_place)
                continue
            value = form.value(written, value_place)
            if key in WORDS:
                value = foreseen(value, written)
            if value is UNKNOWN:
                is_whole, value = False, msgspec.UNSET
            if key in WORDS:
                troubles = len(into.troubles)
                into.links += form.edges.beside(id_, key_at, key, value, value_place)
                is_whole = is_whole and len(into.troubles) == troubles
            else:
                params.put(key, value, place, value_place)
        if UNKNOWN in meta.values():
            return params, Map.new(), False
        return params, meta, is_whole
