"""Rows in an SQLite database: the table ``rows``, to which each row is committed as it is made.

The database is in WAL mode while a run writes it, so that others can read meanwhile, and one file again when it is
closed. A kill leaves its log, ``-wal``, beside it, which SQLite takes in when the file is opened next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pixelgauge.engine.row_columns import PATHS, TEXTS, WHOLE
from pixelgauge.engine.row_records import MOST_RECORD, Records, json_value, writable_text
from pixelgauge.engine.row_stores import Cells, require_in_place
from pixelgauge.files.lock import open_for_one
from pixelgauge.files.reading import FileError, printable
from pixelgauge.files.writing import target_of

_BESIDE = ("-wal", "-shm", "-journal")
_WAIT_SECONDS = 10.0
"""For another program that writes the file."""
_ERRNOS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_BUSY: errno.EWOULDBLOCK,
    sqlite3.SQLITE_LOCKED: errno.EWOULDBLOCK,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}


class DatabaseStore:
    """Rows in an SQLite database; see :class:`~pixelgauge.engine.row_stores.RowStore`.

    Parameters
    ----------
    path : str
    columns : sequence of str
    """

    def __init__(self, path: str, columns: Sequence[str]) -> None:
        self.held_in, self._columns = path, columns
        # Open as long as the connection is: closing a file drops all locks that the process has on it, SQLite's too.
        self._file, self.is_new = open_for_one(path)
        self._database: sqlite3.Connection | None = None
        self._logs = False  # whether it is known to be in WAL mode

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing at all."""
        return os.fstat(self._file.fileno()).st_size == 0

    def records(self, known: Sequence[Sequence[str]], last: str, foreign: str) -> Records:
        """Read what it holds."""
        return DatabaseRecords(self._opened(), self.held_in, known, foreign)

    def begin(self) -> None:
        """Make the table."""
        with _named(self.held_in):
            self._opened().execute(self._table())
            self._log()

    def restart(self) -> None:
        """Make the table in a file that is emptied, whatever it holds."""
        with _named(self.held_in):
            self._require_free()
            self._disconnect()
            for end in _BESIDE:  # before the file: a log would be taken for one of what is written next
                with contextlib.suppress(FileNotFoundError):
                    os.remove(f"{target_of(self.held_in)}{end}")
            os.ftruncate(self._file.fileno(), 0)
        self.begin()

    def _require_free(self) -> None:
        """Raise if another program is writing the database, whose file is about to be emptied; it need not be one."""
        try:
            with _transaction(self._opened()):
                pass
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise

    def append(self, cells: Cells) -> None:
        """Commit a row."""
        if not self._logs:
            self._log()
        with _named(self.held_in):
            self._opened().execute(self._insert(), self._spelled(cells))

    def replace(self, rows: Iterable[Cells]) -> None:
        """Put rows in the place of those that are there, in one transaction."""
        database = self._opened()
        with _named(self.held_in), _transaction(database):
            database.execute("DROP TABLE IF EXISTS rows")
            database.execute(self._table())
            database.executemany(self._insert(), map(self._spelled, rows))

    def finish(self) -> None:
        """Make it one file, without a log beside it."""
        with _named(self.held_in):
            self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def require_in_place(self) -> None:
        """Raise unless the file still has its name."""
        require_in_place(self._file, self.held_in)

    def close(self) -> None:
        """Make it one file where nobody reads it, and let other runs have it."""
        try:
            if self._database is not None:
                # A reader, a full disk: the log stays, and is taken in later. UnicodeError: what is said of damage.
                with contextlib.suppress(sqlite3.Error, UnicodeError):
                    self._database.execute("PRAGMA busy_timeout = 0")
                    self._database.execute("PRAGMA journal_mode = DELETE")
            self._disconnect()
        finally:
            self._file.close()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            with _named(self.held_in):
                self._database = _connected(target_of(self.held_in))
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database, self._logs = None, False

    def _log(self) -> None:
        with _named(self.held_in):
            self._opened().execute("PRAGMA journal_mode = WAL")
            self._opened().execute("PRAGMA synchronous = NORMAL")
        self._logs = True

    def _table(self) -> str:
        kinds = dict.fromkeys(TEXTS, "TEXT") | dict.fromkeys(WHOLE, "INTEGER")
        columns = ", ".join(f"{_quoted(name)} {kinds.get(name, 'REAL')}" for name in self._columns)
        return f"CREATE TABLE rows ({columns})"

    def _insert(self) -> str:
        return f"INSERT INTO rows VALUES ({', '.join('?' * len(self._columns))})"

    def _spelled(self, cells: Cells) -> list[Any]:
        return [
            value if not isinstance(value, str) else _path(value) if name in PATHS else writable_text(value)
            for name, value in zip(self._columns, cells, strict=True)
        ]


class DatabaseRecords(Records):
    """Records of a table ``rows``.

    Parameters
    ----------
    database : sqlite3.Connection
    path : str
    columns : sequence of sequences of str
    foreign : str
    """

    def __init__(self, database: sqlite3.Connection, path: str, columns: Sequence[Sequence[str]], foreign: str) -> None:
        super().__init__(path, columns, foreign)
        self._database = database

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read them in the order in which they were written."""
        found = table_columns(self._database, self._path, self._foreign)
        if found is None:  # a run that was killed before it had a table
            self.is_whole = False
            return
        if found not in self._known:
            raise self.foreign()
        self.columns = found
        with _readable(self._path, self._foreign):
            ((said,),) = self._database.execute("PRAGMA quick_check(1)").fetchall()  # or rows may be passed over
            if said != "ok":
                raise sqlite3.DatabaseError(said)
            for number, cells in enumerate(self._database.execute("SELECT * FROM rows ORDER BY rowid"), 1):
                yield number, dict(zip(found, map(_read, cells), strict=True))


def table_columns(database: sqlite3.Connection, path: str, foreign: str) -> list[str] | None:
    """Columns of the table ``rows``, None of a database without any tables.

    Raises
    ------
    FileError
        If it is no database, or has no such table, but others.
    """
    with _readable(path, foreign):
        tables = dict(database.execute("SELECT name, type FROM sqlite_schema").fetchall())
        if not tables:
            return None
        if tables.get("rows") != "table":
            raise FileError(path, foreign, "name another file, or give --overwrite to replace it")
        return [name for _, name, *_ in database.execute("PRAGMA table_info(rows)")]


@contextlib.contextmanager
def opened_for_reading(path: str) -> Iterator[sqlite3.Connection]:
    """Open a database without changing it."""
    with _named(path):
        database = _connected(target_of(path))
        database.execute("PRAGMA query_only = ON")
    with contextlib.closing(database):
        yield database


def _connected(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA trusted_schema = OFF")  # a stranger's file runs nothing
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_RECORD)
    return database


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Turn SQLite's errors into those of the system, which name the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise OSError(_ERRNOS.get(code, errno.EIO), str(error), path) from error


@contextlib.contextmanager
def _readable(path: str, foreign: str) -> Iterator[None]:
    """Turn what damage leads to into an error that names the file."""
    try:
        yield
    except (sqlite3.NotSupportedError, sqlite3.DataError, UnicodeDecodeError) as error:
        raise FileError(path, f"{foreign}: {printable(str(error))}") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _ERRNOS or code == sqlite3.SQLITE_IOERR:
            raise OSError(_ERRNOS.get(code, errno.EIO), str(error), path) from error
        raise FileError(path, f"{foreign}: {printable(str(error))}") from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _path(path: str) -> str | bytes:
    """Path as text, or as its bytes where they are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _read(value: Any) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else json_value(value)
