"""The kernel's log: the resource `kmsg` writes to it, the fact `kmsg` and `setpoint dmesg` follow it.

record.py      one record: what it is made of, which are wanted
buffer.py      the ring buffer behind /dev/kmsg, and where a reader is in it
position.py    where a reader was, kept over restarts
reader.py      one reader for all that follow the log
fact.py        the last message that fits
commands.py    `setpoint dmesg`; shown.py is how a record looks
"""

import os
from contextlib import suppress

import msgspec

from setpoint import Change, ParamError, Refused, Resource, hookimpl
from setpoint_kmsg.record import FACILITIES, LEVELS, Level, Program

LONGEST = 970  # bytes: 976 with priority and end of line is what every kernel takes whole, newer ones take 1,024
SWITCH = "/proc/sys/kernel/printk_devkmsg"


class Written(msgspec.Struct, frozen=True):
    """What was written last; the params of these names."""

    message: str
    level: Level
    facility: Program


class Kmsg(Resource):
    """A message in the kernel's log.

    It is written once when it is declared, again when it, its level or its facility has become another one, and again
    after each notification. What was written is remembered: neither a restart nor a reboot writes it again. Only root
    may write.

    Of one open device the kernel takes ten messages in 5 seconds and drops others without a word. So each message opens
    it anew, and what limits a flood is `meta.limit`.

    name: any; it tells the message from others.
    message: the text, from 1 to 970 bytes of UTF-8; it may have several lines. An end of line at its end is not needed.
    level: how severe it is: emerg, alert, crit, err, warning, notice, info (the default) or debug. Severe ones are
        shown on the console.
    facility: where it says that it comes from: user (the default), mail, daemon, auth ... local7. Not kern, which is
        the kernel itself.
    """

    kind = "kmsg"

    message: str
    level: Level = "info"
    facility: Program = "user"

    def __post_init__(self) -> None:
        if not isinstance(self.message, str):  # it is still to be received
            return
        size = len(self.message.rstrip("\n").encode())
        if not 1 <= size <= LONGEST:
            cure = "declare several messages" if size else "write a text"
            raise ParamError("message", f"must have from 1 to {LONGEST} bytes, not {size}", cure)
        if "\0" in self.message:
            raise ParamError("message", "must not have a NUL, with which the kernel ends it")

    def check(self) -> list[Change]:
        """Compare with what was written last."""
        self.memory["just_written"] = False
        last, wanted = self._recall(), self._wanted
        return [
            Change(param, getattr(last, param, None), getattr(wanted, param))
            for param in Written.__struct_fields__
            if getattr(last, param, None) != getattr(wanted, param)
        ]

    def apply(self, changes: list[Change]) -> None:
        """Write the message.

        Raises:
            Refused: there is no /dev/kmsg, we may not write to it, or the kernel is told to take nothing.

        """
        self._write()
        self.memory["just_written"] = True

    @hookimpl
    def refresh(self) -> None:
        """Write the message again, unless `apply` has just done so."""
        if not self.memory.pop("just_written", False):
            self._write()

    def _write(self) -> None:
        write(self.message, self.level, self.facility)
        path = self.host.state_directory(self) / "written.json"
        self.host.files.write(path, msgspec.json.encode(self._wanted), mode=0o600)

    @property
    def _wanted(self) -> Written:
        return Written(self.message, self.level, self.facility)

    def _recall(self) -> Written | None:
        """Return what was written last, by this run or an earlier one; None if nothing was."""
        path = self.host.state_path(self) / "written.json"
        with suppress(FileNotFoundError, msgspec.DecodeError):  # a damaged one is as none
            return msgspec.json.decode(self.host.files.read(path), type=Written)
        return None


def write(message: str, level: Level, facility: Program) -> None:
    """Write one message to the kernel's log. May block while a slow console prints it.

    Raises:
        Refused: there is no /dev/kmsg, we may not write to it, or the kernel is told to take nothing.

    Source: the kernel's Documentation/ABI/testing/dev-kmsg and Documentation/admin-guide/sysctl/kernel.rst.

    """
    from setpoint_kmsg.buffer import open_device

    priority = FACILITIES.index(facility) * 8 + LEVELS.index(level)
    text = message.rstrip("\n")
    fd = open_device(os.O_WRONLY)
    try:
        refuse_if_off()
        os.write(fd, f"<{priority}>{text}\n".encode())
    finally:
        os.close(fd)


def refuse_if_off() -> None:
    """Raise Refused if the kernel takes what programs write, says that it did, and drops it."""
    with suppress(FileNotFoundError), open(SWITCH) as file:
        if file.read().strip() == "off":
            cure = "set it to 'ratelimit'; if the command line of the kernel has printk.devkmsg=off, change that"
            raise Refused(
                "kernel.printk_devkmsg must not be 'off', with which programs are not heard", cure
            )
