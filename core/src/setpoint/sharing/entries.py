"""What is under the keys of hosts that share: whose it is, and a value or a resource, as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from setpoint.declarations import Declaration, plain
from setpoint.errors import SetpointError
from setpoint.values import Received, Values, secrets_in
from setpoint.world import Entry

PREFIX = "shared/"
MAX_BYTES = 1 << 16  # of one value or resource, as JSON
MAX_ID = 4096  # characters of the id of a resource


class Exported(Values, omit_defaults=True):
    """A resource that a host offers to others.

    kind: as it is declared.
    name: the same.
    params: as they are written, with every expression in them replaced.
    meta: the meta params, the same.
    hosts: for whom it is, as patterns of names; empty: for whoever collects it.
    """

    kind: str
    name: str
    params: Mapping[str, Any] = {}
    meta: Mapping[str, Any] = {}
    hosts: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"


class Snapshot(Values):
    """What all hosts share.

    published: the name of each value to the hosts that have one, and what that is.
    exported: each host to its resources by id.
    """

    published: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    exported: dict[str, dict[str, Exported]] = msgspec.field(default_factory=dict)


class _Kept(msgspec.Struct):
    """What is under a key: whose it is, and the value or resource."""

    owner: str
    value: msgspec.Raw


def unshared(value: Any) -> str:
    """Return why `value` cannot be shared, to go on after the name of what has it; empty if it can."""
    if any(secrets_in(value)):
        return "has a secret in it, and all hosts can read what is shared; leave it out"
    if any(isinstance(inner, Received) for inner in _within(value)):
        return (
            "has what another resource sends in it, which is known only while running; leave it out"
        )
    if not all(map(_is_exact, _within(value))):
        return "has infinity or a key in it that is no text, which JSON has not; write texts"
    try:
        size = len(msgspec.json.encode(plain(value)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"cannot be written as JSON, {error}; use texts, numbers, lists and maps of them"
    rule = f"must have up to {MAX_BYTES} bytes as JSON, not {size}; share less"
    return rule if size > MAX_BYTES else ""


def exported(declaration: Declaration, hosts: Sequence[str] = ()) -> Exported:
    """Return what `declaration` offers to `hosts`, patterns of names; without any to all that collect it.

    Raises:
        SetpointError: it cannot be shared.

    """
    params, meta = declaration.params, declaration.meta
    for which, value in (*params.items(), *((f"meta.{name}", meta[name]) for name in meta)):
        if rule := unshared(value):
            raise SetpointError(f"{which} {rule}")
    if len(declaration.id) > MAX_ID:
        raise SetpointError(f"its id must have up to {MAX_ID} characters to be exported")
    return Exported(
        kind=declaration.kind,
        name=declaration.name,
        params=plain(params),
        meta=plain(meta),
        hosts=tuple(hosts),
    )


def written(owner: str, value: Any) -> str:
    """Return `value` of the graph `owner` as it stands under a key."""
    raw = msgspec.Raw(msgspec.json.encode(plain(value), order="sorted"))
    return msgspec.json.encode(_Kept(owner, raw)).decode()


def owner_of(entry: Entry) -> str:
    """Return whose `entry` is; empty if that cannot be read."""
    try:
        return msgspec.json.decode(entry.value, type=_Kept).owner
    except msgspec.DecodeError:
        return ""


def snapshot(entries: Mapping[str, Entry]) -> tuple[Snapshot, list[str]]:
    """Return what is shared in `entries`, those below `PREFIX`, and the keys of which that cannot be read."""
    found, unread = Snapshot(), []
    for key, entry in entries.items():
        host, _, rest = key.removeprefix(PREFIX).partition("/")
        sort, _, name = rest.partition("/")
        try:
            value = msgspec.json.decode(entry.value, type=_Kept).value
            if sort == "publish":
                found.published.setdefault(name, {})[host] = msgspec.json.decode(value)
            elif sort == "export":
                one = msgspec.json.decode(value, type=Exported)
                found.exported.setdefault(host, {})[name] = one
            else:
                unread.append(key)
        except msgspec.DecodeError:
            unread.append(key)
    return found, unread


def _is_exact(value: Any) -> bool:
    """Whether `value` itself is the same once it was JSON."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value)
    return not isinstance(value, float) or isfinite(value)


def _within(value: Any) -> Iterator[Any]:
    """Yield `value` and all that is in it."""
    yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _within(inner)
