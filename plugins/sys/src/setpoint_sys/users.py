"""The fact `users`."""

from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint.accounts import Accounts, News, Tables
from setpoint_sys.reading import follow


class User(Values):
    """An account.

    name: of the account.
    uid: its number.
    gid: number of its primary group.
    group: name of that; empty if /etc/group has none with this number.
    groups: names of all its groups, in alphabetical order.
    comment: full name or purpose; may be empty.
    homedir: its home directory, whether that exists or not.
    shell: its login shell; empty is /bin/sh.
    """

    name: str
    uid: int
    gid: int
    group: str
    groups: list[str]
    comment: str
    homedir: str
    shell: str


class Users(Fact):
    """The accounts in /etc/passwd, by name, with their groups in /etc/group.

    It moves when these files do. Accounts of a directory service are not told, nor who has logged in.

    name: of an account, to be told of that one only, if there is one; empty is all.

    Source: passwd(5), group(5).
    """

    kind = "users"
    Value = dict[str, User]

    def watch(self) -> AsyncGenerator[dict[str, User], None]:
        """Yield the accounts, then what they have become."""
        accounts = self.host.shared(Accounts)

        async def read() -> dict[str, User]:
            tables = await accounts.read()
            found = (user_of(tables, name) for name in tables.users if self.name in ("", name))
            return {user.name: user for user in found if user}

        return follow(News(accounts, lambda tables: True), read)


def user_of(tables: Tables, name: str) -> User | None:
    """Return the account of that name; None if its line is broken."""
    found = tables.user(name)
    if found is None:
        return None
    primary = tables.groups_with(found.gid)[:1]
    return User(
        name=name,
        uid=found.uid,
        gid=found.gid,
        group="".join(primary),
        groups=sorted({*primary, *tables.groups_of(name)}),
        comment=found.comment,
        homedir=found.homedir,
        shell=found.shell,
    )
