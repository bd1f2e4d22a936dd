"""The `git` resource: a checkout at a branch, a tag or a commit.

params.py    which sources and refs there are, and which would be more than that
commands.py  git, run so that it asks nothing and runs nothing of others
looking.py   what a checkout is like, and what it should be like
moving.py    making a checkout, and moving it to another commit
record.py    what is remembered of it over restarts
locks.py     locks of a git that was killed
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from setpoint import REWATCH, Change, Need, Resource, Thing, Values, hookimpl
from setpoint.resource import Seconds
from setpoint.watching import Every, Many, Subscription
from setpoint_git.params import local_path, validate

if TYPE_CHECKING:
    from setpoint_git.looking import Look


class Git(Resource):
    """A directory with the files of a git repository, as they are in a branch, a tag or a commit.

    The first time it is fetched beside its place and appears there as a whole. HEAD is detached: branches that
    somebody makes in there stay theirs. A notification looks at the source at once.

    git runs without configuration but that of the checkout, without hooks, and asks nothing: give a key for ssh.
    Sources are paths and URLs of https, http, ssh, git and file.

    name: its path, if path is empty.
    path: the directory, absolute; its parent must exist. Empty takes the name.
    source: where the repository is: a path, a URL or user@host:path. Passwords are refused, for everybody can see
        arguments of processes.
    ref: the branch, tag or commit (all of its 40 or 64 digits), or HEAD for what the source has chosen, which is the
        default.
    interval: seconds, from 0: how often to look whether ref has moved in the source, and to follow. 0 stays with
        what it was when it was fetched.
    depth: how many commits of its history are fetched, from 1; 0 is all.
    submodules: fetch its submodules too, at the commits that it names. False leaves them out.
    force: throw away changes of files that belong to it, and commits that are in no branch. False: these are refused.
        Other files in the directory stay as they are, unless they are in the way of one that is to come.
    user: who runs git and owns the checkout; only root may choose. Empty is the user of the engine.
    key: absolute path of a private key for ssh, which that user may read; empty takes those that ssh finds.
    host_keys: absolute path of a known_hosts file with the key of the server; empty takes those of the user and of
        the system. A server that is in none is refused.

    Sends `commit`: the commit that is checked out.
    Sends `changed`: whether the last run changed anything.
    """

    kind = "git"

    path: Annotated[str, REWATCH] = ""
    source: str
    ref: str = "HEAD"
    interval: Annotated[Seconds, REWATCH] = 0.0
    depth: Annotated[int, msgspec.Meta(ge=0)] = 0
    submodules: bool = False
    force: bool = False
    user: str = ""
    key: str = ""
    host_keys: str = ""

    class Sends(Values):
        """What others may receive."""

        commit: str
        changed: bool

    def __post_init__(self) -> None:
        validate(self)

    @property
    def at(self) -> str:
        """The path without a slash at the end."""
        return (self.path or self.name).rstrip("/")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when something in the checkout changes, and at each interval."""
        files = self.host.files.changes(self.at, recursive=True)
        return Many(files, Every(self.interval)) if self.interval else files

    async def check(self) -> list[Change]:
        """Compare the checkout with the commit; ask the source for that if it is not known, or if it is time."""
        look = await self._look()
        self.memory["look"] = look
        self.memory["moved"] = False
        return look.changes()

    async def apply(self, changes: list[Change]) -> None:
        """Make the checkout, or move it to the commit."""
        from setpoint_git.moving import move

        await move(self, self.memory["look"])
        self.memory["moved"] = True

    @hookimpl
    async def refresh(self) -> None:
        """Ask the source at once, and follow."""
        from setpoint_git.looking import NOW

        moved = self.memory.get("moved", False)
        self.memory["asked"] = NOW
        changes = await self.check()
        if changes:
            await self.intend(changes)
            await self.apply(changes)
        self.memory["moved"] = moved or bool(changes)

    @hookimpl
    def send(self) -> Sends:
        """Hand out the commit."""
        commit = self.memory["look"].wanted
        return self.Sends(commit=commit, changed=self.memory["moved"])

    def provides(self) -> tuple[Thing, ...]:
        """Return the directory."""
        return Thing("path", self.at), Thing("directory", self.at)

    def touches(self) -> tuple[Thing, ...]:
        """Return all that is checked out."""
        return (Thing("below", self.at),)

    def needs(self) -> Iterator[Need]:
        """Yield what has to be there: its parent, a source that is a path, the user, the keys, git itself."""
        parent = self.at.rpartition("/")[0] or "/"
        yield Need("directory", parent, "its parent directory", nearest=True)
        if self.source and (path := local_path(self.source)):
            yield Need("path", path, "its source")
        if self.user:
            yield Need("user", self.user, "the user that it belongs to")
        for path in filter(None, (self.key, self.host_keys)):
            yield Need("path", path, "a key that it is fetched with")
        yield Need("package", "git", "git itself")

    async def _look(self) -> "Look":
        from setpoint_git.looking import look

        return await look(self)
