"""Codes of rows in columns by checkpoint, mapped from files: what a scan reads.

A segment is never changed once it is there. Its files are named by CIDs (`protocol.index_listing`), so every
page of 1 MiB is under one, and what holds which bytes is `protocol.index_pages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.codes import Codes, QueryCode
from inference_worker.attribution.covariance import LossCodes
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.loss_scan import loss_weight, scan_losses
from inference_worker.attribution.scan import Column, Ints, scan_columns
from inference_worker.attribution.tiles import TILE_ROWS, tile_bits, tile_magnitudes, tiles_of, words_of
from inference_worker.errors import IndexCorrupt
from protocol.index_listing import Columns
from protocol.index_pages import CodeShape

# Rows laid out at one time when a column is written.
BLOCK_ROWS = 64 * TILE_ROWS


@dataclass(frozen=True)
class Segment:
    """Row numbers and flags (rows,), a column for each checkpoint, and the losses where there are any, as
    read-only views of mapped files; `files` names those.
    """

    rows: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint8]
    columns: tuple[Column, ...]
    losses: LossCodes | None
    files: Columns


def open_segment(files: IndexFiles, shape: CodeShape, columns: Columns) -> Segment:
    """Map a segment; every file has the size that its rows take and hashes to its CID, or IndexCorrupt or
    BlobCorrupt.
    """
    paths = {name: files.path(cid) for name, cid in columns.files.items()}
    for name, size in shape.columns(columns.rows).items():
        actual = paths[name].stat().st_size
        if actual != size:
            raise IndexCorrupt(f"bytes of column {name}", size, actual)
    tiles = tiles_of(columns.rows)
    points = tuple(
        Column(
            _map(paths[f"{n}.signs"], np.uint64).reshape(tiles, words_of(shape.width), TILE_ROWS),
            _map(paths[f"{n}.magnitude"], np.uint16).reshape(tiles, TILE_ROWS),
        )
        for n in range(shape.checkpoints)
    )
    losses = None
    if shape.losses:
        packed = _map(paths["losses"], np.uint8).reshape(columns.rows, shape.losses // 2)
        losses = LossCodes(packed, _map(paths["losses.magnitude"], np.uint16))
    return Segment(_map(paths["rows"], np.uint32), _map(paths["flags"], np.uint8), points, losses, columns)


def write_columns(
    files: IndexFiles, rows: npt.NDArray[np.uint32], flags: npt.NDArray[np.uint8]
) -> dict[str, str]:
    """The two columns that say which rows these are: name to CID."""
    return {"rows": files.put([rows.astype("<u4").tobytes()]), "flags": files.put([flags.tobytes()])}


def write_codes(files: IndexFiles, number: int, codes: Codes) -> dict[str, str]:
    """The two columns of one checkpoint: name to CID."""
    blocks = range(0, len(codes.magnitude), BLOCK_ROWS)
    signs = (tile_bits(codes.bits[at : at + BLOCK_ROWS]).tobytes() for at in blocks)
    sizes = tile_magnitudes(codes.magnitude).astype("<u2").tobytes()
    return {f"{number}.signs": files.put(signs), f"{number}.magnitude": files.put([sizes])}


def write_losses(files: IndexFiles, losses: LossCodes) -> dict[str, str]:
    """The two columns of the losses: name to CID."""
    sizes = losses.magnitude.astype("<u2").tobytes()
    return {"losses.magnitude": files.put([sizes]), "losses": files.put([losses.packed.tobytes()])}


def scan_index(query: QueryCode, segments: Sequence[Segment], threads: int = 1) -> Ints:
    """Exact scores of all rows, segment after segment: Σ over checkpoints of weight · magnitude · Σ ±code,
    and weight · magnitude · Σ loss · code where there are losses.
    """
    scores = _scan_signs(query, segments, threads)
    return (
        scores + query.loss_weight * _scan_losses(query, segments, threads) if query.loss_weight else scores
    )


def weigh_losses(query: QueryCode, segments: Sequence[Segment], threads: int = 1) -> QueryCode:
    """The code with the weight at which its losses join the signs, from the scores of all rows."""
    if not len(query.losses):
        return query
    parts = _scan_signs(query, segments, threads), _scan_losses(query, segments, threads)
    return replace(query, loss_weight=loss_weight(*parts))


def _scan_signs(query: QueryCode, segments: Sequence[Segment], threads: int) -> Ints:
    return _joined(
        [scan_columns(query.codes, query.weights, one.columns, one.files.rows, threads) for one in segments]
    )


def _scan_losses(query: QueryCode, segments: Sequence[Segment], threads: int) -> Ints:
    if any(one.losses is None or one.losses.adapters != len(query.losses) for one in segments):
        raise IndexCorrupt("losses of a query's code", [one.losses for one in segments], len(query.losses))
    return _joined([scan_losses(query.losses, one.losses, threads) for one in segments if one.losses])


def _joined(scores: Sequence[Ints]) -> Ints:
    return scores[0] if len(scores) == 1 else np.concatenate(scores)


def _map(path: Path, dtype: type[np.generic]) -> Any:
    kind = np.dtype(dtype).newbyteorder("<")
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=kind)
    # A plain view, since compiled code knows arrays and not numpy's subclass for mapped files.
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))
