"""Keeps secrets out of what people and programs get to see."""

from typing import Any

from setpoint.values import HIDDEN, Change, Secret

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

    def changes(self, changes: list[Change], tainted: frozenset[str]) -> tuple[Change, ...]:
        """Return `changes` with the values of `tainted` attributes, and every known secret, hidden."""
        return tuple(self._change(change, tainted) for change in changes)

    def _change(self, change: Change, tainted: frozenset[str]) -> Change:
        if change.attribute in tainted:
            before = None if change.before is None else HIDDEN
            return Change(change.attribute, before, None if change.after is None else HIDDEN)
        if not self._secrets:
            return change
        return Change(change.attribute, self._value(change.before), self._value(change.after))

    def _value(self, value: Any) -> Any:
        return self.text(value) if isinstance(value, str) else value
