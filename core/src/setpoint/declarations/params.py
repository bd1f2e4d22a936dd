"""The params of a kind: their types, and what is written held against them.

Nearly all params are plain text, numbers and truth values: for those the type of the value is looked up in a set and
nothing is converted. The rest goes through msgspec, once per distinct scalar.
"""

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from setpoint.declarations.faults import Fault, faults
from setpoint.declarations.types import bounds, describe
from setpoint.declarations.written import plain
from setpoint.resource import RESERVED, Meta, Resource
from setpoint.values import Secret, revealed, secrets_in, takes_secrets

_SCALARS = frozenset({str, bool, int, float, NoneType})
_REMEMBERED = 1000  # distinct scalars of one param that are kept as they were converted


class Param:
    """One param: its type, and what is accepted for it.

    scalars: the Python types whose every value is accepted as it is.
    secret: whether its value must not be seen.
    """

    def __init__(self, name: str, type_: Any) -> None:
        self.name, self.type = name, type_
        self.secret = takes_secrets(type_)
        self.scalars = frozenset(_scalars(type_))
        self._accepted: dict[tuple[type, Any], Any] = {}

    def accept(self, value: Any) -> Any:
        """Return `value` as the param has it; a secret is a value like any other.

        Raises:
            msgspec.ValidationError: it is not of the param's type; `faults` says where.
                With a secret in it, the text of this error may have that too.

        """
        if type(value) not in _SCALARS:
            return convert(revealed(plain(value)), self.type)
        key = (type(value), value)
        if key not in self._accepted:
            if len(self._accepted) >= _REMEMBERED:
                self._accepted.clear()
            self._accepted[key] = convert(value, self.type)
        return self._accepted[key]

    def faults(self, value: Any, *, computed: bool = False) -> list[Fault]:
        """Return what is wrong with `value`, which was not accepted; never what a secret is.

        `computed` says that an expression gives it.
        """
        if any(secrets_in(value)):
            return [Fault(None, self.name, f"must be {describe(self.type)}, and the secret is not")]
        if self.secret:
            cure = "" if isinstance(value, str) else "; put it in quotes"
            return [Fault(None, self.name, f"must be {describe(self.type)}{cure}")]
        return list(faults(self.name, value, self.type, convert, computed=computed))


def _scalars(type_: Any) -> Iterator[type]:
    """Yield the scalar types of which every value is a `type_`."""
    if get_origin(type_) is Annotated:
        base, *notes = get_args(type_)
        if not any(isinstance(note, msgspec.Meta) and bounds(note) for note in notes):
            yield from _scalars(base)
    elif get_origin(type_) in (Union, UnionType):
        for member in get_args(type_):
            yield from _scalars(member)
    elif type_ in _SCALARS:
        yield type_


class Schema(NamedTuple):
    """A kind, as declarations are held against it.

    scalars: of each param, the Python types whose every value is accepted as it is.
    required: the params without a default.
    sends: what it sends, field to type.
    """

    kind: type[Resource]
    params: Mapping[str, Param]
    scalars: Mapping[str, frozenset[type]]
    required: frozenset[str]
    sends: Mapping[str, Any]

    def takes(self, values: Mapping[str, Any]) -> bool:
        """Whether all `values` are scalars that the params accept as they are; so are nearly all."""
        scalars = self.scalars
        for name, value in values.items():  # noqa: SIM110 - a generator takes three times as long
            if type(value) not in scalars.get(name, ()):
                return False
        return True

    @classmethod
    def of(cls, kind: type[Resource]) -> "Schema":
        """Return the schema of `kind`."""
        fields = [field for field in msgspec.structs.fields(kind) if field.name not in RESERVED]
        sends = msgspec.structs.fields(kind.Sends) if kind.Sends else ()
        params = {field.name: Param(field.name, field.type) for field in fields}
        return cls(
            kind,
            params,
            {name: param.scalars for name, param in params.items()},
            frozenset(field.name for field in fields if field.required),
            {field.name: field.type for field in sends},
        )


META = {field.name: Param(field.name, field.type) for field in msgspec.structs.fields(Meta)}


def convert(value: Any, type_: Any) -> Any:
    """Return `value` as a `type_`, strictly: no text for a number, no number for a text.

    Raises:
        msgspec.ValidationError: it is not one.

    """
    return msgspec.convert(value, type_, dec_hook=_decode, str_keys=True)


def _decode(type_: Any, value: Any) -> Any:
    """Return `value` as one of the types that msgspec does not know: a secret."""
    if get_origin(type_) is not Secret and type_ is not Secret:
        raise TypeError("no such value can be written in a graph")
    args = get_args(type_)
    return Secret(convert(value, args[0]) if args else value)
