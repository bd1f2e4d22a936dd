"""Sent values as the database keeps them: JSON, and of secrets only what recognizes them."""

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from setpoint.values import Secret


class Sent(NamedTuple):
    """The values that one resource sent last.

    clear: field to value, as they come out of JSON.
    hidden: field to salted hash, of those in which there is a secret.
    """

    clear: dict[str, Any]
    hidden: dict[str, str]

    def has(self, field: str, value: Any) -> bool:
        """Whether `value` is what `field` had."""
        text, is_secret = _as_json(value)
        if is_secret:
            kept = self.hidden.get(field, "")
            return kept == _hash(text, bytes.fromhex(kept.partition(":")[0]))
        return field in self.clear and bool(self.clear[field] == json.loads(text))


def as_row(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return `values` as two JSON texts: what may be read, and the hashes of what must not.

    The hash keeps a secret from being found, not from being guessed if it is short.

    Raises:
        TypeError: a value is not one that JSON has.

    """
    clear, hidden = {}, {}
    for field, value in values.items():
        text, is_secret = _as_json(value)
        if is_secret:
            hidden[field] = _hash(text, os.urandom(16))
        else:
            clear[field] = value
    return json.dumps(clear), json.dumps(hidden)


def from_row(clear: str, hidden: str) -> Sent:
    """Return what `as_row` made the two texts of, without the secrets."""
    return Sent(json.loads(clear), json.loads(hidden))


def _as_json(value: Any) -> tuple[str, bool]:
    """Return `value` as JSON with its secrets in it, and whether there were any, however deep."""
    secrets = []

    def reveal(found: Any) -> Any:
        if not isinstance(found, Secret):
            raise TypeError(f"a sent value must be one that JSON has, not a {type(found).__name__}")
        secrets.append(found)
        return found.reveal()

    return json.dumps(value, default=reveal), bool(secrets)


def _hash(text: str, salt: bytes) -> str:
    return f"{salt.hex()}:{blake2b(text.encode(), key=salt, digest_size=32).hexdigest()}"
