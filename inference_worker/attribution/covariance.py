"""Which rows' losses move with the answer's, over many throw-away adapters that each saw half of the rows.

A row that shaped an answer is learnt in the same adapters in which the answer is likely. Of each row K mean
answer losses are kept, without what all rows share and clipped in size, in four bits each; the answer's K
losses make an int8 code. Their product needs no gradient. A row's own noise is about 1/√K of its size, so the
sum over a contributor's rows says more than any one of them. Which rows an adapter saw follows from the
index's seed alone. Losses in, integers out: nothing here runs a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.method import CODE_LIMIT, LOSS_LIMIT, SCALE_LIMIT
from inference_worker.attribution.sketch import counter_hash

Floats = npt.NDArray[np.float64]

# Another stream than the sketches' of the same seed.
_SUBSETS = 0x636F76617269616E
NIBBLE_ZERO = 8


@dataclass(frozen=True)
class LossCodes:
    """Losses of rows under K adapters: two to a byte, the earlier adapter's in the upper half, each plus
    NIBBLE_ZERO (rows, K/2); what code LOSS_LIMIT stands for (rows,).
    """

    packed: npt.NDArray[np.uint8]
    magnitude: npt.NDArray[np.uint16]

    @property
    def adapters(self) -> int:
        """K."""
        return 2 * int(self.packed.shape[1])


@dataclass(frozen=True)
class LossTable:
    """The rows' mean loss under each adapter (K,), float32, and the codes of rows and decoys."""

    level: npt.NDArray[np.float32]
    rows: LossCodes
    decoys: LossCodes


def subset(seed: int, number: int, rows: int) -> npt.NDArray[np.int64]:
    """Places of the rows, ascending, that adapter `number` (from 0) is trained on: half of them, drawn by the
    seed.
    """
    stream = int(counter_hash(seed ^ _SUBSETS, number + 1)[number])
    order = np.argsort(counter_hash(stream, rows), kind="stable")
    return np.sort(order[: rows // 2])


def centre(losses: Floats, level: Floats) -> Floats:
    """(rows, K) mean answer losses without each row's mean, and without what moves with `level` (K,), the
    rows' mean loss under each adapter: some adapters are better at everything.
    """
    own: Floats = losses - losses.mean(axis=1, keepdims=True)
    common = level - level.mean()
    size = float(common @ common)
    if size == 0.0:
        return own
    centred: Floats = own - np.outer(own @ common / size, common)
    return centred


def clip_limit(centred: Floats) -> float:
    """The median length of the rows' centred losses, above which no row counts for more."""
    return float(np.median(np.linalg.norm(centred, axis=1)))


def encode_table(losses: Floats, rows: int) -> LossTable:
    """Codes from a table of mean losses (rows + decoys, K); decoys are centred and cut as rows are."""
    level = losses[:rows].mean(axis=0).astype(np.float32)
    # Queries will meet the rounded level, so rows meet it too.
    centred = centre(losses, level.astype(np.float64))
    limit = clip_limit(centred[:rows])
    return LossTable(level, encode_losses(centred[:rows], limit), encode_losses(centred[rows:], limit))


def encode_losses(centred: Floats, limit: float) -> LossCodes:
    """Rows no longer than `limit`, each by its largest loss, rounding half to even; magnitudes in
    `limit`/SCALE_LIMIT, which a clipped row's largest loss never passes.
    """
    largest = np.abs(centred).max(axis=1, initial=0.0)
    scaled = centred / np.maximum(largest, 1e-300)[:, None] * LOSS_LIMIT
    nibbles = (np.rint(scaled) + NIBBLE_ZERO).astype(np.uint8)
    norms = np.linalg.norm(centred, axis=1)
    kept = largest * np.minimum(1.0, limit / np.maximum(norms, 1e-300))
    sizes = kept / limit * SCALE_LIMIT if limit > 0 else np.zeros(len(centred))
    packed = nibbles[:, 0::2] << 4 | nibbles[:, 1::2]
    return LossCodes(packed, np.rint(sizes).astype(np.uint16))


def decode_losses(codes: LossCodes) -> npt.NDArray[np.int64]:
    """(rows, K) magnitude · loss, the integers that a query's code is multiplied with."""
    nibbles = np.stack([codes.packed >> 4, codes.packed & 15], axis=2).reshape(len(codes.packed), -1)
    signed: npt.NDArray[np.int64] = nibbles.astype(np.int64) - NIBBLE_ZERO
    return signed * codes.magnitude.astype(np.int64)[:, None]


def encode_answer(losses: Floats, level: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """(K,) int8 code of one answer's mean losses by its largest, rounding half to even."""
    centred = centre(losses[None], level.astype(np.float64))[0]
    largest = float(np.abs(centred).max())
    scaled = centred / largest * CODE_LIMIT if largest > 0 else centred
    code: npt.NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return code
