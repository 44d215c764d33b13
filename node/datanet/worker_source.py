"""What this node's own worker may read and write: blobs by CID, and the rows of a version in plaintext."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.blobs.store import BlobStore
from node.datanet.gated import PlaintextRow, RowVault
from node.errors import InvalidInput
from protocol.cid import Cid, parse_cid
from protocol.errors import CidError, ProtocolError
from protocol.hashing import to_hex
from protocol.manifest import MAX_MANIFEST_BYTES, decode_manifest


class WorkerSource:
    """Serves the worker's private socket. Plaintext of gated rows goes over it and nowhere else."""

    def __init__(self, blobs: BlobStore, vault: RowVault) -> None:
        self._blobs = blobs
        self._vault = vault

    def get(self, cid: str) -> bytes:
        """A blob's bytes, re-hashed. Raises NotFound or InvalidInput."""
        return self._blobs.get(_cid(cid))

    def put(self, data: bytes) -> str:
        """Keep a blob that the worker made; return its CID."""
        return self._blobs.put(data, "from the worker").text

    def rows(self, manifest_cid: str) -> Iterator[Mapping[str, object]]:
        """`{index, row, salt}` of every row of a version, in order; salt is null for open rows.

        Raises NotFound, InvalidInput for what is no manifest, and CannotOpen where this node holds no grant.
        """
        try:
            manifest = decode_manifest(self._blobs.get(_cid(manifest_cid), MAX_MANIFEST_BYTES))
        except ProtocolError as error:
            raise InvalidInput("not a dataset manifest", cid=manifest_cid, reason=str(error)) from error
        return (_line(row) for row in self._vault.plaintext_rows(manifest))


def _line(row: PlaintextRow) -> dict[str, object]:
    text = row.row
    body = {"kind": text.kind, "prompt": text.prompt, "completion": text.completion, "meta": dict(text.meta)}
    return {"index": row.index, "row": body, "salt": to_hex(row.salt) if row.salt else None}


def _cid(text: str) -> Cid:
    try:
        return parse_cid(text)
    except CidError as error:
        raise InvalidInput("not a CID", cid=text[:80]) from error
