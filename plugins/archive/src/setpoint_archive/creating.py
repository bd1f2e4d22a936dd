"""Making an archive of a directory or a file, and seeing whether it still is what is in there."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from setpoint import Change
from setpoint_archive.manifest import Manifest, declared, keep, look, recall, sign
from setpoint_archive.names import Wanted, shown
from setpoint_archive.owners import belongings
from setpoint_archive.packing import Input, pack
from setpoint_archive.params import format_of

if TYPE_CHECKING:
    from setpoint_archive import Archive

PACKED = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
MODE = 0o644


class Creating:
    """The verbs of an archive that is to be made."""

    def __init__(self, archive: "Archive") -> None:
        self._archive = archive
        self._files = archive.host.files

    def check(self) -> list[Change]:
        """Compare the archive, and what it was made of, with what they were."""
        manifest = recall(self._archive)
        found = look(self._archive.at)
        if found is None:
            return [Change("content", None, f"of {self._archive.source}")]
        if manifest is None or manifest.params != declared(self._archive):
            return [Change("content", "of something else", f"of {self._archive.source}")]
        if found != manifest.archive:
            return [Change("content", "changed", f"of {self._archive.source}")]
        if _digest(self._inputs()) != manifest.inputs:
            return [Change("content", "older", f"of {self._archive.source}")]
        return []

    def apply(self, changes: list[Change]) -> None:
        """Make the archive, and put it in its place as a whole."""
        inputs = list(self._inputs())
        whose = belongings(self._archive)
        hashed = hashlib.sha256()
        self._files.write(
            self._archive.at,
            self._pieces(inputs, hashed),
            mode=MODE if whose.mode is None else whose.mode,
            owner=whose.owner,
            group=whose.group,
        )
        found = os.lstat(self._archive.at)
        files = sum(not stat.S_ISDIR(one.status.st_mode) for one in inputs)
        params, of = declared(self._archive), _digest(inputs)
        keep(self._archive, Manifest(hashed.hexdigest(), sign(found), params, files, inputs=of))

    def made(self) -> Manifest | None:
        """Return what is known of the archive that was made."""
        return recall(self._archive)

    def _pieces(self, inputs: Iterable[Input], hashed: "hashlib._Hash") -> Iterator[bytes]:
        form = format_of(self._archive.at)
        for piece in pack(form, inputs, self._archive.mtime, self._files.open):
            hashed.update(piece)
            yield piece

    def _inputs(self) -> Iterator[Input]:
        """Yield what is to be put into it, directories before what is in them, in the order of names."""
        source = self._archive.source.rstrip("/") or "/"
        status = os.lstat(source)
        wanted = Wanted(self._archive.include, self._archive.exclude)
        if not stat.S_ISDIR(status.st_mode):
            yield Input(os.path.basename(source), source, status)
            return
        for one in _below(source, ""):
            if wanted(one.name):
                yield one


def _below(directory: str, name: str) -> Iterator[Input]:
    """Yield what is in a directory, except for sockets, devices and pipes."""
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in found:
        status = entry.stat(follow_symlinks=False)
        if stat.S_IFMT(status.st_mode) not in PACKED:
            continue
        one = Input(f"{name}{entry.name}", entry.path, status)
        yield one
        if stat.S_ISDIR(status.st_mode):
            yield from _below(entry.path, f"{one.name}/")


def _digest(inputs: Iterable[Input]) -> str:
    """Return a digest of all that tells that something is not what it was: of a directory only that it is there."""
    hashed = hashlib.sha256()
    for one in inputs:
        status = one.status
        signature = [] if stat.S_ISDIR(status.st_mode) else sign(status)
        hashed.update(f"{shown(one.name)}\0{one.mode}\0{signature}\0{one.target}\n".encode())
    return hashed.hexdigest()
