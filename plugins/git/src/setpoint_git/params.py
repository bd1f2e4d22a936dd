"""Which sources and refs there are; what would be an option, a command or another protocol is refused."""

import re
from typing import TYPE_CHECKING

from setpoint import ParamError
from setpoint.errors import suggest

if TYPE_CHECKING:
    from setpoint_git import Git

PROTOCOLS = ("file", "git", "http", "https", "ssh")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(/.*)?")
_SCP = re.compile(r"([A-Za-z0-9][\w.-]*@)?([A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?!:)[^-].*")
_BLANK = re.compile(r"[\x00-\x20\x7f]")
# Source: git-check-ref-format(1)
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[./-]|[./]$|\.lock(/|$)|^@$|^$")


def validate(git: "Git") -> None:
    """See that the params of `git` are what they are meant to be; one that is still to be received counts as right.

    Raises:
        ParamError: one is not.

    """
    if isinstance(git.path, str):
        _require_path("path", git.path or git.name)
    for param in ("key", "host_keys"):
        if path := getattr(git, param):
            _require_path(param, path)
            if found := set(path) & set('"%$\\'):  # ssh replaces them, or what they begin
                raise ParamError(param, f"must have no {min(found)!r} in it, not {path!r}")
    if isinstance(git.source, str):
        _validate_source(git.source)
    if isinstance(git.ref, str) and _NO_REF.search(git.ref):
        rule = f"must be a branch, a tag or a commit, not {git.ref!r}"
        raise ParamError("ref", rule)


def local_path(source: str) -> str:
    """Return the path that `source` is on this machine; empty if it is somewhere else."""
    path = source.removeprefix("file://")
    return path.rstrip("/") if path.startswith("/") else ""


def _require_path(param: str, path: str) -> None:
    if not path.rstrip("/").startswith("/") or re.search(r"\0|/\.\.?(/|$)", path):
        raise ParamError(param, f"must be an absolute path without . and .., not {path!r}")


def _validate_source(source: str) -> None:
    cure = "write a path, a URL or user@host:path"
    if source.startswith("/"):
        _require_path("source", source)
    elif url := _URL.fullmatch(source):
        _validate_url(source, *url.groups(""))
    elif not _SCP.fullmatch(source):
        raise ParamError("source", f"must be a repository, not {source!r}", cure)
    if not source.startswith("/") and _BLANK.search(source):
        raise ParamError("source", "must have no blanks in it", cure)


def _validate_url(source: str, protocol: str, where: str, path: str) -> None:
    if protocol not in PROTOCOLS:
        rule = f"must be a URL of {', '.join(PROTOCOLS)}, not of {protocol!r}"
        raise ParamError("source", rule, suggest(protocol, PROTOCOLS))
    user, _, host = where.rpartition("@")
    if ":" in user:
        raise ParamError("source", "must have no password in it", "give a key for ssh")
    if not path or user.startswith("-") or host.startswith("-") or (protocol == "file" and where):
        raise ParamError("source", f"must be a repository, not {source!r}")
