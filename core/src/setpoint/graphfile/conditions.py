"""`when` and `for_each`: whether there is a resource, and how often."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import Map, shown, value_at
from setpoint.declarations.types import show
from setpoint.expressions import UNKNOWN
from setpoint.graphfile.ids import barred, key_of
from setpoint.values import as_text

if TYPE_CHECKING:
    from setpoint.graphfile.form import Form


def items_of(form: "Form", key: str, body: Map) -> list[Mapping[str, Any]] | None:
    """Return what is `each` for each instance, by `for_each`; None if that is not known."""
    if "for_each" not in body:
        return [{}]
    at = value_at(body, "for_each", body.at)
    written = body["for_each"]
    found = (
        form.scope.condition(written, at) if isinstance(written, str) else form.value(written, at)
    )
    if found is UNKNOWN:
        return None
    if barred(found):
        form.wrong(at, f"{shown(key)}: for_each {barred(found)}; go through vars or facts")
        return []
    if isinstance(found, Mapping):
        return [{"key": as_text(name), "value": value} for name, value in found.items()]
    if not isinstance(found, (list, tuple)):
        if found is not msgspec.UNSET:
            what = f"for_each must be a list or a map, not {show(found)}"
            form.wrong(at, f"{shown(key)}: {what}")
        return []
    items: list[Mapping[str, Any]] = [{"key": key_of(item), "value": item} for item in found]
    if rule := next(filter(None, (barred(item["key"]) for item in items)), ""):
        form.wrong(at, f"{shown(key)}: the key of an item {rule}; take it from vars or facts")
        return []
    return items


def is_wanted(form: "Form", key: str, body: Map) -> Any:
    """Return whether `when` is true; `UNKNOWN` if that is not known."""
    when, at = body.get("when", True), value_at(body, "when", body.at)
    found = form.scope.condition(when, at) if isinstance(when, str) else when
    if found is msgspec.UNSET:
        return UNKNOWN  # it is reported
    if barred(found):
        form.wrong(at, f"{shown(key)}: when {barred(found)}; ask vars or facts")
    elif found is not UNKNOWN and not isinstance(found, bool):
        form.wrong(at, f"{shown(key)}: when must be true or false, not {show(found)}")
    return found if isinstance(found, bool) else UNKNOWN
