"""What a worker says of each member of an ensemble, as what it would say of one adapter.

The gradient and retrieval lanes are split by the members' weights (`protocol.ensemble`). The span lane looks
at the answer and the Datanet version alone, which the members share: it is asked for once.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.attribution.reports import ReportRefused, check_lane
from protocol.ensemble import ensemble_method, weighted_lane
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import Manifest
from protocol.wire import AttributeResult

WEIGHTED = (Lane.GRADIENT, Lane.RETRIEVAL)


def lanes_of_member(place: int, lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """The lanes to ask for of the member at `place`."""
    return tuple(lanes) if place == 0 else tuple(lane for lane in lanes if lane in WEIGHTED)


def weighted_result(
    results: Sequence[AttributeResult], weights: Sequence[int], manifest: Manifest
) -> AttributeResult:
    """The members' results, in their order, as one; a single one is itself. Raises ReportRefused."""
    first, *others = results
    if not others:
        return first
    methods = {result.method_id for result in results}
    if len(methods) > 1:
        raise ReportRefused(
            "members were attributed by different methods", methods=sorted(one.hex() for one in methods)
        )
    kinds = [lane.lane for lane in first.lanes if lane.lane in WEIGHTED]
    if any([lane.lane for lane in result.lanes] != kinds or result.spans for result in others):
        raise ReportRefused(
            "a member's report has other lanes than are split by weight", members=len(results)
        )
    split = [weighted_lane([_lane_of(one, kind, manifest) for one in results], weights) for kind in kinds]
    if Lane.GRADIENT not in kinds:
        raise ReportRefused("a member's report needs one gradient lane", lanes=len(kinds))
    rest = [lane for lane in first.lanes if lane.lane not in WEIGHTED]
    return AttributeResult(
        ensemble_method(first.method_id),
        tuple(sorted((*split, *rest), key=lambda lane: lane.lane)),
        first.spans,
        first.token_texts,
        influence=tuple(section for result in results for section in result.influence),
        query_codes=tuple(code for result in results for code in result.query_codes),
    )


def _lane_of(result: AttributeResult, kind: Lane, manifest: Manifest) -> LaneUnits:
    found = [lane for lane in result.lanes if lane.lane is kind]
    if len(found) != 1:
        raise ReportRefused(
            "a member's report needs each of its lanes once", lane=kind.name, lanes=len(found)
        )
    check_lane(found[0], manifest)
    return found[0]
