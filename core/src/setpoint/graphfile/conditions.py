"""`when` and `for_each`: whether there is a resource or a module, and how often."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import Map, value_at
from setpoint.declarations.types import show
from setpoint.expressions import UNKNOWN
from setpoint.graphfile.ids import barred, key_of
from setpoint.values import as_text

if TYPE_CHECKING:
    from setpoint.graphfile.form import Form

CONDITIONS = frozenset({"when", "for_each"})


def items_of(form: "Form", which: str, body: Map) -> list[Mapping[str, Any]] | None:
    """Return what is `each` for each instance, by `for_each`; None if that is not known.

    `which` is what messages name.
    """
    form.scope.each_is_live = False
    if "for_each" not in body:
        return [{}]
    at = value_at(body, "for_each", body.at)
    written = body["for_each"]
    found = (
        form.scope.condition(written, at) if isinstance(written, str) else form.value(written, at)
    )
    form.scope.each_is_live = form.context.cell.is_live
    if rule := barred(found, written):
        form.context.wrong(at, f"{which}: for_each {rule}; go through vars or facts")
        return None if form.context.is_lenient else []
    if found is UNKNOWN:
        return None
    if isinstance(found, Mapping):
        return [{"key": as_text(name), "value": value} for name, value in found.items()]
    if not isinstance(found, (list, tuple)):
        if found is not msgspec.UNSET:
            form.context.wrong(at, f"{which}: for_each must be a list or a map, not {show(found)}")
        return None if form.context.is_lenient else []
    items: list[Mapping[str, Any]] = [{"key": key_of(item), "value": item} for item in found]
    if rule := next(filter(None, (barred(item["key"]) for item in items)), ""):
        form.context.wrong(at, f"{which}: the key of an item {rule}; take it from vars or facts")
        return None if form.context.is_lenient else []
    return items


def is_wanted(form: "Form", which: str, body: Map) -> Any:
    """Return whether `when` is true; `UNKNOWN` if that is not known. `which` is what messages name."""
    when, at = body.get("when", True), value_at(body, "when", body.at)
    found = form.scope.condition(when, at) if isinstance(when, str) else when
    if found is msgspec.UNSET:
        return UNKNOWN  # it is reported
    if rule := barred(found, when):
        form.context.wrong(at, f"{which}: when {rule}; ask vars or facts")
    elif found is not UNKNOWN and not isinstance(found, bool):
        form.context.wrong(at, f"{which}: when must be true or false, not {show(found)}")
    return found if isinstance(found, bool) else UNKNOWN
