"""What another graph in the place of the one that runs would change: found out, and as a person reads it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.cli.installed import installed
from setpoint.cli.screen import harmless
from setpoint.comparing import Comparison, compare, concerned
from setpoint.engine.redaction import Redaction
from setpoint.errors import SetpointError
from setpoint.graph import Edge, Graph
from setpoint.resource import defaults, params
from setpoint.values import Change

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.plan import Plan, Step
    from setpoint.sharing import Moves

LOOK = 2.0  # seconds that a look at the machine may take: who saves a file waits for it
NAMED = 5  # edges, resources or values, that are named of many
MOVES = ("comes", "changes", "goes")
NONE: tuple[tuple[str, ...], ...] = ((), (), ())  # moves


class Edited(msgspec.Struct, frozen=True):
    """What is different in a new graph, and what that leads to.

    by: what led to it: "site.yaml was saved".
    found: what is declared otherwise.
    plan: what the engine would do about that; of what comes, what is declared, if it could not be looked at in time.
    stays: how many resources are the same in both.
    shared: what other hosts are told otherwise; None if that is nothing.
    """

    by: str
    found: Comparison
    plan: "Plan"
    stays: int
    shared: "Moves | None" = None

    def __bool__(self) -> bool:
        return bool(self.found) or any(self.shared or ())


async def foresee(
    by: str, old: Graph, new: Graph, host: "Host", shared: "Moves | None" = None
) -> Edited:
    """Return what `new` in the place of `old` would change; looks at what is concerned, and changes nothing."""
    redaction = Redaction()
    found = compare(old, new, redaction)
    plan = await _looked(concerned(new, found), host, redaction) if found else None
    stays = len(new.resources) - len(found.comes) - len(found.changes)
    return Edited(by, found, _merged(found, plan, new, redaction), stays, shared)


async def _looked(part: Graph, host: "Host", redaction: Redaction) -> "Plan | None":
    """Return the plan of `part`; None if that takes too long, or it cannot be had."""
    from setpoint.plan import plan

    try:
        async with asyncio.timeout(LOOK):
            return await plan(part, plugins=installed(), host=host, redaction=redaction)
    except (TimeoutError, SetpointError):
        return None


def _merged(found: Comparison, plan: "Plan | None", new: Graph, redaction: Redaction) -> "Plan":
    """Return `plan` with what is declared otherwise, and without what is not concerned."""
    from setpoint.plan import Plan, Step
    from setpoint.reversals import undoing

    seen: dict[str, Step] = {step.id: step for step in plan.steps} if plan else {}
    steps = []
    for id_ in found.comes:
        changes = () if plan else tuple(_declared(id_, new, redaction))
        steps.append(seen.get(id_) or Step(id_, "add", changes))
    for id_, changes in found.changes.items():
        step = seen.get(id_) or Step(id_, "change")
        steps.append(_joined(step, changes))
    for id_ in found.goes:
        back = seen.get(undoing(id_))
        steps.append(Step(id_, "drop", back.changes if back else ()))
    if plan is None:
        return Plan(tuple(steps), (), (), 0)
    troubles = tuple(trouble for trouble in plan.troubles if trouble.id in found.ids)
    stays = {"steps": tuple(steps), "troubles": troubles, "doubts": (), "blocked": ()}
    return msgspec.structs.replace(plan, **stays)


def _joined(step: "Step", declared: tuple[Change, ...]) -> "Step":
    """Return `step` with how it is `declared` otherwise, and of what the machine lacks only the rest."""
    told = {change.attribute for change in declared}
    more = tuple(change for change in step.changes if change.attribute not in told)
    pending = {param: source for param, source in step.pending.items() if param not in told}
    return msgspec.structs.replace(
        step, action="change", changes=(*declared, *more), pending=pending, mark=""
    )


def _declared(id_: str, graph: Graph, redaction: Redaction) -> Iterator[Change]:
    """Yield what is declared of a resource that is new."""
    resource = graph.resources[id_]
    redaction.declare(resource)
    usual = defaults(type(resource))
    said = [
        Change(name, None, value)
        for name in params(type(resource))
        if (value := getattr(resource, name)) is not msgspec.UNSET and value != usual[name]
    ]
    yield from redaction.changes(resource, said)


def sentences(found: Comparison, because: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each cause: what came, changed and went because of it."""
    by_cause: dict[str, list[str]] = {}
    for word, ids in (("comes", found.comes), ("changes", found.changes), ("goes", found.goes)):
        for id_ in ids:
            by_cause.setdefault(because[id_], []).append(f"{id_} {word}")
    for cause, moves in by_cause.items():
        yield harmless(f"{cause or 'facts'}: {_some(moves)}")


def document(edited: Edited) -> dict[str, Any]:
    """Return `edited` as one document for programs."""
    from setpoint.cli.planned import document as planned

    found = edited.found
    return {
        "type": "Edited",
        "by": edited.by,
        "comes": found.comes,
        "changes": found.changes,
        "goes": found.goes,
        "edges_come": list(map(_arrow, found.edges_come)),
        "edges_go": list(map(_arrow, found.edges_go)),
        "shared": dict(zip(MOVES, edited.shared or NONE, strict=True)),
        "stays": edited.stays,
        "plan": msgspec.json.decode(planned(edited.plan)),
    }


def lines(edited: Edited) -> Iterator[str]:
    """Yield `edited` as a person reads it, with colours; one line if there is no difference."""
    from setpoint.cli.planned import lines as planned

    found = edited.found
    if not edited:
        yield harmless(f"{edited.by}: no difference")
        return
    yield harmless(f"{edited.by}:")
    *body, _ = planned(edited.plan)
    yield from body[:-1]  # without the empty line before the last one, which is about a whole run
    for what, edges in (("come", found.edges_come), ("go", found.edges_go)):
        if edges:
            yield harmless(f"edges that {what}: {_some(list(map(_arrow, edges)))}")
    for how, names in zip(("newly", "otherwise", "no more"), edited.shared or NONE, strict=True):
        if names:
            yield harmless(f"shared {how}: {_some(names)}")
    yield _last_line(edited)


def _last_line(edited: Edited) -> str:
    words = ("{:,} to come", "{:,} to change", "{:,} to go")
    said = [text.format(n) for text, n in zip(words, edited.found.counts, strict=True) if n]
    return ", ".join([*said, f"{edited.stays:,} unchanged"])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _arrow(edge: Edge) -> str:
    return f"{edge.first} {'~>' if edge.notify else '->'} {edge.then}"
