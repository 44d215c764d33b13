"""Reading rows, open and gated alike, and handing out or destroying the keys of the gated ones.

A gated row is encrypted before it has a CID. Its secret exists only wrapped, for this node's own key and for
each reader it was granted to; without one of these the row is noise, and its salted digest says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.blobs.sealed import CannotOpen, Grant, RowSecret, new_secret, open_sealed, seal, unwrap, wrap
from node.blobs.store import BlobStore
from node.errors import IntegrityError
from node.store.datanet import DatanetTable, StoredGrant
from protocol.canonical import canonical_json, parse_json
from protocol.cid import Cid, parse_cid
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.hashing import from_hex, to_hex
from protocol.manifest import Manifest, Row, content_digest, decode_row, encode_row

MAX_GRANT_FILE_BYTES = 64 << 20
MAX_GRANTS = 100_000
MAX_ROW_BYTES = 1 << 20


class RowMismatch(IntegrityError):
    """What is stored under a row's CID is not the row of that digest."""


@dataclass(frozen=True)
class SealedRow:
    """A row ready to be stored: its salted digest, its encrypted bytes, and its secret."""

    digest: bytes
    sealed: bytes
    secret: RowSecret


@dataclass(frozen=True)
class PlaintextRow:
    """A manifest's row, readable. `salt` is empty for open rows."""

    index: int
    row: Row
    salt: bytes


def seal_row(datanet: int, row: Row) -> SealedRow:
    """Encrypt a row under a new key, bound to the Datanet and to its salted digest."""
    secret = new_secret()
    digest = content_digest(row, secret.salt)
    return SealedRow(digest, seal(encode_row(row), secret, datanet, digest), secret)


class RowVault:
    """The node's rows, as far as its key `private` (None for a node that reads open rows only) opens them."""

    def __init__(
        self, table: DatanetTable, blobs: BlobStore, private: X25519PrivateKey | None = None
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._private = private

    def keep(self, datanet: int, rows: Iterable[SealedRow]) -> None:
        """Keep the secrets of rows sealed here, wrapped for this node's own key."""
        reader = self._own_key().public_key().public_bytes_raw()
        self._table.put_grants(_stored(wrap(row.secret, datanet, row.digest, reader)) for row in rows)

    def read(self, datanet: int, digest: bytes, cid: Cid, gated: bool) -> tuple[Row, bytes]:
        """The row and its salt, checked against its digest.

        Raises CannotOpen without a grant, NotFound without the bytes, RowMismatch where they are others.
        """
        try:
            data, salt = self._blobs.get(cid, MAX_ROW_BYTES), b""
            if gated:
                secret = self._secret(datanet, digest)
                data, salt = open_sealed(data, secret, datanet, digest), secret.salt
            row = decode_row(data)
        except ProtocolError as error:
            raise RowMismatch("bytes are no row", cid=cid.text, reason=str(error)) from error
        actual = content_digest(row, salt)
        if actual != digest:
            raise RowMismatch("row has another digest", expected=digest.hex(), actual=actual.hex())
        return row, salt

    def plaintext_rows(self, manifest: Manifest) -> Iterator[PlaintextRow]:
        """Every row of a version in index order, as the worker trains on them. Raises as `read` does."""
        for row in manifest.rows:
            digest = from_hex(row.digest, 32)
            plain, salt = self.read(manifest.datanet, digest, parse_cid(row.cid), row.gated)
            yield PlaintextRow(row.index, plain, salt)

    def grant(self, datanet: int, digests: Iterable[bytes], reader: bytes) -> bytes:
        """Wrap these rows' secrets for the X25519 key `reader`: a file for `accept_grants` on that node.

        Raises CannotOpen for a row that this node cannot open itself.
        """
        grants = [wrap(self._secret(datanet, digest), datanet, digest, reader) for digest in digests]
        self._table.put_grants(_stored(grant) for grant in grants)
        return encode_grants(grants)

    def accept_grants(self, data: bytes) -> int:
        """Keep the grants of a file that are for this node's key and open; return how many."""
        private = self._own_key()
        reader = private.public_key().public_bytes_raw()
        mine = [grant for grant in decode_grants(data) if grant.reader == reader]
        for grant in mine:
            unwrap(grant, private)
        self._table.put_grants(_stored(grant) for grant in mine)
        return len(mine)

    def erase(self, datanet: int, digest: bytes, cid: Cid) -> int:
        """Destroy a gated row here: its wrapped keys with the salt, and its bytes; return how many keys.

        What was already granted to others is theirs to delete. Manifests keep the salted digest, from which
        nothing can be guessed any more.
        """
        deleted = self._table.erase_grants(datanet, digest)
        self._blobs.unpin(cid)
        self._blobs.collect()
        return deleted

    def _secret(self, datanet: int, digest: bytes) -> RowSecret:
        private = self._own_key()
        stored = self._table.grant(datanet, digest, private.public_key().public_bytes_raw())
        if stored is None:
            raise CannotOpen("this node holds no grant for the row", datanet=datanet, digest=digest.hex())
        return unwrap(_grant(stored), private)

    def _own_key(self) -> X25519PrivateKey:
        if self._private is None:
            raise CannotOpen("this node has no encryption key")
        return self._private


def encode_grants(grants: Iterable[Grant]) -> bytes:
    """Grants as canonical JSON; there is nothing secret in it for anyone but the readers."""
    entries = [
        {
            "datanet": grant.datanet,
            "digest": to_hex(grant.digest),
            "reader": to_hex(grant.reader),
            "ephemeral": to_hex(grant.ephemeral),
            "wrapped": to_hex(grant.wrapped),
        }
        for grant in grants
    ]
    return canonical_json({"v": 1, "grants": entries})


def decode_grants(data: bytes) -> tuple[Grant, ...]:
    """The inverse of `encode_grants`. Raises JsonError or FieldError."""
    fields = Fields(parse_json(data, MAX_GRANT_FILE_BYTES, 4), "grants")
    fields.integer("v", 1, 1)
    grants = tuple(_read_grant(entry) for entry in fields.objects("grants", MAX_GRANTS))
    fields.done()
    return grants


def _read_grant(fields: Fields) -> Grant:
    # Nonce, key, salt and tag: 12 + 32 + 32 + 16.
    grant = Grant(
        fields.integer("datanet", 1, 2**53 - 1),
        fields.hexadecimal("digest", 32),
        fields.hexadecimal("reader", 32),
        fields.hexadecimal("ephemeral", 32),
        fields.hexadecimal("wrapped", 92),
    )
    fields.done()
    return grant


def _stored(grant: Grant) -> StoredGrant:
    return StoredGrant(grant.datanet, grant.digest, grant.reader, grant.ephemeral, grant.wrapped)


def _grant(stored: StoredGrant) -> Grant:
    return Grant(stored.datanet, stored.digest, stored.reader, stored.ephemeral, stored.wrapped)
