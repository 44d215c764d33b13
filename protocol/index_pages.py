"""An attribution index as its columns hold it, row by row, and the tree that makes one row's codes provable.

On disk a column is cut into pages of 1 MiB, which are the chunks of its CID: the unit of fetching and of
checking. A page is far too large for a contract, so the tree's leaves are rows: leaf 0 binds the listing
that names every file of the index, then come the decoys, then the rows, each as its packed record of about
400 bytes. The root, in the form of `protocol.merkle`, is the model's `indexDigest` on the ledger.

Bits of `{c}.signs` lie in tiles of 128 rows, word by word (little-endian words of 64 signs, whose bytes and
bits are in coordinate order); all integers of columns are little-endian, all of a record big-endian.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.errors import EncodingError
from protocol.hashing import Keccak, tag, words
from protocol.merkle import Proof, root_and_proofs, verify

TILE_ROWS = 128
WORD_BITS = 64
FLAG_INFORMATIVE = 1
FLAG_DECOY = 2
MAX_CHECKPOINTS = 16
MAX_WIDTH = 1 << 16
MAX_LOSSES = 256
MAX_SEGMENT_ROWS = 1 << 20


@dataclass(frozen=True, slots=True)
class CodeShape:
    """What every row has: signs (a multiple of 64) at each checkpoint, and so many int4 losses (even, may
    be 0).
    """

    checkpoints: int
    width: int
    losses: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.checkpoints <= MAX_CHECKPOINTS:
            raise EncodingError(f"{self.checkpoints} checkpoints, 1 to {MAX_CHECKPOINTS} accepted")
        if not 1 <= self.width <= MAX_WIDTH or self.width % WORD_BITS:
            raise EncodingError(f"width {self.width} is no multiple of {WORD_BITS} up to {MAX_WIDTH}")
        if not 0 <= self.losses <= MAX_LOSSES or self.losses % 2:
            raise EncodingError(f"{self.losses} losses, an even number up to {MAX_LOSSES} accepted")

    def columns(self, rows: int) -> dict[str, int]:
        """Bytes of each column's file for so many rows, in the order of a record."""
        padded = -(-rows // TILE_ROWS) * TILE_ROWS
        sizes = {"rows": 4 * rows, "flags": rows}
        for number in range(self.checkpoints):
            sizes[f"{number}.magnitude"] = 2 * padded
            sizes[f"{number}.signs"] = padded * self.width // 8
        if self.losses:
            sizes |= {"losses.magnitude": 2 * rows, "losses": rows * self.losses // 2}
        return sizes

    def record_bytes(self) -> int:
        """Bytes of one row's record."""
        losses = 2 + self.losses // 2 if self.losses else 0
        return 5 + self.checkpoints * (2 + self.width // 8) + losses


@dataclass(frozen=True, slots=True)
class RowCodes:
    """One row (or decoy) of an index: its number in the manifest (or among the decoys), FLAG_ bits, and at
    each checkpoint a magnitude and the packed signs, coordinate 0 in the highest bit. `losses` are packed
    two to a byte, as the column has them.
    """

    row: int
    flags: int
    magnitudes: tuple[int, ...]
    signs: tuple[bytes, ...]
    loss_magnitude: int = 0
    losses: bytes = b""

    def record(self) -> bytes:
        """row u32, flags u8, then magnitude u16 and signs for each checkpoint, then, where there are losses,
        their magnitude u16 and the losses.
        """
        parts = [self.row.to_bytes(4, "big"), self.flags.to_bytes(1, "big")]
        for magnitude, signs in zip(self.magnitudes, self.signs, strict=True):
            parts += [magnitude.to_bytes(2, "big"), signs]
        if self.losses:
            parts += [self.loss_magnitude.to_bytes(2, "big"), self.losses]
        return b"".join(parts)


def read_rows(shape: CodeShape, rows: int, columns: Mapping[str, Iterable[bytes]]) -> Iterator[RowCodes]:
    """The rows of a segment from its columns, each as pieces of any size; EncodingError where one is shorter
    or longer than its rows.
    """
    streams = {name: _Stream(name, columns[name]) for name in shape.columns(rows)}
    for first in range(0, rows, TILE_ROWS):
        yield from _read_tile(shape, min(TILE_ROWS, rows - first), streams)
    for stream in streams.values():
        stream.done()


def row_payload(record: bytes, keccak: Keccak) -> bytes:
    """keccak256(TAG_INDEX_ROW ‖ record): what stands in the tree for a row."""
    return keccak(tag("index_row", keccak) + record)


def head_payload(listing_digest: bytes, keccak: Keccak) -> bytes:
    """keccak256(TAG_INDEX_HEAD ‖ sha256 of the listing): the payload of leaf 0."""
    return keccak(words(tag("index_head", keccak), listing_digest))


def index_root(
    listing_digest: bytes, records: Iterable[bytes], places: Sequence[int], keccak: Keccak
) -> tuple[bytes, tuple[Proof, ...]]:
    """The index root, with proofs of the records at `places` (counted without the head), in one pass that
    holds no more than a path. Record i is leaf i + 1.
    """
    row_tag = tag("index_row", keccak)

    def payloads() -> Iterator[bytes]:
        yield head_payload(listing_digest, keccak)
        for record in records:
            yield keccak(row_tag + record)

    return root_and_proofs(payloads(), [place + 1 for place in places], keccak)


def verify_row(record: bytes, proof: Proof, root: bytes, keccak: Keccak) -> bool:
    """Whether a record stands at `proof.index` of the index with this root."""
    return verify(row_payload(record, keccak), proof, root, keccak)


class _Stream:
    """Pieces of one column, taken in exact amounts."""

    def __init__(self, name: str, pieces: Iterable[bytes]) -> None:
        self._name = name
        self._pieces = iter(pieces)
        self._held, self._at = b"", 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if len(self._held) - self._at < size:
            self._refill(size)
        self._at += size
        return self._held[self._at - size : self._at]

    def _refill(self, size: int) -> None:
        parts = [self._held[self._at :]]
        have = len(parts[0])
        while have < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise EncodingError(f"column {self._name} ends {size - have} bytes early")
            parts.append(piece)
            have += len(piece)
        self._held, self._at = b"".join(parts), 0

    def done(self) -> None:
        """Refuse what is left over."""
        left = len(self._held) - self._at + sum(len(piece) for piece in self._pieces)
        if left:
            raise EncodingError(f"column {self._name} has {left} bytes too many")


def _read_tile(shape: CodeShape, rows: int, streams: Mapping[str, _Stream]) -> Iterator[RowCodes]:
    numbers, flags = streams["rows"].take(4 * rows), streams["flags"].take(rows)
    points = range(shape.checkpoints)
    sizes = [streams[f"{n}.magnitude"].take(2 * TILE_ROWS) for n in points]
    tiles = [memoryview(streams[f"{n}.signs"].take(TILE_ROWS * shape.width // 8)).cast("Q") for n in points]
    half = shape.losses // 2
    losses = streams["losses"].take(rows * half) if half else b""
    scales = streams["losses.magnitude"].take(2 * rows) if half else b""
    for row in range(rows):
        yield RowCodes(
            int.from_bytes(numbers[4 * row : 4 * row + 4], "little"),
            flags[row],
            tuple(int.from_bytes(size[2 * row : 2 * row + 2], "little") for size in sizes),
            # Words are moved whole, so the machine's own byte order does not matter.
            tuple(tile[row::TILE_ROWS].tobytes() for tile in tiles),
            int.from_bytes(scales[2 * row : 2 * row + 2], "little"),
            losses[half * row : half * (row + 1)],
        )
