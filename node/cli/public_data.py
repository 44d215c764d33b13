"""Public data of one answer, from a node's API, kept in a folder: the same worker that serves can read it.

Whatever a node sends is kept only if it hashes to what was asked for. Gated rows are nobody's here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from node.blobs.store import BlobStore
from node.cli.case_file import fetch_bytes
from node.errors import IntegrityError, NotFound, Refused
from node.store.blocks import BlockTable
from node.store.database import open_database
from protocol.canonical import parse_json
from protocol.cid import parse_cid
from protocol.manifest import decode_manifest

MAX_DATA_BYTES = 1 << 30
MAX_ROW_BYTES = 4 << 20


class FetchedBlobs:
    """Satisfies `ports.Blobs` from a node's `/v1/attribution/{request_id}/data`."""

    def __init__(self, url: str, request_id: bytes, folder: Path) -> None:
        self._url = url
        self._path = f"/v1/attribution/0x{request_id.hex()}/data"
        folder.mkdir(parents=True, exist_ok=True)
        self.store = BlobStore(BlockTable(open_database(folder / "public.sqlite")))

    def get(self, cid: str) -> bytes:
        """The bytes, from the folder or the node. Raises NotFound, Unavailable, IntegrityError."""
        wanted = parse_cid(cid)
        try:
            return self.store.get(wanted)
        except NotFound:
            data = fetch_bytes(self._url, f"{self._path}/{wanted.text}", limit=MAX_DATA_BYTES)
        kept = self.store.put(data)
        if kept != wanted:
            raise IntegrityError("the node sent other bytes", asked=wanted.text, sent=kept.text)
        return data

    def put(self, data: bytes) -> str:
        """Raises Refused: who checks has nothing to publish."""
        raise Refused("nothing is stored for a check", size=len(data))


class FetchedRows:
    """Satisfies `ports.Rows` with the open rows."""

    def __init__(self, blobs: FetchedBlobs) -> None:
        self._blobs = blobs

    def rows(self, manifest_cid: str) -> Iterator[Mapping[str, object]]:
        """`{index, row, salt}` in row order; an open row has no salt."""
        for place in decode_manifest(self._blobs.get(manifest_cid)).rows:
            if not place.gated:
                row = parse_json(self._blobs.get(place.cid), MAX_ROW_BYTES)
                yield {"index": place.index, "row": row, "salt": ""}
