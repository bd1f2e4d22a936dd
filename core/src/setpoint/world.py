"""What graphs and hosts share: keys with values and revisions.

This one is local, a database in the state directory that every engine with that directory sees. A revision is the
number of a change, counted over all keys, so whoever has read a key can set it on the condition that nobody has
meanwhile.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from setpoint.files import Files
from setpoint.watching import Subscription

if TYPE_CHECKING:
    import sqlite3

# A journal that is rolled back, not a log that is written ahead: reading must touch no file, or the watch would see it.
SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entry (
    key      TEXT PRIMARY KEY,
    value    TEXT NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);
INSERT OR IGNORE INTO latest VALUES (1, 0);
COMMIT;
"""
NEXT = "UPDATE latest SET revision = revision + 1 RETURNING revision"
READ = "SELECT key, value, revision FROM entry WHERE key"
LAST = "\U0010ffff"  # sorts behind whatever else a key goes on with
SET = "INSERT INTO entry VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3"
PATIENCE = 5.0  # seconds for which another process may be writing
TOGETHER = 100  # writes of one change: what keeps keys for many hosts has such a limit


class Entry(NamedTuple):
    """The value of a key.

    revision: the number of the change that set it, 1 or more.
    """

    value: str
    revision: int


class Write(NamedTuple):
    """One change.

    key: any text.
    value: what it gets, any text; None removes the key, if it is there.
    revision: do it only if that is its revision; 0: only if it is not there; None: in any case.
    """

    key: str
    value: str | None
    revision: int | None = None


class ConflictError(OSError):
    """Somebody else has changed a key since it was read; look again."""

    def __init__(self, key: str, expected: int, found: int) -> None:
        what = f"{key!r} was to be at revision {expected}, and is at {found}"
        super().__init__(f"{what}; somebody else has changed it")


class World:
    """The local one.

    Args:
        root: the state directory.
        files: watches it.

    """

    def __init__(self, root: str, files: Files) -> None:
        self._path = os.path.join(root, "world.db")
        self._files = files

    async def get(self, key: str) -> Entry | None:
        """Return the entry of `key`, None if there is none.

        Raises:
            OSError: it cannot be read.

        """
        found = await self._read("= ?", key)
        return found.get(key)

    async def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the entry of each key that begins with `prefix`, in the order of the keys.

        Raises:
            OSError: they cannot be read.

        """
        return await self._read("BETWEEN ? AND ?", prefix, prefix + LAST)

    async def set(self, key: str, value: str, *, revision: int | None = None) -> Entry:
        """Set `key` to `value`, and return its entry.

        Args:
            key: any text.
            value: any text.
            revision: set it only if that is its revision; 0: only if there is none.

        Raises:
            ConflictError: it has another one.
            OSError: it cannot be written.

        """
        return Entry(value, await self.write(Write(key, value, revision)))

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        """Remove `key`, if it is there; the rest is as for `set`."""
        await self.write(Write(key, None, revision))

    async def write(self, *writes: Write) -> int:
        """Do all of `writes`, or none of them; return the number of the change, which all have.

        Args:
            writes: at most `TOGETHER`, of different keys.

        Raises:
            ConflictError: one of the keys has another revision.
            OSError: they cannot be written.

        """
        return await asyncio.to_thread(self._write, writes)

    def changes(self, prefix: str) -> Subscription:
        """Say when a key that begins with `prefix` may have changed, whoever did it."""
        return self._files.changes(self._path)

    async def _read(self, which: str, *args: str) -> dict[str, Entry]:
        return await asyncio.to_thread(self._found, which, args) if self.exists else {}

    def _found(self, which: str, args: tuple[str, ...]) -> dict[str, Entry]:
        # What a writer left that was killed is rolled back by who may write; else reading touches no file.
        mode = "rw" if os.path.exists(f"{self._path}-journal") else "ro"
        with self._connected(mode) as connection:
            return _entries(connection, which, args)

    def _write(self, writes: Sequence[Write]) -> int:
        """Do `writes` as one transaction."""
        self._make()
        with self._connected("rw") as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for write in writes:
                    _expect(connection, write)
                (number,) = connection.execute(NEXT).fetchone()
                for key, value, _ in writes:
                    if value is None:
                        connection.execute("DELETE FROM entry WHERE key = ?", (key,))
                    else:
                        connection.execute(SET, (key, value, number))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            return int(number)

    @property
    def exists(self) -> bool:
        """Whether there is a database; a file that was only just created is none."""
        return os.path.exists(self._path) and os.path.getsize(self._path) > 0

    def _make(self) -> None:
        """Have a database."""
        if self.exists:
            return
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with self._connected("rw") as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def _connected(self, mode: str) -> "Iterator[sqlite3.Connection]":
        """Yield a connection of this thread: to read only, which the watch does not see, or to write."""
        import sqlite3  # 3 ms, and few graphs share anything
        from urllib.parse import quote

        place = f"file:{quote(self._path)}?mode={mode}"
        connect = partial(sqlite3.connect, timeout=PATIENCE, isolation_level=None, uri=True)
        try:
            with closing(connect(place)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error


def _expect(connection: "sqlite3.Connection", write: Write) -> None:
    """Do nothing if the key is at the revision at which it is to be.

    Raises:
        ConflictError: it is not.

    """
    found = _entries(connection, "= ?", (write.key,)).get(write.key)
    at = found.revision if found else 0
    if write.revision is not None and write.revision != at:
        raise ConflictError(write.key, write.revision, at)


def _entries(
    connection: "sqlite3.Connection", which: str, args: tuple[str, ...]
) -> dict[str, Entry]:
    rows = connection.execute(f"{READ} {which} ORDER BY key", args)
    return {key: Entry(value, revision) for key, value, revision in rows}
