"""mgmt's form of a graph file, made into declarations: `resources` is a map of kind to a list.

What mgmt ignores is ignored here too, with one warning each. Times in its meta params are milliseconds. Values are
taken as mgmt takes them: a number where text is wanted is that text, `yes` and `on` are true.

Source: https://github.com/purpleidea/mgmt, yamlgraph/gconfig.go and engine/resources
"""

from collections.abc import Mapping
from typing import Any

from setpoint.declarations import (
    Declaration,
    Declarations,
    Link,
    Map,
    Seq,
    Source,
    key_at,
    shown,
    value_at,
)
from setpoint.declarations.types import show
from setpoint.graph import Policy
from setpoint.graphfile.ids import wrong_id
from setpoint.graphfile.mgmt_params import as_flag, meta_params, params_of

_KEYS = frozenset({"graph", "comment", "resources", "edges", "collect", "remote"})
_EDGE = frozenset({"name", "from", "to", "notify", "comment"})


class MgmtForm:
    """One file in mgmt's form.

    Args:
        source: the file.
        root: what is in it.
        declarations: where to put what it declares, and what is wrong.

    """

    def __init__(self, source: Source, root: Map, declarations: Declarations) -> None:
        self.source, self.root, self.into = source, root, declarations
        self._warned: set[str] = set()

    def declare(self) -> None:
        """Put all of the file into the declarations."""
        self._top_level()
        for kind, items, _, items_at in self._resources().entries():
            if not isinstance(items, Seq) and items is not None:
                self.wrong(items_at, f"{kind} must be a list of resources, not {show(items)}")
                continue
            for item, place in (items or Seq.new()).entries():
                self._resource(kind.lower(), item, place)
        written = self.root.get("edges")
        if isinstance(written, Seq):
            for item, place in written.entries():
                self._edge(item, place)
        elif written is not None:
            self.wrong(self._at("edges"), f"edges must be a list, not {show(written)}")

    def wrong(self, at: int, message: str) -> None:
        """Report what is wrong at the place `at`."""
        self.into.problems.append(self.source.problem(at, message))

    def warn(self, at: int, message: str) -> None:
        """Warn once of what `message` says."""
        if message not in self._warned:
            self._warned.add(message)
            self.into.warnings.append(self.source.problem(at, message))

    def _at(self, key: str) -> int:
        return value_at(self.root, key, 0)

    def _top_level(self) -> None:
        for key, value, at, value_place in self.root.entries():
            if key == "graph" and not isinstance(value, str):
                self.wrong(value_place, f"graph must be text, not {show(value)}")
            elif key == "graph":
                self.into.name = self.into.name or value
            elif key == "remote":
                self.wrong(at, "a graph for a remote host is not available in this version")
            elif key == "collect" and value:
                self.warn(
                    at, "nothing is collected; convert the file, then collect by kind and host"
                )
            elif key not in _KEYS:
                self.warn(at, f"{key!r} is ignored, as mgmt does")

    def _resources(self) -> Map:
        resources = self.root.get("resources")
        if isinstance(resources, Map):
            return resources
        if resources is not None:
            rule = f"resources must be a map of kinds to lists, not {show(resources)}"
            self.wrong(self._at("resources"), rule)
        return Map.new()

    def _resource(self, kind: str, item: Any, at: int) -> None:
        if not isinstance(item, Map):
            self.wrong(at, f"{kind} must be a list of maps with a name, not of {show(item)}")
            return
        name = self._name(item, at)
        id_ = f"{kind} {name.removeprefix('@@')}"
        name_at = value_at(item, "name", at)
        rule = wrong_id(id_) if "name" in item else f"a {kind} has no name; add 'name:'"
        if rule:
            self.wrong(name_at, rule)
            return
        params = params_of(self.source, kind, item, self.warn)
        meta = meta_params(id_, item, self.warn, self.wrong)
        if name.startswith("@@"):
            for key, value in (("export", ["*"]), ("hidden", True)):
                meta.put(key, value, name_at, name_at)
        declaration = Declaration(
            id_, kind, id_.partition(" ")[2], params, self.source, name_at, meta
        )
        self.into.declare(declaration)

    def _name(self, item: Mapping[str, Any], at: int) -> str:
        name = item.get("name", "")
        return name if isinstance(name, str) else self.source.word(value_at(item, "name", at))

    def _edge(self, item: Any, at: int) -> None:
        if not isinstance(item, Map):
            self.wrong(at, f"an edge must be a map with 'from' and 'to', not {show(item)}")
            return
        for key in item.keys() - _EDGE:
            self.warn(key_at(item, key, at), f"{key!r} of an edge is ignored, as mgmt does")
        first, first_at = self._end(item, "from", at)
        then, then_at = self._end(item, "to", at)
        if not first or not then:
            return
        notify = as_flag(item.get("notify", False))
        subject = f"edge {item['name']}" if "name" in item else "edge"
        if not isinstance(notify, bool):
            place = value_at(item, "notify", at)
            self.wrong(place, f"{shown(subject)}: notify must be true or false, not {show(notify)}")
        mode: Policy | None = "hold" if notify else None
        self.into.links.append(Link(subject, first, then, mode, self.source, first_at, then_at))

    def _end(self, edge: Map, which: str, at: int) -> tuple[str, int]:
        """Return the id of one end of `edge`, empty if it is wrong, and its place."""
        end, place = edge.get(which), value_at(edge, which, at)
        if not isinstance(end, Map) or not isinstance(end.get("kind"), str) or "name" not in end:
            found = f", not {show(end)}" if which in edge and not isinstance(end, Map) else ""
            self.wrong(place, f"{which!r} of an edge needs a map with kind and name{found}; add it")
            return "", place
        return f"{end['kind'].lower()} {self._name(end, place).removeprefix('@@')}", place
