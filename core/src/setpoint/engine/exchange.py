"""Values along edges: what resources sent, and what receivers make of it."""

from functools import cache
from typing import Any

import msgspec

from setpoint.declarations.params import convert
from setpoint.engine.vertices import Vertices
from setpoint.errors import SetpointError
from setpoint.resource import Resource
from setpoint.values import Received, Ref, revealed, secrets_in, takes_secrets


class NoValueError(Exception):
    """A value that a resource is to receive does not exist yet; holds where it is to come from."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(f"{ref} has no value yet")
        self.ref = ref


class BadValueError(SetpointError):
    """A value came that the receiving param cannot have."""

    def __init__(self, param: str, source: Received, why: str) -> None:
        super().__init__(f"{param} cannot take what it receives from {source}: {why}")


class Exchange:
    """What each sender sent last, by its id and field."""

    def __init__(self, vertices: Vertices) -> None:
        self._vertices = vertices
        self._sent: dict[str, dict[str, Any]] = {}

    def restore(self, sent: dict[str, dict[str, Any]]) -> None:
        """Take over what was sent before this process began."""
        self._sent = {key: dict(values) for key, values in sent.items()}

    def deliver(self, key: str, new: dict[str, Any]) -> set[str]:
        """Keep what the resource `key` sends now, by field; return the fields that differ."""
        old = self._sent.get(key, {})
        self._sent[key] = new
        return {name for name, value in new.items() if name not in old or old[name] != value}

    def values_of(self, key: str) -> dict[str, Any] | None:
        """Return what the resource `key` sent last, by field; None if it never did."""
        return self._sent.get(key)

    def forget(self, key: str) -> None:
        """Forget what the resource `key` sent."""
        self._sent.pop(key, None)

    def readers(self, v: int, key: str, fields: set[str]) -> list[int]:
        """Return the vertices that receive one of `fields` from `v`, whose id is `key`."""
        changed = {Ref(key, field) for field in fields}
        found = []
        for receiver in self._vertices.senders.get(v, ()):
            for wanted in self._vertices.receives[receiver].values():
                if not changed.isdisjoint(wanted.refs):
                    found.append(receiver)
                    break
        return found

    def incoming(self, v: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the params of `v` that are to change, with their values; and what those received that have secrets.

        Raises:
            NoValueError: a sender has not sent yet.
            BadValueError: a value does not fit its param.
            SetpointError: there is no value with what was sent.

        """
        resource = self._vertices.resource[v]
        types = _types(type(resource))
        changed, secret = {}, {}
        for param, source in self._vertices.receives[v].items():
            value = source.resolve(self._value)
            if any(secrets_in(value)):
                secret[param] = value
            value = fitting(param, source, value, types[param])
            if getattr(resource, param) != value:
                changed[param] = value
        return changed, secret

    def _value(self, ref: Ref) -> Any:
        try:
            return self._sent[ref.sender][ref.field]
        except KeyError:
            raise NoValueError(ref) from None


def fitting(param: str, source: Received, value: Any, wanted: Any) -> Any:
    """Return `value` as the type `wanted` of `param`: secrets stay some only where they may.

    Raises:
        BadValueError: it does not fit.

    """
    try:
        return convert(revealed(value), wanted)
    except msgspec.ValidationError as error:
        hidden = takes_secrets(wanted) or any(secrets_in(value))
        raise BadValueError(param, source, "wrong type" if hidden else str(error)) from None


@cache
def _types(kind: type[Resource]) -> dict[str, Any]:
    """Return the types of the params of `kind`, with their constraints."""
    return {field.name: field.type for field in msgspec.structs.fields(kind)}
