"""The ids of resources as they are written: KIND NAME, with expressions in them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations.types import show
from setpoint.expressions import OPEN, UNKNOWN, ExpressionError
from setpoint.ids import Ids, Wild
from setpoint.values import Received, Secret, as_text

if TYPE_CHECKING:
    from setpoint.graphfile.files import File


def pattern(key: str) -> str | Wild:
    """Return the id that `key` is, or what is known of those that it may stand for."""
    if OPEN not in key:
        return key
    from setpoint.expressions import Template

    try:
        parts = Template(key).parts
    except ExpressionError:  # it is reported
        return key
    texts = [""]
    for part in parts:
        if isinstance(part, str):
            texts[-1] += part
        else:
            texts.append("")
    return Wild(texts)


def key_of(item: Any) -> Any:
    """Return what tells `item` of a list from others: itself, or its name; empty if it has none."""
    if isinstance(item, Mapping):
        return item.get("name", "")
    if isinstance(item, msgspec.Struct):
        return getattr(item, "name", "")
    if isinstance(item, (list, tuple)) and not barred(item):
        return ""
    return item if barred(item) else as_text(item)


def barred(value: Any, written: Any = "") -> str:
    """Return why neither a name nor whether there is something may depend on `value`; empty if it may.

    `written` is what gives the value, if that is not known for sure.
    """
    value = foreseen(value, written)
    if isinstance(value, Received):
        return "cannot depend on what is sent"
    return "cannot depend on a secret, which would be seen" if isinstance(value, Secret) else ""


def foreseen(value: Any, written: Any) -> Any:
    """Return `value`; a `Secret` if it is not known, and `written` makes it of one: that can be refused at once."""
    return Secret("") if value is UNKNOWN and _reads_secrets(written) else value


def _reads_secrets(written: Any) -> bool:
    if isinstance(written, (Mapping, list)):
        inner = written.values() if isinstance(written, Mapping) else written
        return any(map(_reads_secrets, inner))
    if not isinstance(written, str) or "secrets" not in written:
        return False
    from setpoint.expressions import Expression, Template

    paths = (Template if OPEN in written else Expression)(written).paths
    return any(path[0] == "secrets" for path in paths)


def wrong_id(id_: str) -> str:
    """Return why `id_` cannot be the key of a resource; empty if it can."""
    kind, _, name = id_.partition(" ")
    if kind == "module":
        return f"a module is included, not declared: {show(id_)}; write it under include:"
    if not name or not kind:
        return f"the key of a resource is KIND NAME, not {show(id_)}; write both"
    if name.strip() != name:
        return f"the name of a resource neither begins nor ends with a space, not {show(id_)}"
    return ""


def patterns(file: "File") -> Ids:
    """Return all ids that `file`, and what it includes, may declare."""
    files, found = [file], Ids()
    for one in files:  # grows while it is walked
        resources = one.root.get("resources")
        for key in resources if isinstance(resources, Mapping) else ():
            found.add(pattern(key))
        files += [more for more in one.included.values() if more not in files]
    return found
