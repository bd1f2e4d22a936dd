"""The `archive` resource: extracts tar and zip files safely, or makes them.

params.py        which params go together
members.py       what is in an archive, tar.py and zip.py; names.py says which names are refused
compression.py   what is around a tar, and how much may come out of it
tree.py          writing below a directory, through no link
extracting.py    the one way, with manifest.py: what was extracted, so that a look costs no reading
creating.py      the other way, with packing.py: the bytes of an archive
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from setpoint import REWATCH, Change, Need, Resource, Thing, Values, hookimpl
from setpoint.watching import Many, Subscription
from setpoint_archive.params import validate

if TYPE_CHECKING:
    from setpoint_archive.creating import Creating
    from setpoint_archive.extracting import Extracting

GIGABYTE = 1 << 30


class Archive(Resource):
    """A directory with what is in an archive, or with `create` an archive of what is in a directory.

    Understood are zip and tar, plain or compressed by gzip, bzip2, xz or zstd, whatever the file is called.
    An archive that would write outside of the directory, through links in it, or make a device, is refused before
    anything is written. Of modes neither set-user-ID, set-group-ID nor write permission of others is taken over; files
    belong to who extracts them. Each file is replaced as a whole. What was changed or removed later is extracted again;
    what else is in the directory is left alone.

    name: its path, if path is empty.
    path: the directory to extract into, absolute, which is made if it is missing; with create the archive,
        which ends in .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst, .tgz, .tbz2, .txz, .tzst or .zip. Empty takes the
        name.
    source: the archive, absolute; with create the directory or file that is put into it.
    create: make an archive, the same bytes for the same content. False extracts one.
    strip: how many leading directories of each name are dropped, from 0; names that have no more are left out.
    creates: absolute path: if it is there, nothing is extracted nor compared. Empty is no such guard.
    include: only what fits one of these patterns, by its name in the archive, is extracted or put into it: "*" is any
        text, "/" included; of a directory that fits all that is in it. Empty is all.
    exclude: what fits one of these is not, and may be what would be refused. Empty is none.
    owner: the user of all that is extracted, or of the archive; name or number, and only root may give things away.
        Empty is the user that does it.
    group: the same of its group.
    mode: permission bits of the files, octal, from "0600" to "0777"; one that may be executed stays so, and
        directories may be entered, by all who may read it. With create: those of the archive. Empty is as in the
        archive; with create, "0644".
    checksum: what the archive has to have before anything is extracted: SHA-256 or SHA-512 in hexadecimal. Empty is
        not looked at.
    max_size: bytes that it may extract to, from 1; 10 GiB by default.
    max_ratio: how many times its own size it may extract to, if that is over 100 MiB, from 1; 200 by default.
    purge: remove what this resource has extracted before and is not in the archive any more. False leaves it.
    mtime: with create: when all in it was modified, seconds since 1970; 0 by default.

    Sends `path`: where it is.
    Sends `sha256`: of the archive, in hexadecimal.
    Sends `files`: how many files and links are in it, or were extracted.
    """

    kind = "archive"

    path: Annotated[str, REWATCH] = ""
    source: Annotated[str, REWATCH]
    create: Annotated[bool, REWATCH] = False
    strip: Annotated[int, msgspec.Meta(ge=0)] = 0
    creates: Annotated[str, REWATCH] = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    owner: str = ""
    group: str = ""
    mode: str = ""
    checksum: str = ""
    max_size: Annotated[int, msgspec.Meta(ge=1)] = 10 * GIGABYTE
    max_ratio: Annotated[float, msgspec.Meta(ge=1)] = 200.0
    purge: bool = False
    mtime: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)] = 0

    class Sends(Values):
        """What others may receive."""

        path: str
        sha256: str
        files: int

    def __post_init__(self) -> None:
        validate(self)

    @property
    def at(self) -> str:
        """The path without a slash at the end."""
        return (self.path or self.name).rstrip("/") or "/"

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the archive changes, or something that was extracted or is to be put into it."""
        changes = self.host.files.changes
        parts = [changes(self.at, recursive=not self.create)]
        if self.source:
            parts.append(changes(self.source.rstrip("/"), recursive=self.create))
        if self.creates:
            parts.append(changes(self.creates))
        return Many(*parts)

    def check(self) -> list[Change]:
        """Compare what is there with what was noted when it was made: without reading, if nobody touched it."""
        return self._way.check()

    def apply(self, changes: list[Change]) -> None:
        """Extract the archive, or those of its files that differ; or make it."""
        self._way.apply(changes)

    @hookimpl
    def send(self) -> Sends | None:
        """Hand out what the archive is; nothing if it was not looked into because of `creates`."""
        made = self._way.made()
        if made is None:
            return None
        return self.Sends(path=self.at, sha256=made.sha256, files=made.files)

    def provides(self) -> Iterable[Thing]:
        """Return the directory, or the archive."""
        return (Thing("path" if self.create else "directory", self.at),)

    def touches(self) -> Iterable[Thing]:
        """Return all that lies there."""
        return (Thing("below", self.at),)

    def needs(self) -> Iterator[Need]:
        """Yield the directory it lies in, what it is made of, and its owner."""
        if self.create:
            parent = self.at.rpartition("/")[0] or "/"
            yield Need("directory", parent, "its parent directory", nearest=True)
        else:
            yield Need("directory", self.at, "where it is extracted", nearest=True)
        if self.source:
            source = self.source.rstrip("/")
            yield Need("path", source, "the archive" if not self.create else "what is put into it")
            if self.create:
                yield Need("directory", source, "what is put into it", nearest=True)
        for what, name in (("user", self.owner), ("group", self.group)):
            if name:
                yield Need(what, name, f"the {what} that it belongs to")

    @property
    def _way(self) -> "Creating | Extracting":
        if self.create:
            from setpoint_archive.creating import Creating

            return Creating(self)
        from setpoint_archive.extracting import Extracting

        return Extracting(self)
