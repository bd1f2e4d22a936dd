"""Declarations written as a graph file in our form."""

from typing import Any

import yaml

from setpoint.declarations import Declarations, Link, shown
from setpoint.errors import GraphError, Problem
from setpoint.expressions import OPEN
from setpoint.graphfile.scalars import resolve
from setpoint.values import Received, Text

_WIDE = 10_000  # columns; beyond this a long text is folded
_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_Links = dict[str, dict[str, str | None]]  # "listen" to reference to policy


def written(declarations: Declarations) -> str:
    """Return `declarations` as a graph file in our form; read again, it declares the same.

    Raises:
        GraphError: an id is declared twice, and differently.

    """
    resources = _resources(declarations)
    links: dict[str, _Links] = {}
    arrows = [arrow for link in declarations.links if (arrow := _place(link, resources, links))]
    for id_, body in resources.items():
        body.update({word: _references(found) for word, found in links.get(id_, {}).items()})
    tree: dict[str, Any] = {"graph": declarations.name}
    tree["resources"] = {_escaped(id_): body or None for id_, body in resources.items()}
    tree["edges"] = arrows
    return dumped({key: value for key, value in tree.items() if value})


def dumped(tree: dict[str, Any]) -> str:
    """Return `tree`, what a graph file has, as text."""
    text: str = yaml.dump(
        tree or {"resources": None},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDE,
    )
    return text


def _resources(declarations: Declarations) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for declaration in (*declarations.resources, *declarations.trials):
        body = {key: _expressed(value) for key, value in declaration.params.items()}
        if declaration.meta:
            body["meta"] = _expressed(declaration.meta)
        if found.setdefault(declaration.id, body) != body:
            what = f"{shown(declaration.id)}: is declared already, and differently; take one out"
            problems.append(declaration.source.problem(declaration.at, what))
    if problems:
        raise GraphError(problems)
    return found


def _place(link: Link, resources: dict[str, dict[str, Any]], links: dict[str, _Links]) -> str:
    """Put `link` beside one of its ends; if both are globs, return it as an arrow."""
    notifies = link.notify is not None
    if link.then in resources:
        at, word, other = link.then, "listen" if notifies else "require", link.first
    elif link.first in resources:
        at, word, other = link.first, "notify" if notifies else "before", link.then
    else:
        return _escaped(f"{link.first} {'~>' if notifies else '->'} {link.then}")
    links.setdefault(at, {}).setdefault(word, {})[_escaped(other)] = link.notify
    return ""


def _references(found: dict[str, str | None]) -> Any:
    if any(policy not in (None, "hold") for policy in found.values()):
        return found
    return list(found) if len(found) > 1 else next(iter(found))


def _expressed(value: Any) -> Any:
    """Return `value` as it is written: plain, with what it receives as expressions."""
    if isinstance(value, Text):
        return "".join(_expressed(part) for part in value.parts)
    if isinstance(value, Received):
        return f"${{{{ {value} }}}}"
    if isinstance(value, dict):
        return {key: _expressed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expressed(inner) for inner in value]
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    return text.replace(OPEN, "$" + OPEN)


class _Dumper(_BASE):  # type: ignore[misc]
    """Writes values as `reader` reads them, which is not all as PyYAML would."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what is there twice, twice."""
        return True


def _text(dumper: Any, text: str) -> Any:
    several_lines = "\n" in text.rstrip("\n") or text.endswith("\n")
    style = "|" if several_lines else None if isinstance(resolve(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _nothing(dumper: Any, _: None) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:null", "")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(type(None), _nothing)
