"""One declaration made into one resource, with every check that needs no other declaration."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from setpoint.declarations.model import NOTHING, WORDS, Declaration, shown
from setpoint.declarations.params import META, Param, Schema
from setpoint.declarations.written import key_at, value_at
from setpoint.errors import ParamError, Place, PluginError, Problem, SetpointError, suggest
from setpoint.expressions import OPEN
from setpoint.hiding import Secrets
from setpoint.resource import DEFAULT, Meta, Resource
from setpoint.values import Received, received, secrets_in

if TYPE_CHECKING:
    from setpoint.plugins import Plugins

BESIDE = (*WORDS, "when", "for_each")  # what stands beside the params of a resource
CLEAN: frozenset[str] = frozenset()


class Made(NamedTuple):
    """What became of a declaration.

    resource: None if there is a problem.
    received: the params whose values come from other resources.
    tainted: the params in which there is a secret.
    """

    declaration: Declaration
    resource: Resource | None
    received: Mapping[str, Received]
    tainted: frozenset[str]


class Instances:
    """Makes resources of declarations; what it cannot make is in `problems`.

    Args:
        plugins: where the kinds come from.

    Attributes:
        received: id to the params whose values come from other resources.
        tainted: id to the params in which there is a secret.
        secrets: what is in those, and written for params that are secret.

    """

    def __init__(self, plugins: "Plugins") -> None:
        self.plugins = plugins
        self.problems: list[Problem] = []
        self.received: dict[str, dict[str, Received]] = {}
        self.tainted: dict[str, set[str]] = {}
        self.secrets = Secrets()
        self._schemas: dict[str, Schema | None] = {}
        self._missing: dict[str, str] = {}  # why there is no such schema
        self._metas: dict[tuple[Any, ...], Meta] = {}
        self._reported: set[Place] = set()  # in defaults: not once more for each resource

    def begin(self, problems: list[Problem]) -> None:
        """Put what is wrong into `problems` from now on: another graph is built."""
        self.problems = problems
        self.received, self.tainted, self._reported = {}, {}, set()

    def made(self, declaration: Declaration) -> Made:
        """Return what becomes of `declaration`."""
        resource = self.make(declaration)
        received = self.received.pop(declaration.id, NOTHING)
        tainted = self.tainted.pop(declaration.id, None)
        return Made(declaration, resource, received, frozenset(tainted) if tainted else CLEAN)

    def schema(self, kind: str) -> Schema | None:
        """Return the schema of `kind`, None if there is no such kind."""
        if kind not in self._schemas:
            try:
                self._schemas[kind] = Schema.of(self.plugins.kind(kind))
            except (SetpointError, PluginError) as error:
                self._schemas[kind], self._missing[kind] = None, str(error)
        return self._schemas[kind]

    def check_defaults(self, defaults: list[Declaration]) -> None:
        """Check what resources get unless they say otherwise, whether one needs it or not."""
        before = len(self.problems)
        for declaration in defaults:
            schema = self.schema(declaration.kind)
            if schema is None:
                self._report_kind(declaration)
            else:
                self._values(declaration, schema)
                self._meta(declaration)
        self.received.clear()
        self.tainted.clear()
        self._reported = {problem.place for problem in self.problems[before:]}

    def check(self, declaration: Declaration) -> None:
        """Report what is wrong with a resource of which not even the name is known."""
        schema = self.schema(declaration.kind)
        if schema is None:
            self._report_kind(declaration)
        else:
            self._checked(declaration, schema)
            self.received.pop(declaration.id, None)
            self.tainted.pop(declaration.id, None)

    def make(self, declaration: Declaration) -> Resource | None:
        """Return the resource that `declaration` stands for; None if there is a problem.

        Params that are received are `msgspec.UNSET` in it, and in `received`.
        """
        schema = self.schema(declaration.kind)
        if schema is None:
            self._report_kind(declaration)
            return None
        values = declaration.params
        if declaration.meta or schema.required or not schema.takes(values):
            before = len(self.problems)
            values = self._checked(declaration, schema)
            if len(self.problems) > before:
                return None
        try:
            return schema.kind(declaration.name, **values)
        except Exception as error:  # whatever a plugin raises, it is the one to name
            self._refused(declaration, schema, error)
            return None

    def _checked(self, declaration: Declaration, schema: Schema) -> dict[str, Any]:
        """Return the params of `declaration` as the kind takes them, and report what is wrong."""
        values = self._values(declaration, schema)
        if declaration.meta:
            values["meta"] = meta = self._meta(declaration)
            if meta.reverse and schema.kind.reversed is Resource.reversed:
                at = key_at(declaration.meta, "reverse", declaration.at)
                what = f"what {declaration.kind} does cannot be put back; take out meta.reverse"
                self._report(declaration, at, what)
        for name in schema.required:
            if name not in declaration.params:
                self._report(declaration, declaration.at, f"{name} is required; add it")
        return values

    def _values(self, declaration: Declaration, schema: Schema) -> dict[str, Any]:
        """Return what of the params of `declaration` is good for an instance."""
        values: dict[str, Any] = {}
        for name, value in declaration.params.items():
            if type(value) in schema.scalars.get(name, ()):
                values[name] = value
            else:
                self._value(declaration, schema, name, value, values)
        return values

    def _value(
        self,
        declaration: Declaration,
        schema: Schema,
        name: str,
        value: Any,
        values: dict[str, Any],
    ) -> None:
        """Put a value that is no plain scalar into `values`, or report what is wrong with it."""
        if name not in schema.params:
            what = f"param {name!r}"
            self._unknown(
                declaration, declaration.params, name, what, (*schema.params, "meta", *BESIDE)
            )
            return
        if any(secrets_in(value)):
            self._taint(declaration, name, value)
        if source := received(value):
            self.received.setdefault(declaration.id, {})[name] = source
            values[name] = msgspec.UNSET
        elif value is msgspec.UNSET:  # given, though not known now: so it is there for the kind
            values[name] = value
        else:
            self._accept(declaration, declaration.params, schema.params[name], value, values)

    def _taint(self, declaration: Declaration, name: str, value: Any) -> None:
        """Note that there are secrets in the `value` of a param."""
        self.tainted.setdefault(declaration.id, set()).add(name)
        for secret in secrets_in(value):
            self.secrets.learn(secret)

    def _unknown(
        self,
        declaration: Declaration,
        tree: Mapping[str, Any],
        name: str,
        what: str,
        known: Iterable[str],
    ) -> None:
        hint = f"{name} is a meta param, write it below meta:" if name in META else ""
        if tree is declaration.meta and name in BESIDE:
            hint = "write it beside meta:"
        hint = hint or suggest(name, known)
        message = f"unknown {what}; {hint}" if hint else f"unknown {what}"
        self._report(declaration, key_at(tree, name, declaration.at), message)

    def _accept(
        self,
        declaration: Declaration,
        tree: Mapping[str, Any],
        param: Param,
        value: Any,
        values: dict[str, Any],
        prefix: str = "",
    ) -> None:
        """Put into `values` what `param` makes of `value`, or report what is wrong with it."""
        if value is msgspec.UNSET:
            return
        at = value_at(tree, param.name, declaration.at)
        if param.secret:
            self.secrets.learn(value)
        if prefix and any(secrets_in(value)):
            rule = f"{prefix}{param.name} cannot have a secret, it is told how a resource is run"
            self._report(declaration, at, f"{rule}; take it from somewhere else")
            return
        if prefix and received(value):
            rule = f"{prefix}{param.name} cannot be received, it is needed before anything is sent"
            self._report(declaration, at, f"{rule}; write a value, or take it from vars or facts")
            return
        try:
            values[param.name] = param.accept(value)
        except msgspec.ValidationError:
            written = declaration.source.text[at : at + 4].lstrip("\"'")
            for fault in param.faults(value, computed=written.startswith("${{")):
                place = at if fault.at is None else fault.at
                self._report(declaration, place, f"{prefix}{fault}", hidden=param.secret)

    def _meta(self, declaration: Declaration) -> Meta:
        """Return the meta params of `declaration`; the usual ones if there is a problem."""
        written = declaration.meta
        key = (*written.items(), *map(type, written.values()))
        try:
            return self._metas[key]
        except KeyError:
            meta = self._metas[key] = self._new_meta(declaration, written)
            return meta
        except TypeError:  # there is a list in it
            return self._new_meta(declaration, written)

    def _new_meta(self, declaration: Declaration, written: Mapping[str, Any]) -> Meta:
        values: dict[str, Any] = {}
        before = len(self.problems)
        for name, value in written.items():
            if name in META:
                self._accept(declaration, written, META[name], value, values, "meta.")
            else:
                self._unknown(declaration, written, name, f"meta param {name!r}", META)
        if values.get("limit") and not values.get("burst"):
            rule = (
                f"meta.limit needs a meta.burst of 1 or more, not {values.get('burst', 0)}; add it"
            )
            self._report(declaration, value_at(written, "limit", declaration.at), rule)
        return Meta(**values) if len(self.problems) == before else DEFAULT

    def _refused(self, declaration: Declaration, schema: Schema, error: Exception) -> None:
        """Report that the kind itself refused the params of `declaration`."""
        if isinstance(error, ParamError):
            param = schema.params.get(error.param)
            at = value_at(declaration.params, error.param, declaration.at)
            self._report(declaration, at, str(error), hidden=param is not None and param.secret)
        elif isinstance(error, ValueError):
            self._report(declaration, declaration.at, str(error))
        else:
            self._report(declaration, declaration.at, self._blame(schema.kind, error))

    def _blame(self, kind: type[Resource], error: Exception) -> str:
        what = f"its params cannot be checked, {type(error).__name__}: {error}"
        return str(PluginError(self.plugins.blame(kind), what, "tell its author"))

    def _report_kind(self, declaration: Declaration) -> None:
        """Report that there is no such kind, or that it is broken; not of one that is not known yet."""
        if OPEN in declaration.kind:
            return
        message = self._missing[declaration.kind]
        self.problems.append(declaration.source.problem(declaration.at, message))

    def _report(
        self, declaration: Declaration, at: int, message: str, *, hidden: bool = False
    ) -> None:
        text = f"{shown(declaration.id)}: {message}"
        problem = declaration.source.problem(at, text, hidden=hidden)
        if problem.place not in self._reported:
            self.problems.append(problem)
