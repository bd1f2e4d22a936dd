"""systemd, over its bus: what is known of units, their jobs, their files. Nobody needs `systemctl`.

Source: org.freedesktop.systemd1(5).
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from setpoint.dbus.bus import Body, Listener, Match, system_bus, user_bus
from setpoint.dbus.changes import AGAIN, Changes, UnitChanges
from setpoint.dbus.errors import CallError
from setpoint.dbus.jobs import Jobs
from setpoint.dbus.systemd import BOOTED, MANAGER, NAME, PATH, PROPERTIES, Systemd
from setpoint.dbus.units import Unit, path_of
from setpoint.errors import Refused
from setpoint.together import Together
from setpoint.watching import Subscription

if TYPE_CHECKING:
    from setpoint.host import Host

COMMANDS = {  # member to what stands between the names of the files and the answer
    "EnableUnitFiles": ("asbb", (False, True)),
    "DisableUnitFiles": ("asb", (False,)),
    "MaskUnitFiles": ("asbb", (False, False)),
    "UnmaskUnitFiles": ("asb", (False,)),
}


class Manager:
    """A systemd, used on the loop: that of the machine, or of a user's session.

    All methods raise `Refused` if systemd is not running here or only root may do this, and `OSError` if it does not
    answer or says no.
    """

    def __init__(self, systemd: Systemd) -> None:
        self._systemd, self._bus = systemd, systemd.bus
        self._jobs = Jobs(systemd)
        self._changes = Changes(systemd.bus, self._review)
        self._units = Together[str, Unit](self._read_units, wait=0)
        self._reloads = Together[str, None](self._reload, wait=0)
        self._commands = Together[tuple[str, str], None](self._change_files)
        self._subscribing: asyncio.Task[None] | None = None
        self._listeners: tuple[Listener, ...] = ()

    @property
    def is_user(self) -> bool:
        """Whether it is that of a user's session."""
        return self._systemd.is_user

    # what is known

    async def unit(self, name: str) -> Unit:
        """Return a unit; one that does not exist has `load_state` "not-found"."""
        return await self._units.want(name)

    async def property(self, name: str, property: str, interface: str = "Unit") -> Any:
        """Return a property of a unit.

        Args:
            name: the full name of the unit.
            property: its name.
            interface: "Unit", or the type of the unit in upper and lower case, "Service".

        """
        words = (f"{NAME}.{interface}", property)
        [value] = await self._systemd.call(path_of(name), PROPERTIES, "Get", "ss", *words)
        return value.value

    async def properties(self, unit: Unit) -> Mapping[str, Any]:
        """Return all properties of a unit: a hundred for any, and those of its type."""
        found: dict[str, Any] = {}
        for interface in ("Unit", unit.type.capitalize()):
            word = f"{NAME}.{interface}"
            [values] = await self._systemd.call(unit.path, PROPERTIES, "GetAll", "s", word)
            found.update((key, value.value) for key, value in values.items())
        return found

    async def file_state(self, name: str) -> str:
        """Return the state of a unit file on disk, "enabled" or the like; empty if there is no file."""
        try:
            [state] = await self._systemd.ask("GetUnitFileState", "s", name)
        except CallError as error:
            if error.reason not in ("NoSuchUnit", "FileNotFound"):
                raise
            state = ""
        self._changes.see_file(name, state)
        return str(state)

    def changes(self, name: str, *, files: bool = False) -> Subscription:
        """Return a subscription that says when to look at a unit again.

        Args:
            name: its full name; there need not be such a unit.
            files: whether it is enabled counts too.

        """
        return UnitChanges(self, name, files)

    # what is done

    async def job(self, member: str, name: str) -> str:
        """Have a job done, and wait for its end.

        Args:
            member: "StartUnit", "StopUnit", "ReloadOrTryRestartUnit" ...
            name: the full name of the unit.

        Returns:
            Its result: "done", "failed", "timeout", "canceled", "dependency", "skipped" ...; empty if it ended while
            nobody could tell us.

        """
        self._listen()
        return await self._jobs.run(member, name)

    async def change_file(self, member: str, name: str) -> None:
        """Enable, disable, mask or unmask a unit, and have systemd read it: those of one moment in one go.

        Args:
            member: "EnableUnitFiles", "DisableUnitFiles", "MaskUnitFiles" or "UnmaskUnitFiles".
            name: the full name of the unit.

        """
        await self._commands.want((member, name))

    async def reset_failed(self, name: str) -> None:
        """Have systemd forget that a unit failed and how often it was started, so that it may be again."""
        try:
            await self._systemd.ask("ResetFailedUnit", "s", name)
        except CallError as error:
            if error.reason != "NoSuchUnit":  # it remembers nothing of that one
                raise

    async def reload(self) -> None:
        """Have systemd read all unit files, once for all who want it at the moment."""
        await self._reloads.want("")

    # who watches

    def watch(self, one: UnitChanges) -> None:
        """Tell `one` of changes from now on."""
        if self._systemd.is_there:
            self._listen()
            self._changes.begin(one)

    def unwatch(self, one: UnitChanges) -> None:
        """Tell `one` no more."""
        self._changes.end(one)

    def close(self) -> None:
        """Stop what is under way; the bus is closed next."""
        self._changes.close()
        for one in (self._units, self._reloads, self._commands):
            one.close()
        if self._subscribing is not None and not self._subscribing.get_loop().is_closed():
            self._subscribing.cancel()

    def _listen(self) -> None:
        """Hear of jobs, reloads and unit files, and of systemd's own coming and going."""
        if self._listeners or not self._systemd.is_there:
            return
        driver = "org.freedesktop.DBus"
        owner = Match(driver, "/org/freedesktop/DBus", driver, "NameOwnerChanged", NAME)
        self._listeners = (
            Listener(Match(NAME, PATH, MANAGER, "JobRemoved"), self._jobs.hear, _nothing),
            Listener(Match(NAME, PATH, MANAGER, "Reloading"), self._hear_reload, _nothing),
            Listener(Match(NAME, PATH, MANAGER, "UnitFilesChanged"), self._hear_files, _nothing),
            Listener(owner, self._hear_owner, self._subscribe),
        )
        for listener in self._listeners:
            self._bus.listen(listener)

    def _subscribe(self) -> None:
        """Ask systemd for signals, which it does not send unasked; then see what was missed."""
        if self._subscribing is not None:
            self._subscribing.cancel()
        self._subscribing = asyncio.create_task(self._ask_for_signals())

    async def _ask_for_signals(self) -> None:
        while True:
            try:
                await self._systemd.ask("Subscribe")
                break
            except (OSError, Refused) as error:
                if getattr(error, "reason", "") == "AlreadySubscribed":
                    break
            await asyncio.sleep(AGAIN)
        self._changes.review()

    def _hear_owner(self, body: Body) -> None:
        if body[2]:
            self._subscribe()

    def _hear_reload(self, body: Body) -> None:
        if not body[0]:  # it is done
            self._changes.review()

    def _hear_files(self, body: Body) -> None:
        self._changes.review()

    async def _read_units(self, names: Sequence[str]) -> Mapping[str, Unit]:
        [rows] = await self._systemd.ask("ListUnitsByNames", "as", [*names])
        units = dict(zip(names, map(Unit.of, rows), strict=True))
        for name, unit in units.items():
            self._changes.see(name, unit)
        return units

    async def _review(self, names: Iterable[str], files: Iterable[str]) -> None:
        await self._read_units([*names])
        await asyncio.gather(*map(self.file_state, files))

    async def _reload(self, _: Sequence[str]) -> Mapping[str, None]:
        await self._systemd.ask("Reload")
        return {"": None}

    async def _change_files(
        self, wishes: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], BaseException | None]:
        outcomes: dict[tuple[str, str], BaseException | None] = {}
        for member in dict.fromkeys(member for member, _ in wishes):
            names = [name for wanted, name in wishes if wanted == member]
            outcomes.update(
                {(member, n): e for n, e in (await self._change(member, names)).items()}
            )
        await self.reload()
        return outcomes

    async def _change(self, member: str, names: list[str]) -> dict[str, BaseException | None]:
        """Change unit files all at once; if that fails each for itself, to know which is at fault."""
        signature, flags = COMMANDS[member]
        try:
            await self._systemd.ask(member, signature, names, *flags)
        except (CallError, Refused) as error:
            if len(names) == 1:
                return {names[0]: error}
            return {k: e for name in names for k, e in (await self._change(member, [name])).items()}
        return dict.fromkeys(names)


def system_manager(host: "Host") -> Manager:
    """Return the systemd of this machine: `host.shared(system_manager)`."""
    return Manager(Systemd(host.shared(system_bus), is_there=os.path.isdir(BOOTED)))


def user_manager(host: "Host") -> Manager:
    """Return the systemd of the user's own session: `host.shared(user_manager)`."""
    systemd = Systemd(host.shared(user_bus), is_there=os.path.isdir(BOOTED), is_user=True)
    return Manager(systemd)


def _nothing() -> None:
    """What is called where nobody wants to know."""
