"""Why something is declared as it is: the values of facts, as text without secrets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import Any

import msgspec

from setpoint.expressions import UNKNOWN
from setpoint.hiding import Secrets
from setpoint.plan.model import Reason
from setpoint.values import HIDDEN, Secret, as_text

LONGEST = 60  # characters of a value that are shown
SHOWN = 3  # values that are named as the cause of one change
Moved = tuple[str, Any, Any]  # a path, with the value before and now


def reasons(found: Mapping[str, tuple[Any, Any]], secrets: Secrets) -> tuple[Reason, ...]:
    """Return `found`, path to the value before and now, with each secret in it hidden."""
    return tuple(
        Reason(path, _told(now, secrets), None if before == now else _told(before, secrets))
        for path, (before, now) in found.items()
    )


def causes(
    ids: Iterable[str], because: Callable[[str], Mapping[str, tuple[Any, Any]]], secrets: Secrets
) -> dict[str, str]:
    """Return, for each of `ids`, which facts have it different now: "facts.load.x1 1.5 -> 5.2".

    If none of them has moved it is the time that has passed, and they are told as they are: "facts.load.x1 is 5.2".

    Args:
        ids: of what is different.
        because: returns for an id what its declaration follows from: path to the value before and now.
        secrets: what is hidden.

    """
    said = {}
    for id_ in ids:
        found = because(id_)
        moved = [part for path, pair in found.items() for part in _moved(path, *pair)]
        still = (f"{r.path} is {r.now or '(nothing)'}" for r in reasons(found, secrets))
        told = (_sentence(*one, secrets) for one in moved) if moved else still
        more = max(0, len(moved or found) - SHOWN)
        said[id_] = ", ".join(islice(told, SHOWN)) + (f" and {more:,} more" if more else "")
    return said


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
