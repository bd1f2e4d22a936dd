"""The edges of a graph file: beside a resource, and as arrows in a list of their own."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from setpoint.declarations import MODULE, Link, Map, Seq, shown
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.graph import Policy
from setpoint.graphfile.cells import Context
from setpoint.graphfile.ids import barred

POLICIES = get_args(Policy)

_ARROW = re.compile(r"\s+(->|~>)\s+")


class Edges:
    """Makes links of what is written in one file.

    Args:
        context: what is evaluated now.

    """

    def __init__(self, context: Context) -> None:
        self.source, self._context = context.source, context

    def beside(self, id_: str, key_at: int, word: str, written: Any, at: int) -> list[Link]:
        """Return the links of the resource `id_` that `written` under `word` stands for."""
        links, source = [], self.source
        for reference, policy, place in self._references(id_, word, written, at):
            notify = policy if word in ("notify", "listen") else None
            if word in ("require", "listen"):
                links.append(Link(id_, reference, id_, notify, source, place, key_at))
            else:
                links.append(Link(id_, id_, reference, notify, source, key_at, place))
        return links

    def _references(
        self, id_: str, word: str, written: Any, at: int
    ) -> list[tuple[str, Policy, int]]:
        """Return each reference in `written` with its policy and place."""
        if type(written) is str:
            return [(self._qualified(written), "hold", at)]  # so are nearly all
        found: list[tuple[str, Policy, int]] = []
        for reference, policy, place, policy_at in _entries(written, at):
            rule, wrong_at = _wrong_reference(word, reference), place
            if not rule and policy is not None:
                rule, wrong_at = _wrong_policy(word, policy), policy_at
            if rule:
                self._context.wrong(wrong_at, f"{shown(id_)}: {rule}")
            else:
                found.append((self._qualified(reference), policy or "hold", place))
        return found

    def arrows(self, written: Any, at: int) -> Iterator[Link]:
        """Yield the links in the list `written`: texts like "file /a -> exec b ~> svc c"."""
        if written is None or written is msgspec.UNSET:
            return
        if rule := _unfit(written):
            self._context.wrong(at, rule)
            return
        if not isinstance(written, Seq):
            what = f"edges must be a list of text, not {show(written)}"
            self._context.wrong(at, f'{what}; write "KIND NAME -> KIND NAME"')
            return
        for item, place in written.entries():
            if isinstance(item, str) and len(_ARROW.split(item)) > 1:
                yield from self._chain(item, place)
            elif rule := _unfit(item):
                self._context.wrong(place, rule)
            elif item is not msgspec.UNSET:
                rule = f"an edge has an arrow between resources, not {show(item)}"
                self._context.wrong(place, f'{rule}; write "KIND NAME -> KIND NAME"')

    def _chain(self, text: str, at: int) -> Iterator[Link]:
        parts = _ARROW.split(text.strip())
        places, cursor = [], at
        for end in parts[::2]:
            places.append(self.source.locate(cursor, end, 2 * len(text)))
            cursor = places[-1] + len(end)
        for number, arrow in enumerate(parts[1::2]):
            first, then = parts[2 * number], parts[2 * number + 2]
            notify: Policy | None = "hold" if arrow == "~>" else None
            ends = self._qualified(first), self._qualified(then)
            yield Link("edges", *ends, notify, self.source, *places[number : number + 2])

    def _qualified(self, reference: str) -> str:
        """Return `reference` with the module that it names, if it does, as it is told from all others."""
        if reference.startswith(MODULE):
            return MODULE + self._context.qualified(reference.removeprefix(MODULE))
        return reference


def _entries(written: Any, at: int) -> list[tuple[Any, Any, int, int]]:
    """Return (reference, policy, place, place of the policy) of each; the policy may be None."""
    if isinstance(written, Map):
        return list(written.entries())
    if isinstance(written, Seq):
        return [(item, None, place, at) for item, place in written.entries()]
    return [] if written is msgspec.UNSET else [(written, None, at, at)]


def _unfit(written: Any) -> str:
    """Return why nothing in the list of edges can be `written`; empty if it may."""
    if written is UNKNOWN:
        return "an edge in this list cannot depend on what may change; write require or notify beside a resource"
    rule = barred(written)
    return rule and f"an edge {rule}; take its ends from vars"


def _wrong_reference(word: str, reference: Any) -> str:
    if isinstance(reference, str):
        return ""
    if rule := barred(reference):
        return f"{word} {rule}; take KIND NAME from vars or facts"
    return f"{word} must be KIND NAME, a list of such, or a glob, not {show(reference)}"


def _wrong_policy(word: str, policy: Any) -> str:
    if word not in ("notify", "listen"):
        return f"{word} has no policy; write a list of references"
    if policy not in POLICIES:
        hint = suggest(str(policy), POLICIES)
        return f"what happens to a notification is hold, fire or drop, not {show(policy)}; {hint}"
    return ""
