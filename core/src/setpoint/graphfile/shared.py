"""`publish:` and `collect:`: what this host tells others, and what it takes from them."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import NOTHING, Declaration, FactDeclaration, Map, shown, value_at
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.graphfile.files import hosts_of
from setpoint.graphfile.known import SHARED, Known, wrong_hosts
from setpoint.ids import Wild
from setpoint.sharing import Exported, World, exported, unshared
from setpoint.values import Received

if TYPE_CHECKING:
    from setpoint.graphfile.cells import Context
    from setpoint.graphfile.form import Form

_KEYS = ("kind", "name", "from")
_HERE_ONLY = frozenset({"export", "hidden"})  # meta params that say nothing to who collects


def follow(context: "Context", at: int) -> None:
    """Have what hosts share followed, which is asked for at the place `at`."""
    into, source = context.into, context.source
    into.reads.setdefault((SHARED,), (source, at))
    into.facts[SHARED] = FactDeclaration("world", "", {}, source, at, World())
    context.note(("world",), SHARED, is_live=True)


def publish(form: "Form", name: str, written: Any, at: int) -> None:
    """Tell other hosts the value of `name`; one that is not known stays as it was."""
    value = form.value(written, at)
    if value is msgspec.UNSET:
        return
    value = _as_written(value)
    if value is not UNKNOWN and (rule := unshared(value)):
        form.context.wrong(at, f"publish: {name} {rule}")
        value = UNKNOWN
    form.context.into.published[name] = value


def _as_written(value: Any) -> Any:
    """Return `value`, which a fact may have told, with maps and lists for what a fact has instead."""
    if isinstance(value, msgspec.Struct):
        return {name: _as_written(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (list, tuple)) and not isinstance(value, Received):
        return [_as_written(inner) for inner in value]
    return {k: _as_written(v) for k, v in value.items()} if isinstance(value, dict) else value


def is_exportable(context: "Context", declaration: Declaration) -> bool:
    """Return whether `declaration` can be offered to other hosts; reports what of it cannot."""
    found = True
    for name, value in declaration.params.items():
        if value is not msgspec.UNSET and (rule := unshared(value)):
            at = value_at(declaration.params, name, declaration.at)
            context.wrong(at, f"{shown(declaration.id)}: {name} {rule}")
            found = False
    return found


def offers(declarations: Iterable[Declaration]) -> list[Exported]:
    """Return what `declarations` offer to other hosts."""
    return [exported(one, one.meta["export"]) for one in declarations]


def collect(form: "Form", item: Any, at: int) -> None:
    """Declare the resources that hosts offer, and that `item` asks for."""
    wanted = form.map_of(item, at, "an entry of collect", "kind, name and from")
    rules = list(_faults(form.context.known, wanted, at))
    for place, rule in rules:
        form.context.wrong(place, f"collect {rule}")
    if rules:
        return
    known, into = form.context.known, form.context.into
    follow(form.context, at)
    into.defaults.append(_of_kind(form, wanted["kind"], value_at(wanted, "kind", at)))
    any_name = Wild((f"{wanted['kind']} ", ""))
    shared = known[SHARED]
    (into.undecided if shared is UNKNOWN else into.absent).add(any_name)
    among = hosts_of(wanted.get("from", "*")) or []
    for host in () if shared is UNKNOWN else sorted(shared.exported):
        if known.is_among(among, host):
            found = [one for one in shared.exported[host].values() if _fits(known, wanted, one)]
            into.collected += [_declared(form, one, at) for one in found]


def _of_kind(form: "Form", kind: str, at: int) -> Declaration:
    """Return what has it checked that there is such a kind."""
    return Declaration("collect", kind, "", NOTHING, form.context.source, at)


def _fits(known: Known, wanted: Map, offer: Exported) -> bool:
    """Whether `offer` is `wanted`, and is for this host."""
    fits = offer.kind == wanted["kind"] and fnmatchcase(offer.name, wanted.get("name", "*"))
    return fits and (not offer.hosts or known.is_among(offer.hosts))


def _faults(known: Known, wanted: Map, at: int) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with an entry, and where."""
    for key, value, key_at, place in wanted.entries():
        if key not in _KEYS:
            yield key_at, f"has no {key!r}; {suggest(key, _KEYS)}".removesuffix("; ")
        elif key == "from" and (rule := wrong_hosts(known, value)):
            yield place, f"from {rule}"
        elif key != "from" and not isinstance(value, str):
            yield place, f"{key} must be text, not {show(value)}"
    if "kind" not in wanted:
        yield at, "needs the kind of what is collected; add kind:"


def _declared(form: "Form", offer: Exported, at: int) -> Declaration:
    params, meta = Map.new(at), Map.new(at)
    for into, written in ((params, offer.params), (meta, offer.meta)):
        for name, value in written.items():
            if into is params or name not in _HERE_ONLY:
                into.put(name, value, at, at)
    return Declaration(offer.id, offer.kind, offer.name, params, form.context.source, at, meta)
