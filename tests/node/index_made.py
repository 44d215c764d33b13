"""A small attribution index as a worker publishes one."""

from collections.abc import Mapping

from node.blobs.store import BlobStore
from protocol.cid import Cid
from protocol.index_listing import Columns, IndexListing, encode_listing
from protocol.index_pages import FLAG_DECOY, FLAG_INFORMATIVE, CodeShape

SHAPE = CodeShape(2, 64)
DECOYS = 3


def put_index(blobs: BlobStore, rows: int, changes: Mapping[str, bytes] | None = None) -> Cid:
    """The index of rows 0, 2, 4, ... in two segments, with every file stored; `changes` replace columns of
    the second.
    """
    half = rows // 2
    numbers = [2 * row for row in range(rows)]
    segments = (
        _put(blobs, numbers[:half], FLAG_INFORMATIVE),
        _put(blobs, numbers[half:], FLAG_INFORMATIVE, changes),
    )
    decoys = _put(blobs, list(range(DECOYS)), FLAG_DECOY)
    listing = IndexListing(SHAPE, blobs.put(b"a head, opaque to the node").text, decoys, segments)
    return blobs.put(encode_listing(listing))


def _put(
    blobs: BlobStore, numbers: list[int], flags: int, changes: Mapping[str, bytes] | None = None
) -> Columns:
    files = {name: (name.encode() * size)[:size] for name, size in SHAPE.columns(len(numbers)).items()}
    files["rows"] = b"".join(number.to_bytes(4, "little") for number in numbers)
    files["flags"] = bytes([flags]) * len(numbers)
    return Columns(
        len(numbers), {name: blobs.put(data).text for name, data in (files | dict(changes or {})).items()}
    )
