"""The `group` resource: a group of this machine and its members."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec

from setpoint import Change, Refused, Resource, Values, hookimpl
from setpoint.accounts import ACCOUNTS, Accounts, News, Tables, Tools, Trace, check_name
from setpoint.accounts import Group as Entry
from setpoint.accounts.tools import refuse_others
from setpoint.errors import suggest
from setpoint.relations import Need, Thing
from setpoint.watching import Subscription

Number = Annotated[
    int, msgspec.Meta(ge=0, le=2**32 - 2)
]  # the highest one means "none" to the kernel


class Group(Resource):
    """A group of this machine, as /etc/group has it.

    What is not declared is left alone once the group exists. One that LDAP or sssd knows is taken for what it is; it
    cannot be changed here, which is said when that would be needed.

    name: its name, up to 32 letters, digits, "_", "." and "-", which may not be first.
    state: exists or absent. The primary group of a user cannot be removed.
    gid: the number, from 0; empty takes the next free one when the group is made. Files keep the number they have.
    members: names of users, who must exist, that have it as a supplementary group; empty leaves them alone.
    membership: additive leaves other members in it; exact takes them out.
    system: take the gid from those of the system, when the group is made.
    allow_duplicate_gid: the gid may be that of another group too.

    Sends `gid` as it is after the run.
    """

    kind = "group"

    state: Literal["exists", "absent"] = "exists"
    gid: Number | None = None
    members: tuple[str, ...] | None = None
    membership: Literal["additive", "exact"] = "additive"
    system: bool = False
    allow_duplicate_gid: bool = False

    class Sends(Values):
        """What others may receive."""

        gid: int

    def __post_init__(self) -> None:
        check_name("name", self.name)
        for name in self.members if isinstance(self.members, tuple) else ():
            check_name("members", name)

    def provides(self) -> Iterator[Thing]:
        """Tell of the group by name and number."""
        yield Thing("group", self.name)
        if isinstance(self.gid, int):
            yield Thing("group", str(self.gid))

    def needs(self) -> Iterator[Need]:
        """Wait for the members."""
        if self.state == "exists" and isinstance(self.members, tuple):
            for name in self.members:
                yield Need("user", name, "its member")

    def touches(self) -> Iterator[Thing]:
        """Tell of what changes with it: its members, and all accounts if nobody says whose they are."""
        yield from self.provides()
        if self.state == "absent" or self.membership == "exact":
            yield ACCOUNTS
        for name in self.members if isinstance(self.members, tuple) else ():
            yield Thing("user", name)

    def reads(self) -> Iterator[Thing]:
        """Tell of what its check looks at: itself, its members, and who takes accounts away."""
        yield from self.provides()
        yield ACCOUNTS
        for name in self.members if isinstance(self.members, tuple) else ():
            yield Thing("user", name)

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the files show another group, or members come and go."""
        return News(self.host.shared(Accounts), self._is_new)

    async def check(self) -> list[Change]:
        """Compare the group with the declaration."""
        return _differences(self, await self._look())

    async def apply(self, changes: list[Change]) -> None:
        """Run the tools that repair the differences.

        Raises:
            Refused: we are not root, or what is declared cannot be.
            OSError: a tool failed.

        """
        refuse_others()
        there = await self._look()
        if there.entry and not there.is_local:
            why = f"group {self.name!r} comes from the name service, not from /etc/group"
            raise Refused(why, "change it where it is kept, LDAP say")
        run = self.host.shared(Tools).run
        for words in _steps(self, there, await self.host.shared(Accounts).read()):
            await run(self, [*words, self.name])

    def reversed(self) -> "Group | None":
        """Return the group as it is now, of what is managed; all of it if it is to be absent."""
        there = _found(self, self.host.shared(Accounts).read_now())
        if there.entry is None:
            return Group(self.name, state="absent") if _ask(self.name) is None else None
        was = Group(self.name)
        if self.state == "absent" or self.gid is not None:
            was.gid, was.allow_duplicate_gid = there.entry.gid, self.allow_duplicate_gid
        if self.state == "absent" or self.members is not None:
            was.members, was.membership = there.entry.members, "exact"
        return was

    @hookimpl
    async def send(self) -> Sends | None:
        """Hand out the number; nothing of a group that is absent."""
        entry = (await self._look()).entry
        return entry and self.Sends(gid=entry.gid)

    async def _look(self) -> "Found":
        tables = await self.host.shared(Accounts).read()
        self.memory["seen"] = self._trace(tables)
        there = _found(self, tables)
        if there.entry:
            return there
        return there._replace(entry=await self.host.in_thread(_ask, self.name))

    def _is_new(self, tables: Tables) -> bool:
        return self._trace(tables) != self.memory.get("seen")

    def _trace(self, tables: Tables) -> Trace:
        return tables.trace_of_group(self.name, self.members or ())


class Found(NamedTuple):
    """What the machine has of a group.

    entry: its line of group(5); None if there is no such group.
    is_local: whether the file has it, and not LDAP say.
    strangers: those declared as members who are no users.
    """

    entry: Entry | None
    is_local: bool
    strangers: tuple[str, ...]


def _found(group: Group, tables: Tables) -> Found:
    """Return what the files say of `group`."""
    entry = tables.group(group.name)
    strangers = tuple(name for name in group.members or () if tables.user(name) is None)
    return Found(entry, entry is not None, strangers)


def _differences(group: Group, there: Found) -> list[Change]:
    """Return what has to change."""
    entry = there.entry
    if group.state == "absent":
        return [Change("state", "exists", "absent")] if entry else []
    changes = [] if entry else [Change("state", "absent", "exists")]
    if group.gid is not None and (entry is None or entry.gid != group.gid):
        changes.append(Change("gid", entry and entry.gid, group.gid))
    before = set(entry.members) if entry else set()
    if group.members is not None and _wanted_members(group, before) != before:
        wanted = _wanted_members(group, before)
        changes.append(Change("members", sorted(before) if entry else None, sorted(wanted)))
    return changes


def _wanted_members(group: Group, before: set[str]) -> set[str]:
    declared = set(group.members or ())
    return declared | before if group.membership == "additive" else declared


def _steps(group: Group, there: Found, tables: Tables) -> Iterator[list[str]]:
    """Yield the tools to run, each without the name of the group.

    Raises:
        Refused: the gid is taken, or a member is no user.

    """
    if group.state == "absent":
        yield ["groupdel"]
        return
    _refuse_what_cannot_be(group, there, tables)
    number = []
    if group.gid is not None:
        number = ["-g", str(group.gid), *(["-o"] if group.allow_duplicate_gid else [])]
    if there.entry is None:
        yield ["groupadd", *number, *(["-r"] if group.system else []), "--"]
    elif group.gid not in (None, there.entry.gid):
        yield ["groupmod", *number, "--"]
    yield from _steps_for_members(group, set(there.entry.members) if there.entry else set())


def _steps_for_members(group: Group, before: set[str]) -> Iterator[list[str]]:
    wanted = _wanted_members(group, before)
    if group.members is None or wanted == before:
        return
    if group.membership == "exact":
        yield ["gpasswd", "-M", ",".join(sorted(wanted))]
    else:  # one by one, so that nobody is taken out whom another tool adds meanwhile
        yield from (["gpasswd", "-a", name] for name in sorted(wanted - before))


def _refuse_what_cannot_be(group: Group, there: Found, tables: Tables) -> None:
    """Say what stands against it in words that name who and what, before a tool gives a number."""
    if group.gid is not None and not group.allow_duplicate_gid:
        for name in tables.groups_with(group.gid):
            if name != group.name:
                cure = "choose another, or set allow_duplicate_gid: true"
                raise Refused(f"gid {group.gid} is that of group {name!r}", cure)
    for name in there.strangers:
        if not _is_user(name):
            known = {*tables.users, *group.host.peers(group, "user")} - {name}
            raise Refused(f"there is no user {name!r}", suggest(name, known) or "declare it")


def _ask(name: str) -> Entry | None:
    """Return the group that the name service knows."""
    import grp

    try:
        entry = grp.getgrnam(name)
    except KeyError:
        return None
    return Entry(name, entry.gr_gid, tuple(entry.gr_mem))


def _is_user(name: str) -> bool:
    """Whether the name service knows a user of that name."""
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
