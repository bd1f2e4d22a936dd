"""Params as mgmt has them, made into ours: names, units, and which of them mgmt ignores.

Source: https://github.com/purpleidea/mgmt, the yaml tags in engine/resources/*.go and engine/metaparams.go
"""

import math
import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

from setpoint.declarations import Map, Source, shown, value_at
from setpoint.declarations.types import show

Warn = Callable[[int, str], None]

_TRUTH = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


class _Kind(NamedTuple):
    """The params of a kind of mgmt's, by what their values are.

    unset: text; empty is the same as not given.
    text: text that may be empty.
    flags: true or false.
    other: lists, maps and numbers.
    """

    unset: frozenset[str] = frozenset()
    text: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()

    def has(self, param: str) -> bool:
        """Whether mgmt does anything with `param`."""
        return any(param in names for names in self)


def _kind(unset: str = "", text: str = "", flags: str = "", other: str = "") -> _Kind:
    return _Kind(*(frozenset(names.split()) for names in (unset, text, flags, other)))


# Of kinds that are not here all params are taken as they are.
_KINDS = {
    "exec": _kind(
        "cmd cwd shell sig user group watchcmd watchcwd watchshell ifcmd ifcwd ifshell "
        "nifcmd nifcwd nifshell creates donecmd donecwd doneshell",
        "ifequals ifequals_stdout send_output send_stdout send_stderr",
        other="args env watchfiles mtimes",
    ),
    "file": _kind(
        "path dirname basename state source owner group mode",
        "content selinux",
        "recurse force purge symlink",
        "fragments",
    ),
    "hostname": _kind("hostname pretty_hostname static_hostname transient_hostname"),
    "noop": _kind("", "comment"),
    "password": _kind(flags="saved check_recovery", other="length"),
    "svc": _kind("state startup", flags="session"),
    "timer": _kind(other="interval"),
}
_RENAMED = {
    "line": {"file": "path", "content": "line"},
    "mount": {"freq": "dump"},
    "ssh:authorized_key": {"file": "target"},
    "user": {"allowduplicateuid": "allow_duplicate_uid"},
    "value": {"any": "value"},
}
_COMMANDS = {"ifcmd": "onlyif", "nifcmd": "unless", "watchcmd": "watchcmd", "donecmd": "donecmd"}
_HOW = frozenset(  # of each command: where it runs, and what reads it
    command.removesuffix("cmd") + how for command in _COMMANDS for how in ("cwd", "shell")
)
_WITHOUT_EFFECT = frozenset(["dollar", "realize", "reset"])


def as_flag(value: Any) -> Any:
    """Return the truth value that mgmt's YAML makes of `value`; `value` itself if it makes none."""
    return _TRUTH.get(value.lower(), value) if isinstance(value, str) else value


def params_of(source: Source, kind: str, item: Map, warn: Warn) -> Map:
    """Return our params for the resource `item` of mgmt's."""
    known = _KINDS.get(kind)
    params = Map.new(item.at)
    for key, value, key_at, at in item.entries():
        if key in ("name", "meta") or (known and key in known.unset and value in ("", None)):
            continue
        if known and not known.has(key):
            warn(key_at, f"{kind} has no param {key!r}, it is ignored, as mgmt does")
        else:
            name = _RENAMED.get(kind, {}).get(key, key)
            params.put(name, _taken(source, known, key, value, at), key_at, at)
    if kind == "exec":
        return _commands(params)
    return _path(params, item["name"]) if kind == "file" else params


def _taken(source: Source, known: _Kind | None, key: str, value: Any, at: int) -> Any:
    if value == "uninstalled":  # of a package
        return "absent"
    if known is None:
        return value
    if key in known.flags:
        return as_flag(value)
    is_number = isinstance(value, (bool, int, float))
    return source.word(at) if is_number and key not in known.other else value


def _path(params: Map, name: Any) -> Map:
    """Return the params of a `file` with its folder and the name in it made one path."""
    given = {key: params[key] for key in ("dirname", "basename") if key in params}
    if not all(isinstance(part, str) for part in (name, params.get("path", ""), *given.values())):
        return params
    folder, _, last = params.get("path", name).rpartition("/")
    path = given.get("dirname", f"{folder}/") + given.get("basename", last)
    result = Map.new(params.at)
    for key, value, key_at, at in params.entries():
        if key not in ("path", *given):
            result.put(key, value, key_at, at)
        elif "path" not in result:
            result.put("path", path if given else value, key_at, at)
    return result


def _commands(params: Map) -> Map:
    """Return the params of an `exec` with its guards under our names.

    Where mgmt has a directory and a shell for each, they become part of the command.
    """
    result = Map.new(params.at)
    for key, value, key_at, at in params.entries():
        begin = key.removesuffix("cmd")
        if key in _COMMANDS and isinstance(value, str):
            command = _command(value, params.get(f"{begin}shell"), params.get(f"{begin}cwd"))
            result.put(_COMMANDS[key], command, key_at, at)
        elif key not in _HOW:
            result.put("stop_signal" if key == "sig" else key, value, key_at, at)
    return result


def _command(command: str, shell: Any, cwd: Any) -> str:
    if shell:
        command = f"{shell} -c {shlex.quote(command)}"
    return f"env -C {shlex.quote(str(cwd))} {command}" if cwd else command


def meta_params(id_: str, item: Map, warn: Warn, wrong: Warn) -> Map:
    """Return our meta params for the resource `item` of mgmt's."""
    written = item.get("meta")
    meta = Map.new()
    if not isinstance(written, Map):
        if written is not None:
            wrong(
                value_at(item, "meta", 0), f"{shown(id_)}: meta must be a map, not {show(written)}"
            )
        return meta
    for key, value, key_at, at in written.entries():
        if key in _META:
            ours = _META[key](value)
            if ours is not None:
                meta.put(_NAMES.get(key, key), ours, key_at, at)
        elif key in _WITHOUT_EFFECT:
            warn(key_at, f"the meta param {key!r} is ignored, it has no effect here")
        else:
            warn(key_at, f"there is no meta param {key!r}, it is ignored, as mgmt does")
    return meta


def _same(value: Any) -> Any:
    return value


def _seconds(milliseconds: Any) -> Any:
    is_number = isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if is_number else milliseconds


def _limit(value: Any) -> Any:
    """Return None where mgmt says "infinite", which here is not to say anything."""
    return None if value == math.inf else value


_META: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("noop", "retryreset", "rewatch", "autoedge", "autogroup", "reverse", "hidden"), as_flag
    ),
    **dict.fromkeys(("retry", "poll", "burst", "sema", "export"), _same),
    **dict.fromkeys(("delay", "timeout"), _seconds),
    "limit": _limit,
}
_NAMES = {"retryreset": "retry_reset"}
