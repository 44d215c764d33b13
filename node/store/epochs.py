"""Settlement on disk: claims, statements and commitments as the chain reported them, and the lines behind
them.

The chain decides; these rows let a restarted node continue where it stopped and answer questions without
asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from node.store.database import Database


@dataclass(frozen=True)
class StoredClaim:
    """One VoucherClaimed event: `delta` wei of a channel, funded in `epoch`."""

    block: int
    position: int
    epoch: int
    channel_id: bytes
    delta: int


@dataclass(frozen=True)
class StoredRollover:
    """One FundsRolledOver event: an epoch's unstated money now belongs to a later one."""

    block: int
    position: int
    from_epoch: int
    to_epoch: int


@dataclass(frozen=True)
class StoredStatement:
    """A node's published and standing statement of one epoch; `total` in wei."""

    epoch: int
    node: str
    root: bytes
    total: int
    cid: str
    block: int


@dataclass(frozen=True)
class StoredCommitment:
    """A committed epoch, not void; `total` is the wei earned in all epochs up to it, `final_block` None while
    it is open.
    """

    epoch: int
    cum_root: bytes
    total: int
    data_cid: str
    block: int
    position: int = 0
    final_block: int | None = None


@dataclass(frozen=True)
class StoredLine:
    """What one answer paid one earner in one epoch, in wei."""

    epoch: int
    node: str
    earner: str
    request_id: bytes
    amount: int


class EpochStore:
    """The tables `claims`, `rollovers`, `statements`, `commitments` and `statement_lines`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_claim(self, claim: StoredClaim) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO claims (block, position, epoch, channel_id, delta)"
            " VALUES (:block, :position, :epoch, :channel_id, :delta)",
            {**asdict(claim), "delta": str(claim.delta)},
        )

    def put_rollover(self, rollover: StoredRollover) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO rollovers (block, position, from_epoch, to_epoch)"
            " VALUES (:block, :position, :from_epoch, :to_epoch)",
            asdict(rollover),
        )

    def put_statement(self, statement: StoredStatement) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO statements (epoch, node, root, total, cid, block)"
            " VALUES (:epoch, :node, :root, :total, :cid, :block)",
            {**asdict(statement), "total": str(statement.total)},
        )

    def put_commitment(self, commitment: StoredCommitment) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO commitments"
            " (block, position, epoch, cum_root, total, data_cid, final_block)"
            " VALUES (:block, :position, :epoch, :cum_root, :total, :data_cid, :final_block)",
            {**asdict(commitment), "total": str(commitment.total)},
        )

    def put_final(self, epoch: int, block: int) -> None:
        self._db.execute(
            "UPDATE commitments SET final_block = ? WHERE epoch = ? AND voided_block IS NULL", (block, epoch)
        )

    def put_voided_statement(self, epoch: int, node: str, block: int) -> None:
        self._db.execute(
            "UPDATE statements SET voided_block = ? WHERE epoch = ? AND node = ?", (block, epoch, node)
        )

    def put_voided_commitments(self, epoch: int, block: int, position: int) -> None:
        """The commitment of `epoch` and all upon it are void; not one that was made after this event."""
        self._db.execute(
            "UPDATE commitments SET voided_block = ?1 WHERE epoch >= ?2 AND voided_block IS NULL"
            " AND (block, position) < (?1, ?3)",
            (block, epoch, position),
        )

    def forget_after(self, block: int) -> None:
        """Take back everything that later blocks said."""
        with self._db.transaction():
            for table in ("claims", "rollovers", "statements", "commitments"):
                self._db.execute(f"DELETE FROM {table} WHERE block > ?", (block,))
            self._db.execute("UPDATE commitments SET final_block = NULL WHERE final_block > ?", (block,))
            for table in ("statements", "commitments"):
                self._db.execute(f"UPDATE {table} SET voided_block = NULL WHERE voided_block > ?", (block,))

    def put_lines(self, epoch: int, node: str, lines: Iterable[StoredLine]) -> None:
        """Keep the lines of one statement in place of those known of it."""
        with self._db.transaction():
            self._db.execute("DELETE FROM statement_lines WHERE epoch = ? AND node = ?", (epoch, node))
            self._db.executemany(
                "INSERT INTO statement_lines (epoch, node, earner, request_id, amount)"
                " VALUES (?, ?, ?, ?, ?)",
                [(epoch, node, line.earner, line.request_id, str(line.amount)) for line in lines],
            )

    def claims(self) -> tuple[StoredClaim, ...]:
        """Every claim, in the order of the chain."""
        rows = self._db.execute("SELECT * FROM claims ORDER BY block, position")
        return tuple(StoredClaim(**{**dict(row), "delta": int(row["delta"])}) for row in rows)

    def rollovers(self) -> tuple[StoredRollover, ...]:
        """Every rollover, in the order of the chain."""
        rows = self._db.execute("SELECT * FROM rollovers ORDER BY block, position")
        return tuple(StoredRollover(**dict(row)) for row in rows)

    def statements(self, epoch: int) -> tuple[StoredStatement, ...]:
        """The standing statements of an epoch, by node."""
        rows = self._db.execute(
            "SELECT epoch, node, root, total, cid, block FROM statements"
            " WHERE epoch = ? AND voided_block IS NULL ORDER BY node",
            (epoch,),
        )
        return tuple(StoredStatement(**{**dict(row), "total": int(row["total"])}) for row in rows)

    def voided_epochs(self, node: str) -> tuple[int, ...]:
        """Epochs whose statement by this node was proven false, oldest first."""
        rows = self._db.execute(
            "SELECT epoch FROM statements WHERE node = ? AND voided_block IS NOT NULL ORDER BY epoch", (node,)
        )
        return tuple(row["epoch"] for row in rows)

    def stated_epochs(self) -> tuple[int, ...]:
        """Epochs for which some node has published a statement, standing or void, oldest first."""
        rows = self._db.execute("SELECT DISTINCT epoch FROM statements ORDER BY epoch")
        return tuple(row["epoch"] for row in rows)

    def commitments(self) -> tuple[StoredCommitment, ...]:
        """Every epoch whose commitment stands, oldest first."""
        rows = self._db.execute(
            "SELECT epoch, cum_root, total, data_cid, block, position, final_block FROM commitments"
            " WHERE voided_block IS NULL ORDER BY epoch"
        )
        return tuple(StoredCommitment(**{**dict(row), "total": int(row["total"])}) for row in rows)

    def commitment(self, epoch: int) -> StoredCommitment | None:
        return next((one for one in self.commitments() if one.epoch == epoch), None)

    def lines(self, earner: str | None = None, request_id: bytes | None = None) -> tuple[StoredLine, ...]:
        """Lines of one earner, of one request, of both, or all; by epoch, then node, earner and request.
        Those of void statements are left out.
        """
        rows = self._db.execute(
            "SELECT * FROM statement_lines AS line WHERE (?1 IS NULL OR earner = ?1)"
            " AND (?2 IS NULL OR request_id = ?2) AND NOT EXISTS (SELECT 1 FROM statements AS stated"
            " WHERE stated.epoch = line.epoch AND stated.node = line.node"
            " AND stated.voided_block IS NOT NULL) ORDER BY epoch, node, earner, request_id",
            (earner, request_id),
        )
        return tuple(StoredLine(**{**dict(row), "amount": int(row["amount"])}) for row in rows)
