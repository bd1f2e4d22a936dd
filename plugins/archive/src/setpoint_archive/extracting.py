"""Extracting an archive, and seeing whether all of it is still there."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from setpoint import Change, Refused
from setpoint.oserrors import naming
from setpoint_archive.manifest import (
    Manifest,
    Signature,
    as_key,
    as_path,
    declared,
    keep,
    look,
    recall,
    sign,
)
from setpoint_archive.members import Limits, Member, members
from setpoint_archive.names import Wanted, shown
from setpoint_archive.owners import belongings
from setpoint_archive.params import digest_of
from setpoint_archive.tree import UNFINISHED, Tree

if TYPE_CHECKING:
    from setpoint_archive import Archive

BRIEF = 16  # digits of a digest that a difference shows
NAMED = 10  # differing files that a check names; the rest is counted
FREE = 100 << 20  # bytes that may always be extracted, however small the archive


class Extracting:
    """The verbs of an archive that is to be extracted."""

    def __init__(self, archive: "Archive") -> None:
        self._archive = archive
        self._files = archive.host.files

    def check(self) -> list[Change]:
        """Compare the archive, and what was extracted of it, with what they were."""
        self._archive.memory["wrong"] = None
        if self._is_guarded:
            return []
        manifest = recall(self._archive)
        other = self._other(manifest)
        if manifest is None or other:
            return [other or Change("source", None, self._archive.source)]
        wrong = self._differing(manifest)
        self._archive.memory["wrong"] = {path for path, _ in wrong}
        changes = [Change(shown(path), how, "as in the archive") for path, how in wrong[:NAMED]]
        if len(wrong) > NAMED:
            changes.append(
                Change("files", f"{len(wrong) - NAMED} more differ", "as in the archive")
            )
        return changes

    def apply(self, changes: list[Change]) -> None:
        """Extract all, or what differs; an archive that is refused has changed nothing."""
        wrong: set[str] | None = self._archive.memory.get("wrong")
        with self._open() as file:
            status = os.fstat(file.fileno())
            digests = self._digests(file)
            for member in self._members(file, status.st_size):
                deque(member.chunks(), maxlen=0)  # all is read before the first one is extracted
            entries, files = self._extract(self._members(file, status.st_size), wrong)
            if sign(os.fstat(file.fileno())) != sign(status):
                raise OSError(f"{self._archive.source} was changed while it was read")
        before = recall(self._archive)
        if before and wrong is None and self._archive.purge:
            self._purge(before, entries)
        params = declared(self._archive)
        keep(self._archive, Manifest(digests["sha256"], sign(status), params, files, entries))

    def made(self) -> Manifest | None:
        """Return what is known of the archive that was extracted."""
        return None if self._is_guarded else recall(self._archive)

    @property
    def _is_guarded(self) -> bool:
        creates = self._archive.creates
        return bool(creates) and self._files.status(creates) is not None

    def _other(self, manifest: Manifest | None) -> Change | None:
        """Return how the archive is another one, or declared in another way; None if it is the same, or was none."""
        is_declared = manifest is not None and manifest.params == declared(self._archive)
        with self._open() as file:
            if manifest is None or not is_declared:
                if self._archive.checksum:
                    self._digests(file)
                return Change("params", "others", "as declared") if manifest else None
            known = self._archive.memory.get("signature", manifest.archive)
            signature = sign(os.fstat(file.fileno()))
            if signature == known:
                return None
            found = self._digests(file)["sha256"]
        if found == manifest.sha256:
            self._archive.memory["signature"] = signature
            return None
        return Change("source", f"sha256 {manifest.sha256[:BRIEF]}", f"sha256 {found[:BRIEF]}")

    def _open(self) -> IO[bytes]:
        return os.fdopen(self._files.open(self._archive.source, follow=True), "rb")

    def _digests(self, file: IO[bytes]) -> dict[str, str]:
        """Return the digests of the archive by algorithm; `file` is at its beginning afterwards.

        Raises:
            Refused: it is not the one that is declared.

        """
        algorithm, wanted = digest_of(self._archive.checksum) or ("sha256", "")
        digests = {}
        for name in {"sha256", algorithm}:
            digests[name] = hashlib.file_digest(file, name).hexdigest()  # type: ignore[arg-type]
            file.seek(0)
        if wanted and digests[algorithm] != wanted:
            rule = f"{self._archive.source} must have the {algorithm} {wanted}"
            raise Refused(f"{rule}, found {digests[algorithm]}", "fetch it again")
        return digests

    def _members(self, file: IO[bytes], size: int) -> Iterator[Member]:
        archive = self._archive
        file.seek(0)
        limit = min(archive.max_size, max(FREE, int(size * archive.max_ratio)))
        wanted = Wanted(archive.include, archive.exclude)
        return members(file, Limits(limit), wanted, archive.strip)

    def _differing(self, manifest: Manifest) -> list[tuple[str, str | None]]:
        """Return what is not as it was extracted: its path, and how it is now, None if it is gone."""
        found = []
        for key, signature in manifest.entries.items():
            path = as_path(key)
            now = look(f"{self._archive.at}/{path}")
            if now != signature:
                found.append((path, None if now is None else "changed"))
        return found

    def _extract(
        self, found: Iterator[Member], only: set[str] | None
    ) -> tuple[dict[str, Signature], int]:
        """Extract members, or `only` some; return what is there then, and how many files and links."""
        before = recall(self._archive)
        entries = dict(before.entries) if before and only is not None else {}
        files = 0
        with self._tree() as tree:
            for member in found:
                files += member.sort != "directory"
                if only is None or member.path in only:
                    with naming(f"{self._archive.at}/{shown(member.path)}"):
                        _put(tree, member)
                    entries[as_key(member.path)] = self._signature(member)
        return entries, files

    def _signature(self, member: Member) -> Signature:
        found = look(f"{self._archive.at}/{member.path}")
        if found is None:
            raise OSError(f"{shown(member.path)} was removed while the archive was extracted")
        return found

    def _tree(self) -> Tree:
        """Open the directory, which is made if it is missing."""
        path, whose = self._archive.at, belongings(self._archive)
        status = self._files.status(path, follow=True)
        if status is None or status.st_mode & 0o7777 == UNFINISHED:
            parent, _, name = path.rpartition("/")
            fd = self._files.open_directory(parent or "/", follow=True)
            with Tree(fd, parent, whose) as tree, naming(path):
                tree.make_directory(name)
        return Tree(self._files.open_directory(path, follow=True), path, whose)

    def _purge(self, before: Manifest, entries: dict[str, Signature]) -> None:
        with self._tree() as tree:
            for key in sorted(before.entries.keys() - entries.keys(), reverse=True):
                tree.remove(as_path(key))


def _put(tree: Tree, member: Member) -> None:
    """Put one member into the tree."""
    if member.sort == "directory":
        tree.make_directory(member.path)
    elif member.sort == "symlink":
        tree.put_symlink(member.path, member.target)
    elif member.sort == "hardlink":
        tree.put_hardlink(member.path, member.target)
    else:
        tree.put_file(member.path, member.chunks(), member.mode, member.mtime)
