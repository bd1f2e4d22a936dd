"""Why something is declared as it is: the values of facts, as text without secrets."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.expressions import UNKNOWN
from setpoint.hiding import Secrets
from setpoint.plan.model import Reason
from setpoint.values import HIDDEN, Secret, as_text

if TYPE_CHECKING:
    from setpoint.comparing import Comparison
    from setpoint.graph import Graph
    from setpoint.graphfile.causes import Read

LONGEST = 60  # characters of a value that are shown
SHOWN = 3  # values that are named as the cause of one change
Moved = tuple[str, Any, Any]  # a path, with the value before and now


def reasons(found: "Mapping[str, Read]", secrets: Secrets) -> tuple[Reason, ...]:
    """Return `found`, path to the value before and now, with each secret in it hidden."""
    return tuple(
        Reason(path, _told(now, secrets), None if before == now else _told(before, secrets))
        for path, (before, now, _) in found.items()
    )


def causes(
    found: "Comparison", because: "Callable[[str], Mapping[str, Read]]", graph: "Graph"
) -> dict[str, str]:
    """Return, for each id in `found`, which facts have it different now: "facts.load.x1 1.5 -> 5.2".

    What is looked up in them is told first. If none has moved, what comes has waited for what it comes after, and has
    the cause of that. Else it is the time that has passed, and they are told as they are: "facts.load.x1 is 5.2".

    Args:
        found: what is different.
        because: returns for an id what its declaration follows from, by path.
        graph: the one that is new.

    """
    read = {id_: because(id_) for id_ in found.ids}
    said = {id_: _change(one, graph.secrets) for id_, one in read.items()}
    _pass_on(said, {id_ for id_ in found.comes if not said[id_]}, graph)
    return {id_: cause or _state(read[id_], graph.secrets) for id_, cause in said.items()}


def _pass_on(said: dict[str, str], without: set[str], graph: "Graph") -> None:
    """Let each of those `without` a cause have that of what it comes after, the nearest that has one."""
    after: dict[str, list[str]] = {}
    for first, then in graph.edges if without else ():
        if then in without and first in said:
            after.setdefault(first, []).append(then)
    reached = [id_ for id_, cause in said.items() if cause]
    for id_ in reached:  # grows while it is walked
        for then in after.get(id_, ()):
            if not said[then]:
                said[then] = said[id_]
                reached.append(then)


def _change(found: "Mapping[str, Read]", secrets: Secrets) -> str:
    """Return what has moved, of that first what is looked up; "" if nothing has."""
    moved = [
        (_name(part[0]) not in one.fields, part)
        for path, one in found.items()
        for part in _moved(path, one.before, one.now)
    ]
    moved.sort(key=itemgetter(0))
    return _some((_sentence(*part, secrets) for _, part in moved), len(moved))


def _state(found: "Mapping[str, Read]", secrets: Secrets) -> str:
    still = (f"{one.path} is {one.now or '(nothing)'}" for one in reasons(found, secrets))
    return _some(still, len(found))


def _some(told: Iterator[str], count: int) -> str:
    more = max(0, count - SHOWN)
    return ", ".join(islice(told, SHOWN)) + (f" and {more:,} more" if more else "")


def _name(path: str) -> str:
    """Return the last key of `path`: "used" of "facts.disks[0].used"."""
    return path.rpartition(".")[2].partition("[")[0]


def _moved(path: str, before: Any, now: Any) -> Iterator[Moved]:
    """Yield what differs between two values: of maps, and of lists of one length, what does in them."""
    if before is now or before == now:
        return
    old, new = _items(before), _items(now)
    if old is None or new is None or (isinstance(now, list) and len(old) != len(new)):
        yield path, before, now
        return
    for key in dict.fromkeys((*old, *new)):
        inner = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
        yield from _moved(inner, old.get(key), new.get(key))


def _items(value: Any) -> dict[Any, Any] | None:
    """Return what is in a map or a list by key or number; None if `value` is neither."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, list):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else None


def _sentence(path: str, before: Any, now: Any, secrets: Secrets) -> str:
    old, new = _told(before, secrets), _told(now, secrets)
    if old == new == HIDDEN:
        return f"{path} changed"
    if old == new and isinstance(before, str) and isinstance(now, str):
        same = takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False))
        at = max(0, sum(1 for _ in same) - LONGEST // 4)  # behind what is shown of them
        old, new = (_told(text[at:], secrets) for text in (before, now))
    first, then = ("(not known)" if one is None else one or "(nothing)" for one in (old, new))
    return f"{path} {first} -> {then}"


def _told(value: Any, secrets: Secrets) -> str | None:
    """Return `value` in a few words; None if it is not known."""
    if value is UNKNOWN:
        return None
    if isinstance(value, Secret) or secrets.are_in(value):
        return HIDDEN
    inner = _items(value)
    if inner is not None:
        plain = msgspec.json.encode(value, enc_hook=str, order="sorted").decode()
        count = f"{len(inner):,} item{'' if len(inner) == 1 else 's'}"
        return plain if len(plain) <= LONGEST else count
    text = " ".join(as_text(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
