"""All versions of one index on disk: a folder of segments, to which a version appends one and changes none.

Its root is that of a tree over the segments' roots, so an older version's root is that of the first segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.codes import QueryCode
from inference_worker.attribution.index import Codes
from inference_worker.attribution.scan import Ints, scan_columns
from inference_worker.attribution.segment import (
    Segment,
    SegmentFacts,
    open_segment,
    read_facts,
    segment_root,
)
from inference_worker.attribution.segment_writer import write_segment
from inference_worker.errors import IndexCorrupt
from protocol.hashing import Keccak
from protocol.merkle import root

MAX_SEGMENTS = 1 << 16


def append_version(
    index: Path, facts: SegmentFacts, rows: npt.NDArray[np.uint32], checkpoints: Sequence[Iterable[Codes]]
) -> Path:
    """Write a version's new rows behind all others; IndexCorrupt where its codes cannot be asked together
    with them.
    """
    index.mkdir(parents=True, exist_ok=True)
    before = segment_folders(index)
    if before:
        _check_kin(read_facts(before[0]), facts)
    folder = index / _name(len(before))
    write_segment(folder, facts, rows, checkpoints)
    return folder


def segment_folders(index: Path) -> list[Path]:
    """The segments in order, without a gap; an unfinished one does not count."""
    found = sorted(path for path in index.iterdir() if path.name.isdigit())
    expected = [_name(number) for number in range(min(len(found), MAX_SEGMENTS))]
    if [path.name for path in found] != expected:
        raise IndexCorrupt("segments", expected, [path.name for path in found])
    return found


def open_index(index: Path) -> tuple[Segment, ...]:
    """All segments, mapped."""
    segments = tuple(open_segment(folder) for folder in segment_folders(index))
    for segment in segments[1:]:
        _check_kin(segments[0].facts, segment.facts)
    return segments


def index_root(index: Path, keccak: Keccak, versions: int | None = None) -> bytes:
    """Root over the first `versions` segments, or all."""
    return root([segment_root(folder, keccak) for folder in segment_folders(index)[:versions]], keccak)


def scan_index(query: QueryCode, segments: Sequence[Segment], threads: int = 1) -> Ints:
    """Exact scores of all rows, segment after segment."""
    scores = [
        scan_columns(query.codes, query.weights, one.columns, one.facts.rows, threads) for one in segments
    ]
    return np.concatenate(scores) if scores else np.zeros(0, dtype=np.int64)


def _check_kin(first: SegmentFacts, other: SegmentFacts) -> None:
    expected = (first.source, first.checkpoints, first.width)
    actual = (other.source, other.checkpoints, other.width)
    if expected != actual:
        raise IndexCorrupt("source, checkpoints and width of a segment", expected, actual)


def _name(number: int) -> str:
    return f"{number:08d}"
