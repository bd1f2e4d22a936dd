"""A plan in a file, which is applied only as long as all that it was made of is as it was.

The file has what the plan says, and of what it was made: graph files and what they declare by digests. There may be
secrets in those, so the digests are keyed, and the key never leaves the state directory: nobody who gets to see the
file can try out what a secret is. The same key seals the file: what is applied is what was planned.
"""

import hmac
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from setpoint import __version__
from setpoint.errors import SetpointError
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.paths import absolute
from setpoint.plan.model import Plan
from setpoint.plugins import Plugins
from setpoint.resource import Resource, params
from setpoint.values import reveal

HEAD = b'{"setpoint plan":'  # what such a file begins with, and no graph file does
FORMAT = 1
KEY = "plan.key"
KEY_BYTES = 32


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is made of.

    setpoint: the version.
    kinds: each kind in the graph to the distribution that it is from, with its version.
    files: path, absolute, to a keyed digest of each graph file that was read.
    declared: id to a keyed digest of all that is declared of it: params, meta, edges that lead to it.
    """

    setpoint: str
    kinds: Mapping[str, str]
    files: Mapping[str, str]
    declared: Mapping[str, str]


class Asked(NamedTuple):
    """What a plan was asked for.

    files: the graph files, absolute.
    only: references to a part of their graph; empty is the whole.
    automatic: whether to add automatic edges.
    """

    files: tuple[str, ...]
    only: tuple[str, ...] = ()
    automatic: bool = True


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file.

    format: of the file; 1.
    at: wall time when it was planned.
    state: the state directory, whose key seals it.
    asked: for what.
    made: what the plan is made of.
    plan: what it says, see `Plan`.
    seal: a keyed digest of all else.
    """

    format: int = msgspec.field(name="setpoint plan")
    at: float
    state: str
    asked: Asked
    made: Made
    plan: dict[str, Any]
    seal: str = ""


def key(host: Host, *, make: bool = False) -> bytes:
    """Return the key of the state directory of `host`; with `make` it is made if there is none.

    Raises:
        OSError: it cannot be read, or made.
        SetpointError: there is none, or it is damaged.

    """
    path = os.path.join(host.root, KEY)
    if make and not os.path.lexists(path):
        os.makedirs(host.root, 0o700, exist_ok=True)
        host.files.write(path, os.urandom(KEY_BYTES), mode=0o600)
    try:
        found = host.files.read(path)
    except FileNotFoundError:
        cure = "give the --prefix that it was planned with"
        raise SetpointError(f"{path} is not there, so no plan is from here; {cure}") from None
    if len(found) != KEY_BYTES:
        raise SetpointError(f"{path} is damaged; remove it, and plan again")
    return found


def made_of(graph: Graph, texts: Mapping[str, str], plugins: Plugins, secret: bytes) -> Made:
    """Return what a plan of `graph` is made of, which was read from `texts`, path to text."""
    origins = plugins.kinds()
    kinds = sorted({resource.kind for resource in graph.resources.values()})
    before: dict[str, list[tuple[str, str]]] = {}
    for edge in graph.edges.values():
        before.setdefault(edge.then, []).append((edge.first, edge.notify or ""))
    return Made(
        setpoint=__version__,
        kinds={kind: origins[kind].origin for kind in kinds if kind in origins},
        files={path: _keyed(secret, text) for path, text in texts.items()},
        declared={
            id_: _keyed(secret, _declaration(graph, resource, before.get(id_, [])))
            for id_, resource in graph.resources.items()
        },
    )


def _declaration(graph: Graph, resource: Resource, before: list[tuple[str, str]]) -> Any:
    received = graph.receives.get(resource.id, {})
    values = {name: getattr(resource, name) for name in params(type(resource))}
    known = {
        name: value
        for name, value in values.items()
        if name not in received and value is not msgspec.UNSET
    }
    return [
        known,
        resource.meta,
        {name: str(source) for name, source in received.items()},
        sorted(before),
    ]


def _keyed(secret: bytes, value: Any) -> str:
    encoded = msgspec.json.encode(value, enc_hook=_plain, order="deterministic")
    return hmac.digest(secret, encoded, "sha256").hex()


def _plain(value: Any) -> Any:
    revealed = reveal(value)
    return str(value) if revealed is value else revealed


# -- in a file


def write(path: str, host: Host, found: Plan, made: Made, asked: Asked) -> None:
    """Put `found` into the file at `path`, as a whole, for its owner only.

    Raises:
        SetpointError: there is something at `path` that is no plan.
        OSError: it cannot be written.

    """
    path = absolute(path)
    if os.path.lexists(path) and not is_plan(path):
        raise SetpointError(f"{path} is there already and is no plan; write it to another file")
    saved = Saved(
        format=FORMAT,
        at=time.time(),
        state=host.root,
        asked=asked,
        made=made,
        plan=plain(found),
    )
    sealed = msgspec.structs.replace(saved, seal=_keyed(key(host), saved))
    host.files.write(path, msgspec.json.encode(sealed) + b"\n", mode=0o600, fsync=True)


def plain(found: Plan) -> dict[str, Any]:
    """Return `found` as it is once it has been written as JSON and read again."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found, enc_hook=str))
    return decoded


def is_plan(path: str) -> bool:
    """Whether there is a plan in the file at `path`; false too if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(len(HEAD)) == HEAD
    except OSError:
        return False


def read(path: str) -> Saved:
    """Return what is in the file at `path`, whose seal is not looked at yet.

    Raises:
        OSError: it cannot be read.
        SetpointError: it is damaged, or of another version.

    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        format_ = msgspec.json.decode(content)["setpoint plan"]
        if format_ == FORMAT:
            return msgspec.json.decode(content, type=Saved)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise SetpointError(f"{path}: this plan is damaged, {error}; plan again") from None
    why = f"this plan has the format {format_!r}, and this setpoint knows {FORMAT}"
    raise SetpointError(f"{path}: {why}; plan again")


def refuse_forged(saved: Saved, path: str, host: Host) -> bytes:
    """Return the key of `saved`, which was made with the state directory of `host` and is as it was.

    Raises:
        SetpointError: it was not, or is not.

    """
    if saved.state != host.root:
        why = f"it was planned with the state directory {saved.state}, not {host.root}"
        raise SetpointError(f"{path}: {why}; give --prefix {saved.state}")
    secret = key(host)
    seal = _keyed(secret, msgspec.structs.replace(saved, seal=""))
    if not hmac.compare_digest(seal, saved.seal):
        raise SetpointError(f"{path}: it was changed, or planned on another machine; plan again")
    return secret
