"""Exact integer products of all rows' losses with an answer's code, and the weight by which they join the
gradient's scores.

The weight makes both parts spread alike over the rows, whatever their units; it is computed in integers from
the two parts' scores and belongs to the query's code.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

from inference_worker.attribution.covariance import (
    NIBBLE_ZERO,
    Floats,
    LossCodes,
    encode_answer,
    encode_table,
)
from inference_worker.attribution.method import COVARIANCE_PPM, LOSS_WEIGHT_LIMIT
from inference_worker.attribution.scan import Ints

PPM = 1_000_000
# Below it a thread costs more than it saves.
ROWS_PER_THREAD = 1 << 15


def scan_losses(code: npt.NDArray[np.int8], rows: LossCodes, threads: int = 1) -> Ints:
    """magnitude · Σ_k loss_k · code_k of each row; `code` is (K,). Any number of threads gives the same."""
    values = code.astype(np.int32)
    halves = np.ascontiguousarray(values[0::2]), np.ascontiguousarray(values[1::2])
    whole = NIBBLE_ZERO * int(values.sum())
    count = len(rows.magnitude)
    scores = np.empty(count, dtype=np.int64)
    parts = max(1, min(threads, count // ROWS_PER_THREAD))
    borders = [count * part // parts for part in range(parts + 1)]

    def fill(low: int, high: int) -> None:
        _compiled(rows.packed[low:high], rows.magnitude[low:high], *halves, whole, scores[low:high])

    if parts == 1:
        fill(0, count)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(fill, borders[:-1], borders[1:]))
    return scores


def spread_of(scores: Ints) -> int:
    """The median distance from the median; the lower middle of an even number."""
    return _middle(np.abs(scores - _middle(scores))) if len(scores) else 0


def loss_weight(gradient: Ints, losses: Ints, covariance_ppm: int = COVARIANCE_PPM) -> int:
    """What one unit of the losses' scores counts beside the gradient's, so that over the rows theirs spread
    `covariance_ppm` as much; nothing where they do not spread.
    """
    spread = spread_of(losses)
    if spread == 0:
        return 0
    return min(LOSS_WEIGHT_LIMIT, spread_of(gradient) * covariance_ppm // (PPM * spread))


def combine(gradient: Ints, losses: Ints, covariance_ppm: int = COVARIANCE_PPM) -> Ints:
    """One integer score for each row from the two parts of one query."""
    return gradient + loss_weight(gradient, losses, covariance_ppm) * losses


def loss_scores(rows: Floats, answers: Floats) -> Ints:
    """(answers, rows) scores from mean losses: `rows` (rows, K) and `answers` (answers, K), K even, under the
    same K adapters. Higher says that the row made the answer likelier.
    """
    table = encode_table(rows, len(rows))
    return np.stack([scan_losses(encode_answer(answer, table.level), table.rows) for answer in answers])


def _middle(values: Ints) -> int:
    place = (len(values) - 1) // 2
    return int(np.partition(values, place)[place])


def _multiply(
    packed: npt.NDArray[np.uint8],
    magnitude: npt.NDArray[np.uint16],
    upper: npt.NDArray[np.int32],
    lower: npt.NDArray[np.int32],
    whole: int,
    scores: Ints,
) -> None:
    """Compiled."""
    for row in range(packed.shape[0]):
        total = np.int32(0)
        for place in range(packed.shape[1]):
            byte = packed[row, place]
            total += np.int32(byte >> 4) * upper[place] + np.int32(byte & 15) * lower[place]
        scores[row] = np.int64(magnitude[row]) * np.int64(total - whole)


_compiled = numba.njit(nogil=True)(_multiply)
