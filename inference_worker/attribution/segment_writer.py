"""Writes a segment, a batch of rows at a time: it appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.index import Codes
from inference_worker.attribution.segment import FACTS, LEAVES, SegmentFacts, page_digests, same
from inference_worker.attribution.tiles import TILE_ROWS, tile_bits, tile_magnitudes
from inference_worker.errors import IndexTooLarge


def write_segment(
    folder: Path,
    facts: SegmentFacts,
    rows: npt.NDArray[np.uint32],
    checkpoints: Sequence[Iterable[Codes]],
) -> None:
    """Write a segment that must not be there yet, from batches of rows of any size.

    Raises IndexTooLarge before writing where the disk has no room, IndexCorrupt where batches do not make
    `facts`.
    """
    free = shutil.disk_usage(folder.parent).free
    if facts.disk_bytes() > free:
        raise IndexTooLarge(facts.disk_bytes(), free)
    same("rows", facts.rows, len(rows))
    same("checkpoints", facts.checkpoints, len(checkpoints))
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    _write(aside / FACTS, [facts.encode()])
    _write(aside / "rows", [rows.astype("<u4").tobytes()])
    for number, batches in enumerate(checkpoints):
        _write_codes(aside, number, facts, batches)
    digests = [digest for name in facts.columns() for digest in page_digests(aside / name)]
    _write(aside / LEAVES, digests)
    _sync_names(aside)
    os.rename(aside, folder)
    _sync_names(folder.parent)


def _write_codes(folder: Path, number: int, facts: SegmentFacts, batches: Iterable[Codes]) -> None:
    written = 0
    with (
        (folder / f"{number}.signs").open("wb") as signs,
        (folder / f"{number}.magnitude").open("wb") as sizes,
    ):
        for batch in _whole_tiles(batches):
            same("bytes of a row", -(-facts.width // 8), batch.bits.shape[1])
            signs.write(tile_bits(batch.bits).tobytes())
            sizes.write(tile_magnitudes(batch.magnitude).astype("<u2").tobytes())
            written += len(batch.magnitude)
        for sink in (signs, sizes):
            sink.flush()
            os.fsync(sink.fileno())
    same(f"rows of checkpoint {number}", facts.rows, written)


def _whole_tiles(batches: Iterable[Codes]) -> Iterator[Codes]:
    """The same rows in batches that end at a tile's end, but for the last."""
    held: Codes | None = None
    for batch in batches:
        held = batch if held is None else _joined(held, batch)
        whole = len(held.magnitude) // TILE_ROWS * TILE_ROWS
        if whole:
            yield Codes(held.bits[:whole], held.magnitude[:whole])
            held = Codes(held.bits[whole:], held.magnitude[whole:])
    if held is not None and len(held.magnitude):
        yield held


def _joined(first: Codes, second: Codes) -> Codes:
    bits = np.concatenate([first.bits, second.bits])
    return Codes(bits, np.concatenate([first.magnitude, second.magnitude]))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as sink:
        for piece in pieces:
            sink.write(piece)
        sink.flush()
        os.fsync(sink.fileno())


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
