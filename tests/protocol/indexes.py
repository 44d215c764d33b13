"""Small attribution indexes with an answer scored through them, by a plain loop."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from protocol.hashing import sha256
from protocol.index_pages import FLAG_DECOY, FLAG_INFORMATIVE, CodeShape, RowCodes, index_root
from protocol.influence import Influence, Measured, ScoredRow
from protocol.lanes import MAX_ROWS_PER_LANE
from protocol.query_code import CodeBytes, decode_code, may_earn, row_of, score_of
from protocol.score_watch import IndexLeaves

SHAPE = CodeShape(2, 64, 4)
DECOYS = 3


@dataclass(frozen=True)
class ScoredIndex:
    """An index, the code of an answer, and what the answer's gradient lane is computed from."""

    leaves: IndexLeaves
    code: bytes
    influence: Influence

    @property
    def root(self) -> bytes:
        return self.influence.index_root


def scored_index(
    drawn: random.Random, rows: Sequence[int], clusters: Sequence[int], shape: CodeShape = SHAPE
) -> ScoredIndex:
    """`rows` of a version in an index after its decoys, and an answer that about two in three of them score
    for; `clusters` are the canonical rows of the version's.
    """
    records = tuple(
        _codes(drawn, shape, row, flags).record()
        for row, flags in [
            *((decoy, FLAG_DECOY | FLAG_INFORMATIVE) for decoy in range(DECOYS)),
            *((row, FLAG_INFORMATIVE if drawn.random() < 0.8 else 0) for row in rows),
        ]
    )
    leaves = IndexLeaves(sha256(drawn.randbytes(8)), records)
    root, _ = index_root(leaves.listing_digest, records, [], keccak)
    code = CodeBytes(
        tuple(drawn.randrange(1, 65_537) for _ in range(shape.checkpoints)),
        tuple(drawn.randbytes(shape.width) for _ in range(shape.checkpoints)),
        drawn.randrange(1, 2**28) if shape.losses else 0,
        drawn.randbytes(shape.losses),
    ).encode()
    threshold = sorted(scores_of(leaves, code))[len(records) // 3]
    measured = Measured(threshold, drawn.randrange(10**9), 16_000_000, 600_000, 750_000)
    kept = kept_rows(leaves, code, clusters, threshold)
    return ScoredIndex(leaves, code, Influence(root, sha256(code), measured, kept))


def scores_of(leaves: IndexLeaves, code: bytes) -> list[int]:
    """The score of every record."""
    scores = [score_of(decode_code(code), record) for record in leaves.records]
    return [score for score in scores if score is not None]


def kept_rows(
    leaves: IndexLeaves, code: bytes, clusters: Sequence[int], threshold: int
) -> tuple[ScoredRow, ...]:
    """What an honest node lists."""
    best: dict[int, ScoredRow] = {}
    for leaf, (record, score) in enumerate(zip(leaves.records, scores_of(leaves, code), strict=True), 1):
        if not may_earn(record) or score <= threshold:
            continue
        canonical = clusters[row_of(record)]
        if canonical not in best or score > best[canonical].score:
            best[canonical] = ScoredRow(canonical, row_of(record), leaf, score)
    ranked = sorted(best.values(), key=lambda one: (-one.score, one.canonical))
    return tuple(sorted(ranked[:MAX_ROWS_PER_LANE], key=lambda one: one.canonical))


def _codes(drawn: random.Random, shape: CodeShape, row: int, flags: int) -> RowCodes:
    return RowCodes(
        row,
        flags,
        tuple(drawn.randrange(1, 1 << 16) for _ in range(shape.checkpoints)),
        tuple(drawn.randbytes(shape.width // 8) for _ in range(shape.checkpoints)),
        drawn.randrange(1, 1 << 16) if shape.losses else 0,
        drawn.randbytes(shape.losses // 2),
    )
