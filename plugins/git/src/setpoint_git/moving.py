"""Making a checkout, and moving it to another commit.

A new one is made in a directory beside its place, which a later try begins anew, and then gets its name. While the
files of one are moved it is noted whereto: when that was interrupted, files that differ are nobody's work.
"""

import re
from typing import TYPE_CHECKING

import msgspec

from setpoint import Refused
from setpoint.processes import ProcessEnded
from setpoint_git.commands import Commands
from setpoint_git.locks import clear_locks
from setpoint_git.looking import Look, ask, listed
from setpoint_git.params import COMMIT
from setpoint_git.record import Record, keep, recall

if TYPE_CHECKING:
    from setpoint_git import Git

ALL = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
_IN_THE_WAY = re.compile(r"^\t(.+)$", re.MULTILINE)


async def move(git: "Git", look: Look) -> None:
    """Make the checkout, or move it, to where `look` says.

    Raises:
        Refused: files are in the way, or the source has no such commit.
        OSError: the source cannot be reached, or git has failed.

    """
    if look.head is None:
        commit = await _make(git, look.wanted)
    else:
        commit = await _update(git, look.wanted)
    git.memory["look"] = look._replace(wanted=commit)


async def _make(git: "Git", wanted: str) -> str:
    """Make the checkout beside its place, and put it there; return the commit."""
    files = git.host.files
    parent, _, name = git.at.rpartition("/")
    beside = f"{parent}/.{name}.setpoint-new"
    run = Commands(git, beside)
    git.host.progress(git, f"fetches {git.source}")
    if files.status(beside) is not None:
        await git.host.in_thread(lambda: files.remove(beside, recursive=True))
    owner, group = (run.account.uid, run.account.gid) if git.user else (-1, -1)
    files.make_directory(beside, mode=0o755, owner=owner, group=group)
    try:
        await run("init", "--quiet")
        await run("config", "remote.origin.url", git.source)
        commit = await _fetch(git, run, wanted)
        await run("checkout", "--quiet", "--force", "--detach", commit)
        await _update_submodules(git, run)
    except Exception:
        await git.host.in_thread(lambda: files.remove(beside, recursive=True))
        raise
    keep(git, Record(git.source, git.ref, commit))
    files.rename(beside, git.at)
    return commit


async def _update(git: "Git", wanted: str) -> str:
    """Move the checkout, and return the commit that it is at then."""
    run = Commands(git, git.at)
    await clear_locks(git, run.account.uid)
    await run("config", "remote.origin.url", git.source)
    commit = await _fetch(git, run, wanted)
    before = recall(git) or Record(git.source, git.ref, commit)
    keep(git, msgspec.structs.replace(before, moving=commit))
    force = ["--force"] if git.force or before.moving else []
    try:
        await run("checkout", "--quiet", *force, "--detach", commit)
    except ProcessEnded as error:
        if in_the_way := tuple(_IN_THE_WAY.findall(error.completed.stderr)):
            keep(git, before)  # git has looked before it began
            cure = "move them, or declare force: true"
            raise Refused(
                f"files of {git.at} are in the way: {listed(in_the_way)}", cure
            ) from error
        raise
    await _update_submodules(git, run)
    keep(git, Record(git.source, git.ref, commit))
    return commit


async def _fetch(git: "Git", run: Commands, wanted: str) -> str:
    """See that the commit is there, and return it; if the source has it no more, the one that ref is now.

    Raises:
        Refused: the source never had it.

    """
    if await _has(run, wanted):
        return wanted
    git.host.progress(git, f"fetches {git.ref} of {git.source}")
    fetch = ("fetch", "--quiet", "--force", "--no-tags", *run.upload)
    depth = [f"--depth={git.depth}"] if git.depth else []
    newest = ""
    if not COMMIT.fullmatch(git.ref):
        await run(*fetch, *depth, "origin", _refspec((await ask(git)).name))
        newest = (await run("rev-parse", "--verify", "FETCH_HEAD^{commit}")).strip()
    if not await _has(run, wanted):
        await run.run(*fetch, *depth, "origin", wanted)  # some give out no commit by its number
    if not newest and not await _has(run, wanted):
        await run(*fetch, "origin", *ALL)
    if await _has(run, wanted):
        return wanted
    if newest:
        return newest
    raise Refused(f"{git.source} has no commit {wanted}")


def _refspec(name: str) -> str:
    """Return what to fetch so that the checkout has the ref `name` where people look for it."""
    if name.startswith("refs/heads/"):
        return f"+{name}:{name.replace('refs/heads/', 'refs/remotes/origin/', 1)}"
    return f"+{name}:{name}" if name.startswith("refs/tags/") else name


async def _has(run: Commands, commit: str) -> bool:
    """Whether the checkout has a commit, with its files."""
    return (
        await run.run("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    ).stdout.strip() == commit


async def _update_submodules(git: "Git", run: Commands) -> None:
    if git.submodules:
        depth = [f"--depth={git.depth}"] if git.depth else []
        await run("submodule", "--quiet", "sync", "--recursive")
        await run("submodule", "--quiet", "update", "--init", "--recursive", "--force", *depth)
