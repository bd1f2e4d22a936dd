"""The `user` resource: an account of this machine.

found.py       what the machine has of a user
differences.py how that differs from what is declared
steps.py       the tools that are run, and in which order
home.py        home directories, made and removed
hashes.py      which texts are encrypted passwords
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from setpoint import Change, ParamError, Resource, Secret, Values, hookimpl
from setpoint.accounts import ACCOUNTS, Accounts, News, Tables, Trace, check_name
from setpoint.relations import Need, Thing
from setpoint.watching import Aimed, Many, Subscription
from setpoint_user import found, steps
from setpoint_user.differences import NEVER, differences, to_days
from setpoint_user.hashes import is_hash

Number = Annotated[
    int, msgspec.Meta(ge=0, le=2**32 - 2)
]  # the highest one means "none" to the kernel
PATHS = ("homedir", "shell", "skeleton")


class User(Resource):
    """An account of this machine, as /etc/passwd has it.

    What is not declared is left alone once the user exists. One that LDAP or sssd knows is taken for what it is; it
    cannot be changed here, which is said when that would be needed.

    name: the login name, up to 32 letters, digits, "_", "." and "-", which may not be first.
    state: exists or absent. A user whose processes run cannot be removed.
    uid: the number, from 0; empty takes the next free one when the user is made. Files in the home directory follow
        when it becomes another.
    gid: the number of the primary group, which must exist; empty goes by `group`.
    group: the name of the primary group, which must exist. If both are empty it is the one of the user's own name when
        the user is made; that is made too if there is none.
    groups: names of other groups, which must exist; empty leaves them alone.
    membership: additive leaves the user in other groups too; exact takes the user out of them.
    homedir: absolute path of the home directory; empty is what useradd(8) takes, /home and the name. What an old one
        holds is not moved.
    create_home: see that the home directory is there: if not, it is made of `skeleton`, with the mode that
        login.defs(5) says. False leaves it alone.
    remove_home: remove the home directory and the mail of a user who is to be absent; false keeps them.
    skeleton: absolute path of the directory of which a home directory is made; "/etc/skel" by default.
    shell: absolute path of the login shell; empty is what useradd(8) takes.
    comment: the full name or what else the account is for, without ":"; "" is none, empty leaves it alone.
    password: the encrypted password, as crypt(5) has it; "*" or "!" lets no password in. Empty leaves it alone; a new
        user then has none that lets in.
    locked: true lets the password not in, but keeps it; keys of SSH still do. Empty is false with a `password`, and
        otherwise leaves it alone.
    expiry: the day from which on nobody gets in, "2030-12-31", or "never"; empty leaves it alone.
    system: take the uid from those of the system, when the user is made.
    allow_duplicate_uid: the uid may be that of another user too.

    Sends `uid`, `gid` and `homedir` as they are after the run.
    """

    kind = "user"

    state: Literal["exists", "absent"] = "exists"
    uid: Number | None = None
    gid: Number | None = None
    group: str = ""
    groups: tuple[str, ...] | None = None
    membership: Literal["additive", "exact"] = "additive"
    homedir: str = ""
    create_home: bool = False
    remove_home: bool = False
    skeleton: str = "/etc/skel"
    shell: str = ""
    comment: str | None = None
    password: Secret[str] | None = None
    locked: bool | None = None
    expiry: str = ""
    system: bool = False
    allow_duplicate_uid: bool = False

    class Sends(Values):
        """What others may receive."""

        uid: int
        gid: int
        homedir: str

    def __post_init__(self) -> None:
        check_name("name", self.name)
        for param, names in (("group", (self.group,)), ("groups", self.groups)):
            for name in names if isinstance(names, tuple) else ():
                if name:
                    check_name(param, name)
        if self.group and isinstance(self.gid, int):
            raise ParamError("group", "must not go with gid", "write one of them")
        for param in PATHS:
            _check_path(param, getattr(self, param))
        if isinstance(self.comment, str) and any(letter in ":\n\0" for letter in self.comment):
            raise ParamError("comment", "must be one line without ':'")
        if isinstance(self.password, Secret) and not is_hash(self.password.reveal()):
            cure = "write what `openssl passwd -6` prints of it, or '*' for none"
            raise ParamError("password", "must be encrypted, found what is not of crypt(5)", cure)
        if isinstance(self.expiry, str) and self.expiry not in ("", NEVER):
            to_days(self.expiry)

    def provides(self) -> Iterator[Thing]:
        """Tell of the user by name and number, and of a home directory that is made."""
        yield Thing("user", self.name)
        if isinstance(self.uid, int):
            yield Thing("user", str(self.uid))
        if self.state == "exists" and self.create_home:
            yield Thing("path", self._likely_home)
            yield Thing("directory", self._likely_home)

    def needs(self) -> Iterator[Need]:
        """Wait for groups, shell and the place of the home directory; groups are removed later than their users."""
        is_absent = self.state == "absent"
        yield Need("group", self.group or self.name, "its group", after=is_absent)
        if isinstance(self.gid, int):
            yield Need("group", str(self.gid), "its group", after=is_absent)
        for group in self.groups or ():
            yield Need("group", group, "a group that it is in", after=is_absent)
        if is_absent:
            return
        if self.shell:
            yield Need("path", self.shell, "its shell")
        if self.create_home:
            parent = self._likely_home.rpartition("/")[0] or "/"
            yield Need("directory", parent, "the directory of its home", nearest=True)
            yield Need("directory", str(self.skeleton), "what its home is made of")

    def touches(self) -> Iterator[Thing]:
        """Tell of what changes with it: its groups, its home, and all accounts if nobody says which."""
        yield from self._accounts()
        if self.state == "absent" or self.membership == "exact":
            yield ACCOUNTS
        if self.create_home or self.remove_home:
            yield Thing("below", self._likely_home)

    def reads(self) -> Iterator[Thing]:
        """Tell of what its check looks at: itself, its groups, its home, and who takes accounts away."""
        yield from self._accounts()
        yield ACCOUNTS
        if self.create_home:
            yield Thing("path", self._likely_home)

    def _accounts(self) -> Iterator[Thing]:
        yield Thing("user", self.name)
        for group in (self.group or self.name, *(self.groups or ())):
            yield Thing("group", group)
        for what, number in (("user", self.uid), ("group", self.gid)):
            if isinstance(number, int):
                yield Thing(what, str(number))

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the files of users show something new, or the home directory comes or goes."""
        home = self.memory["home watch"] = Aimed(self.host.files.changes)
        return Many(News(self.host.shared(Accounts), self._is_new), home)

    async def check(self) -> list[Change]:
        """Compare the account with the declaration."""
        there = self._look(await self.host.shared(Accounts).read())
        if home := self.memory.get("home watch"):
            home.aim(found.home_of(self, there) if self.create_home else "")
        return differences(self, await self.host.in_thread(found.complete, self, there))

    async def apply(self, changes: list[Change]) -> None:
        """Run the tools that repair the differences.

        Raises:
            Refused: we are not root, or what is declared cannot be.
            OSError: a tool failed.

        """
        attributes = {change.attribute for change in changes}
        await (steps.remove(self) if self.state == "absent" else steps.keep(self, attributes))

    def reversed(self) -> "User | None":
        """Return the account as it is now, without its password; home directories stay as they are."""
        there = found.look(self, self.host.shared(Accounts).read_now())
        there = found.complete(self, there)
        if there.user is None:
            return User(self.name, state="absent")
        return found.as_declared(self, there) if there.is_local else None

    @hookimpl
    async def send(self) -> Sends | None:
        """Hand out the numbers and the home directory; nothing of a user who is absent."""
        there = self._look(await self.host.shared(Accounts).read())
        user = (await self.host.in_thread(found.complete, self, there)).user
        return user and self.Sends(uid=user.uid, gid=user.gid, homedir=user.homedir)

    @property
    def _likely_home(self) -> str:
        """Where the home directory is to be, told without a look at the machine."""
        return (self.homedir or f"/home/{self.name}").rstrip("/") or "/"

    def _look(self, tables: Tables) -> found.Found:
        self.memory["seen"] = self._trace(tables)
        return found.look(self, tables)

    def _is_new(self, tables: Tables) -> bool:
        return self._trace(tables) != self.memory.get("seen")

    def _trace(self, tables: Tables) -> Trace:
        return tables.trace_of_user(self.name, (self.group, *(self.groups or ())))


def _check_path(param: str, path: object) -> None:
    """See that `path` can stand in /etc/passwd."""
    if not isinstance(path, str) or not path:
        return
    if not path.startswith("/"):
        raise ParamError(param, f"must be absolute, not {path!r}")
    if any(letter in ":\n\0" for letter in path):
        raise ParamError(param, f"must be one line without ':', not {path!r}")
