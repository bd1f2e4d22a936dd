"""The `msg` resource: says something to the journal, to syslog, or on the output.

What was said where is kept in the state directory, so that it is said once and not at every start; and so that, if only
one of two places could be reached, the other does not hear it twice.
"""

import errno
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

import msgspec

from setpoint import Change, ParamError, Resource, hookimpl

Priority = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
PRIORITIES: tuple[Priority, ...] = (
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
)  # fmt: skip
JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"
IDENTIFIER = "setpoint"
USER = 1  # the facility of programs
LONGEST = 64 << 10  # bytes of a body, and of all fields; a datagram has 208 KiB
PATIENCE = 5.0  # seconds that a full socket is waited for
OURS = frozenset({"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"})
FIELD = re.compile(r"[A-Z0-9][A-Z0-9_]{0,63}")

Place = Literal["journal", "syslog", "stdout"]
PLACES: tuple[Place, ...] = ("journal", "syslog", "stdout")


class Said(msgspec.Struct, frozen=True):
    """What was said; `fields` only to the journal."""

    body: str
    priority: Priority
    fields: dict[str, str]


class Msg(Resource):
    """Something that is said once.

    It is said when it is declared, again when it has become another one, and again after each notification. What was
    said is remembered, so that a restart says nothing. A secret in it is said as "(secret)".

    name: any; the text, if there is no body.
    body: the text, up to 64 KiB; it may have several lines. Empty takes the name.
    priority: how severe it is: emerg, alert, crit, err, warning, notice, info (the default) or debug.
    fields: more fields of the entry in the journal, name to text. Names have letters, digits and underscores, begin
        with none of the latter, and are written in capitals. Empty adds none.
    journal: say it to systemd's journal; false by default.
    syslog: say it to what listens at /dev/log; false by default.
    stdout: print its text, with what a terminal would obey spelt out. Empty prints only what is said nowhere else.
    """

    kind = "msg"

    body: str = ""
    priority: Priority = "info"
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    journal: bool = False
    syslog: bool = False
    stdout: bool | None = None

    def __post_init__(self) -> None:
        if self.journal is self.syslog is self.stdout is False:
            raise ParamError(
                "stdout", "must not be false without journal or syslog", "set one of them"
            )
        if isinstance(self.body, str):  # else it is still to be received
            self._check_body()
        if self.fields and isinstance(self.fields, dict):
            self._check_fields()

    def _check_body(self) -> None:
        size = len(self._body.encode())
        if size > LONGEST:
            raise ParamError("body", f"must have at most {LONGEST} bytes, not {size}")
        if "\0" in self._body:
            raise ParamError("body", "must not have a NUL, with which syslog ends it")

    def _check_fields(self) -> None:
        if not self.journal:
            raise ParamError("fields", "must be empty without the journal", "set journal: true")
        names = [name.upper() for name in self.fields]
        for name in names:
            if not FIELD.fullmatch(name):
                rule = f"must have names of 1 to 64 letters, digits and underscores, not {name!r}"
                raise ParamError("fields", rule)
            if name in OURS or names.count(name) > 1:
                why = "is set anyway" if name in OURS else "is there twice"
                raise ParamError("fields", f"must not have {name!r}, which {why}", "take it out")
        size = sum(len(name) + len(text.encode()) for name, text in self.fields.items())
        if size > LONGEST:
            raise ParamError("fields", f"must have at most {LONGEST} bytes together, not {size}")

    def check(self) -> list[Change]:
        """Find where it was not said yet."""
        self.memory["just_said"] = set()
        said = self._recall()
        return [
            Change(place, None, f"{self.priority}: {self._wanted(place).body}")
            for place in self._places
            if said.get(place) != self._wanted(place)
        ]

    def apply(self, changes: list[Change]) -> None:
        """Say it there.

        Raises:
            ConnectionError: no journal, or no syslog, listens.
            TimeoutError: it does not take more for now.

        """
        places = {change.attribute for change in changes}
        self._say(places)
        self.memory["just_said"] = places

    @hookimpl
    def refresh(self) -> None:
        """Say it again, but not where `apply` has just done so."""
        self._say(set(self._places) - self.memory.pop("just_said", set()))

    def _say(self, places: set[str]) -> None:
        """Say it in these places, and remember each at once: a failure of one is none of the others."""
        for place in self._places:
            if place in places:
                said = self._wanted(place)
                SPEAKERS[place](said)
                self._remember({**self._recall(), place: said})

    @property
    def _body(self) -> str:
        return self.body or self.name

    @property
    def _places(self) -> list[Place]:
        stdout = not (self.journal or self.syslog) if self.stdout is None else self.stdout
        wanted = (self.journal, self.syslog, stdout)
        return [place for place, is_wanted in zip(PLACES, wanted, strict=True) if is_wanted]

    def _wanted(self, place: Place) -> Said:
        hide = self.host.hide
        fields = self.fields.items() if place == "journal" else ()
        return Said(
            hide(self, "body", self._body),
            self.priority,
            {name: hide(self, "fields", text) for name, text in fields},
        )

    def _recall(self) -> dict[str, Said]:
        """Return what was said last, by place, by this run or an earlier one."""
        path = self.host.state_path(self) / "said.json"
        with suppress(FileNotFoundError, msgspec.DecodeError):  # a damaged one is as none
            return msgspec.json.decode(self.host.files.read(path), type=dict[str, Said])
        return {}

    def _remember(self, said: dict[str, Said]) -> None:
        path = self.host.state_directory(self) / "said.json"
        self.host.files.write(path, msgspec.json.encode(said), mode=0o600)


def say_to_journal(said: Said) -> None:
    """Send one entry to systemd's journal.

    Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL

    """
    fields = {name.upper(): text for name, text in said.fields.items()}
    entry = {
        "MESSAGE": said.body,
        "PRIORITY": str(PRIORITIES.index(said.priority)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        **fields,
    }
    data = b"".join(journal_field(name, text.encode()) for name, text in entry.items())
    send(JOURNAL, "journal", data)


def journal_field(name: str, text: bytes) -> bytes:
    """Return one field as the journal reads it: with its length, if it has several lines."""
    if b"\n" not in text:
        return name.encode() + b"=" + text + b"\n"
    return name.encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n"


def say_to_syslog(said: Said) -> None:
    """Send one message to the syslog of this machine.

    Source: RFC 3164, without the host name, as syslog(3) sends it.

    """
    number = USER * 8 + PRIORITIES.index(said.priority)
    now = time.strftime("%b %e %H:%M:%S")
    send(SYSLOG, "syslog", f"<{number}>{now} {IDENTIFIER}[{os.getpid()}]: {said.body}".encode())


def say_on_output(said: Said) -> None:
    """Print it."""
    sys.stdout.write(f"{harmless(said.body)}\n")
    sys.stdout.flush()


def harmless(text: str) -> str:
    """Return `text` without what makes a terminal do something: that is spelt out."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def send(path: str, what: str, data: bytes) -> None:
    """Send `data` to the socket at `path`: one of datagrams, or of streams, where a NUL ends it.

    Raises:
        ConnectionError: nobody listens there.
        TimeoutError: whoever listens has not read what it got for PATIENCE seconds.

    """
    try:
        try:
            send_by(socket.SOCK_DGRAM, path, data)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
            send_by(socket.SOCK_STREAM, path, data + b"\0")
    except (FileNotFoundError, ConnectionRefusedError) as error:
        found = (
            "which is not there" if isinstance(error, FileNotFoundError) else "where nobody does"
        )
        cure = f"start it, or set {what}: false"
        raise ConnectionError(f"the {what} must listen at {path}, {found}; {cure}") from None


def send_by(sort: socket.SocketKind, path: str, data: bytes) -> None:
    """Send `data` to a socket of that sort; raises what the kernel says."""
    with socket.socket(socket.AF_UNIX, sort) as sender:
        sender.settimeout(PATIENCE)
        sender.connect(path)
        sender.sendall(data)


SPEAKERS: Mapping[str, Callable[[Said], None]] = {
    "journal": say_to_journal,
    "syslog": say_to_syslog,
    "stdout": say_on_output,
}
