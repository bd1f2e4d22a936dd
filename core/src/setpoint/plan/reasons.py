"""Why something is declared as it is: the values of facts, as text without secrets."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from setpoint.expressions import UNKNOWN
from setpoint.hiding import Secrets
from setpoint.plan.model import Reason
from setpoint.values import HIDDEN, Secret, as_text

LONGEST = 60  # characters of a value that are shown


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

    Args:
        ids: of what is different.
        because: returns for an id what its declaration follows from: path to the value before and now.
        secrets: what is hidden.

    """
    said = {}
    for id_ in ids:
        moved = [one for one in reasons(because(id_), secrets) if one.before is not None]
        said[id_] = ", ".join(f"{r.path} {r.before or '(nothing)'} -> {_now(r.now)}" for r in moved)
    return said


def _now(value: str | None) -> str:
    return "(not known)" if value is None else value or "(nothing)"


def _told(value: Any, secrets: Secrets) -> str | None:
    """Return `value` in a few words; None if it is not known."""
    if value is UNKNOWN:
        return None
    if isinstance(value, Secret) or secrets.are_in(value):
        return HIDDEN
    text = " ".join(as_text(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
