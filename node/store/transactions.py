"""Transactions on disk: saved before they are sent, and what became of them."""

from dataclasses import dataclass

from node.errors import Conflict
from node.store.database import Database


@dataclass(frozen=True)
class SavedTransaction:
    """A transaction of one account; `attempts` are its signed forms, oldest first, as (hash, raw bytes)."""

    account: str
    nonce: int
    purpose: str
    state: str
    saved_at: int
    mined_block: int | None
    attempts: tuple[tuple[bytes, bytes], ...]


class TransactionStore:
    """The transactor's memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, account: str, nonce: int, purpose: str, attempt: tuple[bytes, bytes], now: int) -> None:
        """Records a new transaction with its first attempt. A refused one's nonce may be used again.

        Raises Conflict when the nonce holds another payload.
        """
        with self._database.transaction() as database:
            found = database.execute(
                "SELECT state FROM transactions WHERE account = ? AND nonce = ?", (account, nonce)
            ).fetchone()
            if found is not None and found["state"] != "refused":
                raise Conflict("the nonce is taken", account=account, nonce=nonce, state=found["state"])
            if found is not None:
                self._forget(account, nonce)
            database.execute(
                "INSERT INTO transactions (account, nonce, purpose, state, saved_at)"
                " VALUES (?, ?, ?, 'saved', ?)",
                (account, nonce, purpose, now),
            )
            self.add_attempt(account, nonce, attempt)

    def _forget(self, account: str, nonce: int) -> None:
        for table in ("transaction_attempts", "transactions"):
            self._database.execute(f"DELETE FROM {table} WHERE account = ? AND nonce = ?", (account, nonce))

    def add_attempt(self, account: str, nonce: int, attempt: tuple[bytes, bytes]) -> None:
        """Records the same payload signed with other fees."""
        tx_hash, raw = attempt
        self._database.execute(
            "INSERT INTO transaction_attempts (hash, account, nonce, raw) VALUES (?, ?, ?, ?)",
            (tx_hash, account, nonce, raw),
        )

    def unsettled(self, account: str) -> tuple[SavedTransaction, ...]:
        """Those whose fate is not known, in nonce order."""
        return self._select("account = ? AND state = 'saved'", (account,))

    def mined_since(self, account: str, block: int) -> tuple[SavedTransaction, ...]:
        """Those mined at `block` or later, in nonce order: a reorganisation can still undo them."""
        return self._select("account = ? AND state = 'mined' AND mined_block >= ?", (account, block))

    def _select(self, where: str, values: tuple[object, ...]) -> tuple[SavedTransaction, ...]:
        rows = self._database.execute(f"SELECT * FROM transactions WHERE {where} ORDER BY nonce", values)
        return tuple(
            SavedTransaction(
                row["account"],
                row["nonce"],
                row["purpose"],
                row["state"],
                row["saved_at"],
                row["mined_block"],
                self._attempts(row["account"], row["nonce"]),
            )
            for row in rows
        )

    def _attempts(self, account: str, nonce: int) -> tuple[tuple[bytes, bytes], ...]:
        rows = self._database.execute(
            "SELECT hash, raw FROM transaction_attempts WHERE account = ? AND nonce = ? ORDER BY place",
            (account, nonce),
        )
        return tuple((row["hash"], row["raw"]) for row in rows)

    def settle(self, account: str, nonce: int, tx_hash: bytes, block: int, succeeded: bool) -> None:
        """Records the block that holds one of the attempts, and whether it succeeded there."""
        self._database.execute(
            "UPDATE transactions SET state = 'mined', mined_hash = ?, mined_block = ?, succeeded = ?"
            " WHERE account = ? AND nonce = ?",
            (tx_hash, block, int(succeeded), account, nonce),
        )

    def reopen(self, account: str, nonce: int) -> None:
        """A reorganisation took the block away: the fate is open again."""
        self._set(account, nonce, "saved")

    def lose(self, account: str, nonce: int) -> None:
        """Another transaction used the nonce: this one can never be mined."""
        self._set(account, nonce, "lost")

    def refuse(self, account: str, nonce: int) -> None:
        """The endpoint refused it and does not know it: it was never sent on."""
        self._set(account, nonce, "refused")

    def _set(self, account: str, nonce: int, state: str) -> None:
        self._database.execute(
            "UPDATE transactions SET state = ?, mined_hash = NULL, mined_block = NULL, succeeded = NULL"
            " WHERE account = ? AND nonce = ?",
            (state, account, nonce),
        )
