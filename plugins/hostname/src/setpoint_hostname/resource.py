"""The `hostname` resource: params and verbs."""

from typing import Annotated

from setpoint import REWATCH, Change, ParamError, Resource, hookimpl
from setpoint.watching import Many, Priority, Subscription
from setpoint_hostname import hostnamed, places
from setpoint_hostname.names import fault, mended


class Hostname(Resource):
    """What this machine is called: now, after the next boot, and to people.

    Where systemd runs its systemd-hostnamed is told, so that others hear of it; elsewhere the files are written and the
    kernel told. A static name becomes the running one there too. Names for machines are letters, digits and hyphens,
    with dots between parts, 64 characters at most.

    name: any; it tells the resource from others.
    hostname: the static and the transient name. Empty: those that follow say it.
    static_hostname: the name after the next boot, in /etc/hostname. Empty: that of hostname, else not looked at.
    transient_hostname: the name now, in the kernel, which DHCP may have given. Empty: that of hostname, else not looked
        at.
    pretty_hostname: the name for people, any line of text, in /etc/machine-info. Empty: not looked at.
    """

    kind = "hostname"

    hostname: str = ""
    static_hostname: str = ""
    transient_hostname: str = ""
    pretty_hostname: Annotated[str, REWATCH] = ""

    def __post_init__(self) -> None:
        given = {param: getattr(self, param) for param in ("hostname", *_FOR_MACHINES)}
        if not any(value != "" for value in (*given.values(), self.pretty_hostname)):
            raise ParamError("hostname", "must be given", "or one of the other names")
        for param, value in given.items():
            if isinstance(value, str) and value and (rule := fault(value)):
                meant = mended(value)
                raise ParamError(param, rule, f"write {meant!r}" if meant else "")
        pretty = self.pretty_hostname
        if isinstance(pretty, str) and pretty and not pretty.isprintable():
            raise ParamError("pretty_hostname", f"must be one line of text, not {pretty!r}")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the kernel has another name, and when a file changes: all that hostnamed knows."""
        paths = [places.STATIC, *([places.INFO] if self.pretty_hostname else [])]
        return Many(Priority(places.RUNNING), *map(self.host.files.changes, paths))

    def check(self) -> list[Change]:
        """Compare the names."""
        static, running = (getattr(self, param) or self.hostname for param in _FOR_MACHINES)
        pretty = self.pretty_hostname
        files = self.host.files
        found = {
            "static_hostname": (static and places.static(files), static),
            "transient_hostname": (running and places.running(), running),
            "pretty_hostname": (pretty and places.pretty(files), pretty),
        }
        return [
            Change(param, before, after)
            for param, (before, after) in found.items()
            if before != after
        ]

    async def apply(self, changes: list[Change]) -> None:
        """Set the names that differ.

        Raises:
            Refused: we are not root.

        """
        for change in changes:
            told = await hostnamed.tell(self.host, change.attribute, change.after)
            if change.attribute == "transient_hostname":
                if places.running() != change.after:  # hostnamed sticks to the static name
                    places.set_running(change.after)
            elif not told:
                write = getattr(places, _WRITERS[change.attribute])
                await self.host.in_thread(write, self.host.files, change.after)


_FOR_MACHINES = ("static_hostname", "transient_hostname")
_WRITERS = {"static_hostname": "set_static", "pretty_hostname": "set_pretty"}
