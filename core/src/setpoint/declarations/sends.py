"""What resources receive from each other, checked before anything runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from setpoint.declarations.instances import Instances
from setpoint.declarations.links import Names
from setpoint.declarations.model import MODULE, Declaration, shown
from setpoint.declarations.types import describe, fits
from setpoint.declarations.written import value_at
from setpoint.errors import suggest
from setpoint.graph import Edge
from setpoint.values import Received, Ref, Secret, Text, takes_secrets

SCALARS = str | float | bool | None  # what can stand within text
FAR = 400  # characters behind the begin of a value in which an expression of it is looked for


class Sends:
    """The values that travel in one graph: who sends what, and whether it fits.

    Args:
        declared: the declarations by id.
        names: their ids, to be looked up.
        instances: knows the schemas of the kinds.
        waiting: where to put the ids of those whose sender is not there now, but may be at another time.

    """

    def __init__(
        self,
        declared: Mapping[str, Declaration],
        names: Names,
        instances: Instances,
        waiting: set[str],
    ) -> None:
        self.declared, self.names, self.instances = declared, names, instances
        self.waiting = waiting

    def edges(self, receiver: Declaration, received: Mapping[str, Received]) -> Iterator[Edge]:
        """Yield the edges to `receiver` from those that send to it; reports what cannot be sent."""
        for param, value in received.items():
            refs = value.refs
            if any(r.sender not in self.declared and self.names.may_be(r.sender) for r in refs):
                self.waiting.add(receiver.id)
                continue
            rules = [self._rule(receiver, ref) for ref in refs]
            for ref, rule in zip(refs, rules, strict=True):
                if rule:
                    self._report(receiver, param, ref, rule)
                elif ref.sender in self.declared and ref.sender != receiver.id:
                    yield Edge(ref.sender, receiver.id, None, "send")
            if not any(rules):
                self._check_type(receiver, param, value)

    def _rule(self, receiver: Declaration, ref: Ref) -> str:
        """Return why `ref` cannot be received, empty if it can as far as is known."""
        if ref.sender == receiver.id:
            return "cannot receive from itself"
        if ref.sender.startswith(MODULE):
            return "cannot be received, a module sends nothing; name one of its resources"
        if ref.sender not in self.declared:
            return f"cannot be received, {self.names.missing(ref.sender)}"
        schema = self.instances.schema(self.declared[ref.sender].kind)
        if schema is None or ref.field in schema.sends:
            return ""
        if not schema.sends:
            return f"cannot be received, {shown(ref.sender)} sends nothing"
        hint = suggest(ref.field, schema.sends)
        rule = f"cannot be received, {shown(ref.sender)} sends no {ref.field!r}"
        return f"{rule}; {hint}" if hint else rule

    def _check_type(self, receiver: Declaration, param: str, value: Received) -> None:
        """Report if what arrives can never be a value of the param."""
        schema = self.instances.schema(receiver.kind)
        if schema is None or param not in schema.params:
            return
        wanted = schema.params[param].type
        if isinstance(value, Ref):
            sent = self._type(value)
            if not fits(sent, wanted):
                rule = f"must be {_described(wanted)}, but {shown(value.sender)} sends"
                self._report(receiver, param, value, f"{rule} {value.field} as {_described(sent)}")
            return
        if not isinstance(value, Text):
            return  # what an expression makes of it is known when it arrives
        types = {ref: self._type(ref) for ref in value.parts if isinstance(ref, Ref)}
        for ref, sent in types.items():
            if takes_secrets(sent) and not fits(sent, str):
                rule = f"cannot have {_described(sent)} within text; receive {ref.field} alone"
                self._report(receiver, param, ref, rule)
            elif not fits(sent, SCALARS):
                cure = 'write json(...), or ", ".join(...) of its items'
                self._report(
                    receiver, param, ref, f"cannot have {_described(sent)} within text; {cure}"
                )
        text = Secret[str] if any(map(takes_secrets, types.values())) else str
        if not fits(text, wanted):
            rule = f"must be {_described(wanted)}, not text with values in it"
            self._report(receiver, param, value.refs[0], rule)

    def _type(self, ref: Ref) -> Any:
        """Return the type of what `ref` stands for, anything if the kind of the sender is broken."""
        schema = self.instances.schema(self.declared[ref.sender].kind)
        return schema.sends[ref.field] if schema else Any

    def _report(self, receiver: Declaration, param: str, ref: Ref, rule: str) -> None:
        at = value_at(receiver.params, param, receiver.at)
        written = [f"send[{quote}{ref.sender}{quote}].{ref.field}" for quote in ('"', "'", '\\"')]
        written.append(f"send.{ref.sender}.{ref.field}")
        places = (receiver.source.locate(at, expression, FAR) for expression in written)
        found = next((place for place in places if place != at), at)
        message = f"{shown(receiver.id)}: {param} {rule}"
        self.instances.problems.append(receiver.source.problem(found, message))


def _described(type_: Any) -> str:
    return f"a secret, {describe(type_)}" if takes_secrets(type_) else describe(type_)
