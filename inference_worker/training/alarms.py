"""Contributors of a freshly trained adapter whom only one of gradient and losses favours, over its held-out
questions. What is found is told beside the adapter; nothing is paid by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference_worker.attribution.covariance import LossCodes
from inference_worker.attribution.disagreement import PathShares, compare_paths
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.influence import InfluenceQuery
from inference_worker.attribution.segment import scan_index
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base

# Below it there is no telling what is usual.
LEAST_OWNERS = 3


def contributors_of_one_path(
    base: Base, index: AttributionIndex, owners: Sequence[str], asked: Sequence[Exchange]
) -> tuple[tuple[str, PathShares], ...] | None:
    """Each alarming owner with its parts; `owners` (rows,) are those of the index's rows. None where there is
    nothing to compare: no losses, no questions, or too few owners.
    """
    names = sorted(set(owners))
    losses = [segment.losses for segment in index.segments if segment.losses is not None]
    if not losses or not asked or len(names) < LEAST_OWNERS:
        return None
    rows = LossCodes(
        np.concatenate([one.packed for one in losses]), np.concatenate([one.magnitude for one in losses])
    )
    query, gradient, codes = InfluenceQuery(base.model, index), [], []
    for exchange in asked:
        code, _ = query.code(exchange)
        alone = replace(code, losses=np.zeros(0, np.int8), loss_weight=0)
        gradient.append(scan_index(alone, index.segments))
        codes.append(code.losses)
    numbers = np.asarray([names.index(owner) for owner in owners], dtype=np.int64)
    found = compare_paths(gradient, codes, rows, numbers)
    return tuple((names[one.owner], one) for one in found if one.is_alarming)


def alarm_sentences(found: Sequence[tuple[str, PathShares]] | None) -> list[str]:
    """What a reader is told."""
    if found is None:
        return []
    if not found:
        return ["Gradient and losses agree on every contributor, within what chance explains."]
    return [
        f"Gradient and losses disagree on `{owner}` more than chance explains: {one.gradient:.1f} and "
        f"{one.covariance:.1f} median deviations from the median contributor (by chance {one.deviation:.1f})."
        for owner, one in found
    ]
