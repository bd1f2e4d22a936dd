"""The `password` resource: makes a random password once, keeps it, and sends it as a secret.

It is kept in one file, 0600, in the state directory of the resource: the password with a seal,
which is a keyed digest whose key lies beside it. The seal tells that somebody has edited the file,
by hand or by a restore gone wrong. It does not withstand somebody who knows how it is made: who may
write the file may also read it.

With `saved: false` the file holds only a random mark. Removing or editing it asks for a new
password, as ever.
"""

import hashlib
import hmac
import secrets
import stat
import string
from typing import Annotated

import msgspec

from setpoint import Change, ParamError, Refused, Resource, Secret, Values, hookimpl
from setpoint.values import HIDDEN
from setpoint.watching import Subscription

ALPHABET = (
    string.ascii_letters + string.digits + "_."
)  # 64: 6 bits each; no shell, URL or YAML quotes them
MODE = 0o600
SOUND, TAMPERED = "", "(tampered)"


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds.

    key: of the seal, random, hexadecimal; also the mark if the password is not saved.
    seal: HMAC-SHA256 of the password, hexadecimal; empty if the password is not saved.
    password: the password; empty if it is not saved.
    """

    key: str
    seal: str = ""
    password: str = ""

    @property
    def is_mark(self) -> bool:
        """Whether it is only the mark of a password that is not saved."""
        return bool(self.key) and not self.seal and not self.password

    @property
    def is_intact(self) -> bool:
        """Whether the seal fits the password."""
        return hmac.compare_digest(self.seal, seal(self.key, self.password))


class Password(Resource):
    """A random password, made once and kept.

    It stays the same over restarts, unless `saved` is false. To get a new one, notify the resource
    or remove its file. A kept one that was edited, or that does not fit `length` and `alphabet` any
    more, is an error; with `check_recovery` a new one takes its place.

    name: any; it tells the password from others.
    length: characters, from 1 to 4096.
    alphabet: the characters to choose from, at least two different ones; one that occurs twice
        counts once.
    saved: keep the password on disk, readable by its owner only. If false it is only in memory, and
        a restart makes a new one. True by default: a restart that changes a password breaks what
        uses it.
    check_recovery: make a new password if the kept one was edited or does not fit; false is an
        error instead.

    Sends `password`: the password, as a secret.
    """

    kind = "password"

    length: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64
    alphabet: str = ALPHABET
    saved: bool = True
    check_recovery: bool = False

    class Sends(Values):
        """What others may receive."""

        password: Secret[str]

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) < 2:
            found = len(set(self.alphabet))
            raise ParamError("alphabet", f"must have at least 2 different characters, not {found}")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the file changes."""
        return self.host.files.changes(self._file)

    def check(self) -> list[Change]:
        """Compare the file with what it should hold, without showing it."""
        before = self._fault()
        if before != SOUND:
            return [Change("password", before, HIDDEN)]
        status = self.host.files.status(self._file)
        mode = stat.S_IMODE(status.st_mode) if status else MODE
        return [] if mode == MODE else [Change("mode", f"{mode:04o}", f"{MODE:04o}")]

    def apply(self, changes: list[Change]) -> None:
        """Make a new password, or make the one there is unreadable to others."""
        if changes[0].attribute == "password":
            self._make()
        else:
            self.host.files.set_attributes(self._file, mode=MODE)

    @hookimpl
    def refresh(self) -> None:
        """Make a new password."""
        self._make()

    @hookimpl
    def send(self) -> Sends:
        """Hand out the password."""
        current = self._current
        if current is None:
            raise Refused("there is no password yet", "run it once without noop")
        return self.Sends(password=Secret(current.password))

    @property
    def _file(self) -> str:
        return str(self.host.state_directory(self) / "password")

    @property
    def _current(self) -> Stored | None:
        """The password that is in force, with its seal; None before the first one."""
        current: Stored | None = self.memory.get("current")
        return current

    def _make(self) -> None:
        """Make a new password; it is in force once the file holds it."""
        letters = sorted(set(self.alphabet))
        password = "".join(secrets.choice(letters) for _ in range(self.length))
        key = secrets.token_hex(16)
        current = Stored(key, seal(key, password), password)
        kept = current if self.saved else Stored(key)
        self.host.files.write(self._file, msgspec.json.encode(kept), mode=MODE, fsync=True)
        self.memory["current"] = current

    def _fault(self) -> str | None:
        """Return what is wrong with what the file holds: SOUND if nothing, None if it is not there.

        Raises:
            Refused: a kept password is not as it should be, and `check_recovery` is off.

        """
        try:
            found = msgspec.json.decode(self.host.files.read(self._file), type=Stored)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = Stored("")
        return self._fault_of_kept(found) if self.saved else self._fault_of_mark(found)

    def _fault_of_kept(self, found: Stored) -> str | None:
        """Compare a password on disk with its seal and the params; a sound one is in force."""
        if found.is_mark:
            return None
        if not found.is_intact:
            return self._recoverable(TAMPERED, "was edited by somebody")
        if misfit := self._misfit(found.password):
            return self._recoverable("(does not fit)", misfit)
        self.memory["current"] = found
        return SOUND

    def _fault_of_mark(self, found: Stored) -> str | None:
        """Compare a mark on disk with that of the password in memory."""
        current = self._current
        if current is None:
            return None
        if found != Stored(current.key):
            return TAMPERED
        return "(does not fit)" if self._misfit(current.password) else SOUND

    def _misfit(self, password: str) -> str:
        """Return how `password` breaks the params, without showing it; "" if it does not."""
        if len(password) != self.length:
            return f"has {len(password)} characters, not {self.length}"
        return "" if set(password) <= set(self.alphabet) else "has characters outside the alphabet"

    def _recoverable(self, found: str, why: str) -> str:
        if self.check_recovery:
            return found
        cure = f"remove {self._file} or set check_recovery: true, either makes a new one"
        raise Refused(f"the kept password {why}", cure)


def seal(key: str, password: str) -> str:
    """Return the keyed digest that tells whether `password` was edited, in hexadecimal."""
    return hmac.new(key.encode(), password.encode(), hashlib.sha256).hexdigest()
