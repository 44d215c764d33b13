"""What an index takes, known before a row is computed."""

from __future__ import annotations

from dataclasses import dataclass

from inference_worker.attribution.index import head_bytes
from inference_worker.attribution.method import DECOYS, FISHER_ROWS, SKETCH_WIDTH
from protocol.index_pages import MAX_SEGMENT_ROWS, CodeShape

# float64 beside which numbers, sketches and the Fisher are computed.
REAL_BYTES = 8
# Signs, norm, mean magnitude and place of a row in a part.
PART_ROW_BYTES = SKETCH_WIDTH // 8 + 3 * REAL_BYTES


@dataclass(frozen=True)
class IndexCost:
    """Bytes of the index's files; of the parts that are deleted once it is published; of memory at its peak,
    the model aside.
    """

    index: int
    parts: int
    memory: int

    @property
    def on_disk(self) -> int:
        """What must be free."""
        return self.index + self.parts


def index_cost(
    rows: int, checkpoints: int, parameters: int, losses: int = 0, throwaways: int = 0
) -> IndexCost:
    """The cost for an adapter of so many parameters, with `losses` a row under throw-away adapters of so many
    bytes. Columns are known to the byte, the rest about.
    """
    shape = CodeShape(checkpoints, SKETCH_WIDTH, losses)
    full, rest = divmod(rows, MAX_SEGMENT_ROWS)
    segments = [MAX_SEGMENT_ROWS] * full + [rest] * (rest > 0)
    columns = sum(sum(shape.columns(size).values()) for size in (DECOYS, *segments))
    sketches = min(rows, FISHER_ROWS) * SKETCH_WIDTH * REAL_BYTES
    answers = rows * 15 * REAL_BYTES
    return IndexCost(
        index=columns + head_bytes(parameters, checkpoints, throwaways),
        parts=checkpoints * (rows * PART_ROW_BYTES + sketches) + answers,
        # Projection, weights and signs; the Fisher, its inverse and their sum; what is kept of every row; a
        # segment's signs.
        memory=16 * parameters
        + 4 * SKETCH_WIDTH**2 * REAL_BYTES
        + rows * 20 * REAL_BYTES
        + min(rows, MAX_SEGMENT_ROWS) * SKETCH_WIDTH // 8,
    )


def say(cost: IndexCost, rows: int, seconds: float | None) -> str:
    """One line for whoever waits."""
    time = "" if seconds is None else f", about {round(seconds):,} s"
    return (
        f"index of {rows:,} rows: {_mb(cost.index)} on disk, {_mb(cost.parts)} beside while it is built,"
        f" {_mb(cost.memory)} of memory{time}"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
