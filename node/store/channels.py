"""The payer's side on disk: channels as last read from the chain, their best vouchers, and API-key
sessions.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass

from node.store.database import Database


@dataclass(frozen=True)
class StoredChannel:
    """PaymentChannels' own view of a channel (amounts in wei), and when it was read."""

    channel_id: bytes
    payer: str
    payee: str
    withdraw_delay: int
    deposited: int
    claimed: int
    withdrawable_at: int
    read_at: int


@dataclass(frozen=True)
class StoredVoucher:
    """A channel's best voucher, with who signed it."""

    channel_id: bytes
    cumulative: int
    receipt_count: int
    receipts_root: bytes
    valid_before: int
    signer: str
    signature: bytes


@dataclass(frozen=True)
class StoredSession:
    """One API key: `session_id` is the sha256 of the key, `sealed_key` its signer's private key,
    encrypted.
    """

    session_id: bytes
    prefix: str
    channel_id: bytes
    signer: str
    sealed_key: bytes
    created_at: int
    revoked_at: int | None = None


def _channel(row: sqlite3.Row) -> StoredChannel:
    amounts = {"deposited": int(row["deposited"]), "claimed": int(row["claimed"])}
    return StoredChannel(**{**dict(row), **amounts})


def _voucher(row: sqlite3.Row) -> StoredVoucher:
    return StoredVoucher(**{**dict(row), "cumulative": int(row["cumulative"])})


class ChannelStore:
    """The tables `channels`, `vouchers`, `spent_vouchers` and `sessions`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_channel(self, channel: StoredChannel) -> None:
        texts = {"deposited": str(channel.deposited), "claimed": str(channel.claimed)}
        self._db.execute(
            "INSERT OR REPLACE INTO channels (channel_id, payer, payee, withdraw_delay, deposited, claimed,"
            " withdrawable_at, read_at) VALUES (:channel_id, :payer, :payee, :withdraw_delay, :deposited,"
            " :claimed, :withdrawable_at, :read_at)",
            {**asdict(channel), **texts},
        )

    def find_channel(self, channel_id: bytes) -> StoredChannel | None:
        row = self._db.execute("SELECT * FROM channels WHERE channel_id = ?", (channel_id,)).fetchone()
        return None if row is None else _channel(row)

    def channels(self) -> tuple[StoredChannel, ...]:
        return tuple(_channel(row) for row in self._db.execute("SELECT * FROM channels ORDER BY channel_id"))

    def put_voucher(self, voucher: StoredVoucher) -> bool:
        """Keep the voucher if it acknowledges more than the one held, or as much for longer; whether it was
        kept.
        """
        with self._db.transaction():
            held = self.find_voucher(voucher.channel_id)
            rank = (voucher.cumulative, voucher.valid_before)
            if held is not None and (held.cumulative, held.valid_before) >= rank:
                return False
            self._db.execute(
                "INSERT OR REPLACE INTO vouchers (channel_id, cumulative, receipt_count, receipts_root,"
                " valid_before, signer, signature) VALUES (:channel_id, :cumulative, :receipt_count,"
                " :receipts_root, :valid_before, :signer, :signature)",
                {**asdict(voucher), "cumulative": str(voucher.cumulative)},
            )
            return True

    def find_voucher(self, channel_id: bytes) -> StoredVoucher | None:
        row = self._db.execute("SELECT * FROM vouchers WHERE channel_id = ?", (channel_id,)).fetchone()
        return None if row is None else _voucher(row)

    def vouchers(self) -> tuple[StoredVoucher, ...]:
        return tuple(_voucher(row) for row in self._db.execute("SELECT * FROM vouchers ORDER BY channel_id"))

    def spend_voucher(self, digest: bytes, request_id: bytes | None) -> bool:
        """Note which request a voucher opened (None: it came by itself); whether it is free or this same
        request's.
        """
        with self._db.transaction():
            row = self._db.execute(
                "SELECT request_id FROM spent_vouchers WHERE digest = ?", (digest,)
            ).fetchone()
            if row is not None:
                return request_id is None or bool(row["request_id"] == request_id)
            self._db.execute("INSERT INTO spent_vouchers VALUES (?, ?)", (digest, request_id))
            return True

    def put_session(self, session: StoredSession) -> None:
        self._db.execute(
            "INSERT INTO sessions (session_id, prefix, channel_id, signer, sealed_key, created_at,"
            " revoked_at) VALUES (:session_id, :prefix, :channel_id, :signer, :sealed_key,"
            " :created_at, :revoked_at)",
            asdict(session),
        )

    def find_session(self, session_id: bytes) -> StoredSession | None:
        row = self._db.execute("SELECT * FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
        return None if row is None else StoredSession(**dict(row))

    def sessions(self, channel_id: bytes | None = None) -> tuple[StoredSession, ...]:
        """Sessions of one channel, or all of them; oldest first."""
        rows = self._db.execute(
            "SELECT * FROM sessions WHERE ?1 IS NULL OR channel_id = ?1 ORDER BY created_at, prefix",
            (channel_id,),
        )
        return tuple(StoredSession(**dict(row)) for row in rows)

    def revoke_session(self, session_id: bytes, now: int) -> None:
        self._db.execute(
            "UPDATE sessions SET revoked_at = ? WHERE session_id = ? AND revoked_at IS NULL",
            (now, session_id),
        )
