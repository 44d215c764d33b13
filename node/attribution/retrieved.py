"""The retrieval lane that a worker states, against the rows that this node put into the prompt; and what is
shown of it.

The worker's log-likelihoods are its word. Everything that follows from them is not: which sets of rows they
are of, which rows chance was measured with, and the units, are computed here again.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.attribution.reports import ReportRefused
from protocol.errors import ProtocolError
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import Manifest
from protocol.retrieval import (
    Ablations,
    draw_nulls,
    orders_of,
    retrievable_rows,
    retrieval_lane,
    seed_of,
    shapley_sums,
)
from protocol.types import TOTAL_PPM
from protocol.wire import AttributeRequest, AttributeResult


def check_retrieved(request: AttributeRequest, result: AttributeResult, manifest: Manifest) -> None:
    """Raise ReportRefused unless the lane is there exactly where it was asked for, and is what its
    measurements make. A lane that did not run is accepted: its weight is unattributed.
    """
    lane = next((lane for lane in result.lanes if lane.lane is Lane.RETRIEVAL), None)
    if (lane is not None) != (Lane.RETRIEVAL in request.lanes):
        raise ReportRefused("a retrieval lane that was not asked for, or none that was", lane=lane)
    if lane is None or not lane.ran:
        if result.ablations is not None:
            raise ReportRefused("measurements without a retrieval lane", lane=lane)
        return
    if result.ablations is None:
        raise ReportRefused("a retrieval lane without its measurements", lane=lane)
    expected = _expected(request, result.ablations, manifest)
    if (sorted(lane.units), lane.unattributed) != (sorted(expected.units), expected.unattributed):
        raise ReportRefused(
            "the retrieval lane is not what its measurements make", units=lane.units, expected=expected.units
        )


def shown_rows(
    requests: Sequence[AttributeRequest], results: Sequence[AttributeResult], weights: Sequence[int]
) -> dict[str, object] | None:
    """The rows in the prompt as [row, first token, end, micro-nats added], with the measurements of each
    adapter of the model; None for a prompt without rows. What is added is null where no lane ran.
    """
    context = requests[0].context
    if context is None:
        return None
    added = [0] * len(context.rows)
    for request, result, ppm in zip(requests, results, weights, strict=True):
        if result.ablations is not None:
            orders = orders_of(len(added), _seed(request))
            parts = shapley_sums(dict(result.ablations.values), orders)
            added = [sum_ + ppm * part // len(orders) for sum_, part in zip(added, parts, strict=True)]
    ran = any(result.ablations is not None for result in results)
    rows = [
        [row.row, row.start, row.end, part // TOTAL_PPM if ran else None]
        for row, part in zip(context.rows, added, strict=True)
    ]
    measured = [None if one.ablations is None else one.ablations.to_json() for one in results]
    return {"start": context.start, "end": context.end, "rows": rows, "ablations": measured}


def _seed(request: AttributeRequest) -> bytes:
    return seed_of(request.index_cid, request.manifest_cid, request.prompt_ids, request.output_ids)


def _expected(request: AttributeRequest, found: Ablations, manifest: Manifest) -> LaneUnits:
    context = request.context
    if context is None:
        raise ReportRefused("a retrieval lane for a prompt without rows", rows=())
    seed = _seed(request)
    drawn = draw_nulls(retrievable_rows(manifest), context.indexes, seed)
    if tuple(null.row for null in found.nulls) != drawn:
        raise ReportRefused("chance was measured with other rows", rows=found.nulls, expected=drawn)
    try:
        orders = orders_of(len(context.rows), seed)
        return retrieval_lane(context.indexes, found, orders, len(request.output_ids))
    except ProtocolError as error:
        raise ReportRefused(f"the worker's measurements are inconsistent: {error}") from error
