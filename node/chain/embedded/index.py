"""What key-value pairs cannot answer quickly: where on the chain a block, a transaction or a log is.

All functions take the chain's connection; writers run inside the transaction of the block they belong to.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

TOPIC_COLUMNS = ("topic0", "topic1", "topic2", "topic3")


@dataclass(frozen=True)
class LogRow:
    """One log with its place on the chain; `position` counts within the block."""

    block: int
    position: int
    transaction_position: int
    transaction_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class LogFilter:
    """Which logs are wanted. An empty address set, or an empty set at a topic's place, matches everything."""

    addresses: frozenset[bytes] = frozenset()
    topics: tuple[frozenset[bytes], ...] = field(default=())

    def matches(self, log: LogRow) -> bool:
        """True for a log that this filter wants."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(
            not wanted or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False)
        )


def add_block(
    connection: sqlite3.Connection,
    number: int,
    block_hash: bytes,
    transactions: Sequence[bytes],
    logs: Sequence[LogRow],
) -> None:
    """Records a block that became the head."""
    connection.execute("insert into blocks values (?, ?)", (number, block_hash))
    connection.executemany(
        "insert or replace into transactions values (?, ?, ?)",
        [(tx_hash, number, position) for position, tx_hash in enumerate(transactions)],
    )
    connection.executemany(
        "insert into logs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [_log_values(log) for log in logs]
    )


def remove_above(connection: sqlite3.Connection, number: int) -> None:
    """Forgets every block after `number`, with its transactions and logs."""
    connection.execute("delete from logs where block > ?", (number,))
    connection.execute("delete from transactions where block > ?", (number,))
    connection.execute("delete from blocks where number > ?", (number,))


def block_hash(connection: sqlite3.Connection, number: int) -> bytes | None:
    """The canonical hash at a height, or None beyond the head."""
    row = connection.execute("select hash from blocks where number = ?", (number,)).fetchone()
    return bytes(row[0]) if row else None


def block_number(connection: sqlite3.Connection, block_hash: bytes) -> int | None:
    """The height of a canonical block, or None."""
    row = connection.execute("select number from blocks where hash = ?", (block_hash,)).fetchone()
    return int(row[0]) if row else None


def transaction_place(connection: sqlite3.Connection, tx_hash: bytes) -> tuple[int, int] | None:
    """(block number, position in it) of a mined transaction, or None."""
    row = connection.execute("select block, position from transactions where hash = ?", (tx_hash,)).fetchone()
    return (int(row[0]), int(row[1])) if row else None


def find_logs(
    connection: sqlite3.Connection, wanted: LogFilter, first: int, last: int, limit: int
) -> list[LogRow]:
    """At most `limit` logs of blocks first..last in chain order."""
    clauses, values = ["block between ? and ?"], [first, last, *_filter_values(wanted)]
    if wanted.addresses:
        clauses.append(f"address in ({_marks(len(wanted.addresses))})")
    for column, topics in zip(TOPIC_COLUMNS, wanted.topics, strict=False):
        clauses.append(f"{column} in ({_marks(len(topics))})" if topics else f"{column} is not null")
    if len(wanted.topics) > len(TOPIC_COLUMNS):
        return []
    rows = connection.execute(
        f"select * from logs where {' and '.join(clauses)} order by block, position limit ?", (*values, limit)
    )
    return list(_read_logs(rows))


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _filter_values(wanted: LogFilter) -> Iterator[bytes]:
    yield from sorted(wanted.addresses)
    for topics in wanted.topics:
        yield from sorted(topics)


def _log_values(log: LogRow) -> tuple[object, ...]:
    padded = (*log.topics, *[None] * (len(TOPIC_COLUMNS) - len(log.topics)))
    place = (log.block, log.position, log.transaction_position, log.transaction_hash)
    return (*place, log.address, *padded, log.data)


def _read_logs(rows: sqlite3.Cursor) -> Iterator[LogRow]:
    for block, position, tx_position, tx_hash, address, *topics, data in rows:
        present = tuple(bytes(topic) for topic in topics if topic is not None)
        yield LogRow(block, position, tx_position, bytes(tx_hash), bytes(address), present, bytes(data))
