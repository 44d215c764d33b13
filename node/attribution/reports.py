"""What a worker says about sources, checked against what this node knows, then merged into one report.

A worker proposes; it cannot name a row outside the manifest, list more rows than the rule allows, or claim
a span that its own matches do not make or that the row's tokens do not hold. What fails a check is refused
whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from node.errors import IntegrityError
from protocol.attribution import (
    MAX_ROWS_PER_LANE,
    AttributionReport,
    Lane,
    LaneUnits,
    merge,
    unattributed_report,
)
from protocol.errors import ProtocolError
from protocol.manifest import Manifest
from protocol.spans import Match, SpanFinds, least_tokens, span_units
from protocol.wire import AttributeResult


class ReportRefused(IntegrityError):
    """The worker's attribution contradicts the manifest, the answer or itself."""


def build_report(
    result: AttributeResult,
    manifest: Manifest,
    weights: Mapping[Lane, int],
    output_ids: Sequence[int],
    min_span_tokens: int,
    row_tokens: Mapping[int, Sequence[int]],
    revoked: Collection[int] = (),
    members: int = 1,
) -> AttributionReport:
    """The report of one answer; ReportRefused where a check fails.

    `row_tokens` holds the token ids of the open rows that this node has; spans in other rows are taken as
    claimed, since anyone who holds the row can disprove them on chain. `revoked` are canonical rows whose
    consent the chain has seen withdrawn since the version was published. `members` is of how many adapters
    a lane may name rows; the report names no more of them than of one.
    """
    try:
        for lane in result.lanes:
            check_lane(lane, manifest, members * MAX_ROWS_PER_LANE)
        check_spans(result, output_ids, min_span_tokens, row_tokens)
        lanes = lanes_of(result, len(output_ids))
        return merge(lanes, weights, manifest, result.method_id, revoked, result.influence)
    except ProtocolError as error:
        raise ReportRefused(f"the worker's report is inconsistent: {error}") from error


def lanes_of(result: AttributeResult, output_tokens: int) -> list[LaneUnits | SpanFinds]:
    """The lanes as a report counts them: the span lane by its matches."""
    return [
        SpanFinds(result.spans, output_tokens, lane.ran) if lane.lane is Lane.SPAN else lane
        for lane in result.lanes
    ]


def check_lane(lane: LaneUnits, manifest: Manifest, most: int = MAX_ROWS_PER_LANE) -> None:
    """Raise unless the lane names at most `most` rows, all of them in the manifest, and found something only
    if it ran.
    """
    if len(lane.units) > most:
        raise ReportRefused("a lane lists too many rows", lane=lane.lane.name, rows=len(lane.units))
    outside = [row for row, _ in lane.units if not 0 <= row < len(manifest.rows)]
    if outside:
        raise ReportRefused("a lane names rows outside the manifest", lane=lane.lane.name, rows=outside)
    if not lane.ran and lane.units:
        raise ReportRefused("a lane that did not run found rows", lane=lane.lane.name)


def check_spans(
    result: AttributeResult,
    output_ids: Sequence[int],
    min_span_tokens: int,
    row_tokens: Mapping[int, Sequence[int]],
) -> None:
    """Raise unless the span lane is exactly what its matches make, and each match is one."""
    lane = next((lane for lane in result.lanes if lane.lane is Lane.SPAN and lane.ran), None)
    if lane is None:
        if result.spans:
            raise ReportRefused("spans without a span lane", spans=len(result.spans))
        return
    for match in result.spans:
        _check_match(match, output_ids, min_span_tokens, row_tokens)
    expected = span_units(result.spans, len(output_ids))
    if (sorted(lane.units), lane.unattributed) != (sorted(expected.units), expected.unattributed):
        raise ReportRefused(
            "the span lane is not what its spans make", units=lane.units, expected=expected.units
        )


def _check_match(
    match: Match, output_ids: Sequence[int], min_span_tokens: int, row_tokens: Mapping[int, Sequence[int]]
) -> None:
    minimum = least_tokens(min_span_tokens)
    if match.length < minimum:
        raise ReportRefused("a span is too short", length=match.length, minimum=minimum)
    found = tuple(output_ids[match.start : match.start + match.length])
    if len(found) != match.length:
        raise ReportRefused("a span runs past the answer", start=match.start, length=match.length)
    if match.row not in row_tokens:
        return
    source = tuple(row_tokens[match.row][match.row_start : match.row_start + match.length])
    if source != found:
        raise ReportRefused("a span is not in its row", row=match.row, start=match.start, length=match.length)


def report_without_sources() -> AttributionReport:
    """The honest report of an answer whose sources could not be determined: nothing is attributed."""
    return unattributed_report()
