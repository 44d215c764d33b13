"""An attribution index as the ledger knows it: the root over its rows, made here from the published files.

No worker's word is taken for it. The files are read a page at a time, so that an index of millions of rows
needs no more memory than a few of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from sys import byteorder

from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.errors import IntegrityError
from protocol.cid import Cid, parse_cid
from protocol.errors import ProtocolError
from protocol.index_listing import MAX_LISTING_BYTES, Columns, IndexListing, decode_listing
from protocol.index_pages import FLAG_DECOY, FLAG_INFORMATIVE, RowCodes, index_root, read_rows
from protocol.merkle import Proof


class BadIndex(IntegrityError):
    """An attribution index that must not be registered: its files contradict its listing or themselves."""


@dataclass(frozen=True)
class ProvenRow:
    """A row's packed record and its path to the index root."""

    record: bytes
    proof: Proof


@dataclass(frozen=True)
class IndexTree:
    """The root, how many rows are under it, and the proofs that were asked for, by the manifest's row."""

    root: bytes
    rows: int
    proven: Mapping[int, ProvenRow]


def read_listing(blobs: BlobStore, cid: Cid) -> IndexListing:
    """The listing of an index. Raises NotFound, BadIndex."""
    try:
        return decode_listing(blobs.get(cid, MAX_LISTING_BYTES))
    except ProtocolError as error:
        raise BadIndex("not an attribution index", cid=cid.text, reason=str(error)) from error


def row_numbers(blobs: BlobStore, listing: IndexListing) -> array[int]:
    """The manifest's number of each row of an index, in the order of its leaves."""
    numbers: array[int] = array("I")
    for segment in listing.segments:
        part = array("I", b"".join(_pieces(blobs, segment, "rows")))
        if byteorder == "big":
            part.byteswap()
        numbers.extend(part)
    return numbers


def index_tree(blobs: BlobStore, cid: Cid, wanted: Collection[int] = ()) -> IndexTree:
    """The index under `cid`, with proofs of the `wanted` rows of the manifest that it has.

    Every byte of it is read: about ten seconds of one core for a million rows. Raises NotFound where a file
    is not here, BadIndex.
    """
    listing = read_listing(blobs, cid)
    try:
        places = _places(blobs, listing, wanted)
        kept: dict[int, bytes] = {}
        records = _records(blobs, listing, {place: row for row, place in places.items()}, kept)
        root, proofs = index_root(cid.digest, records, list(places.values()), keccak)
    except ProtocolError as error:
        raise BadIndex("index files contradict the listing", cid=cid.text, reason=str(error)) from error
    found = zip(places, proofs, strict=True)
    return IndexTree(root, listing.rows, {row: ProvenRow(kept[row], proof) for row, proof in found})


def _places(blobs: BlobStore, listing: IndexListing, wanted: Collection[int]) -> dict[int, int]:
    """Where the wanted rows stand among decoys and rows."""
    found: dict[int, int] = {}
    first = listing.decoys.rows
    asked = set(wanted)
    for place, row in enumerate(row_numbers(blobs, listing) if asked else ()):
        if row in asked:
            found[row] = first + place
    return found


def _records(
    blobs: BlobStore, listing: IndexListing, wanted: Mapping[int, int], kept: dict[int, bytes]
) -> Iterator[bytes]:
    """All records in the order of leaves; those at the places of `wanted` are put into `kept` by row."""
    rows = chain.from_iterable(_codes(blobs, listing, segment) for segment in listing.segments)
    decoys = _codes(blobs, listing, listing.decoys)
    checked = chain(_in_order(decoys, decoy=True), _in_order(rows, decoy=False))
    for place, record in enumerate(checked):
        if place in wanted:
            kept[wanted[place]] = record
        yield record


def _in_order(codes: Iterator[RowCodes], decoy: bool) -> Iterator[bytes]:
    """The records; a row stands once, or which of its codes count would be anyone's choice."""
    allowed = (FLAG_DECOY, FLAG_DECOY | FLAG_INFORMATIVE) if decoy else (0, FLAG_INFORMATIVE)
    last = -1
    for one in codes:
        if one.row <= last or one.flags not in allowed:
            raise BadIndex("index rows out of order or with other flags", row=one.row, after=last)
        last = one.row
        yield one.record()


def _codes(blobs: BlobStore, listing: IndexListing, part: Columns) -> Iterator[RowCodes]:
    return read_rows(listing.shape, part.rows, {name: _pieces(blobs, part, name) for name in part.files})


def _pieces(blobs: BlobStore, part: Columns, name: str) -> Iterator[bytes]:
    return blobs.pieces(parse_cid(part.files[name]))
