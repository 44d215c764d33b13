"""The node's one SQLite file: durable commits, one writer at a time, callable from any thread.

What must be signed once has to survive a power cut, so every commit is synced (`synchronous=FULL`).
This module knows no table: each stage brings `schema/<stage>.sql`, which may run any number of times.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from node.errors import Conflict, IntegrityError
from node.store.migrations import migrate

Parameters = Sequence[object] | Mapping[str, object]

# One datadir, one process: the second one must not even open the database, since both would sign from it.
LOCK_FILE = "node.lock"
BUSY_TIMEOUT_MS = 10_000


class DatabaseUnusable(IntegrityError):
    """The file is not a database of ours, or the schema does not apply to it."""


class DatadirInUse(Conflict):
    """Another live process holds the datadir; `holder` is its process id."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__("datadir is in use by another process", path=str(path), holder=holder)
        self.holder = holder


@dataclass(frozen=True)
class Result:
    """What one statement returned: its rows, already read, so that no cursor outlives the lock."""

    rows: tuple[sqlite3.Row, ...]
    rowcount: int
    lastrowid: int | None

    def fetchone(self) -> sqlite3.Row | None:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[sqlite3.Row]:
        return list(self.rows)

    def __iter__(self) -> Iterator[sqlite3.Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class Database:
    """A SQLite connection behind one re-entrant lock.

    Outside `transaction()` every statement is its own durable commit. SQLite integers end at 2^63 - 1,
    so amounts of money are stored as decimal text.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0

    def execute(self, sql: str, parameters: Parameters = ()) -> Result:
        """Run one statement and read all of its rows."""
        with self._lock:
            cursor = self._connection.execute(sql, parameters)
            return Result(tuple(cursor.fetchall()), cursor.rowcount, cursor.lastrowid)

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run one statement for each row, as one commit; return how many rows it changed."""
        with self.transaction():
            return self._connection.executemany(sql, rows).rowcount

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Commit everything inside, or nothing. Nested use is a savepoint of the outer one.

        The calling thread owns the database until the block ends: never await inside it.
        """
        with self._lock:
            begin, commit, rollback = _boundaries(self._depth)
            self._connection.execute(begin)
            self._depth += 1
            try:
                yield self
                self._connection.execute(commit)
            except BaseException:
                # SQLite may have rolled back by itself (disk full); a second ROLLBACK would hide that error.
                if self._connection.in_transaction:
                    for statement in rollback:
                        self._connection.execute(statement)
                raise
            finally:
                self._depth -= 1

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file and empty it, so that deleted bytes are on disk nowhere."""
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        with self._lock:
            self._connection.close()


def _boundaries(depth: int) -> tuple[str, str, tuple[str, ...]]:
    if depth == 0:
        return "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
    name = f"nested_{depth}"
    return f"SAVEPOINT {name}", f"RELEASE {name}", (f"ROLLBACK TO {name}", f"RELEASE {name}")


def open_database(path: str | Path) -> Database:
    """Open or create the database at `path` (":memory:" for one without a file), apply every schema, and
    bring rows of an older node to their present form.

    Raises DatabaseUnusable, and DatabaseTooNew for the file of a newer node.
    """
    try:
        connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            # Erased keys of gated rows must not stay readable in free pages.
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        for name, script in schema_scripts():
            _apply(connection, name, script)
        migrate(connection)
    except sqlite3.DatabaseError as error:
        raise DatabaseUnusable(f"cannot open {path}: {error}") from error
    return Database(connection)


def _apply(connection: sqlite3.Connection, name: str, script: str) -> None:
    try:
        connection.executescript(script)
    except sqlite3.DatabaseError as error:
        raise DatabaseUnusable(f"schema {name}: {error}") from error


def schema_scripts() -> tuple[tuple[str, str], ...]:
    """Name and text of every schema file, in name order."""
    folder = resources.files("node.store") / "schema"
    texts = {
        entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")
    }
    return tuple(sorted(texts.items()))


class DatadirLock:
    """An exclusive lock on a datadir, released by `release()` or by the end of the process."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor: int | None = descriptor
        self.path = path

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> DatadirLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_datadir(path: str | Path) -> DatadirLock:
    """Take the datadir for this process, creating it if needed.

    Raises DatadirInUse, naming the holder, when another process has it. The lock is the kernel's (`flock`),
    so a killed process leaves none behind.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise DatadirInUse(folder, holder) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return DatadirLock(descriptor, folder)
