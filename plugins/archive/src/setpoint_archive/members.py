"""What is in an archive, of whatever sort: its members one after the other, each with a name that is safe."""

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Literal, NamedTuple

from setpoint import Refused
from setpoint_archive.names import Wanted, check_target, clean, hostile, strip

MOST = 1_000_000  # members; each costs an inode, and an empty one hardly a byte of the archive
CHUNK = 1 << 20

Sort = Literal["file", "directory", "symlink", "hardlink"]


class Member(NamedTuple):
    """One thing in an archive.

    path: where it goes, relative to the directory, and safe.
    mode: its permission bits, as the archive has them.
    mtime: when it was modified, seconds since 1970.
    size: of a file, in bytes.
    target: of a symlink where it leads, of a hard link the path of the member that it is another name of.
    chunks: of a file: yields what is in it, once, before the next member is asked for.
    """

    path: str
    sort: Sort
    mode: int = 0o644
    mtime: float = 0.0
    size: int = 0
    target: str = ""
    chunks: Callable[[], Iterator[bytes]] = lambda: iter(())


class Limits(NamedTuple):
    """How much may come out of an archive, in bytes."""

    size: int

    def check(self, size: int) -> None:
        """Raise Refused if `size` is too much."""
        if size > self.size:
            rule = f"it must extract to {self.size} bytes at most, it has more"
            raise Refused(rule, "see max_size and max_ratio")


def members(file: IO[bytes], limits: Limits, wanted: Wanted, dropped: int) -> Iterator[Member]:
    """Yield what is to be extracted of the archive open as `file`; names are safe, and links lead nowhere outside.

    Args:
        file: at its beginning.
        limits: what is too much.
        wanted: tells members that are; others may be anything.
        dropped: how many leading directories names lose.

    Raises:
        Refused: it is no archive, is damaged, or is hostile.

    """
    total, tree = 0, _Tree()
    for number, member in enumerate(_raw(file, limits, wanted)):
        if number >= MOST:
            raise Refused(f"an archive must have at most {MOST} members, this has more")
        made = _placed(member, dropped)
        if made is not None:
            total += made.size
            limits.check(total)
            tree.add(made)
            yield made


class _Tree:
    """What is there already, to see that nothing comes in the way of something else."""

    def __init__(self) -> None:
        self._sorts: dict[str, Sort] = {}

    def add(self, member: Member) -> None:
        """Note `member`.

        Raises:
            Refused: it lies behind a link or a file, takes the place of a directory, or is another name of nothing.

        """
        path, sorts = member.path, self._sorts
        end = path.rfind("/")
        while end > 0 and sorts.get(path[:end]) != "directory":
            if sorts.setdefault(path[:end], "directory") != "directory":
                raise hostile(path, f"lies behind {path[:end]!r}, which is no directory")
            end = path.rfind("/", 0, end)
        if (sorts.get(path, member.sort) == "directory") != (member.sort == "directory"):
            raise hostile(path, "is a directory and something else too")
        if member.sort == "hardlink" and sorts.get(member.target) not in ("file", "hardlink"):
            raise hostile(path, f"is a hard link to {member.target!r}, no file before it")
        sorts[path] = member.sort


def _raw(file: IO[bytes], limits: Limits, wanted: Wanted) -> Iterable[Member]:
    """Return the members under the names that they have in the archive."""
    beginning = file.read(6)
    file.seek(0)
    if beginning.startswith((b"PK\3\4", b"PK\5\6")):
        from setpoint_archive.zip import unzip

        return unzip(file, wanted)
    from setpoint_archive.tar import untar

    return untar(file, beginning, limits, wanted)


def _placed(member: Member, dropped: int) -> Member | None:
    """Return `member` with the path where it goes; None if that has no name left."""
    path = strip(clean(member.path), dropped)
    if not path:
        return None
    target = member.target
    if member.sort == "symlink":
        check_target(path, target)
    elif member.sort == "hardlink":
        target = strip(clean(target), dropped)
        if not target:
            raise hostile(member.path, f"is a link to {member.target!r}, which is not extracted")
    return member._replace(path=path, target=target)
