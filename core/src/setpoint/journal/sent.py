"""Sent values as the database keeps them: JSON, without those in which there is a secret."""

import json
from collections.abc import Mapping
from typing import Any

from setpoint.values import Secret


def as_json(values: Mapping[str, Any]) -> str:
    """Return `values` as JSON; a field with a secret in it, however deep, is left out.

    Raises:
        TypeError: a value is not one that JSON has.

    """
    clear = {field: value for field, value in values.items() if not _is_secret(value)}
    return json.dumps(clear, default=_refuse)


def _is_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_secret, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_secret, value))
    return isinstance(value, Secret)


def _refuse(value: Any) -> None:
    raise TypeError(f"a sent value must be one that JSON has, not a {type(value).__name__}")


def from_json(text: str) -> dict[str, Any]:
    """Return the values that `as_json` made `text` of, without the secrets."""
    values: dict[str, Any] = json.loads(text)
    return values
