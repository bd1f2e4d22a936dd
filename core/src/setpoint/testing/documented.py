"""What a docstring has to say: `name: meaning` for each param, no more, and what is sent."""

import inspect
import re
from collections.abc import Iterable, Iterator

import msgspec

from setpoint.cli.doc import structs_in
from setpoint.declarations.docstrings import described
from setpoint.resource import Fact, Resource, params
from setpoint.values import Values


def faults_of_params(kind: type[Resource] | type[Fact], *others: str) -> Iterator[str]:
    """Yield what is wrong with what the docstring of `kind` says of its params.

    Args:
        kind: what is documented.
        others: what it may explain beside them.

    """
    entries = entries_of(kind)
    wanted = ("name", *params(kind))
    yield from _missing(kind, wanted, entries)
    yield from (
        f"{kind.__name__} has no param {name!r}, but its docstring explains one; take it out"
        for name in entries
        if name not in (*wanted, *others) and name[0].islower()  # "Source: " is none
    )


def faults_of_sends(kind: type[Resource]) -> Iterator[str]:
    """Yield what is wrong with what the docstring of `kind` says that it sends."""
    said = entries_of(kind).get("Sends", "")
    if kind.Sends is None:
        if said:
            yield f"{kind.__name__} sends nothing, but its docstring says it does; take that out"
        return
    named = set(re.findall(r"`(\w+)`", said))
    for field in fields(kind.Sends):
        if field not in named:
            yield f"{kind.__name__} sends {field!r}; add it to a paragraph `Sends ...`, in backticks"


def faults_of_value(fact: type[Fact]) -> Iterator[str]:
    """Yield which fields of what `fact` yields are explained neither by it nor by a class that has them."""
    for value in structs_in(fact.Value):
        explaining = (fact, *(base for base in value.__mro__ if issubclass(base, Values)))
        said = {name: text for one in explaining for name, text in entries_of(one).items()}
        yield from _missing(value, fields(value), said)


def entries_of(documented: type) -> dict[str, str]:
    """Return what the docstring of a class says, by name."""
    return described(inspect.getdoc(documented) or "")[1]


def fields(values: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of the fields of `values`."""
    return values.__struct_fields__


def _missing(documented: type, wanted: Iterable[str], entries: dict[str, str]) -> Iterator[str]:
    for name in wanted:
        if not entries.get(name, "").strip():
            yield f"{documented.__name__} does not explain {name!r}; add a line `{name}: what it means`"
