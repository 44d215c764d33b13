"""One SQLite file behind py-evm: its key-value pairs, our index of what is on the chain, and a few settings.

Writes gather in memory and reach the file in one transaction per block, so a killed process reopens at a
block boundary. Every trie node is kept, which makes the chain an archive: any past state can be read.
"""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB

from node.errors import ConfigError
from node.failpoints import failpoint

SCHEMA = """
create table if not exists pairs (key blob primary key, value blob not null) without rowid;
create table if not exists settings (name text primary key, value text not null) without rowid;
create table if not exists blocks (number integer primary key, hash blob not null unique);
create table if not exists transactions (
  hash blob primary key, block integer not null, position integer not null
) without rowid;
create index if not exists transactions_by_block on transactions (block);
create table if not exists logs (
  block integer not null, position integer not null,
  transaction_position integer not null, transaction_hash blob not null, address blob not null,
  topic0 blob, topic1 blob, topic2 blob, topic3 blob, data blob not null,
  primary key (block, position)
) without rowid;
create index if not exists logs_by_address on logs (address, block, position);
create index if not exists logs_by_topic on logs (topic0, block, position);
"""

CACHED_PAIRS = 200_000


def open_connection(path: str) -> sqlite3.Connection:
    """Opens the file (":memory:" for one that is gone at exit), exclusively: a second process is refused."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)
    try:
        connection.execute("pragma locking_mode = exclusive")
        connection.execute("pragma journal_mode = wal")
        # A receipt that a node acted on must not vanish in a power cut.
        connection.execute("pragma synchronous = full")
        connection.executescript(SCHEMA)
    except sqlite3.OperationalError as error:
        connection.close()
        raise ConfigError("cannot open the chain file; is another process using it?", path=path) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigError("this is not a chain file", path=path) from error
    return connection


class PairStore(BaseAtomicDB):  # type: ignore[misc]
    """py-evm's database interface over the `pairs` table, with a write buffer and a bounded read cache."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._pending: dict[bytes, bytes | None] = {}
        self._cache: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> bytes:
        value = self._pending[key] if key in self._pending else self._stored(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        if not self._exists(key):
            raise KeyError(key)
        self._pending[key] = None

    def _exists(self, key: bytes) -> bool:
        if key in self._pending:
            return self._pending[key] is not None
        return self._stored(key) is not None

    def _stored(self, key: bytes) -> bytes | None:
        if key in self._cache:
            return self._cache[key]
        row = self.connection.execute("select value from pairs where key = ?", (key,)).fetchone()
        if row is None:
            return None
        self._remember(key, row[0])
        return bytes(row[0])

    def _remember(self, key: bytes, value: bytes) -> None:
        if len(self._cache) >= CACHED_PAIRS:
            for old in list(itertools.islice(self._cache, CACHED_PAIRS // 4)):
                del self._cache[old]
        self._cache[key] = value

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicDBWriteBatch]:
        """py-evm's grouped writes; they join the buffer together or not at all."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
            yield batch

    def discard(self) -> None:
        """Forgets what is buffered: the block it belonged to was not made."""
        self._pending.clear()

    def _write(self) -> None:
        kept = [(key, value) for key, value in self._pending.items() if value is not None]
        gone = [(key,) for key, value in self._pending.items() if value is None]
        self.connection.executemany("insert or replace into pairs values (?, ?)", kept)
        self.connection.executemany("delete from pairs where key = ?", gone)

    @contextmanager
    def commit(self) -> Iterator[sqlite3.Connection]:
        """Writes the buffer and whatever the caller adds on the connection in one durable transaction."""
        self.connection.execute("begin immediate")
        try:
            self._write()
            failpoint("chain.writing")
            yield self.connection
            failpoint("chain.written")
            self.connection.execute("commit")
            failpoint("chain.committed")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            raise
        for key, value in self._pending.items():
            if value is None:
                self._cache.pop(key, None)
            else:
                self._remember(key, value)
        self._pending.clear()


def read_setting(connection: sqlite3.Connection, name: str) -> str | None:
    """One of the chain's own settings, or None."""
    row = connection.execute("select value from settings where name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def write_setting(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Stores a setting; outside a transaction it is its own commit."""
    connection.execute("insert or replace into settings values (?, ?)", (name, value))
