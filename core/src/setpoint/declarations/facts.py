"""The facts that expressions read: which they are, and whether they have what is read of them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations.model import Declarations, FactDeclaration
from setpoint.declarations.params import Param
from setpoint.declarations.types import describe
from setpoint.declarations.written import Source, key_at, value_at
from setpoint.errors import ParamError, PluginError, Problem, SetpointError, suggest
from setpoint.resource import Fact, params

if TYPE_CHECKING:
    from setpoint.plugins import Plugins

SCALARS = (str, int, float, bool)
FAR = 100  # characters between a fact and what it is about


def wanted(
    declarations: Declarations, plugins: "Plugins", problems: list[Problem]
) -> dict[str, Fact]:
    """Return the facts that are read, by the name under which they are; adds what is wrong to `problems`."""
    found: dict[str, Fact | None] = {}
    for path, (source, at) in declarations.reads.items():
        name = path[0]
        if name not in found:
            declared = declarations.facts.get(name, _undeclared(name, source, at))
            found[name] = _made(name, declared, declarations.facts, plugins, problems)
        fact = found[name]
        if fact is not None:
            problems += _wrong_path(fact, path, source, at)
    for name, declared in declarations.facts.items():
        if name not in found:  # nobody reads it, and it may be wrong all the same
            _made(name, declared, declarations.facts, plugins, problems)
    return {name: fact for name, fact in found.items() if fact is not None}


def _undeclared(name: str, source: Source, at: int) -> FactDeclaration:
    """Return the declaration of a fact that is only read, by its own name."""
    written = at + len("facts.")
    is_here = source.text.startswith(name, written)
    return FactDeclaration(name, "", {}, source, written if is_here else at)


def _made(
    name: str,
    declared: FactDeclaration | None,
    others: Mapping[str, FactDeclaration | None],
    plugins: "Plugins",
    problems: list[Problem],
) -> Fact | None:
    """Return the fact that is declared; None if that is wrong, or not known."""
    if declared is None:
        return None
    if declared.made is not None:
        return declared.made
    source, at = declared.source, declared.at
    try:
        kind = plugins.fact(declared.kind)
    except (SetpointError, PluginError) as error:
        hint = suggest(name, others) if name not in others else ""
        what = f"there is no fact {name!r}; {hint}" if hint.startswith("did") else str(error)
        problems.append(source.problem(at, what))
        return None
    before = len(problems)
    values = accepted(kind, declared.params, source, at, problems)
    if len(problems) > before:
        return None
    try:
        return kind(declared.name, **values)
    except ParamError as error:
        place = value_at(declared.params, error.param, at)
        if error.param == "name" and name in others:
            place = source.locate(at, declared.name, FAR)
        cure = "" if name in others else f"; declare it: facts: {{ NAME: {{ {name}: ... }} }}"
        problems.append(source.problem(place, f"the fact {name}: {error}{cure}"))
        return None


def accepted(
    kind: type[Fact], given: Mapping[str, Any], source: Source, at: int, problems: list[Problem]
) -> dict[str, Any]:
    """Return what of `given` the fact takes; adds what is wrong to `problems`."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in params(kind):
            rule = f"the fact {kind.kind} has no param {name!r}; {suggest(name, params(kind))}"
            problems.append(source.problem(key_at(given, name, at), rule.removesuffix("; ")))
            continue
        param = Param(name, types[name])
        try:
            values[name] = param.accept(value)
        except msgspec.ValidationError:
            problems += [
                source.problem(value_at(given, name, at), f"the fact {kind.kind}: {fault}")
                for fault in param.faults(value)
            ]
    return values


def told(name: str) -> str:
    """Return the name of a fact as a person writes it; that of a secret has its root already."""
    return name if "." in name else f"facts.{name}"


def _wrong_path(fact: Fact, path: tuple[str, ...], source: Source, at: int) -> Iterator[Problem]:
    """Yield why there is nothing at `path`, which is written at the place `at`; nothing if there may be."""
    type_: Any = fact.Value
    for number, key in enumerate(path[1:], 1):
        above = ".".join((told(path[0]), *path[1:number]))
        place = at + len(above) + 1
        place = place if source.text.startswith(key, place) else at
        if type_ in SCALARS:
            yield source.problem(place, f"{above} is {describe(type_)}, it has no {key!r}")
            return
        if not (isinstance(type_, type) and issubclass(type_, msgspec.Struct)):
            return
        fields = {field.name: field.type for field in msgspec.structs.fields(type_)}
        if key not in fields:
            rule = f"there is no {key!r} in {above}; {suggest(key, fields)}".removesuffix("; ")
            yield source.problem(place, rule)
            return
        type_ = fields[key]
