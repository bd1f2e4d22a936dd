"""The `mount` resource: params and verbs."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Annotated, Literal

import msgspec

from setpoint import REWATCH, Change, Need, Refused, Resource, Thing, hookimpl
from setpoint.editing import edit, read
from setpoint.paths import open_path
from setpoint.watching import Many, Subscription
from setpoint_mount import commands, fstab, table
from setpoint_mount.devices import is_device, is_type
from setpoint_mount.events import Events, Listening
from setpoint_mount.fstab import Fields
from setpoint_mount.options import differing, given
from setpoint_mount.reversal import reverse
from setpoint_mount.rules import validate
from setpoint_mount.table import Entry


class Mount(Resource):
    """A file system that is mounted, now and after the next boot, or is not.

    What counts is what is seen at the mount point: if something else was mounted over it, that is unmounted. A file
    system of another device or type is unmounted and the declared one mounted; other options are set by a remount. In
    fstab no other line is touched.

    name: the mount point, an absolute path without a slash at its end; it has to be there, or the option X-mount.mkdir.
    device: what is mounted: a path, a tag as UUID=..., LABEL=..., PARTUUID=..., host:/path of a network file system,
        the directory of a bind mount; of tmpfs and its like any word. A tag for which udev has made no link is not
        compared with what is mounted. Empty only if state is not mounted.
    type: its type, as ext4 or tmpfs. Empty: mount(8) finds it out, and what is found is not looked at.
    options: as in mount(8). Only these are compared with those of what is mounted, and only as far as the kernel shows
        them. Empty: none are looked at; defaults in a new line of fstab.
    state: mounted, unmounted, or absent: unmounted and not in fstab.
    fstab: true: fstab has a line for it, as declared (with state unmounted only if device is given). False: it has
        none. Null: fstab is left alone.
    dump: the fifth field of fstab, for dump(8), 0 or 1. Null: not looked at, 0 in a new line.
    passno: the sixth field of fstab, when fsck(8) looks at it at boot: 0 never, 1 first, 2 later. Null: not looked at,
        0 in a new line.
    lazy: take it out of the tree though it is in use, and let the kernel clean up when it is not any more. False: if it
        is in use that is an error, which names the processes.
    """

    kind = "mount"

    device: str = ""
    type: str = ""
    options: tuple[str, ...] = ()
    state: Literal["mounted", "unmounted", "absent"] = "mounted"
    fstab: Annotated[bool | None, REWATCH] = True
    dump: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    passno: Annotated[int, msgspec.Meta(ge=0, le=2)] | None = None
    lazy: bool = False

    def __post_init__(self) -> None:
        validate(self)

    def provides(self) -> Iterable[Thing]:
        """Return a place for what lies below it; if it is to go, that it has gone."""
        return (Thing("directory" if self.state == "mounted" else "unmounted", self.name),)

    def touches(self) -> Iterable[Thing]:
        """Return all that lies there."""
        return (Thing("below", self.name),)

    def needs(self) -> Iterable[Need]:
        """Return its mount point, what that lies in, and its device; to go, that all below it has gone."""
        parent = os.path.dirname(self.name)
        if self.state != "mounted":
            rule = "it is mounted below"
            yield Need("unmounted", parent, rule, nearest=True, after=True)
            return
        yield Need("path", self.name, "its mount point")
        yield Need("directory", parent, "the directory above its mount point", nearest=True)
        if isinstance(self.device, str) and self.device.startswith("/"):
            yield Need("path", self.device, "its device")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when something was mounted, unmounted or remounted, and when fstab changes."""
        mounts = Listening(self.host.shared(Events))
        return mounts if self.fstab is None else Many(mounts, self.host.files.changes(fstab.PATH))

    def check(self) -> list[Change]:
        """Compare what is mounted, and the line of fstab."""
        return [*self._mount_differences(table.top(self.name)), *self._fstab_differences()]

    async def apply(self, changes: list[Change]) -> None:
        """Mount, remount or unmount, then write fstab: what cannot be mounted does not get into it.

        Raises:
            OSError: mount(8) or umount(8) failed, or it is in use.
            Refused: we are not root, or the kernel does not do what an option says.

        """
        for change in changes:
            match change.attribute:
                case "fstab":
                    await self.host.in_thread(edit, self.host.files, fstab.PATH, self._edited)
                    await self.host.shared(commands.reloading).want(fstab.PATH)
                case "options":
                    await self._remount()
                case _:
                    await self._uncover()
                    if self.state == "mounted":
                        await self._mount()

    def reversed(self) -> "Mount | None":
        """Return what brings back what is mounted and in fstab now."""
        if not self.check():
            return None
        line = None if self.fstab is None else self._line
        return reverse(self, table.top(self.name), line)

    def _mount_differences(self, entry: Entry | None) -> Iterator[Change]:
        if self.state != "mounted":
            if entry is not None:
                yield Change("state", "mounted", "unmounted")
        elif entry is None:
            yield Change("state", "unmounted", "mounted")
        elif not is_device(self.device, self.options, entry):
            yield Change("device", entry.source, self.device)
        elif not is_type(self.type, entry):
            yield Change("type", entry.type, self.type)
        elif differing(self.options, entry):
            found = dict.fromkeys((*entry.flags, *entry.options))
            yield Change("options", ",".join(found), ",".join(self.options))

    def _fits(self, entry: Entry) -> bool:
        """Whether `entry` is what is to be seen here, but perhaps for its options."""
        of_device = is_device(self.device, self.options, entry) and is_type(self.type, entry)
        return self.state == "mounted" and of_device

    async def _uncover(self) -> None:
        """Unmount what is not to be seen here, until nothing is, or what is declared."""
        while True:
            entry = await self.host.in_thread(table.top, self.name)
            if entry is None or self._fits(entry):
                return
            await commands.unmount(self.host, entry.point, lazy=self.lazy)

    async def _mount(self) -> None:
        """Mount it, unless it was under something else."""
        if await self.host.in_thread(table.top, self.name) is not None:
            return await self._remount()
        makes = any(option.startswith("X-mount.mkdir") for option in self.options)
        if not makes and not await self.host.in_thread(os.path.lexists, self.name):
            rule = "no such mount point, make it with a file resource or the option X-mount.mkdir"
            raise FileNotFoundError(errno.ENOENT, rule, self.name)
        await self.host.in_thread(_refuse_links_of_others, self.name)
        options = given(self.options)
        return await commands.mount(self.host, self.device, self.name, self.type, options)

    async def _remount(self) -> None:
        """Set the options that are declared, if they differ."""
        entry = await self.host.in_thread(table.top, self.name)
        if entry is None or not differing(self.options, entry):
            return
        await commands.remount(self.host, self.name, given(self.options))
        entry = await self.host.in_thread(table.top, self.name)
        if entry is not None and (left := differing(self.options, entry)):
            raise Refused(
                f"a remount did not set {','.join(left)} at {self.name},"
                f" found {','.join((*entry.flags, *entry.options))}",
                "declare what the kernel makes of it, or unmount it once by hand",
            )

    # The line of fstab.

    @property
    def _wanted(self) -> Fields:
        """The line as it is declared."""
        dump, passno = ("" if n is None else str(n) for n in (self.dump, self.passno))
        options = ",".join(self.options)
        return Fields(self.device, self.name, self.type, options, dump, passno)

    @property
    def _line(self) -> Fields | None:
        return fstab.find(read(self.host.files, fstab.PATH), self._wanted)

    def _fstab_differences(self) -> Iterator[Change]:
        if self.fstab is None:
            return
        found = self._line
        if self._has_no_line:
            if found is not None:
                yield Change("fstab", found.line, None)
        elif self.device and (found is None or self._wanted.differs(found)):
            wanted = self._wanted.over(found or Fields())
            yield Change("fstab", found.line if found else None, wanted.line)

    @property
    def _has_no_line(self) -> bool:
        return self.state == "absent" or self.fstab is False

    def _edited(self, data: bytes | None) -> bytes | None:
        """Return what fstab, which holds `data`, is to hold."""
        if self._has_no_line:
            return fstab.without_lines(data, self.name)
        return fstab.with_line(data, self._wanted)


def _refuse_links_of_others(point: str) -> None:
    """Raise Refused if a symlink on the way to `point` is neither root's nor ours: mount(8) would follow it."""
    with suppress(FileNotFoundError):
        os.close(open_path(point))
