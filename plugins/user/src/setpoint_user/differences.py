"""How what the machine has of a user differs from what is declared."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from setpoint import Change, ParamError
from setpoint.values import HIDDEN, Secret
from setpoint_user.hashes import is_locked

if TYPE_CHECKING:
    from setpoint.accounts import User as Account
    from setpoint_user import User
    from setpoint_user.found import Found

NEVER = "never"
DAY_0 = 719163  # 1970-01-01, as datetime.date counts days


def differences(user: "User", there: "Found") -> list[Change]:
    """Return what has to change, in the order of the params."""
    if user.state == "absent":
        return [Change("state", "exists", "absent")] if there.user else []
    changes = [] if there.user else [Change("state", "absent", "exists")]
    changes += _of_numbers(user, there)
    changes += _of_groups(user, there)
    changes += _of_texts(user, there.user)
    changes += _of_secrets(user, there)
    if not there.has_home:
        changes.append(Change("create_home", None, user.homedir or "its home directory"))
    return changes


def wanted_groups(user: "User", there: "Found") -> frozenset[str]:
    """Return the names of the groups, but for the primary one, that the user is to be in."""
    primary = _wanted_gid(user, there)
    declared = frozenset(
        name for name in user.groups or () if primary is None or there.gids.get(name) != primary
    )
    return declared | (there.groups if user.membership == "additive" else frozenset())


def wanted_password(user: "User") -> str | None:
    """Return what is to stand in shadow(5), None if that is not declared."""
    if not isinstance(user.password, Secret):
        return None
    return ("!" if user.locked else "") + user.password.reveal()


def to_days(date: str) -> int:
    """Return which day since 1970 `date` is.

    Raises:
        ParamError: it is none.

    """
    import datetime

    try:
        return datetime.date.fromisoformat(date).toordinal() - DAY_0
    except ValueError:
        rule = f"must be a day such as '2030-12-31' or 'never', not {date!r}"
        raise ParamError("expiry", rule) from None


def to_date(days: int | None) -> str:
    """Return the date of a day since 1970, "never" for None."""
    import datetime

    return NEVER if days is None else datetime.date.fromordinal(days + DAY_0).isoformat()


def _of_numbers(user: "User", there: "Found") -> Iterator[Change]:
    account = there.user
    if user.uid is not None and (account is None or account.uid != user.uid):
        yield Change("uid", account and account.uid, user.uid)
    if user.gid is not None and (account is None or account.gid != user.gid):
        yield Change("gid", account and account.gid, user.gid)
    if user.group and (account is None or account.gid != there.gids.get(user.group)):
        yield Change("group", account and _name(account.gid), user.group)


def _of_groups(user: "User", there: "Found") -> Iterator[Change]:
    if user.groups is None:
        return
    wanted = wanted_groups(user, there)
    if wanted != there.groups:
        before = sorted(there.groups) if there.user or there.groups else None
        yield Change("groups", before, sorted(wanted))


def _of_texts(user: "User", account: "Account | None") -> Iterator[Change]:
    if user.homedir:
        before = account and account.homedir
        if before is None or (before.rstrip("/") or "/") != (user.homedir.rstrip("/") or "/"):
            yield Change("homedir", before, user.homedir)
    if user.shell and (account is None or account.shell != user.shell):
        yield Change("shell", account and account.shell, user.shell)
    if user.comment is not None and (account is None or account.comment != user.comment):
        yield Change("comment", account and account.comment, user.comment)


def _of_secrets(user: "User", there: "Found") -> Iterator[Change]:
    before = there.shadow.password if there.shadow else "!"
    expiry = there.shadow.expiry if there.shadow else None
    wanted = wanted_password(user)
    if user.expiry and to_date(expiry) != user.expiry:
        yield Change("expiry", to_date(expiry) if there.user else None, user.expiry)
    if wanted is not None and before.lstrip("!") != wanted.lstrip("!"):
        yield Change("password", HIDDEN if there.user else None, HIDDEN)
    elif wanted is not None and before != wanted:
        yield Change("locked", is_locked(before), is_locked(wanted))
    elif wanted is None and user.locked is not None and is_locked(before) != user.locked:
        yield Change("locked", is_locked(before), user.locked)


def _wanted_gid(user: "User", there: "Found") -> int | None:
    """Return the number of the primary group that the user is to have."""
    if user.gid is not None:
        return user.gid
    if user.group or there.user is None:
        return there.gids.get(user.group or user.name)
    return there.user.gid


def _name(gid: int) -> str:
    """Return the name of a group, its number if it has none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
