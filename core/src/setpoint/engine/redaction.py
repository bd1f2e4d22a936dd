"""Keeps secrets out of what people and programs get to see."""

import logging
import traceback
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from setpoint.graph import Graph
from setpoint.hiding import Secrets
from setpoint.resource import Resource
from setpoint.values import HIDDEN, Change, Secret, Values, secrets_in, takes_secrets

NOTHING: frozenset[str] = frozenset()
KEPT: tuple[str, ...] = ("tainted", "watched")  # in the memory of a resource whose params change


class Redaction(Secrets):
    """Knows the secrets that have passed through an engine, and whose params hold them."""

    def declare(self, resource: Resource) -> None:
        """Remember the secrets that are declared for `resource`."""
        for param in secret_params(type(resource)):
            for secret in secrets_in(getattr(resource, param)):
                self.taint(resource, param, secret)

    def adopt(self, graph: Graph, live: Mapping[str, Resource]) -> None:
        """Remember what is secret in `graph`, for its resources and for the `live` ones in their place."""
        self.join(graph.secrets)
        for id_, params in graph.tainted.items():
            for resources in (graph.resources, live):
                if id_ in resources:
                    memory = resources[id_].memory
                    memory["tainted"] = memory.get("tainted", NOTHING) | params

    def taint(self, resource: Resource, param: str, value: Any) -> None:
        """Remember that `param` of `resource` has the secrets in `value`, and hide what it differs in."""
        for secret in secrets_in(value):
            self.learn(secret)
        memory = resource.memory
        memory["tainted"] = memory.get("tainted", NOTHING) | {param}

    def forget_all_but_secrets(self, resource: Resource) -> None:
        """Let `resource`, whose params have changed, remember no more than which are secret, and its watch."""
        memory = resource.memory
        kept = {key: memory[key] for key in KEPT if key in memory}
        memory.clear()
        memory.update(kept)
        self.declare(resource)

    def changes(self, resource: Resource, changes: list[Change]) -> tuple[Change, ...]:
        """Return `changes` of `resource` with every secret in them hidden."""
        tainted = resource.memory.get("tainted", NOTHING)
        if not (tainted or self._forms or _have_secrets(changes)):
            return tuple(changes)
        return tuple(self._change(change, tainted) for change in changes)

    def hide(self, resource: Resource, param: str, text: str) -> str:
        """Return `text`, made of `param` of `resource`, without secrets; if some cannot be found in it, without all."""
        if self.has_short and param in resource.memory.get("tainted", NOTHING):
            return HIDDEN
        return self.text(text)

    def _change(self, change: Change, tainted: frozenset[str]) -> Change:
        if change.attribute in tainted:
            before = None if change.before is None else HIDDEN
            return Change(change.attribute, before, None if change.after is None else HIDDEN)
        return Change(change.attribute, self._value(change.before), self._value(change.after))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        return HIDDEN if isinstance(value, Secret) or self.are_in(value) else value

    def sealed(self, values: Values) -> dict[str, Any]:
        """Return what is sent, field to value; what has a known secret in it has become one."""
        sent = {name: getattr(values, name) for name in values.__struct_fields__}
        for name, value in sent.items():
            if isinstance(value, Secret):
                self.learn(value)
            elif self.are_in(value):
                sent[name] = Secret(value)
        return sent


class SafeLog(logging.LoggerAdapter[logging.Logger]):
    """Logs as `adapter` does, but records as whole text, so that no secret is left in a part."""

    def __init__(self, adapter: logging.LoggerAdapter[logging.Logger], secrets: Secrets) -> None:
        super().__init__(adapter.logger, adapter.extra)
        self._secrets = secrets

    def log(self, level: int, msg: object, *args: object, **given: Any) -> None:
        """Log `msg % args` with each secret in it replaced."""
        if not self.isEnabledFor(level):
            return
        text = str(msg) % args if args else str(msg)
        if given.pop("exc_info", None):
            text += f"\n{traceback.format_exc()}"
        super().log(level, "%s", self._secrets.text(text), **given)


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
