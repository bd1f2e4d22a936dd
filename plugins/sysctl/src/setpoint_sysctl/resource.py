"""The `sysctl` resource: params and verbs."""

import os
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from setpoint import REWATCH, Change, Need, ParamError, Resource, Thing, hookimpl
from setpoint.editing import edit, read
from setpoint.watching import Many, Subscription
from setpoint_sysctl import kernel
from setpoint_sysctl.configuration import (
    Entry,
    find,
    overriding,
    own_file,
    with_entry,
    without_entry,
)
from setpoint_sysctl.keys import is_key, path_of
from setpoint_sysctl.polling import Polled, Table


class Sysctl(Resource):
    """A setting of the kernel, now and after the next boot.

    The kernel tells nobody that a setting was changed: the value is looked at once a second. The file is watched.
    A file that is read after ours and sets the same key otherwise is reported in the log: at boot it wins.

    name: the key: net.ipv4.ip_forward or net/ipv4/ip_forward. A dot within a part, as in the name of an interface, is
        written as a slash if dots separate, and as itself if slashes do: net.ipv4.conf.eth0/100.forwarding.
    value: what it is to be, a number or text; a run of blanks counts as one, and numbers are compared as numbers. It
        must be given unless state is absent.
    runtime: have the kernel use it now. False: the running kernel is left alone.
    persist: write it into a file that is read at boot. False: files are left alone.
    path: that file, absolute; of one that holds other lines only that of this key is touched. Empty: a file of its own,
        /etc/sysctl.d/99-setpoint-KEY.conf.
    state: exists or absent. Absent takes it out of the file; the kernel gets value then, if there is one, and else
        keeps what it has, as nobody knows what it had before.
    optional: that the kernel does not have the key, because a module is not loaded or the hardware is not there, is no
        error, neither now nor at boot. False: it is.
    """

    kind = "sysctl"

    value: str | int | None = None
    runtime: Annotated[bool, REWATCH] = True
    persist: Annotated[bool, REWATCH] = True
    path: Annotated[str, REWATCH] = ""
    state: Literal["exists", "absent"] = "exists"
    optional: bool = False

    def __post_init__(self) -> None:
        if not is_key(self.name):
            raise ParamError(
                "name",
                f"must be a key, not {self.name!r}",
                "write it as sysctl -a does, one resource for each",
            )
        if self.state == "exists" and self.value is None:
            raise ParamError("value", "must be given", "or write state: absent")
        if isinstance(self.value, str) and ("\n" in self.value or "\0" in self.value):
            raise ParamError("value", f"must be one line, not {self.value!r}")
        if self.runtime is False and self.persist is False:
            raise ParamError("persist", "and runtime are both false", "one of them must be true")
        if isinstance(self.path, str) and self.path and self.path[0] != "/":
            raise ParamError("path", f"must be an absolute path, not {self.path!r}")

    @property
    def key(self) -> str:
        """The key, its parts separated by slashes."""
        return path_of(self.name)

    @property
    def file(self) -> str:
        """The file that is read at boot."""
        return self.path or own_file(self.key)

    def provides(self) -> Iterable[Thing]:
        """Return the file that it writes."""
        return (Thing("path", self.file),) if self.persist and self.state == "exists" else ()

    def needs(self) -> Iterable[Need]:
        """Return the directory of its file, and that file if it is shared."""
        if not self.persist:
            return ()
        parent = os.path.dirname(self.file)
        above = Need("directory", parent, "the directory of its file", nearest=True)
        return (above, Need("path", self.path, "the file it is in")) if self.path else (above,)

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the file changes, and when the value is another one."""
        file = self.host.files.changes(self.file) if self.persist else Many()
        if not self.runtime:
            return file
        polled = self.memory["polled"] = Polled(self.host.shared(Table), self.key)
        return Many(file, polled)

    def check(self) -> list[Change]:
        """Compare what the kernel has and what the file says."""
        return [*self._runtime_differences(), *self._file_differences()]

    def apply(self, changes: list[Change]) -> None:
        """Tell the kernel, then write the file: what the kernel does not take is not kept.

        Raises:
            Refused: the kernel does not take it, or we are not root.

        """
        for change in changes:
            if change.attribute == "value":
                self._note(kernel.write(self.key, change.after))
            else:
                edit(self.host.files, self.file, self._edited, mode=0o644)

    def reversed(self) -> "Sysctl | None":
        """Return what brings back the line of the file, or what the kernel has if there is none."""
        if not self.check():
            return None
        kept = find(read(self.host.files, self.file), self.key) if self.persist else None
        runtime = self.runtime and self.value is not None
        value = kept.value if kept else kernel.read(self.key) if runtime else None
        state = "exists" if kept or not self.persist else "absent"
        return msgspec.structs.replace(self, value=value, runtime=runtime, state=state)

    def _runtime_differences(self) -> Iterator[Change]:
        if not self.runtime or self.value is None:
            return
        found, wanted = self._note(kernel.read(self.key)), kernel.normalised(self.value)
        if found is None:
            if not self.optional:
                raise kernel.missing(self.key)
        elif not kernel.is_same(found, wanted):
            yield Change("value", found, wanted)

    def _note(self, found: str | None) -> str | None:
        """Tell the watch what is known now, and return it."""
        if "polled" in self.memory:
            self.memory["polled"].note(found)
        return found

    def _file_differences(self) -> Iterator[Change]:
        if not self.persist:
            return
        found, wanted = find(read(self.host.files, self.file), self.key), self._entry
        if wanted is None:
            if found is not None:
                yield Change("persist", str(found), None)
            return
        self._report_overriding(wanted)
        if not wanted.is_as(found):
            yield Change("persist", str(found) if found else None, str(wanted))

    @property
    def _entry(self) -> Entry | None:
        """The line that the file is to have."""
        if self.state == "absent":
            return None
        return Entry(self.key, kernel.normalised(self.value), self.optional)

    def _edited(self, data: bytes | None) -> bytes | None:
        """Return what the file that holds `data` is to hold."""
        entry = self._entry
        return with_entry(data, entry) if entry else without_entry(data, self.key)

    def _report_overriding(self, entry: Entry) -> None:
        """Say once which files will win over ours at boot."""
        found = {
            f"{file} is read after {self.file} and sets {other}"
            for file, other in overriding(self.host.files, self.file, entry)
        }
        for report in sorted(found - self.memory.get("reported", set())):
            self.host.log(self).warning("%s; take that line out", report)
        self.memory["reported"] = found
