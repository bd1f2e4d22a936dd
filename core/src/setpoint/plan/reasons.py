"""Why something is declared as it is: the values of facts, as text without secrets."""

from collections.abc import Mapping
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


def _told(value: Any, secrets: Secrets) -> str | None:
    """Return `value` in a few words; None if it is not known."""
    if value is UNKNOWN:
        return None
    if isinstance(value, Secret) or secrets.are_in(value):
        return HIDDEN
    text = " ".join(as_text(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
