"""Where log entries are kept: SQLite by default, PostgreSQL for a team. Each has one writer at a time.

SQLite runs in WAL mode with synchronous=FULL: a committed entry survives the death of the process and the
loss of power. A store knows tables, not trees or signatures: those are the log's.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from features.errors import VagusError, VerificationFailed, invalid

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]
Execute = Callable[[str, Sequence[Any]], list[Row]]

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS entries (place {whole} PRIMARY KEY, id TEXT NOT NULL UNIQUE,
        leaf {blob} NOT NULL, content {blob}, private {blob}, subject TEXT)""",
    "CREATE INDEX IF NOT EXISTS entries_subject ON entries (subject)",
    """CREATE TABLE IF NOT EXISTS nodes (level {whole}, place {whole}, hash {blob} NOT NULL,
        PRIMARY KEY (level, place)) {keyed}""",
    """CREATE TABLE IF NOT EXISTS checkpoints (size {whole} PRIMARY KEY, note TEXT NOT NULL,
        public_key TEXT NOT NULL)""",
)
#: In SQLite a table that is its own index: each commit writes a third fewer pages. Older logs keep the tables they have.
_SQLITE = {"blob": "BLOB", "whole": "INTEGER", "keyed": "WITHOUT ROWID"}
_POSTGRES = {"blob": "BYTEA", "whole": "BIGINT", "keyed": ""}
_WAIT_SECONDS = 30.0
_CACHE_KB, _FOLD_PAGES = 16_000, 4000


#: Rows in one INSERT, within what every database takes as parameters.
ROWS_AT_ONCE = 50


class LogError(VagusError):
    """The log could not be written or read (disk full, locked, gone): nothing was acknowledged."""


class LogStore(Protocol):
    """What the log needs of a database. Statements use `?` for parameters."""

    def write(self) -> AbstractContextManager[Execute]:
        """Open one exclusive, durable transaction; leaving it without an error commits."""

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query on committed data."""

    def forget(self) -> None:
        """Make deleted values unreadable in the files too."""

    def backup(self, path: Path) -> None:
        """Write a consistent copy to a new SQLite file."""

    def close(self) -> None:
        """Release the connections."""


def open_store(address: str | Path, *, create: bool = True) -> LogStore:
    """Open the store at a path or `postgresql://` address; without `create` it must be there, and is only read."""
    if str(address).startswith(("postgresql://", "postgres://")):
        return PostgresStore(str(address))
    path = Path(address)
    if not create and not path.is_file():
        raise invalid("log-absent", "there is no log at this path", "give the path of the log", file=path.name)
    return SqliteStore(path, readonly=not create)


def insert_rows(execute: Execute, table: str, rows: Sequence[Row]) -> None:
    """Insert whole rows into a table of the schema, some at a time."""
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[first : first + ROWS_AT_ONCE]
        execute(_insertion(table, len(part), len(part[0])), list(chain.from_iterable(part)))


@lru_cache(maxsize=8 * ROWS_AT_ONCE)
def _insertion(table: str, rows: int, width: int) -> str:
    places = ", ".join(["(" + ", ".join("?" * width) + ")"] * rows)
    return f"INSERT INTO {table} VALUES {places}"  # noqa: S608 - names of the schema


class SqliteStore:
    """A log in one SQLite file, safe for several threads and several processes of one machine."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open or create the file at `path`; a file opened `readonly` keeps every byte."""
        self._name = path.name
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        with self._failures():
            if not readonly:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect(path, readonly)
            self._reader = self._connect(path, readonly)
            for statement in () if readonly else _SCHEMA:
                self._writer.execute(statement.format(**_SQLITE))

    @contextmanager
    def write(self) -> Iterator[Execute]:
        """Open one exclusive, durable transaction (BEGIN IMMEDIATE)."""
        with self._write_lock, self._failures():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield lambda statement, values: self._writer.execute(statement, values).fetchall()
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query on committed data."""
        with self._read_lock, self._failures():
            return self._reader.execute(statement, values).fetchall()

    def forget(self) -> None:
        """Fold the write-ahead file into the database and cut it; deleted cells are zeroed at once."""
        self.read("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, path: Path) -> None:
        """Write a consistent copy to a new file, while others go on writing."""
        with self._read_lock, self._failures():
            copy = sqlite3.connect(path)
            try:
                self._reader.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            finally:
                copy.close()

    def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        self._reader.close()

    @staticmethod
    def _connect(path: Path, readonly: bool) -> sqlite3.Connection:
        # isolation_level None: transactions are opened and closed by this class alone.
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rwc'}",
            uri=True,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        if not readonly:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")
            # Ids and subjects fall anywhere in their indexes: what one commit touches, the next ones do too. Pages that are
            # held, and folded back into the file less often, are written once for several commits.
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_FOLD_PAGES}")
        return connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
            raise LogError(f"the log {self._name} is not available: {error}") from error
        except sqlite3.DatabaseError as error:
            raise VerificationFailed(f"the log {self._name} is damaged: {error}; restore a backup") from error


class PostgresStore:
    """A log in a PostgreSQL database, for several machines; psycopg is imported only here."""

    #: One number for all Vagus logs: the advisory lock that makes writers take turns.
    _LOCK = 0x5641475553

    def __init__(self, address: str) -> None:
        """Connect to `address`; raises InvalidInput without the driver, LogError without the server."""
        try:
            import psycopg
        except ImportError as error:
            remedy = "install psycopg, or give a path for SQLite"
            raise invalid("log-driver", "a postgresql:// log needs psycopg", remedy) from error
        self._failure: type[Exception] = psycopg.Error
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        with self._failures():
            self._writer = psycopg.connect(address)
            self._reader = psycopg.connect(address, autocommit=True)
        with self.write() as execute:
            for statement in _SCHEMA:
                execute(statement.format(**_POSTGRES), ())

    @contextmanager
    def write(self) -> Iterator[Execute]:
        """Open one exclusive, durable transaction (advisory lock, synchronous commit)."""
        with self._write_lock, self._failures(), self._writer.transaction():
            self._writer.execute("SET LOCAL synchronous_commit = on")
            self._writer.execute("SELECT pg_advisory_xact_lock(%s)", (self._LOCK,))
            yield lambda statement, values: self._run(self._writer, statement, values)

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query on committed data."""
        with self._read_lock, self._failures():
            return self._run(self._reader, statement, values)

    def forget(self) -> None:
        """Vacuum the entries, so that erased versions of rows leave the table."""
        self.read("VACUUM FULL entries")

    def backup(self, path: Path) -> None:
        """Copy every table to a new SQLite file, in one snapshot of the data."""
        copy = SqliteStore(path)
        with self.write() as source, copy.write() as target:
            for table, width in (("meta", 2), ("entries", 6), ("nodes", 3), ("checkpoints", 3)):
                places = ", ".join("?" * width)
                for row in source(f"SELECT * FROM {table}", ()):  # noqa: S608 - names of the table above
                    target(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608
        copy.close()

    def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        self._reader.close()

    @staticmethod
    def _run(connection: psycopg.Connection[Row], statement: str, values: Sequence[Any]) -> list[Row]:
        cursor = connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            raise LogError("the log's PostgreSQL database is not available") from error
