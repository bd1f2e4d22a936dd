"""What a file in our form has beside resources: inputs, vars, facts, secrets, includes, and what hosts share."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import FactDeclaration, Map, Seq, value_at
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.graphfile import inputs
from setpoint.graphfile.cells import Cell
from setpoint.graphfile.includes import KEYS, Include
from setpoint.graphfile.shared import collect, publish
from setpoint.values import as_text

if TYPE_CHECKING:
    from setpoint.graphfile.form import Form

WHOLE = {  # why none of this can be said of an include of a file in mgmt's form
    "with": "takes no inputs",
    "as": "is no module, so it has no name",
    "when": "is always included",
    "for_each": "is included once",
}
_NAME = re.compile(r"[A-Za-z_]\w*")


def cells(form: "Form") -> Iterator[Cell]:
    """Yield the cells of all these sections, in the order in which they are to be evaluated."""
    for section in ("inputs", "vars", "facts", "secrets", "publish"):
        for name, _, at, _ in form.section(section).entries():
            if not _NAME.fullmatch(name):
                yield Cell(partial(_misnamed, form, section, name, at))
    own = form.context.qualified
    form.scope.facts = {name: own(name) for name in form.section("facts")}
    form.scope.secrets = {name: f"secrets.{own(name)}" for name in form.section("secrets")}
    for name, body, key_at, at in form.section("inputs").entries():
        yield Cell(partial(inputs.declare, form, name, body, key_at, at), f"inputs {name}")
    yield from _vars(form)
    for name, body, _, at in form.section("facts").entries():
        yield Cell(partial(_fact, form, name, body, at), f"facts {name}")
    for name, body, _, at in form.section("secrets").entries():
        yield Cell(partial(_secret, form, name, body, at))
    yield from _includes(form)
    for name, value, _, at in form.section("publish").entries():
        yield Cell(partial(publish, form, name, value, at), f"publish {name}")
    wanted = form.root.get("collect")
    if wanted is not None and not isinstance(wanted, Seq):
        at, what = form.at("collect"), f"collect must be a list of maps, not {show(wanted)}"
        yield Cell(partial(form.context.wrong, at, f"{what}; write - {{ kind: KIND }}"))
    for item, at in _list(form, "collect"):
        yield Cell(partial(collect, form, item, at))


def _misnamed(form: "Form", section: str, name: str, at: int) -> None:
    what = {"inputs": "an input", "publish": "what is published"}
    named = what.get(section, f"a {section.removesuffix('s')}")
    form.context.wrong(at, f"the name of {named} has letters, digits and _ only, not {name!r}")


def _vars(form: "Form") -> Iterator[Cell]:
    written = form.section("vars")
    form.scope.expect(written)
    for name, value, _, at in written.entries():
        yield Cell(partial(_var, form, name, value, at), f"vars {name}")


def _var(form: "Form", name: str, value: Any, at: int) -> Iterable[str]:
    form.origins[f"vars.{name}"] = form, form.context.cell
    return form.scope.define(name, value, at)


def _list(form: "Form", section: str) -> Iterable[tuple[Any, int]]:
    found = form.root.get(section)
    return found.entries() if isinstance(found, Seq) else ()


def _fact(form: "Form", name: str, body: Any, at: int) -> None:
    if not isinstance(body, Map) or len(body) != 1:
        rule = f"the fact {name} must be a map of one fact to what it is about"
        found = f"a map of {len(body)}" if isinstance(body, Map) and body else show(body)
        form.context.wrong(at, f"{rule}, not {found}; write {{ FACT: NAME }}")
        return
    [(kind, written, place, about_at)] = body.entries()
    about, declared = form.value(written, about_at), form.scope.facts[name]
    if about is UNKNOWN or about is msgspec.UNSET:
        form.context.into.facts[declared] = None
        return
    params = about if isinstance(about, Map) else Map.new(about_at)
    about = params.get("name", "") if isinstance(about, Map) else about
    given = Map.new(params.at)
    for param, value, param_at, place_of in params.entries():
        if param != "name":
            given.put(param, value, param_at, place_of)
    source = form.context.source
    form.context.into.facts[declared] = FactDeclaration(kind, as_text(about), given, source, place)


def _secret(form: "Form", name: str, body: Any, at: int) -> None:
    from setpoint import secrets

    written, declared = form.value(body, at), form.scope.secrets[name]
    form.context.into.facts[declared] = None
    if written is UNKNOWN or written is msgspec.UNSET:
        return
    source = form.context.source
    fact = secrets.declared(name, written, source, at, form.context.into.problems)
    if fact is not None:
        made = FactDeclaration("secret", name, {}, source, at, fact)
        form.context.into.facts[declared] = made


def _includes(form: "Form") -> Iterator[Cell]:
    written = form.root.get("include")
    if written is not None and not isinstance(written, Seq):
        at, what = form.at("include"), f"include must be a list of files, not {show(written)}"
        yield Cell(partial(form.context.wrong, at, f"{what}; write - FILE"))
    names: set[str] = set()
    for body, at in _list(form, "include"):
        entry = body
        if not isinstance(body, Map):
            entry = Map.new(at)
            entry.put("use", body, at, at)
        use_at = value_at(entry, "use", -1)
        if rules := list(_faults(entry, at, use_at in form.file.foreign)):
            yield Cell(partial(_report, form, rules))
        file = form.file.included.get(use_at)
        if file is not None:
            include = Include(form, file, entry, at)
            if include.written in names:
                rule = f"there are two modules {include.written!r}; tell them apart by 'as'"
                yield Cell(partial(form.context.wrong, at, rule))
            names.add(include.written)
            form.includes.append(include)
            yield Cell(include.declare, f"include {include.name}")


def _faults(entry: Map, at: int, is_foreign: bool) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with the keys of one entry, and where."""
    if "use" not in entry:
        yield at, "an include names a file; add use: FILE"
    for key, _, key_at, _ in entry.entries():
        if key not in KEYS:
            yield key_at, f"an include has no {key!r}; {suggest(key, KEYS)}".removesuffix("; ")
        elif is_foreign and key in WHOLE:
            cure = "take this out, or rewrite the file by `setpoint convert`"
            yield key_at, f"a file in mgmt's form {WHOLE[key]}; {cure}"


def _report(form: "Form", rules: list[tuple[int, str]]) -> None:
    for at, rule in rules:
        form.context.wrong(at, rule)
