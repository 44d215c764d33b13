"""Content-addressed blocks and pins in SQL. A block that no longer hashes to its key is never handed out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from node.errors import IntegrityError, NotFound
from node.store.database import Database

DIGEST_BYTES = 32


class CorruptBlock(IntegrityError):
    """Stored or offered bytes do not hash to their address."""

    def __init__(self, expected: bytes, actual: bytes) -> None:
        super().__init__("block bytes hash to another digest", expected=expected.hex(), actual=actual.hex())
        self.expected = expected
        self.actual = actual


class MissingBlock(NotFound):
    """No block with this digest is stored here."""

    def __init__(self, digest: bytes) -> None:
        super().__init__("block is not stored here", digest=digest.hex())
        self.digest = digest


def _check(digest: bytes, data: bytes) -> None:
    actual = hashlib.sha256(data).digest()
    if actual != digest:
        raise CorruptBlock(digest, actual)


class BlockTable:
    """Blocks keyed by their sha2-256 digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_many(self, blocks: Iterable[tuple[bytes, bytes]], pins: Iterable[tuple[str, str]] = ()) -> None:
        """Store (digest, data) pairs and, with them, pins (cid, name): all of it or nothing.

        Putting a block again replaces the stored bytes when they have rotted.
        """
        with self._database.transaction():
            for digest, data in blocks:
                _check(digest, data)
                self._database.execute(
                    "INSERT INTO blocks (digest, data) VALUES (?, ?)"
                    " ON CONFLICT (digest) DO UPDATE SET data = excluded.data WHERE data <> excluded.data",
                    (digest, data),
                )
            for cid, name in pins:
                self.pin(cid, name)

    def get(self, digest: bytes) -> bytes:
        """The block's bytes, hashed again now. Raises MissingBlock or CorruptBlock."""
        row = self._database.execute("SELECT data FROM blocks WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise MissingBlock(digest)
        data = bytes(row["data"])
        _check(digest, data)
        return data

    def has(self, digest: bytes) -> bool:
        return bool(self._database.execute("SELECT 1 FROM blocks WHERE digest = ?", (digest,)).rows)

    def digests(self) -> tuple[bytes, ...]:
        rows = self._database.execute("SELECT digest FROM blocks ORDER BY digest")
        return tuple(bytes(row["digest"]) for row in rows)

    def delete_all_but(self, digests: Iterable[bytes]) -> int:
        """Drop every block whose digest is not among `digests`; return how many."""
        with self._database.transaction():
            doomed = set(self.digests()).difference(digests)
            self._database.executemany(
                "DELETE FROM blocks WHERE digest = ?", ((digest,) for digest in doomed)
            )
        return len(doomed)

    def pin(self, cid: str, name: str) -> None:
        self._database.execute(
            "INSERT INTO pins (cid, name) VALUES (?, ?) ON CONFLICT (cid) DO UPDATE SET name = excluded.name",
            (cid, name),
        )

    def unpin(self, cid: str) -> bool:
        """Release the graph under `cid`; False if it was not pinned."""
        return self._database.execute("DELETE FROM pins WHERE cid = ?", (cid,)).rowcount == 1

    def pins(self) -> dict[str, str]:
        """Name of every pinned root, by its CID text."""
        rows = self._database.execute("SELECT cid, name FROM pins ORDER BY cid")
        return {row["cid"]: row["name"] for row in rows}
