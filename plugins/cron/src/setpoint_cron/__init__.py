"""The `cron` resource: something that systemd starts at set times."""

import os
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from setpoint import REWATCH, Change, Need, ParamError, Refused, Resource, Thing, Values, hookimpl
from setpoint.dbus.effects import have_done
from setpoint.dbus.manager import Manager, system_manager, user_manager
from setpoint.dbus.units import Unit, fault_of, full_name
from setpoint.watching import Many, Subscription
from setpoint_cron.texts import service_file, timer_file

SYSTEM, USER = "/etc/systemd/system", "~/.config/systemd/user"
MODE = 0o644
NEVER = (1 << 64) - 1  # microseconds

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Cron(Resource):
    """Something that systemd starts at set times: a timer, and if there is a `command` the service for it as well.

    Its unit files are its own: it writes them as a whole, in a form that everybody may read, has systemd read them, and
    starts and enables the timer. That begins anew when its file has become another one, and with a notification.

    name: that of the timer, with ".timer" or without.
    state: "exists", or "absent": then the timer is stopped, and its files are removed.
    startup: "enabled" has the timer started at each boot, "disabled" has not; it runs now in any case. None leaves it
        as it is.
    session: true for the systemd of the user that runs this, false for that of the machine.
    trigger: what `time` means: "OnCalendar", a calendar event; or so long after something: "OnActiveSec" (the timer was
        started), "OnBootSec" (the boot), "OnStartupSec" (the start of systemd), "OnUnitActiveSec" and
        "OnUnitInactiveSec" (the unit was started, has ended).
    time: the calendar event, "daily", "Mon *-*-* 4:00", or the time span, "15min"; see systemd.time(7). Empty only if
        it is absent.
    unit: which unit is started; empty is the service of the same name.
    command: what that service runs: a program with its arguments, in words as systemd has them, with $VARIABLES of its
        environment and without a shell. Empty: the unit is there already, or is another resource's.
    user: who runs the command; empty is root, or the user of the session.
    env: environment variables of the command; empty adds none.
    directory: absolute path in which the command runs; empty is "/", or the home of the user of the session.
    accuracysec: seconds by which it may be late, so that several wake the machine together; 0 takes what systemd has,
        a minute.
    randomizeddelaysec: seconds; each time it is late by a random part of them. 0 is not late.
    persistent: start it at once if the last calendar event was missed because the machine was off.
    wakesystem: wake the machine from its sleep for it.
    remainafterelapse: keep a timer that will not elapse again; false lets it go, and does not start it again.
    description: what `systemctl` shows.

    Sends `next_elapse` and `last_trigger`, seconds since 1970, 0 if there is none.
    """

    kind = "cron"

    state: Literal["exists", "absent"] = "exists"
    startup: Literal["enabled", "disabled"] | None = "enabled"
    session: Annotated[bool, REWATCH] = False
    trigger: Literal[
        "OnCalendar",
        "OnActiveSec",
        "OnBootSec",
        "OnStartupSec",
        "OnUnitActiveSec",
        "OnUnitInactiveSec",
    ] = "OnCalendar"
    time: str = ""
    unit: Annotated[str, REWATCH] = ""
    command: Annotated[str, REWATCH] = ""
    user: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    directory: str = ""
    accuracysec: Seconds = 0.0
    randomizeddelaysec: Seconds = 0.0
    persistent: bool = False
    wakesystem: bool = False
    remainafterelapse: bool = True
    description: str = "timer made by setpoint"

    class Sends(Values):
        """When it starts the unit next, and when it did so last."""

        next_elapse: float
        last_trigger: float

    def __post_init__(self) -> None:
        for param in ("name", "unit"):
            value = getattr(self, param)
            fault = fault_of(full_name(value)) if value and isinstance(value, str) else ""
            if fault:
                raise ParamError(param, fault)
        if self.time == "" and self.state == "exists":
            raise ParamError("time", "must say when, found nothing", 'write time: "daily"')
        if self.command == "" and (self.user or self.env or self.directory):
            raise ParamError("command", "must be there with user, env or directory, found none")
        if isinstance(self.directory, str) and self.directory[:1] not in ("", "/"):
            raise ParamError("directory", f"must be absolute, not {self.directory!r}")
        for param in ("time", "command", "user", "directory", "description"):
            if "\n" in str(getattr(self, param)):
                raise ParamError(param, "must be one line, found several")

    @property
    def timer(self) -> str:
        """The full name of the timer."""
        return f"{self.name.removesuffix('.timer')}.timer"

    @property
    def started(self) -> str:
        """The full name of the unit that it starts."""
        return full_name(self.unit or self.name.removesuffix(".timer"))

    def provides(self) -> Iterable[Thing]:
        """Return its units and their files."""
        for name in self._names:
            yield Thing("unit", name)
            yield Thing("path", self._path(name))

    def needs(self) -> Iterable[Need]:
        """Return what it waits for: the unit that it starts, and who runs the command."""
        yield Need("directory", self._directory, "the directory of its unit files", nearest=True)
        if not self.command:
            yield Need("svc", self.started, "the unit that it starts")
            yield Need("unit", self.started, "the unit that it starts")
            yield Need("path", self._path(self.started), "the file of the unit that it starts")
        if self.user and isinstance(self.user, str):
            yield Need("user", self.user, "the user its command runs as")
        if self.directory and isinstance(self.directory, str):
            yield Need("directory", self.directory, "where its command runs", nearest=True)

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the timer becomes another one, and when one of its files changes."""
        timer = self._manager.changes(self.timer, files=True)
        return Many(timer, *(self.host.files.changes(self._path(name)) for name in self._names))

    async def check(self) -> list[Change]:
        """Compare the files and the timer with what is declared."""
        self.memory["has_just_started"] = False
        unit = await self._manager.unit(self.timer)
        changes = await self.host.in_thread(self._compare_files)
        if self.state == "absent":
            stopped = [Change("timer", unit.active_state, "stopped")] if not unit.is_stopped else []
            return changes + stopped
        if self.startup is not None:
            found = await self._manager.file_state(self.timer) or "disabled"
            if found != self.startup:
                changes.append(Change("startup", found, self.startup))
        if not unit.is_running and (self.remainafterelapse or unit.load_state == "not-found"):
            changes.append(Change("timer", unit.active_state, "running"))
        elif not changes and await self._manager.property(self.timer, "NeedDaemonReload"):
            changes.append(Change("daemon_reload", "unit file changed", "unit file read"))
        return changes

    async def apply(self, changes: list[Change]) -> None:
        """Write or remove the files, and have systemd do the rest."""
        if self.state == "absent":
            await self._remove()
            return
        wanted = {change.attribute for change in changes}
        await self.host.in_thread(self._write_files, wanted)
        if "startup" in wanted:  # which has systemd read the files too
            member = "EnableUnitFiles" if self.startup == "enabled" else "DisableUnitFiles"
            await self._manager.change_file(member, self.timer)
        elif wanted & {*self._names, "daemon_reload"}:
            await self._manager.reload()
        if wanted & {self.timer, "timer", "daemon_reload"}:
            await self._start_anew()

    @hookimpl
    async def refresh(self) -> None:
        """Begin the timer anew, unless that has just been done."""
        if self.state == "exists" and not self.memory.get("has_just_started"):
            await self._start_anew()

    @hookimpl
    async def send(self) -> Sends:
        """Tell when it starts the unit next, and when it did so last."""
        unit = await self._manager.unit(self.timer)
        if unit.load_state != "loaded":
            return self.Sends(next_elapse=0.0, last_trigger=0.0)
        found = await self._manager.properties(unit)
        return self.Sends(
            next_elapse=self._next(
                found["NextElapseUSecRealtime"], found["NextElapseUSecMonotonic"]
            ),
            last_trigger=found["LastTriggerUSec"] / 1e6,
        )

    # its files

    @property
    def _directory(self) -> str:
        return os.path.expanduser(USER) if self.session else SYSTEM

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    @property
    def _names(self) -> tuple[str, ...]:
        """The units that it writes the files of."""
        return (self.started, self.timer) if self.command else (self.timer,)

    def _text(self, name: str) -> str:
        return timer_file(self) if name == self.timer else service_file(self)

    def _compare_files(self) -> list[Change]:
        changes = []
        for name in self._names:
            found = self._read(name)
            wanted = self._text(name) if self.state == "exists" else None
            if found != wanted:
                changes.append(Change(name, found, wanted))
        return changes

    def _read(self, name: str) -> str | None:
        try:
            return self.host.files.read(self._path(name)).decode(errors="replace")
        except FileNotFoundError:
            return None

    def _write_files(self, names: set[str]) -> None:
        if self.session:
            os.makedirs(self._directory, exist_ok=True)
        for name in self._names:
            if name in names:
                self.host.files.write(self._path(name), self._text(name).encode(), mode=MODE)

    # its units

    @property
    def _manager(self) -> Manager:
        return self.host.shared(user_manager if self.session else system_manager)

    async def _start_anew(self) -> None:
        def is_done(unit: Unit) -> bool:
            return unit.is_running or not self.remainafterelapse

        if (await self._manager.unit(self.timer)).load_state == "bad-setting":
            tool = "calendar" if self.trigger == "OnCalendar" else "timespan"
            why = f"systemd does not understand the time {self.time!r}"
            raise Refused(why, f"see what `systemd-analyze {tool}` says of it")
        if (await self._manager.unit(self.started)).load_state == "not-found":
            why = f"it is to start {self.started!r}, but systemd has no such unit"
            raise Refused(why, "give it a command, or declare the unit file")
        await have_done(self.host, self._manager, "restart", self.timer, is_done)
        self.memory["has_just_started"] = True

    async def _remove(self) -> None:
        """Stop and disable the timer, remove its files, and have systemd forget them."""
        unit = await self._manager.unit(self.timer)
        if not unit.is_stopped:
            await have_done(
                self.host, self._manager, "stop", self.timer, lambda unit: unit.is_stopped
            )
        if await self._manager.file_state(self.timer):
            await self._manager.change_file("DisableUnitFiles", self.timer)
        for name in self._names:
            if self._read(name) is not None:
                await self.host.in_thread(self.host.files.remove, self._path(name))
        await self._manager.reload()

    def _next(self, real: int, monotonic: int) -> float:
        """Return the sooner of two times, of which one may be missing, in seconds since 1970."""
        now = self.host.clock.wall() - self.host.clock.monotonic()
        times = [real / 1e6] if 0 < real < NEVER else []
        times += [now + monotonic / 1e6] if 0 < monotonic < NEVER else []
        return min(times, default=0.0)
