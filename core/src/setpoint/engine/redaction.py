"""Keeps secrets out of what people and programs get to see."""

from functools import cache
from typing import Any

import msgspec

from setpoint.resource import Resource
from setpoint.values import HIDDEN, Change, Secret, takes_secrets

NOTHING: frozenset[str] = frozenset()

SHORTEST = 4  # a shorter secret is not looked for within text: it would hide half of every message


class Redaction:
    """Knows the secrets that have passed through an engine, and takes them out of text."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def learn(self, value: Any) -> None:
        """Remember the secret `value`: text, or what is text when it is printed."""
        if isinstance(value, Secret):
            value = value.reveal()
        for line in (str(value), *str(value).splitlines()):
            if len(line) >= SHORTEST:
                self._secrets.add(line)

    def text(self, text: str) -> str:
        """Return `text` with each secret in it replaced."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def declare(self, resource: Resource) -> None:
        """Remember the secrets that are declared for `resource`."""
        for param in secret_params(type(resource)):
            value = getattr(resource, param)
            if isinstance(value, Secret):
                self.taint(resource, param, value)

    def taint(self, resource: Resource, param: str, value: Any) -> None:
        """Remember that `param` of `resource` has the secret `value`, and hide what it differs in."""
        self.learn(value)
        memory = resource.memory
        memory["tainted"] = memory.get("tainted", NOTHING) | {param}

    def changes(self, resource: Resource, changes: list[Change]) -> tuple[Change, ...]:
        """Return `changes` of `resource` with every secret in them hidden."""
        tainted = resource.memory.get("tainted", NOTHING)
        if not (tainted or self._secrets or _have_secrets(changes)):
            return tuple(changes)
        return tuple(self._change(change, tainted) for change in changes)

    def _change(self, change: Change, tainted: frozenset[str]) -> Change:
        if change.attribute in tainted:
            before = None if change.before is None else HIDDEN
            return Change(change.attribute, before, None if change.after is None else HIDDEN)
        return Change(change.attribute, self._value(change.before), self._value(change.after))

    def _value(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return HIDDEN
        return self.text(value) if isinstance(value, str) else value


def _have_secrets(changes: list[Change]) -> bool:
    for change in changes:  # noqa: SIM110 - a generator takes twice as long
        if isinstance(change.before, Secret) or isinstance(change.after, Secret):
            return True
    return False


@cache
def secret_params(kind: type[Resource]) -> tuple[str, ...]:
    """Return the params of `kind` that are declared as secret."""
    fields = msgspec.structs.fields(kind)
    return tuple(field.name for field in fields if takes_secrets(field.type))
