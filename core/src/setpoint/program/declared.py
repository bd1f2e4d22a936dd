"""A resource as a program declares it, and what it sends."""

from typing import Any, ClassVar

from setpoint.program.blocks import block
from setpoint.program.marks import is_live
from setpoint.program.terms import ATOM, Expression, written

_AROUND = {"when": "when", "for_each": "each"}  # what stands around a resource in a program


class Declared:
    """A resource that is declared where this is called; each subclass stands for a kind.

    Args:
        name: what tells it from others of its kind: text, also with expressions in it.
        given: params, `meta`, and edges as `require`, `before`, `notify` and `listen`.

    id: kind and name.

    """

    kind: ClassVar[str]

    def __init__(self, name: str | Expression[str], **given: Any) -> None:
        if not isinstance(name, (str, Expression)):
            raise TypeError(f"the name of a resource is text, not {name!r}; put it in quotes")
        for word in _AROUND.keys() & given.keys():
            what = f"{word!r} is no argument of a resource"
            raise TypeError(f"{what}; write `with {_AROUND[word]}(...):` around it")
        self.id = f"{self.kind} {name}"
        block().writing.declare(self.id, given)

    @property
    def send(self) -> Any:
        """What it sends: each field is an expression.

        Raises:
            TypeError: its name has expressions in it.

        """
        if is_live(self.id):
            what = "a resource that sends has a name that is known now"
            raise TypeError(f"{what}, not one with an expression in it; write it out")
        return Sent(self.id)

    def __repr__(self) -> str:
        return f"<{self.id}>"


class Sent:
    """What a resource sends."""

    def __init__(self, id_: str) -> None:
        self._id = id_

    def __getattr__(self, field: str) -> Expression[Any]:
        if field.startswith("_"):
            raise AttributeError(f"{self._id} sends no {field!r}")
        return Expression(f"send[{written(self._id)}].{field}", ATOM)


def class_of(kind: str) -> type[Declared]:
    """Return the class that stands for the kind of that name."""
    return type(class_name(kind), (Declared,), {"kind": kind, "__module__": "setpoint.kinds"})


def class_name(kind: str) -> str:
    """Return what the class is called that stands for `kind`: "ssh:authorized_key" is SshAuthorizedKey."""
    words = kind.replace(":", "_").replace("-", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)
