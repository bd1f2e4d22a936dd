"""Secrets taken out of text that somebody is to see."""

from collections.abc import Iterable, Iterator
from typing import Any

from setpoint.values import HIDDEN, Secret

SHORTEST = 4  # a shorter secret is not looked for within text: it would hide half of every message


class Secrets:
    """Secrets that are known, so that they can be taken out of text.

    has_short: whether one of them is too short to be looked for.
    """

    def __init__(self) -> None:
        self.has_short = False
        self._forms: dict[str, None] = {}  # what is looked for, the longest first

    def learn(self, value: Any) -> None:
        """Remember `value`, a secret or what is in one: text, or what is text when it is printed.

        Its lines are remembered too, without spaces at their ends, and how `repr` writes each;
        nothing shorter than `SHORTEST`, and neither true, false nor None, which say nothing.
        """
        lines = {line.strip() for text in _texts(value) for line in (text, *text.splitlines())}
        self.has_short |= any(0 < len(text.strip()) < SHORTEST for text in _texts(value))
        forms = lines | {repr(line)[1:-1] for line in lines}
        self._add(form for form in forms if len(form) >= SHORTEST)

    def join(self, others: "Secrets") -> None:
        """Remember all that `others` do."""
        self.has_short |= others.has_short
        self._add(others._forms)

    def _add(self, forms: Iterable[str]) -> None:
        new = [form for form in forms if form not in self._forms]
        if new:
            known = sorted((*self._forms, *new), key=len, reverse=True)
            self._forms = dict.fromkeys(known)  # at once: other threads look through it

    def text(self, text: str) -> str:
        """Return `text` with each secret in it replaced."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def are_in(self, value: Any) -> bool:
        """Whether one of them is in `value`, or in what is shown of it."""
        if not self._forms or value is None or isinstance(value, bool):
            return False
        try:
            shown = (
                f"{value.decode(errors='replace') if isinstance(value, bytes) else value}{value!r}"
            )
        except Exception:  # a value of a plugin may be as broken as the plugin
            return False
        return self.text(shown) != shown


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in `value`, what a secret has, that must not be seen."""
    if isinstance(value, Secret):
        for part in value.parts or (value.reveal(),):
            yield from _texts(part)
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
