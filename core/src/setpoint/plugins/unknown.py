"""The error for a name that no installed plugin has."""

from collections.abc import Iterable

from setpoint.errors import SetpointError, suggest

# What the project has, so that one who lacks it is told what to install. A kind's distribution has
# the name of its family: `http:server` is in setpoint-http.
_KINDS = (
    "archive cron exec exit file git group hostname http http:file http:server kmsg kv line mount"
    " msg noop password pkg process ssh:authorized_key svc sysctl timer user value"
).split()
_OUR_KINDS = {kind: f"setpoint-{kind.partition(':')[0]}" for kind in _KINDS}
_OUR_FACTS = {
    "kmsg": "setpoint-kmsg",
    **dict.fromkeys(
        "cpu datetime disks exec file hostname load memory net os process udev uptime users"
        " weekday".split(),
        "setpoint-sys",
    ),
}


class UnknownKindError(SetpointError):
    """No installed plugin has a kind of that name.

    Args:
        name: what was asked for.
        installed: the kinds that there are.

    """

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        super().__init__(_message("kind", name, list(installed), _OUR_KINDS))
        self.name = name


class UnknownFactError(SetpointError):
    """No installed plugin has a fact of that name; the arguments are as for a kind."""

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        super().__init__(_message("fact", name, list(installed), _OUR_FACTS))
        self.name = name


def _message(what: str, name: str, installed: list[str], ours: dict[str, str]) -> str:
    """Return the message, with the distribution to install or the names that were perhaps meant."""
    if name in ours:
        return f"no installed plugin has a {what} {name!r}; install {ours[name]}"
    near = suggest(name, installed)
    if not near.startswith("did you mean"):
        others = suggest(name, ours)
        near = others if others.startswith("did you mean") else near
    near = near or f"none of the {len(installed)} {what}s is like it"
    return f"no installed plugin has a {what} {name!r}; {near}"
