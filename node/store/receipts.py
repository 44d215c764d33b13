"""Receipts on disk: the digest before the signature, one per request and one per place in a channel, for
ever.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, fields

from node.errors import Conflict, NotFound
from node.store.database import Database


class ReceiptConflict(Conflict):
    """Another digest is already recorded for this request or this place in the channel."""


@dataclass(frozen=True)
class StoredReceipt:
    """One row of `receipts`; amounts in wei; `body`, `terms`, `report`, `evidence` are JSON text."""

    request_id: bytes
    signer: str
    domain: bytes
    digest: bytes
    struct_hash: bytes
    channel_id: bytes
    seq: int
    model_id: int
    price: int
    cumulative: int
    issued_at: int
    body: str
    terms: str
    report: str
    evidence: str
    signature: bytes | None = None


@dataclass(frozen=True)
class Accrual:
    """What one receipt promises one earner, in wei, if it is paid in full."""

    request_id: bytes
    earner: str
    amount: int
    issued_at: int


COLUMNS = tuple(field.name for field in fields(StoredReceipt))
NAMES = ", ".join(COLUMNS)
AS_TEXT = ("model_id", "price", "cumulative")


def _receipt(row: sqlite3.Row) -> StoredReceipt:
    numbers = {name: int(row[name]) for name in AS_TEXT}
    return StoredReceipt(**{**dict(row), **numbers})


class ReceiptStore:
    """The tables `receipts` and `accruals`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, request_id: bytes) -> StoredReceipt | None:
        row = self._db.execute(f"SELECT {NAMES} FROM receipts WHERE request_id = ?", (request_id,)).fetchone()
        return None if row is None else _receipt(row)

    def get(self, request_id: bytes) -> StoredReceipt:
        receipt = self.find(request_id)
        if receipt is None:
            raise NotFound("no receipt for this request", request_id="0x" + request_id.hex())
        return receipt

    def insert(self, receipt: StoredReceipt, accruals: dict[str, int]) -> None:
        """Record a digest that may be signed from now on. The caller holds the transaction that chose
        `seq`.
        """
        texts = {name: str(getattr(receipt, name)) for name in AS_TEXT}
        marks = ", ".join(f":{name}" for name in COLUMNS)
        try:
            self._db.execute(f"INSERT INTO receipts ({NAMES}) VALUES ({marks})", {**asdict(receipt), **texts})
        except sqlite3.IntegrityError as error:
            raise ReceiptConflict(
                "a receipt is already recorded for this request or place",
                request_id="0x" + receipt.request_id.hex(),
                seq=receipt.seq,
            ) from error
        self._db.executemany(
            "INSERT INTO accruals (request_id, earner, amount) VALUES (?, ?, ?)",
            [(receipt.request_id, earner, str(amount)) for earner, amount in accruals.items()],
        )

    def store_signature(self, request_id: bytes, digest: bytes, signature: bytes) -> None:
        """Keep the signature of exactly the recorded digest."""
        changed = self._db.execute(
            "UPDATE receipts SET signature = ? WHERE request_id = ? AND digest = ?",
            (signature, request_id, digest),
        ).rowcount
        if changed != 1:
            raise ReceiptConflict("the signature is for another digest", request_id="0x" + request_id.hex())

    def last_of_channel(self, channel_id: bytes) -> tuple[int, int]:
        """Sequence number and cumulative price (wei) of the channel's newest receipt; (0, 0) where it has
        none.
        """
        row = self._db.execute(
            "SELECT seq, cumulative FROM receipts WHERE channel_id = ? ORDER BY seq DESC LIMIT 1",
            (channel_id,),
        ).fetchone()
        return (0, 0) if row is None else (row["seq"], int(row["cumulative"]))

    def of_channel(self, channel_id: bytes, up_to_seq: int | None = None) -> tuple[StoredReceipt, ...]:
        """The channel's receipts in order of `seq`, all or the first `up_to_seq`."""
        rows = self._db.execute(
            f"SELECT {NAMES} FROM receipts WHERE channel_id = ? AND (? IS NULL OR seq <= ?) ORDER BY seq",
            (channel_id, up_to_seq, up_to_seq),
        )
        return tuple(_receipt(row) for row in rows)

    def leaves(self, channel_id: bytes, after_seq: int, up_to_seq: int) -> tuple[tuple[bytes, int], ...]:
        """(struct hash, price) of the receipts after one place up to another: leaves of the receipts tree."""
        rows = self._db.execute(
            "SELECT struct_hash, price FROM receipts"
            " WHERE channel_id = ? AND seq > ? AND seq <= ? ORDER BY seq",
            (channel_id, after_seq, up_to_seq),
        )
        return tuple((row["struct_hash"], int(row["price"])) for row in rows)

    def unsigned(self) -> tuple[StoredReceipt, ...]:
        """Recorded digests that still lack their signature: a kill fell between the two."""
        rows = self._db.execute(
            f"SELECT {NAMES} FROM receipts WHERE signature IS NULL ORDER BY channel_id, seq"
        )
        return tuple(_receipt(row) for row in rows)

    def unacknowledged_sessions(self) -> tuple[bytes, ...]:
        """Session ids of requests whose signed receipt no voucher of the channel acknowledges yet."""
        rows = self._db.execute(
            "SELECT DISTINCT j.session_id FROM receipts r JOIN jobs j ON j.request_id = r.request_id"
            " LEFT JOIN vouchers v ON v.channel_id = r.channel_id"
            " WHERE j.session_id IS NOT NULL AND r.signature IS NOT NULL"
            " AND r.seq > coalesce(v.receipt_count, 0) ORDER BY j.session_id"
        )
        return tuple(row["session_id"] for row in rows)

    def page(
        self, limit: int, before: tuple[int, bytes] | None = None, channel_id: bytes | None = None
    ) -> tuple[StoredReceipt, ...]:
        """Newest first; `before` is (issued_at, request_id) of the last row already seen."""
        at, after_id = before if before is not None else (1 << 62, b"")
        rows = self._db.execute(
            f"SELECT {NAMES} FROM receipts WHERE (issued_at, request_id) < (?1, ?2)"
            " AND (?3 IS NULL OR channel_id = ?3) ORDER BY issued_at DESC, request_id DESC LIMIT ?4",
            (at, after_id, channel_id, limit),
        )
        return tuple(_receipt(row) for row in rows)

    def accruals_of(self, request_id: bytes) -> tuple[Accrual, ...]:
        """What the receipt promises to each earner, sorted by earner."""
        return self._accruals("WHERE a.request_id = ? ORDER BY a.earner", (request_id,))

    def accruals_by(self, earner: str, limit: int) -> tuple[Accrual, ...]:
        """What an account accrued, newest receipt first."""
        clause = "WHERE a.earner = ? ORDER BY r.issued_at DESC, a.request_id LIMIT ?"
        return self._accruals(clause, (earner, limit))

    def _accruals(self, clause: str, values: tuple[object, ...]) -> tuple[Accrual, ...]:
        rows = self._db.execute(
            "SELECT a.request_id, a.earner, a.amount, r.issued_at FROM accruals a"
            f" JOIN receipts r ON r.request_id = a.request_id {clause}",
            values,
        )
        return tuple(
            Accrual(row["request_id"], row["earner"], int(row["amount"]), row["issued_at"]) for row in rows
        )

    def totals(self) -> tuple[int, int]:
        """How many receipts there are, and the wei they add up to."""
        rows = self._db.execute("SELECT price FROM receipts")
        return len(rows), sum(int(row["price"]) for row in rows)

    def accrued_totals(self) -> dict[str, int]:
        """Wei accrued by each earner over all receipts."""
        totals: dict[str, int] = {}
        for row in self._db.execute("SELECT earner, amount FROM accruals"):
            totals[row["earner"]] = totals.get(row["earner"], 0) + int(row["amount"])
        return totals
