"""One version's rows on disk, in columns by checkpoint that a scan maps into memory.

A segment is a folder that is never changed once it is there: `segment.json` with its facts, one raw little-
endian file for each column, and `leaves` with the sha256 of every page of 1 MiB in column order. Those, after
that of the facts, are the leaves of its Merkle tree, so one changed bit is proved by one page and a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.scan import Column
from inference_worker.attribution.tiles import TILE_ROWS, tiles_of, words_of
from inference_worker.errors import IndexCorrupt
from protocol.canonical import canonical_json, parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.hashing import Keccak, sha256
from protocol.merkle import root

PAGE_BYTES = 1 << 20
DIGEST_BYTES = 32
MAX_ROWS = 1 << 32
MAX_CHECKPOINTS = 16
MAX_WIDTH = 1 << 16
MAX_FACTS_BYTES = 1 << 12
FACTS, LEAVES = "segment.json", "leaves"


@dataclass(frozen=True)
class SegmentFacts:
    """What a segment holds. `source` names the checkpoints and the rule that made the codes: only segments
    of one source can be asked together.
    """

    source: str
    manifest_cid: str
    rows: int
    checkpoints: int
    width: int

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({"v": 1, "tile_rows": TILE_ROWS, **vars(self)})

    def columns(self) -> dict[str, int]:
        """Bytes of each column's file, in the order of the leaves."""
        tiles, words = tiles_of(self.rows), words_of(self.width)
        sizes = {"rows": 4 * self.rows}
        for number in range(self.checkpoints):
            sizes[f"{number}.signs"] = tiles * words * TILE_ROWS * 8
            sizes[f"{number}.magnitude"] = tiles * TILE_ROWS * 2
        return sizes

    def pages(self) -> int:
        """Pages of all columns; a column's last page may be short."""
        return sum(-(-size // PAGE_BYTES) for size in self.columns().values())

    def disk_bytes(self) -> int:
        """What the segment will take on disk, known before a row is computed."""
        return sum(self.columns().values()) + DIGEST_BYTES * self.pages() + len(self.encode())


@dataclass(frozen=True)
class Segment:
    """An opened segment: the manifest's row numbers (rows,) and a column for each checkpoint, as read-only
    views of mapped files.
    """

    facts: SegmentFacts
    rows: npt.NDArray[np.uint32]
    columns: tuple[Column, ...]


def open_segment(folder: Path) -> Segment:
    """Map a segment; every file has the size that its facts say, or IndexCorrupt. Hashes nothing."""
    facts = read_facts(folder)
    for name, size in (facts.columns() | {LEAVES: DIGEST_BYTES * facts.pages()}).items():
        same(f"bytes of {name}", size, _size(folder / name))
    tiles, words = tiles_of(facts.rows), words_of(facts.width)
    columns = tuple(
        Column(
            _map(folder / f"{number}.signs", np.uint64).reshape(tiles, words, TILE_ROWS),
            _map(folder / f"{number}.magnitude", np.uint16).reshape(tiles, TILE_ROWS),
        )
        for number in range(facts.checkpoints)
    )
    return Segment(facts, _map(folder / "rows", np.uint32), columns)


def read_facts(folder: Path) -> SegmentFacts:
    """The facts of a segment, within their limits."""
    try:
        raw = parse_json((folder / FACTS).read_bytes(), max_bytes=MAX_FACTS_BYTES, max_depth=2)
        fields = Fields(raw, FACTS)
        fields.integer("v", 1, 1)
        fields.integer("tile_rows", TILE_ROWS, TILE_ROWS)
        facts = SegmentFacts(
            fields.text("source", 66),
            fields.text("manifest_cid", 128),
            fields.integer("rows", 1, MAX_ROWS),
            fields.integer("checkpoints", 1, MAX_CHECKPOINTS),
            fields.integer("width", 1, MAX_WIDTH),
        )
        fields.done()
    except (ProtocolError, OSError) as error:
        raise IndexCorrupt(str(folder / FACTS), "facts of version 1", str(error)) from error
    return facts


def payloads(folder: Path) -> list[bytes]:
    """The 32-byte leaves of the segment's tree: its facts, then each page, as recorded."""
    facts, leaves = read_facts(folder), (folder / LEAVES).read_bytes()
    same(f"bytes of {LEAVES}", DIGEST_BYTES * facts.pages(), len(leaves))
    pages = [leaves[at : at + DIGEST_BYTES] for at in range(0, len(leaves), DIGEST_BYTES)]
    return [sha256(facts.encode()), *pages]


def segment_root(folder: Path, keccak: Keccak) -> bytes:
    """Root of the segment's tree, from the recorded leaves."""
    return root(payloads(folder), keccak)


def changed_pages(folder: Path) -> Iterator[tuple[str, int]]:
    """Reads every page; yields (column, page within it) of those that are not what was recorded."""
    recorded = iter(payloads(folder)[1:])
    for name in read_facts(folder).columns():
        for page, digest in enumerate(page_digests(folder / name)):
            if digest != next(recorded, None):
                yield name, page


def page_digests(path: Path) -> Iterator[bytes]:
    """sha256 of each page of 1 MiB."""
    with path.open("rb") as source:
        while page := source.read(PAGE_BYTES):
            yield sha256(page)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _map(path: Path, dtype: type[np.generic]) -> Any:
    # A plain view, since compiled code knows arrays and not numpy's subclass for mapped files.
    return np.asarray(np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r"))


def same(what: str, expected: object, actual: object) -> None:
    """IndexCorrupt unless both are equal."""
    if expected != actual:
        raise IndexCorrupt(what, expected, actual)
