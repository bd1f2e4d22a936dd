"""The `svc` resource: a unit of systemd that runs or does not, and is enabled or not."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Annotated, Literal

from setpoint import REWATCH, Change, Need, ParamError, Refused, Resource, Thing, Values, hookimpl
from setpoint.dbus.effects import have_done
from setpoint.dbus.errors import CallError
from setpoint.dbus.manager import Manager, system_manager, user_manager
from setpoint.dbus.units import Unit, fault_of, full_name, template_of
from setpoint.watching import Many, Subscription
from setpoint_svc.failing import Starts

SYSTEM = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
USER = ("~/.config/systemd/user", "/etc/systemd/user", "/usr/lib/systemd/user")

# What a unit file may be found as, and what it is then. Source: systemctl(1), "is-enabled".
STARTUP = {
    "enabled": "enabled",
    "alias": "enabled",
    "disabled": "disabled",
    "linked": "disabled",
    "static": "disabled",
    "indirect": "disabled",
    "generated": "disabled",
    "transient": "disabled",
    "masked": "masked",
}
NO_SUCH = ("NoSuchUnit", "NoSuchUnitFile", "FileNotFound")  # what systemd answers
WITHOUT_INSTALL = {"static", "generated", "transient"}
UNITS = Thing("units", "")  # what all of them are to a plan: they pull and push each other
COMMANDS = {
    "enabled": "EnableUnitFiles",
    "disabled": "DisableUnitFiles",
    "masked": "MaskUnitFiles",
}


class Svc(Resource):
    """A unit of systemd: a service, or any other type by its full name.

    It is started, stopped, enabled and disabled over systemd's bus, at once when it is found otherwise. What systemd is
    asked to do is waited for; if it fails, the last lines of the unit's journal say why. A unit that has failed is
    started again three times a minute at most; then it is reported and left alone, until something notifies it, or it
    is looked at when the minute is over. One that systemd restarts again and again is left to that.

    When its unit file was changed, systemd reads it anew. A notification reloads the unit if it can do that; else, or
    if its unit file is a new one, restarts it; but not if it has just been started, or does not run.

    name: the unit; without a type it is a service: `nginx`, `backup.timer`, `getty@tty2`.
    state: "running" or "stopped"; a unit that has failed is stopped. None leaves it as it is.
    startup: "enabled" has it started at boot, or when its [Install] section says; "disabled" has not; "masked" keeps
        anything from starting it. None leaves it as it is.
    on_refresh: what a notification does: "reload-or-try-restart", "restart", "reload", which fails if the unit cannot
        do that, or "nothing".
    session: true for the systemd of the user that runs this, false for that of the machine.

    Sends `active_state` and `sub_state`, as systemd names them ("active", "running"), and `main_pid`, the id of its
    main process, 0 if it has none.
    """

    kind = "svc"

    state: Literal["running", "stopped"] | None = None
    startup: Annotated[Literal["enabled", "disabled", "masked"] | None, REWATCH] = None
    on_refresh: Literal["reload-or-try-restart", "reload", "restart", "nothing"] = (
        "reload-or-try-restart"
    )
    session: Annotated[bool, REWATCH] = False

    class Sends(Values):
        """The unit, as it is."""

        active_state: str
        sub_state: str
        main_pid: int

    def __post_init__(self) -> None:
        if fault := fault_of(self.unit):
            raise ParamError("name", fault, "write it as systemctl shows it")
        if self.startup == "masked" and self.state == "running":
            raise ParamError("state", "must not be 'running' with startup 'masked'", "choose one")

    @property
    def unit(self) -> str:
        """The full name of the unit."""
        return full_name(self.name)

    def provides(self) -> Iterable[Thing]:
        """Return that it is what looks after this unit."""
        return (Thing("svc", self.unit),)

    def needs(self) -> Iterable[Need]:
        """Return what it waits for: its unit file, or the package that has it."""
        yield Need("unit", self.unit, "what has its unit file", notify=True)
        for name in filter(None, (self.unit, template_of(self.unit))):
            for directory in USER if self.session else SYSTEM:
                path = os.path.join(os.path.expanduser(directory), name)
                yield Need("path", path, "its unit file", notify=True)

    def touches(self) -> Iterable[Thing]:
        """Return what it may change: other units, which systemd starts and stops along with it."""
        return (*self.provides(), UNITS)

    def reads(self) -> Iterable[Thing]:
        """Return what its check looks at: systemd, and the unit file."""
        yield UNITS
        for need in self.needs():
            yield Thing(need.what, need.name)
            if need.what == "path":
                yield Thing("below", f"{need.name}.d")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when its state becomes another one, and when its unit file changes."""
        directory = os.path.expanduser((USER if self.session else SYSTEM)[0])
        file = os.path.join(directory, self.unit)
        return Many(
            self._manager.changes(self.unit, files=self.startup is not None),
            self.host.files.changes(file),
            self.host.files.changes(f"{file}.d"),
        )

    async def check(self) -> list[Change]:
        """Compare the unit with what is declared; one that systemd does not know yet differs in all."""
        self.memory["has_just_started"] = False
        if self.notified:  # what has changed may have mended it
            self._starts.forget()
        unit = await self._manager.unit(self.unit)
        changes = []
        if await self._is_outdated(unit):
            changes.append(Change("daemon_reload", "unit file changed", "unit file read"))
        is_unknown = unit.load_state == "not-found" and not changes
        self.memory["was_there"] = self.memory.get("was_there") or not is_unknown
        if self.startup is not None:
            found = await self._manager.file_state(self.unit)
            if STARTUP.get(found) != self.startup and not self._is_as_good(found):
                changes.append(Change("startup", found or None, self.startup))
        is_right = unit.is_running if self.state == "running" else unit.is_stopped
        if self.state is not None and (is_unknown or not is_right):
            changes.append(Change("state", None if is_unknown else _told(unit), self.state))
        return changes

    async def apply(self, changes: list[Change]) -> None:
        """Have systemd repair what differs."""
        wanted = {change.attribute for change in changes}
        try:
            await self._repair(wanted)
        except CallError as error:
            if error.reason in NO_SUCH:  # it has gone meanwhile
                raise self._unknown() from None
            raise

    @hookimpl
    async def refresh(self) -> None:
        """Reload or restart the unit if it runs, unless it has just been started."""
        is_outdated = self.memory.pop("is_outdated", False)
        if self.memory.get("has_just_started") or self.on_refresh == "nothing":
            return
        if not (await self._manager.unit(self.unit)).is_running:
            return
        await self._manager.reset_failed(
            self.unit
        )  # else systemd counts this with its own restarts
        verb = "try-restart" if is_outdated or self.on_refresh == "restart" else self.on_refresh
        await self._do(verb, lambda unit: unit.is_running)

    @hookimpl
    async def send(self) -> Sends:
        """Tell how the unit is."""
        unit = await self._manager.unit(self.unit)
        pid = 0
        if unit.type == "service" and unit.load_state == "loaded":
            pid = await self._manager.property(unit.name, "MainPID", "Service")
        return self.Sends(active_state=unit.active_state, sub_state=unit.sub_state, main_pid=pid)

    async def reversed(self) -> "Svc":
        """Return what brings back its present state, of that which is declared."""
        unit = await self._manager.unit(self.unit)
        found = await self._manager.file_state(self.unit)
        is_up = unit.is_running or unit.active_state == "activating"
        state: Literal["running", "stopped"] = "running" if is_up else "stopped"
        return Svc(
            self.name,
            state=self.state and state,
            startup=self.startup and STARTUP.get(found.removesuffix("-runtime")),  # type: ignore[arg-type]
            on_refresh=self.on_refresh,
            session=self.session,
        )

    # how it is done

    @property
    def _manager(self) -> Manager:
        return self.host.shared(user_manager if self.session else system_manager)

    @property
    def _starts(self) -> Starts:
        starts: Starts = self.memory.setdefault("starts", Starts(self.host.clock))
        return starts

    async def _repair(self, wanted: set[str]) -> None:
        unit = await self._manager.unit(self.unit)
        if "daemon_reload" in wanted:
            self.memory["is_outdated"] = True
        elif unit.load_state == "not-found":
            raise self._unknown()
        if "startup" in wanted:  # which has systemd read the unit file too
            await self._set_startup()
        elif "daemon_reload" in wanted:
            await self._manager.reload()
        if "state" in wanted:
            await (self._start() if self.state == "running" else self._stop())

    async def _is_outdated(self, unit: Unit) -> bool:
        """Whether there is a unit file that systemd has not read, or has read before it was changed."""
        if unit.load_state == "not-found":
            return bool(await self._manager.file_state(self.unit))
        return bool(await self._manager.property(unit.name, "NeedDaemonReload"))

    def _unknown(self) -> Refused:
        if self.memory.get("was_there"):
            why = f"systemd has no unit {self.unit!r} any more"
            return Refused(why, "install again what brought it, or take this out")
        from difflib import get_close_matches

        suffix = f".{self.unit.rpartition('.')[2]}"  # which all have, so that it makes nothing near
        stems: set[str] = set()
        for directory in USER if self.session else SYSTEM:
            with suppress(OSError):
                names = os.listdir(os.path.expanduser(directory))
                stems.update(n.removesuffix(suffix) for n in names if n.endswith(suffix))
        near = get_close_matches(self.unit.removesuffix(suffix), sorted(stems), 1)
        cure = (
            f"did you mean {near[0] + suffix!r}?" if near else "install what brings it before this"
        )
        return Refused(f"systemd has no unit {self.unit!r}", cure)

    def _is_as_good(self, found: str) -> bool:
        """Whether a unit file that has nothing but an Also= is as enabled as it can be."""
        return self.startup == "enabled" and found == "indirect"

    async def _set_startup(self) -> None:
        found = await self._manager.file_state(self.unit)
        if self.startup == "enabled" and found in WITHOUT_INSTALL:
            why = f"{self.unit} cannot be enabled, it is {found}: its file has no [Install] section"
            raise Refused(why, "leave out startup, or enable what wants it")
        if found.startswith("masked"):
            await self._manager.change_file("UnmaskUnitFiles", self.unit)
        await self._manager.change_file(COMMANDS[str(self.startup)], self.unit)

    async def _start(self) -> None:
        unit = await self._manager.unit(self.unit)
        if unit.load_state == "masked":
            raise Refused(f"{self.unit} is masked", "take the mask away with startup: enabled")
        await self._starts.begin(self.host, self._manager, unit)
        await self._do("start", lambda unit: unit.is_running)
        self.memory["has_just_started"] = True
        self.memory.pop("is_outdated", None)

    async def _stop(self) -> None:
        await self._do("stop", lambda unit: unit.is_stopped)

    async def _do(self, verb: str, is_done: Callable[[Unit], bool]) -> None:
        self.host.progress(self, f"waits for systemd to {verb} it", if_lasting=True)
        await have_done(self.host, self._manager, verb, self.unit, is_done)


def _told(unit: Unit) -> str:
    return "stopped" if unit.active_state == "inactive" else unit.active_state
