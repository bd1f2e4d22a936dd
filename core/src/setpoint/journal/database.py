"""The file that the journal is: its schema, how it comes to be, and what may be wrong with it."""

import errno
import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

VERSION = 3
SIGNATURE = 0x53657470  # "Setp": tells our files from other people's databases

# Ids are kept as bytes, because a name may hold what is not valid UTF-8.
SCHEMA = f"""
CREATE TABLE intent (          -- is about to change something, or was when its process died
    id      BLOB PRIMARY KEY,
    graph   BLOB NOT NULL DEFAULT x''  -- the scope of the graph that declares it
) WITHOUT ROWID;

CREATE TABLE debt (            -- `then` owes a refresh, because `first` changed
    first   BLOB NOT NULL,
    "then"  BLOB NOT NULL,
    mark    INTEGER NOT NULL,  -- number of the latest such change, in the order they were recorded
    since   REAL NOT NULL,     -- wall time of the earliest
    PRIMARY KEY (first, "then")
) WITHOUT ROWID;
CREATE INDEX debt_then ON debt ("then");

CREATE TABLE sent (            -- the values that a resource sent last
    id      BLOB PRIMARY KEY,
    fields  TEXT NOT NULL      -- JSON, field to value; no secrets
) WITHOUT ROWID;

CREATE TABLE outcome (         -- how a resource fared last; none if it always was in its state
    id      BLOB PRIMARY KEY,
    state   TEXT NOT NULL,     -- changed, failed, blocked, settled
    detail  BLOB NOT NULL,
    at      REAL NOT NULL,     -- wall time
    repairs INTEGER NOT NULL,  -- how often it has been changed
    graph   BLOB NOT NULL DEFAULT x''  -- as above
) WITHOUT ROWID;

CREATE TABLE trace (           -- what happened and why, for people; old entries go
    number  INTEGER PRIMARY KEY,  -- in the order it happened
    id      BLOB NOT NULL,     -- empty for what is about a run, "first" for many first changes
    entry   BLOB NOT NULL      -- JSON
);
CREATE INDEX trace_id ON trace (id);

CREATE TABLE run (             -- the run that goes on, or the last one
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    owner   TEXT NOT NULL,     -- JSON: pid, host, command, since, boot
    ended   REAL NOT NULL,     -- wall time; 0 while it goes on, and for ever if it died
    summary TEXT NOT NULL      -- JSON
);

PRAGMA application_id = {SIGNATURE};
PRAGMA user_version = {VERSION};
"""

# what brings the journal of a version to the next one, see `SCHEMA`
UPGRADES = {
    1: """
BEGIN;
ALTER TABLE intent ADD COLUMN graph BLOB NOT NULL DEFAULT x'';
ALTER TABLE outcome ADD COLUMN graph BLOB NOT NULL DEFAULT x'';
PRAGMA user_version = 2;
COMMIT;
""",
    2: """
BEGIN;
CREATE TABLE trace (number INTEGER PRIMARY KEY, id BLOB NOT NULL, entry BLOB NOT NULL);
CREATE INDEX trace_id ON trace (id);
PRAGMA user_version = 3;
COMMIT;
""",
}

# how the names of file systems begin that other machines can write to as well
NETWORK = tuple(
    "9p afs ceph cifs fuse.gluster fuse.s3fs fuse.sshfs gfs2 gluster lustre nfs ocfs2 smb".split()
)

# what to do about an error, by the beginning of its name
CURES = {
    "SQLITE_FULL": "make room on its file system",
    "ENOSPC": "make room on its file system",
    "EDQUOT": "raise the quota of its owner",
    "SQLITE_BUSY": "end the other program that has it open",
    "SQLITE_LOCKED": "end the other program that has it open",
    "": "see that its directory can be written",
}


class Debt(NamedTuple):
    """`then` owes a refresh because `first` changed something."""

    first: str
    then: str


def as_bytes(text: str) -> bytes:
    """Return `text` as the database keeps it, whatever is in it."""
    return text.encode("utf-8", "surrogatepass")


def as_text(kept: bytes) -> str:
    """Return the text that `as_bytes` made `kept` of."""
    return kept.decode("utf-8", "surrogatepass")


def rows_of(ids: Iterable[str]) -> list[tuple[bytes]]:
    """Return `ids` as rows of one column."""
    return [(as_bytes(id_),) for id_ in ids]


def open_database(path: str) -> "sqlite3.Connection":
    """Return a connection for the one writer of the database at `path`, made if it is missing.

    Whoever calls this holds the lock. The connection may be handed to another thread.

    Raises:
        JournalError: the file is damaged, not ours, of a newer version, or cannot be written.

    """
    import sqlite3

    try:
        _refuse_network(path)
        if not os.path.lexists(path):
            _create(path)
        check_file(path)
        return _connect(path)
    except (sqlite3.Error, OSError) as error:
        raise problem(path, error) from error


def check_file(path: str) -> None:
    """See that there is something at `path` that SQLite may open: it would take too much.

    Raises:
        JournalError: there is not.
        OSError: nobody can tell.

    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise damaged(path, "it is not a regular file")
    if found.st_size == 0:  # SQLite would take it for a new database, and drop the -wal
        raise damaged(path, "it is empty")


def check(database: "sqlite3.Connection", path: str) -> None:
    """See that `database`, the file at `path`, is whole and a journal that we can read.

    Raises:
        JournalError: it is not.
        sqlite3.Error: it cannot even be read.

    """
    (signature,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if signature != SIGNATURE:
        raise damaged(path, "it is not one of ours")
    if version > VERSION:
        raise JournalError(
            f"{path}: the journal must be of version {VERSION} at most, not {version};"
            f" upgrade setpoint, or {_move_away(path)}"
        )
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, " ".join(verdict.split()))


def damaged(path: str, detail: str) -> JournalError:
    """Return the error for a journal at `path` whose content is wrong; `detail` says how."""
    return JournalError(f"{path}: the journal is damaged, {detail}; {_move_away(path)}")


def problem(path: str, error: Exception) -> JournalError:
    """Return what a person can do about `error`, which SQLite or the kernel raised about `path`."""
    number = getattr(error, "errno", None) or 0
    name = getattr(error, "sqlite_errorname", "") or errno.errorcode.get(number, "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, ValueError):
        return damaged(path, str(error))
    why = getattr(error, "strerror", None) or str(error)
    cure = next(cure for start, cure in CURES.items() if name.startswith(start))
    return JournalError(
        f"{path}: the journal cannot be used, {why}; {cure}, or choose another place with --prefix"
    )


def file_system(device: int, mounts: str) -> str:
    """Return the type of the file system that is `device`, "" if unknown.

    Args:
        device: as stat(2) gives it.
        mounts: the text of /proc/self/mountinfo, see proc_pid_mountinfo(5).

    """
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == number:
            return source.split()[0]
    return ""


def _refuse_network(path: str) -> None:
    directory = os.path.dirname(path)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            mounts = file.read()
    except OSError:  # no /proc: then nobody can tell
        return
    kind = file_system(os.stat(directory).st_dev, mounts)
    if kind.startswith(NETWORK):
        raise JournalError(
            f"{directory}: the journal must be on a local file system, not on {kind!r}, where"
            " locks and shared memory do not hold; choose another place with --prefix"
        )


def _connect(path: str) -> "sqlite3.Connection":
    import sqlite3

    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        check(database, path)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for old in range(version, VERSION):
            database.executescript(UPGRADES[old])
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 4194304")
    except BaseException:
        database.close()
        raise
    return database


def _create(path: str) -> None:
    """Make the database under another name first, so that a file at `path` is always whole."""
    import sqlite3

    if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
        raise damaged(path, "it is gone, but its -wal is there")
    draft = f"{path}.new"
    for leftover in (draft, f"{draft}-wal", f"{draft}-shm", f"{draft}-journal"):
        if os.path.lexists(leftover):
            os.unlink(leftover)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(draft, isolation_level=None)
    try:
        database.executescript(SCHEMA)
        database.execute("PRAGMA journal_mode = WAL")
    finally:
        database.close()
    os.rename(draft, path)
    _sync(os.path.dirname(path))


def _sync(directory: str) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _move_away(path: str) -> str:
    import shlex

    aside = shlex.quote(f"{path.removesuffix('.db')}.aside")
    return (
        f"move it and its -wal and -shm away (mkdir {aside} && mv {shlex.quote(path)}* {aside}):"
        " then owed refreshes and sent values are forgotten, nothing else"
    )
