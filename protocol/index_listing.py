"""The listing of an attribution index: canonical JSON that names every file of it, and whose own CID names
the index.

The head holds what is asked with (checkpoints, preconditioners, Fisher); the codes of decoys and of rows are
in columns, one file each, a segment of at most 2^20 rows at a time. A listing is one raw block, so the digest
in its CID is its sha256, which leaf 0 of the index's tree binds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.canonical import canonical_json, parse_json
from protocol.cid import parse_cid
from protocol.errors import CidError
from protocol.fields import Fields
from protocol.index_pages import MAX_CHECKPOINTS, MAX_LOSSES, MAX_SEGMENT_ROWS, MAX_WIDTH, CodeShape
from protocol.unixfs import CHUNK_BYTES

VERSION = 2
MAX_LISTING_BYTES = CHUNK_BYTES
MAX_SEGMENTS = 1024
MAX_DECOYS = 4096
CID_CHARS = 59


@dataclass(frozen=True)
class Columns:
    """The files of so many rows: column name to CID."""

    rows: int
    files: Mapping[str, str]


@dataclass(frozen=True)
class IndexListing:
    """All files of one index; `head` is a CID."""

    shape: CodeShape
    head: str
    decoys: Columns
    segments: tuple[Columns, ...]

    @property
    def rows(self) -> int:
        """Rows of all segments."""
        return sum(segment.rows for segment in self.segments)

    def parts(self) -> tuple[Columns, ...]:
        """Decoys and segments, in the order of the tree's leaves."""
        return (self.decoys, *self.segments)

    def files(self) -> tuple[str, ...]:
        """The CID of every file, the listing's own aside, each once."""
        named = [self.head, *(cid for part in self.parts() for cid in part.files.values())]
        return tuple(dict.fromkeys(named))

    def column_bytes(self) -> int:
        """Bytes of all columns."""
        return sum(sum(self.shape.columns(part.rows).values()) for part in self.parts())


def encode_listing(listing: IndexListing) -> bytes:
    """Canonical JSON."""
    shape = listing.shape
    return canonical_json(
        {
            "v": VERSION,
            "checkpoints": shape.checkpoints,
            "width": shape.width,
            "losses": shape.losses,
            "head": listing.head,
            "decoys": _plain(listing.decoys),
            "segments": [_plain(segment) for segment in listing.segments],
        }
    )


def decode_listing(data: bytes) -> IndexListing:
    """The listing these bytes spell; ProtocolError for anything else."""
    fields = Fields(parse_json(data, MAX_LISTING_BYTES, 5), "index")
    fields.integer("v", VERSION, VERSION)
    shape = CodeShape(
        fields.integer("checkpoints", 1, MAX_CHECKPOINTS),
        fields.integer("width", 1, MAX_WIDTH),
        fields.integer("losses", 0, MAX_LOSSES),
    )
    listing = IndexListing(
        shape,
        _cid(fields, "head"),
        _columns(fields.child("decoys"), shape, 0, MAX_DECOYS),
        tuple(_columns(one, shape, 1, MAX_SEGMENT_ROWS) for one in fields.objects("segments", MAX_SEGMENTS)),
    )
    if not listing.segments:
        raise fields.wrong("segments", "must name at least one")
    fields.done()
    return listing


def _plain(columns: Columns) -> dict[str, object]:
    return {"rows": columns.rows, "files": dict(columns.files)}


def _columns(fields: Fields, shape: CodeShape, low: int, high: int) -> Columns:
    rows, files = fields.integer("rows", low, high), fields.child("files")
    found = Columns(rows, {name: _cid(files, name) for name in shape.columns(rows)})
    files.done()
    fields.done()
    return found


def _cid(fields: Fields, name: str) -> str:
    try:
        return parse_cid(fields.text(name, CID_CHARS)).text
    except CidError as error:
        raise fields.wrong(name, str(error)) from error
