"""What has moved since a plan was saved: nothing, if it is to be applied."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from setpoint.plan.model import Plan
from setpoint.plan.saved import Made, Saved, plain

# How something differs: what is another one, is gone, is new.
FILES = ("was changed", "is read no more", "is read only now")
DECLARED = ("is declared otherwise now", "is declared no more", "is declared only now")
PARTS = {  # of a plan, with what each says of a resource
    "steps": "changes",
    "troubles": "cannot be checked",
    "refreshes": "is refreshed",
    "doubts": "may change",
    "blocked": "is blocked",
    "waiting": "waits",
}


def moved(
    saved: Saved, made: Made, found: Plan, why: Callable[[str], str] = lambda _: ""
) -> list[str]:
    """Return what is not as it was when `saved` was made; of what follows from each other only the first.

    Args:
        saved: the plan as it was.
        made: what one made now is made of.
        found: what that says.
        why: returns for an id what its declaration follows from now; empty if nothing.

    """
    words = {
        id_: f"; {follows}" if (follows := why(id_)) else ""
        for id_, digest in made.declared.items()
        if saved.made.declared.get(id_) != digest
    }
    return (
        list(_of_programs(saved.made, made))
        or list(_named(saved.made.files, made.files, FILES))
        or list(_named(saved.made.declared, made.declared, DECLARED, words))
        or list(_of_machine(saved.plan, plain(found)))
    )


def _of_programs(before: Made, now: Made) -> Iterator[str]:
    if before.setpoint != now.setpoint:
        yield f"setpoint is {now.setpoint} now, not {before.setpoint}"
    for kind in sorted(before.kinds.keys() | now.kinds.keys()):
        was, is_ = before.kinds.get(kind, "nowhere"), now.kinds.get(kind, "nowhere")
        if was != is_:
            yield f"the kind {kind} is from {is_} now, not {was}"


def _named(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    words: tuple[str, str, str],
    more: Mapping[str, str] = {},
) -> Iterator[str]:
    """Yield what is otherwise, gone or new by name, told with `words`, and what `more` says of a name."""
    changed, gone, new = words
    for name in dict.fromkeys((*before, *now)):
        if name not in now:
            yield f"{name} {gone}"
        elif name not in before:
            yield f"{name} {new}{more.get(name, '')}"
        elif before[name] != now[name]:
            yield f"{name} {changed}{more.get(name, '')}"


def _of_machine(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for part, what in PARTS.items():
        was, is_ = ({one["id"]: _bare(one) for one in plan[part]} for plan in (before, now))
        words = (
            "otherwise than in the plan",
            "in the plan, and not now",
            "now, and not in the plan",
        )
        changed, gone, new = (f"{what} {word}" for word in words)
        yield from _named(was, is_, (changed, gone, new))


def _bare(one: dict[str, Any]) -> dict[str, Any]:
    """Return what a plan says of a resource, without why it is declared so."""
    return {name: value for name, value in one.items() if name != "because"}
