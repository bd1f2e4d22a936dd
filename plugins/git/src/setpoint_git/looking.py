"""What a checkout is like, and what it should be like."""

import os
import pwd
import stat
from typing import TYPE_CHECKING, NamedTuple

from setpoint import Change, Refused
from setpoint.errors import suggest
from setpoint_git.commands import Commands
from setpoint_git.params import COMMIT, local_path
from setpoint_git.record import recall

if TYPE_CHECKING:
    from setpoint_git import Git

NAMED = 10  # files that an error names
EARLY = 0.9  # of an interval: timers are not exact
NOW = "now"  # instead of when the source was asked: ask it
FIELDS = {"1": 7, "2": 8, "u": 9}  # blanks before the name of a file, by the sort of a line


class Remote(NamedTuple):
    """A ref of the source: its commit and its full name."""

    commit: str
    name: str


class Look(NamedTuple):
    """A checkout, and the commit that it should be at.

    wanted: the commit.
    head: the commit that it is at; empty if it has none, None if there is no checkout.
    source: where it was fetched from.
    edited: files that differ from the commit it is at.
    submodules: those that are missing, or at another commit.
    """

    git: "Git"
    wanted: str
    head: str | None = None
    source: str = ""
    edited: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()

    def changes(self) -> list[Change]:
        """Return in what it differs."""
        if self.head is None:
            return [Change("commit", None, self.wanted)]
        changes = []
        if self.source != self.git.source:
            changes.append(Change("source", self.source, self.git.source))
        if self.head != self.wanted:
            changes.append(Change("commit", self.head or None, self.wanted))
        if self.edited:
            changes.append(Change("files", f"edited: {listed(self.edited)}", "as in the commit"))
        if self.submodules:
            changes.append(Change("submodules", f"differ: {listed(self.submodules)}", "as named"))
        return changes


async def look(git: "Git") -> Look:
    """Return what the checkout is like.

    Raises:
        Refused: something is in the way, or would be lost.
        OSError: the source cannot be asked.

    """
    _refuse_source_of_others(git)
    is_there, record = _is_there(git), recall(git)
    wanted = await _wanted(git)
    if not is_there:
        return Look(git, wanted)
    run = Commands(git, git.at)
    head, edited = await _status(run)
    source = (await run.run("config", "--get", "remote.origin.url")).stdout.rstrip("\n")
    submodules = await _submodules(run) if git.submodules and head else ()
    found = Look(git, wanted, head, source, edited, submodules)
    was_moving = record is not None and record.moving
    if not git.force and not was_moving:
        await _refuse_loss(run, found, record.commit if record else "")
    return found


def listed(names: tuple[str, ...]) -> str:
    """Return some of `names`, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _is_there(git: "Git") -> bool:
    """Whether there is a checkout; an empty directory is none.

    Raises:
        Refused: there is something else, or it is somebody's who could run code by it.

    """
    files = git.host.files
    if files.status(git.at) is None:
        return False
    inner = files.status(f"{git.at}/.git")
    if inner is None:
        if files.names(git.at):
            raise Refused(f"{git.at} must be a checkout or empty, it has other files", "move them")
        return False
    if not stat.S_ISDIR(inner.st_mode):
        raise Refused(f"{git.at} must be a checkout of its own, it belongs to another one")
    own = Commands(git, git.at).account.uid
    if inner.st_uid != own:
        who = _name(inner.st_uid)
        cure = f"declare user: {who}" if os.geteuid() == 0 else "run as that user"
        raise Refused(f"{git.at} belongs to user {who}, who can have git run anything", cure)
    return True


def _refuse_source_of_others(git: "Git") -> None:
    """Refuse a repository on this machine whose owner could have us run anything."""
    path = local_path(git.source)
    status = git.host.files.status(path, follow=True) if path else None
    if status is not None and status.st_uid not in (0, Commands(git, git.at).account.uid):
        who = _name(status.st_uid)
        raise Refused(
            f"{path} belongs to user {who}, who can have git run anything", f"declare user: {who}"
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


async def _wanted(git: "Git") -> str:
    """Return the commit that the checkout should be at; the source is asked if that is not known, or if it is time."""
    if COMMIT.fullmatch(git.ref):
        return git.ref
    known = _known(git)
    if known and not _is_time(git):
        return known
    try:
        commit = (await ask(git)).commit
    except OSError as error:
        if not known or not git.interval:
            raise
        git.host.log(git).warning("the source cannot be asked, %s stays: %s", git.at, error)
        commit = known
    git.memory["asked"] = git.host.clock.monotonic()
    git.memory["answer"] = git.source, git.ref, commit
    return commit


def _known(git: "Git") -> str:
    """Return the commit that the ref was when the source was asked last; empty if it never was."""
    record = recall(git)
    kept = (record.source, record.ref, record.commit) if record else ("", "", "")
    source, ref, commit = git.memory.get("answer", kept)
    return str(commit) if (source, ref) == (git.source, git.ref) else ""


def _is_time(git: "Git") -> bool:
    """Whether somebody wants to know what the ref is now."""
    asked = git.memory.get("asked")
    if asked is None:
        return bool(git.interval)
    if asked is NOW:
        return True
    return bool(git.interval) and git.host.clock.monotonic() - asked >= git.interval * EARLY


async def ask(git: "Git") -> Remote:
    """Return what the ref is in the source now.

    Raises:
        Refused: there is no such ref.
        OSError: the source cannot be asked.

    """
    run = Commands(git, "/")
    names = _possible(git.ref)
    peeled = [f"{name}^{{}}" for name in names]
    told = await run("ls-remote", "--quiet", *run.upload, "--", git.source, *names, *peeled)
    found = {name: commit for commit, name in (line.split("\t") for line in told.splitlines())}
    for name in names:
        if name in found:  # of a tag with a message, what it is a tag of
            return Remote(found.get(f"{name}^{{}}", found[name]), name)
    told = await run("ls-remote", "--quiet", *run.upload, "--heads", "--tags", "--", git.source)
    there = [line.split("\t")[1].split("/", 2)[2] for line in told.splitlines()]
    raise Refused(f"{git.source} has no branch or tag {git.ref!r}", suggest(git.ref, there))


def _possible(ref: str) -> list[str]:
    """Return the full names that `ref` may have, the likeliest first."""
    if ref == "HEAD" or ref.startswith("refs/"):
        return [ref]
    return [f"refs/heads/{ref}", f"refs/tags/{ref}"]


async def _status(run: Commands) -> tuple[str, tuple[str, ...]]:
    """Return the commit that is checked out, and the files that differ from it.

    Source: git-status(1), Porcelain Format Version 2.
    """
    words = ("--porcelain=v2", "--branch", "-z", "--untracked-files=no", "--ignore-submodules=all")
    fields = iter((await run("status", *words)).split("\0"))
    head, edited = "", []
    for field in fields:
        sort, _, rest = field.partition(" ")
        if rest.startswith("branch.oid ") and "initial" not in rest:
            head = rest.removeprefix("branch.oid ")
        elif sort in FIELDS:
            edited.append(rest.split(" ", FIELDS[sort])[-1])
            if sort == "2":
                next(fields)  # its name of before
    return head, tuple(edited)


async def _submodules(run: Commands) -> tuple[str, ...]:
    """Return the submodules that are not as the commit names them."""
    told = (await run("submodule", "status", "--recursive")).splitlines()
    return tuple(line[1:].split(" ")[1] for line in told if not line.startswith(" "))


async def _refuse_loss(run: Commands, look: Look, known: str) -> None:
    """Refuse to throw away what somebody has done.

    Args:
        run: git in the checkout.
        look: what it is like.
        known: the commit that it was left at.

    Raises:
        Refused: files were edited, or a commit was made that is in no branch.

    """
    at = look.git.at
    if look.edited:
        cure = "undo that, or declare force: true"
        raise Refused(f"files of {at} were edited: {listed(look.edited)}", cure)
    if look.head not in ("", None, look.wanted, known):
        told = await run("for-each-ref", "--count=1", "--contains", look.head)
        if not told:
            cure = "make a branch of it, or declare force: true"
            raise Refused(f"commit {look.head} of {at} is in no branch and would be lost", cure)
