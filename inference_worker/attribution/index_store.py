"""An index from its files and back: stored, published to the node, fetched from it, opened mapped."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from inference_worker.attribution.index import AttributionIndex, decode_head, encode_head
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.segment import open_segment
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import IndexCorrupt
from protocol.errors import ProtocolError
from protocol.index_listing import IndexListing, decode_listing, encode_listing

QUOTA_BYTES = 64 << 30
"""What indexes may take on a worker's disk."""


def store_index(files: IndexFiles, index: AttributionIndex) -> str:
    """Write head and listing beside the columns, which are there; returns the index's CID. Equal indexes have
    equal CIDs.
    """
    head = files.put([encode_head(index.head)])
    segments = tuple(segment.files for segment in index.segments)
    return files.put([encode_listing(IndexListing(index.shape, head, index.decoys.files, segments))])


def open_index(files: IndexFiles, cid: str) -> AttributionIndex:
    """Map an index whose files are all here. Raises IndexCorrupt, BlobCorrupt."""
    listing = read_listing(files, cid)
    head = decode_head(files.path(listing.head).read_bytes())
    if len(head.checkpoints) != listing.shape.checkpoints:
        raise IndexCorrupt("checkpoints", listing.shape.checkpoints, len(head.checkpoints))
    adapters = 0 if head.throwaways is None else len(head.throwaways.flat)
    if adapters != listing.shape.losses:
        raise IndexCorrupt("throw-away adapters", listing.shape.losses, adapters)
    decoys = open_segment(files, listing.shape, listing.decoys)
    segments = tuple(open_segment(files, listing.shape, one) for one in listing.segments)
    index = AttributionIndex(head, listing.shape, decoys, segments)
    if np.any(index.rows[1:] <= index.rows[:-1]):
        raise IndexCorrupt("row numbers", "ascending", "others")
    return index


def read_listing(files: IndexFiles, cid: str) -> IndexListing:
    """The listing of an index whose listing is here."""
    try:
        return decode_listing(files.path(cid).read_bytes())
    except ProtocolError as error:
        raise IndexCorrupt("listing", "the files of an index", str(error)) from error


def publish_index(files: IndexFiles, cid: str, blobs: Blobs) -> None:
    """Give the node every file, the listing last: whoever has it finds the others there."""
    for name in (*read_listing(files, cid).files(), cid):
        blobs.put(files.path(name).read_bytes())


def fetch_index(
    files: IndexFiles, cid: str, blobs: Blobs, keep: Collection[str] = (), quota: int = QUOTA_BYTES
) -> IndexListing:
    """Have all files of an index here, each from the node once, in the place of what was not used for longest
    (but none of `keep`). Raises BlobMissing, BlobCorrupt, IndexCorrupt, IndexTooLarge.
    """
    files.fetch(cid, blobs)
    listing = read_listing(files, cid)
    missing = [name for name in listing.files() if not files.has(name)]
    if missing:
        files.make_room(listing.column_bytes(), quota, {cid, *listing.files(), *keep})
    for name in listing.files():
        files.fetch(name, blobs)
    return listing
