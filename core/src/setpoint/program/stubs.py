"""What type checkers and editors are told of the kinds that are installed: a stub of `setpoint.kinds`."""

import inspect
import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from setpoint.declarations.types import members
from setpoint.program.declared import class_name
from setpoint.resource import RESERVED, Resource
from setpoint.values import Secret, takes_secrets

_HEAD = '''\
"""The kinds that are installed, as `setpoint stubs` has found them; write it anew when that changes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from setpoint.program.declared import Declared
from setpoint.program.hints import Given, Hidden, Listeners, MetaParams, Name, References
from setpoint.program.terms import Expression
from setpoint.values import Secret
'''
_EDGES = {
    "require": "References",
    "before": "References",
    "notify": "Listeners",
    "listen": "Listeners",
    "meta": "MetaParams",
}  # what every resource may have
_PLAIN: dict[Any, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "str | bytes",
    type(None): "None",
}


def stub(kinds: Mapping[str, type[Resource]]) -> str:
    """Return the text of `kinds.pyi` for `kinds`, by name."""
    classes = ("\n".join(_class(name, kind)) for name, kind in sorted(kinds.items()))
    return "\n\n".join([_HEAD.rstrip(), *classes]) + "\n"


def _class(name: str, kind: type[Resource]) -> Iterator[str]:
    """Yield the lines of the class that stands for `kind`."""
    yield f"\nclass {class_name(name)}(Declared):"
    yield from _indented(_quoted(inspect.getdoc(kind) or ""), 1)
    yield from ("", "    class Sends:", *_indented(_sent(kind), 2), "")
    yield from (
        "    def __init__(",
        "        self,",
        "        name: Name,",
        "        /,",
        "        *,",
    )
    yield from _indented(_arguments(kind), 2)
    yield from ("    ) -> None: ...", "    @property", "    def send(self) -> Sends: ...")


def _sent(kind: type[Resource]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind.Sends) if kind.Sends else ():
        yield "@property"
        yield f"def {field.name}(self) -> Expression[{_type(field.type)}]: ..."
    if not kind.Sends:
        yield "pass"


def _arguments(kind: type[Resource]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if field.name not in RESERVED and not keyword.iskeyword(field.name):
            default = "" if field.required else f" = {_default(field.default)}"
            yield f"{field.name}: {_param(field.type)}{default},"
    for word, type_ in _EDGES.items():
        yield f"{word}: {type_} = ...,"


def _default(value: Any) -> str:
    return repr(value) if isinstance(value, (bool, int, float, str)) else "..."


def _param(type_: Any) -> str:
    """Return what a program may give to a param of that type."""
    return " | ".join(dict.fromkeys(map(_given, members(type_))))


def _given(type_: Any) -> str:
    written = _one(type_, is_given=True)
    if type_ is type(None):
        return written
    return f"{'Hidden' if takes_secrets(type_) else 'Given'}[{written}]"


def _type(type_: Any, *, is_given: bool = False) -> str:
    """Return `type_` as it is written; what is given may be looser than what is sent."""
    written = (_one(member, is_given=is_given) for member in members(type_))
    return " | ".join(dict.fromkeys(written)) or "None"


def _one(type_: Any, *, is_given: bool) -> str:
    origin, args = get_origin(type_) or type_, get_args(type_)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is Secret:
        inner = _type(args[0] if args else Any, is_given=is_given)
        return inner if is_given else f"Secret[{inner}]"
    if origin in (list, tuple, set, frozenset):
        return f"Sequence[{_inner(args[0] if args else Any, is_given)}]"
    if origin is dict:
        key, value = args or (str, Any)
        return f"Mapping[{_type(key)}, {_inner(value, is_given)}]"
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return "Mapping[str, Any]" if is_given else "Any"
    return _PLAIN.get(origin, "Any")


def _inner(type_: Any, is_given: bool) -> str:
    return _param(type_) if is_given else _type(type_)


def _quoted(text: str) -> list[str]:
    """Return a docstring of `text`, in lines."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    first, *rest = escaped.splitlines() or [""]
    if not rest:
        return [f'"""{first}"""']
    return [f'"""{first}', *rest, '"""']


def _indented(lines: Iterable[str], depth: int) -> Iterator[str]:
    for line in lines:
        yield "    " * depth + line if line else ""
