"""What a worker may fetch from the node's stores: blobs by CID, and the plaintext rows of a version."""

from collections.abc import Iterator, Mapping

from node.attribution.attributor import Versions
from node.blobs.store import BlobStore
from node.datanet.gated import RowVault
from protocol.cid import parse_cid
from protocol.hashing import to_hex


class WorkerBlobs:
    """Satisfies `ports.Blobs`."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def get(self, cid: str) -> bytes:
        """The bytes, re-hashed by the store. Raises NotFound."""
        return self._blobs.get(parse_cid(cid))

    def put(self, data: bytes) -> str:
        """Stores and names them."""
        return self._blobs.put(data).text


class WorkerRows:
    """Satisfies `ports.Rows`; a gated row is opened here and nowhere written down."""

    def __init__(self, versions: Versions, vault: RowVault) -> None:
        self._versions = versions
        self._vault = vault

    def rows(self, manifest_cid: str) -> Iterator[Mapping[str, object]]:
        """`{index, row, salt}` in row order; the salt of an open row is empty."""
        for plain in self._vault.plaintext_rows(self._versions.manifest(manifest_cid)):
            row = plain.row
            fields = {
                "kind": row.kind,
                "prompt": row.prompt,
                "completion": row.completion,
                "meta": dict(row.meta),
            }
            yield {"index": plain.index, "row": fields, "salt": to_hex(plain.salt) if plain.salt else ""}
