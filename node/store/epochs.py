"""Settlement on disk: claims as the chain reported them, statements and their lines, and how far each epoch
is.

The chain decides; these rows let a restarted node continue where it stopped and answer questions without
asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from node.store.database import Database

EpochState = Literal["claimed", "stated", "committed", "final"]
ORDER: tuple[EpochState, ...] = ("claimed", "stated", "committed", "final")


@dataclass(frozen=True)
class StoredClaim:
    """One VoucherClaimed event: `delta` wei moved into `epoch` after `paid_before` wei of the same
    channel.
    """

    block: int
    log_index: int
    epoch: int
    channel_id: bytes
    paid_before: int
    delta: int
    receipt_count: int


@dataclass(frozen=True)
class StoredStatement:
    """A node's published statement of one epoch; `total` in wei."""

    epoch: int
    node: str
    root: bytes
    total: int
    cid: str


@dataclass(frozen=True)
class StoredLine:
    """What one answer paid one earner in one epoch, in wei."""

    epoch: int
    node: str
    earner: str
    request_id: bytes
    amount: int


class EpochStore:
    """The tables `claims`, `statements`, `statement_lines` and `epochs`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_claim(self, claim: StoredClaim) -> None:
        """Record an event; the same event again changes nothing."""
        self._db.execute(
            "INSERT OR REPLACE INTO claims"
            " (block, log_index, epoch, channel_id, paid_before, delta, receipt_count)"
            " VALUES (:block, :log_index, :epoch, :channel_id, :paid_before, :delta, :receipt_count)",
            {**asdict(claim), "paid_before": str(claim.paid_before), "delta": str(claim.delta)},
        )

    def forget_claims_from(self, block: int) -> None:
        """A reorganisation removed every block from this one on."""
        self._db.execute("DELETE FROM claims WHERE block >= ?", (block,))

    def claims_of(self, epoch: int) -> tuple[StoredClaim, ...]:
        """The epoch's claims in the order of the chain."""
        rows = self._db.execute("SELECT * FROM claims WHERE epoch = ? ORDER BY block, log_index", (epoch,))
        return tuple(
            StoredClaim(**{**dict(row), "paid_before": int(row["paid_before"]), "delta": int(row["delta"])})
            for row in rows
        )

    def claimed_epochs(self) -> tuple[int, ...]:
        return tuple(
            row["epoch"] for row in self._db.execute("SELECT DISTINCT epoch FROM claims ORDER BY epoch")
        )

    def put_statement(self, statement: StoredStatement, lines: Iterable[StoredLine]) -> None:
        """Keep a statement with its lines, replacing an earlier build of the same epoch and node."""
        with self._db.transaction():
            key = (statement.epoch, statement.node)
            self._db.execute("DELETE FROM statement_lines WHERE epoch = ? AND node = ?", key)
            self._db.execute(
                "INSERT OR REPLACE INTO statements (epoch, node, root, total, cid) VALUES (?, ?, ?, ?, ?)",
                (*key, statement.root, str(statement.total), statement.cid),
            )
            self._db.executemany(
                "INSERT INTO statement_lines (epoch, node, earner, request_id, amount)"
                " VALUES (?, ?, ?, ?, ?)",
                [(*key, line.earner, line.request_id, str(line.amount)) for line in lines],
            )

    def find_statement(self, epoch: int, node: str) -> StoredStatement | None:
        row = self._db.execute(
            "SELECT * FROM statements WHERE epoch = ? AND node = ?", (epoch, node)
        ).fetchone()
        return None if row is None else StoredStatement(**{**dict(row), "total": int(row["total"])})

    def lines(self, earner: str | None = None, request_id: bytes | None = None) -> tuple[StoredLine, ...]:
        """Lines of one earner, of one request, of both, or all; by epoch, then node, earner and request."""
        rows = self._db.execute(
            "SELECT * FROM statement_lines WHERE (?1 IS NULL OR earner = ?1)"
            " AND (?2 IS NULL OR request_id = ?2) ORDER BY epoch, node, earner, request_id",
            (earner, request_id),
        )
        return tuple(StoredLine(**{**dict(row), "amount": int(row["amount"])}) for row in rows)

    def advance(self, epoch: int, state: EpochState) -> None:
        """Move an epoch forward; a state it has already passed changes nothing."""
        with self._db.transaction():
            held = self.state(epoch)
            if held is None or ORDER.index(state) > ORDER.index(held):
                self._db.execute(
                    "INSERT INTO epochs (epoch, state) VALUES (?, ?)"
                    " ON CONFLICT (epoch) DO UPDATE SET state = excluded.state",
                    (epoch, state),
                )

    def put_commitment(self, epoch: int, cum_root: bytes, total: int, data_cid: str) -> None:
        """Keep where the epoch's committed cumulative table lies; `total` in wei."""
        with self._db.transaction():
            self.advance(epoch, "committed")
            self._db.execute(
                "UPDATE epochs SET cum_root = ?, total = ?, data_cid = ? WHERE epoch = ?",
                (cum_root, str(total), data_cid, epoch),
            )

    def state(self, epoch: int) -> EpochState | None:
        row = self._db.execute("SELECT state FROM epochs WHERE epoch = ?", (epoch,)).fetchone()
        return None if row is None else row["state"]

    def states(self) -> dict[int, EpochState]:
        return {
            row["epoch"]: row["state"]
            for row in self._db.execute("SELECT epoch, state FROM epochs ORDER BY epoch")
        }
