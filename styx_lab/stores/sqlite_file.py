"""One SQLite file as a store: made once, known by its mark, every write one transaction.

Law: whatever happens at whatever instant, the file holds the whole of a write or nothing of it; and no file that is not
a Styx store of a format we know is ever written to. Several processes may use it at once (WAL); so may threads, which
take turns.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from styx_lab.errors import OutputError, StoreError, StyxError

__all__ = ["APPLICATION_ID", "FORMAT", "SqliteFile"]

APPLICATION_ID: Final = 0x53545958
"""`STYX`, in the header of the file, so that no other program's file is taken for a store."""
FORMAT: Final = 1
"""The schema's version number, in `PRAGMA user_version`."""

# `data` comes last: reading the columns before it then does not walk through the pages of a large bundle.
_SCHEMA: Final = (
    """CREATE TABLE versions (
        kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, created TEXT NOT NULL,
        meta TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, name, version))""",
    """CREATE TABLE aliases (
        kind TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, changed TEXT NOT NULL,
        PRIMARY KEY (kind, name, alias))""",
    "CREATE TABLE config (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, changed TEXT NOT NULL)",
    """CREATE TABLE jobs (
        job TEXT NOT NULL PRIMARY KEY, bundle TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
        folder TEXT NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, started TEXT NOT NULL,
        heartbeat TEXT NOT NULL, ended TEXT, counters TEXT NOT NULL, watermark INTEGER)""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


class SqliteFile:
    """The file behind a `SqliteStore`: `with file.write() as connection: ...` is one transaction.

    Args:
        path: where it is; neither it nor its folder is made before the first write.
        busy_ms: how long to wait for another process's write, ms.

    Raises:
        StoreError: when a file is there that is no Styx store, is damaged, or is of a newer format.
    """

    def __init__(self, path: Path, *, busy_ms: int) -> None:
        self.path = path
        self.where = f"store {str(path)!r}"
        self._busy_ms = busy_ms
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        with self._turn():
            self._open(make=False)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the store; before the first write, an empty one.

        Raises:
            OutputError: when the file cannot be read (SQLite needs a little free space for that, too).
            StoreError: when the store is damaged, closed, or no store.
        """
        with self._turn():
            connection = self._open(make=False)
            if connection is None:
                with self._empty() as connection:
                    yield connection
                return
            with self._transaction(connection, "BEGIN"):
                yield connection

    @contextmanager
    def write(self, *, make: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection whose changes all come to be when the block ends, or none when it raises.

        Args:
            make: whether to make the store when there is none; else an empty one is lent, whose changes go nowhere.

        Raises:
            OutputError: when the disk is full or the file cannot be written.
            StoreError: when another process holds the store too long, or it is damaged.
        """
        with self._turn():
            connection = self._open(make=make)
            if connection is None:
                with self._empty() as connection:
                    yield connection
                return
            with self._transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

    def close(self) -> None:
        """Let go of the file; may be called twice. In a forked child it leaves the parent's connection alone."""
        self._closed = True
        if os.getpid() != self._pid:
            return
        with self._lock, self._translated():
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if os.getpid() != self._pid:
            # SQLite's locks belong to a process: a connection used on both sides of a fork can damage the file. And a
            # lock that another thread held at the fork is never let go here.
            raise StoreError(
                "a store cannot be carried over a fork",
                where=self.where,
                hint="start processes by 'spawn' and open a SqliteStore in each",
            )
        with self._lock, self._translated():
            yield

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection, begin: str) -> Iterator[None]:
        connection.execute(begin)
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # SQLite has already rolled back by itself after some errors (a full disk).
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _empty(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            for statement in _SCHEMA:
                connection.execute(statement)
            yield connection
        finally:
            connection.close()

    def _open(self, *, make: bool) -> sqlite3.Connection | None:
        if self._closed:
            raise StoreError("the store is closed", where=self.where, hint="open another SqliteStore on the same path")
        if self._connection is not None:
            if self._file_identity() != self._identity:
                raise StoreError(
                    "the store's file was removed or replaced while it was open",
                    where=self.where,
                    hint="put the file back, or close this store and open it again",
                )
            return self._connection
        if make:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the folder of the store cannot be made ({error.strerror})",
                    where=self.where,
                    hint="choose a folder you may write to, with STYX_HOME or the store's path",
                ) from error
        size = self._size()
        # SQLite takes a file shorter than its smallest page for an empty database, and would write over it.
        if 0 < size < 512:
            raise StoreError("the file is no Styx store, or is damaged", where=self.where, hint=_OTHER_FILE)
        if not size and not make:
            return None
        mode = "rwc" if make else "rw"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self._busy_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            ready = self._is_store(connection)
            if make and not ready:
                self._make(connection)
                ready = True
        except BaseException:
            connection.close()
            raise
        if not ready:
            connection.close()
            return None
        self._identity = self._file_identity()
        self._connection = connection
        return connection

    def _make(self, connection: sqlite3.Connection) -> None:
        self._choose_wal(connection)
        with self._transaction(connection, "BEGIN IMMEDIATE"):
            if not self._is_store(connection):  # Another process may have made it in between.
                for statement in _SCHEMA:
                    connection.execute(statement)

    def _choose_wal(self, connection: sqlite3.Connection) -> None:
        # The change of mode answers "busy" at once, past the busy timeout, when two processes make the store together.
        deadline = time.monotonic() + self._busy_ms / 1000
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.002)

    def _is_store(self, connection: sqlite3.Connection) -> bool:
        """Whether it is a store; `False` is an empty database, anything else raises."""
        # One statement, so that all three are of one moment.
        mark, number, tables = connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
            " (SELECT count(*) FROM sqlite_master)"
        ).fetchone()
        if mark == number == tables == 0:
            return False
        if mark != APPLICATION_ID:
            raise StoreError("the file is a SQLite database, but no Styx store", where=self.where, hint=_OTHER_FILE)
        if number != FORMAT:
            newer = f"install a newer styx-lab, or use another store: this one reads format {FORMAT}"
            raise StoreError("the store is of an unknown, newer format", where=self.where, got=number, hint=newer)
        return True

    def _size(self) -> int:
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            raise self._unreadable(str(error.strerror)) from error
        if S_ISDIR(found.st_mode):
            hint = f"name a file in it: {self.path / 'store.db'}"
            raise StoreError("a folder is no store", where=self.where, hint=hint)
        return found.st_size

    def _file_identity(self) -> tuple[int, int] | None:
        with suppress(OSError):
            found = self.path.stat()
            return found.st_dev, found.st_ino
        return None

    def _unreadable(self, why: str) -> StoreError:
        return StoreError(
            f"the store cannot be opened ({why})",
            where=self.where,
            hint="look at the rights of the file and its folder, or choose another store with STYX_HOME",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translation(error) from error
        except UnicodeEncodeError as error:
            raise StoreError("text that has no UTF-8 is not in a store", where=self.where, got=error.object) from error

    def _translation(self, error: sqlite3.Error) -> StyxError:
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
            return StoreError(f"not a thing that the store can keep or find ({error})", where=self.where)
        match _primary(error):
            case sqlite3.SQLITE_FULL:
                return OutputError(
                    "the disk is full; nothing of this write was kept, and all that was there is whole",
                    where=self.where,
                    hint="free some space and do it again, or choose another disk with STYX_HOME",
                )
            case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                return OutputError(
                    f"the file cannot be read or written ({error}); nothing of a write was kept",
                    where=self.where,
                    hint="look at the free space and at the rights of the file and its folder, then do it again",
                )
            case sqlite3.SQLITE_CANTOPEN:
                return self._unreadable(str(error))
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return StoreError(
                    f"another process has held the store for more than {self._busy_ms / 1000:g} s",
                    where=self.where,
                    hint="do it again; when it lasts, see which process has the file open",
                )
            case sqlite3.SQLITE_NOTADB:
                return StoreError("the file is no Styx store, or is damaged", where=self.where, hint=_OTHER_FILE)
            case sqlite3.SQLITE_TOOBIG:
                return StoreError(
                    "content is too large for a SQLite store, which takes about 1 GB a version",
                    where=self.where,
                    hint="a shorter golden recording, or a smaller model",
                )
        return StoreError(
            f"the store is damaged ({error})",
            where=self.where,
            hint="bring it back from a backup, or move the file away and promote again",
        )


_OTHER_FILE: Final = "name another file (STYX_HOME or the store's path), or bring the store back from a backup"


def _primary(error: sqlite3.Error) -> int:
    """SQLite's result code without its finer part; 0 when the error came from Python's side."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
