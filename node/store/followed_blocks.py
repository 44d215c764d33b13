"""Which blocks each follower of the chain has applied: its cursor, and hashes to see a reorganisation by."""

from contextlib import AbstractContextManager

from node.store.database import Database


class FollowedBlocks:
    """One follower's blocks, identified by its name."""

    def __init__(self, database: Database, follower: str) -> None:
        self._database = database
        self._follower = follower

    def transaction(self) -> AbstractContextManager[object]:
        """Groups what a follower's handlers write with the move of its cursor."""
        return self._database.transaction()

    def recent(self) -> tuple[tuple[int, bytes], ...]:
        """The remembered (number, hash), newest first; the first is the cursor."""
        rows = self._database.execute(
            "SELECT number, hash FROM followed_blocks WHERE follower = ? ORDER BY number DESC",
            (self._follower,),
        )
        return tuple((row["number"], row["hash"]) for row in rows)

    def add(self, number: int, block_hash: bytes) -> None:
        """Moves the cursor to a block."""
        self._database.execute(
            "INSERT OR REPLACE INTO followed_blocks (follower, number, hash) VALUES (?, ?, ?)",
            (self._follower, number, block_hash),
        )

    def remove_after(self, number: int) -> None:
        """Moves the cursor back to `number`."""
        self._database.execute(
            "DELETE FROM followed_blocks WHERE follower = ? AND number > ?", (self._follower, number)
        )

    def forget_before(self, number: int) -> None:
        """Drops what is too deep to be undone, but never the cursor itself."""
        self._database.execute(
            "DELETE FROM followed_blocks WHERE follower = ?1 AND number < ?2 AND number <"
            " (SELECT max(number) FROM followed_blocks WHERE follower = ?1)",
            (self._follower, number),
        )
