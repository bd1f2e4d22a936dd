"""What travels: differences that a check found, values from one resource to another, secrets."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, dataclass_transform, get_args, get_origin

import msgspec

from setpoint.errors import SetpointError

T = TypeVar("T")
HIDDEN = "(secret)"


class Change(msgspec.Struct, frozen=True, gc=False):
    """One difference between what is and what is declared.

    attribute: the param that differs, or a word for what the param stands for ("content").
    before: as found; None if it is not there.
    after: as declared; None if it is to go away.
    """

    attribute: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.attribute}: {self.before!r} -> {self.after!r}"


class Secret(Generic[T]):
    """A value that must not be seen: it shows itself as "(secret)" wherever it is printed.

    Only `reveal` gives the value; what it returns is the caller's to keep out of messages.

    Args:
        value: any.
        parts: what in it must not be seen, if it is a text of which the rest may be; else all of it.

    """

    __slots__ = ("_value", "parts")

    def __init__(self, value: T, parts: "tuple[Secret[Any], ...]" = ()) -> None:
        self._value = value
        self.parts = parts

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret is not written out with pickle")


class _Named(msgspec.StructMeta):
    """Makes each subclass frozen, with fields that are given by name."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> type:
        return super().__new__(
            mcs, name, bases, namespace, **{"kw_only": True, "frozen": True, **options}
        )


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Values(msgspec.Struct, metaclass=_Named, frozen=True, kw_only=True):
    """What a kind sends, or a fact tells: one typed field for each value, in any order."""


class Received:
    """A value that other resources send, or that is made of what they do: known only once they have run.

    refs: what it takes from them.
    known: what of it is known already, at any depth of lists and maps.
    """

    __slots__ = ()

    @property
    def refs(self) -> "tuple[Ref, ...]":
        """What it takes from other resources."""
        raise NotImplementedError

    @property
    def known(self) -> Any:
        """What of it is known already."""
        return ()

    def resolve(self, value_of: "Callable[[Ref], Any]") -> Any:
        """Return the value, a Secret if one is in it.

        Raises:
            SetpointError: there is none, with what is received now.

        """
        raise NotImplementedError


class Ref(NamedTuple("Ref", [("sender", str), ("field", str)]), Received):
    """What the resource `sender` ("password db") sends as `field`."""

    __slots__ = ()

    @property
    def refs(self) -> "tuple[Ref, ...]":
        """Itself."""
        return (self,)

    def resolve(self, value_of: "Callable[[Ref], Any]") -> Any:
        """Return the value that is sent."""
        return value_of(self)

    def __str__(self) -> str:
        quote = "'" if '"' in self.sender else '"'
        return f"send[{quote}{self.sender}{quote}].{self.field}"


class Text(NamedTuple("Text", [("parts", "tuple[str | Received | Secret[Any], ...]")]), Received):
    """Text with `parts` that are received, or secret, among those of type `str`, in order."""

    __slots__ = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The references in it."""
        return tuple(ref for part in self.parts if isinstance(part, Received) for ref in part.refs)

    @property
    def known(self) -> Any:
        """The parts that are known already, and what is of the others."""
        return [part.known if isinstance(part, Received) else part for part in self.parts]

    def resolve(self, value_of: Callable[[Ref], Any]) -> Any:
        """Return the text with all that is received; a Secret if something in it is."""
        found = [
            _part(part, part.resolve(value_of)) if isinstance(part, Received) else part
            for part in self.parts
        ]
        return joined(found)


class Nested(NamedTuple("Nested", [("value", Any)]), Received):
    """A list or a map, `value`, with something in it that is received, at any depth."""

    __slots__ = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        """What is received in it."""
        return tuple(refs_in(self.value))

    @property
    def known(self) -> Any:
        """The list or map."""
        return self.value

    def resolve(self, value_of: Callable[[Ref], Any]) -> Any:
        """Return the list or map with all that is received; secrets in it stay some."""
        return resolved(self.value, value_of)

    def __str__(self) -> str:
        return _written(self.value)


def received(value: Any) -> Received | None:
    """Return `value` as something that is received, if it is that or has some in it; None if not."""
    if isinstance(value, (dict, list)):
        return Nested(value) if any(True for _ in refs_in(value)) else None
    return value if isinstance(value, Received) and value.refs else None


def refs_in(value: Any) -> Iterator[Ref]:
    """Yield what is received in `value`, at any depth of lists and maps."""
    if isinstance(value, Received):
        yield from value.refs
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from refs_in(inner)


def resolved(value: Any, value_of: Callable[[Ref], Any]) -> Any:
    """Return `value` with all that is received in it, at any depth of lists and maps.

    Raises:
        SetpointError: something of it has no value, with what is received now.

    """
    if isinstance(value, Received):
        return value.resolve(value_of)
    if isinstance(value, dict):
        return {key: resolved(inner, value_of) for key, inner in value.items()}
    return [resolved(inner, value_of) for inner in value] if isinstance(value, list) else value


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(inner)}' for key, inner in value.items())}}}"
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, list) else str(value)


def _part(source: Received, value: Any) -> Any:
    if isinstance(reveal(value), (list, tuple, Mapping, msgspec.Struct)):
        cure = 'write json(...), or ", ".join(...) of its items'
        raise SetpointError(f"{source} is a list or a map, and no part of a text; {cure}")
    return value


def reveal(value: Any) -> Any:
    """Return what is in `value` if it is a Secret, else `value`."""
    return value.reveal() if isinstance(value, Secret) else value


def secrets_in(value: Any) -> Iterator[Secret[Any]]:
    """Yield the secrets in `value`: itself, or those in lists, maps, structs and texts."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Received):
        yield from secrets_in(value.known)
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from secrets_in(inner)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name))


def revealed(value: Any) -> Any:
    """Return `value` with every secret in it replaced by what is in it, in lists and maps too."""
    if isinstance(value, Text):
        return "".join(as_text(reveal(part)) for part in value.parts)
    if isinstance(value, dict):
        return {key: revealed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [revealed(inner) for inner in value]
    return reveal(value)


def joined(parts: Sequence[Any]) -> str | Secret[str]:
    """Return the text of `parts` behind each other; a Secret if one of them is, of which the rest may be seen."""
    secrets = tuple(part for part in parts if isinstance(part, Secret))
    text = "".join(as_text(reveal(part)) for part in parts)
    return Secret(text, secrets) if secrets else text


def takes_secrets(wanted: Any) -> bool:
    """Whether a param of the type `wanted` may hold a Secret itself."""
    alternatives = (wanted, *get_args(wanted))
    return any(one is Secret or get_origin(one) is Secret for one in alternatives)


def as_text(value: Any) -> str:
    """Return `value` as it stands within text: true and false in lower case, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
