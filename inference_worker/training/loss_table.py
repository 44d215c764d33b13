"""Mean losses of rows under throw-away adapters, a row at a time, kept on disk as they are computed.

The file holds so many float32 numbers a row and nothing else; its name says what they were computed from. A
row that a kill cut short is computed again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from inference_worker.attribution.covariance import Floats
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.base.exchange import Exchange

SYNC_ROWS = 64


def measure_losses(
    stacked: StackedLosses, exchanges: Sequence[Exchange], path: Path, on_row: Callable[[int], None]
) -> Floats:
    """(exchanges, K) losses in nats. `on_row(done)` counts all rows; an exception from it leaves those that
    are done.
    """
    size = 4 * stacked.count
    path.touch()
    done = path.stat().st_size // size
    os.truncate(path, done * size)
    with path.open("ab") as sink:
        for place in range(done, len(exchanges)):
            sink.write(stacked.losses(exchanges[place]).astype("<f4").tobytes())
            if (place + 1) % SYNC_ROWS == 0:
                sink.flush()
                os.fsync(sink.fileno())
            on_row(place + 1)
    found: Floats = np.fromfile(path, dtype="<f4").reshape(-1, stacked.count).astype(np.float64)
    return found
