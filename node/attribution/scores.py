"""The scores behind a worker's gradient lane, checked against what this node knows: the manifest's clusters
and the one rule from scores to units. Which index they are of, the node says by the root that it computed.

The scores themselves are recomputed by whoever doubts them, from the query's code, which is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node.attribution.ensembles import weighted_result
from node.attribution.reports import ReportRefused
from node.serving.model import Source
from protocol.hashing import ZERO_WORD, from_hex, sha256
from protocol.influence import Influence
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import Manifest
from protocol.wire import AttributeResult


def result_of(
    results: Sequence[AttributeResult], sources: Sequence[Source], manifest: Manifest
) -> AttributeResult:
    """What a model's adapters were attributed to, checked and as one. Raises ReportRefused."""
    roots = [from_hex(source.index_root, 32) for source in sources]
    scored = scored_results(results, roots, manifest)
    return weighted_result(scored, [source.ppm for source in sources], manifest)


def scored_results(
    results: Sequence[AttributeResult], roots: Sequence[bytes], manifest: Manifest
) -> list[AttributeResult]:
    """The members' results with the roots of their indexes; ReportRefused unless each gradient lane follows
    from its scores.
    """
    for result in results:
        _check_member(result, manifest)
    scored = sum(len(result.influence) for result in results)
    if scored not in (0, len(results)):
        raise ReportRefused(
            "some members have scores and some have none", members=len(results), scored=scored
        )
    return [
        replace(result, influence=tuple(replace(one, index_root=root) for one in result.influence))
        for result, root in zip(results, roots, strict=True)
    ]


def _check_member(result: AttributeResult, manifest: Manifest) -> None:
    gradient = next((lane for lane in result.lanes if lane.lane is Lane.GRADIENT and lane.ran), None)
    if gradient is None:
        if result.influence or result.query_codes:
            raise ReportRefused("scores without a gradient lane", sections=len(result.influence))
        return
    if len(result.influence) != 1 or len(result.query_codes) != 1:
        raise ReportRefused("a gradient lane needs its scores and its code", sections=len(result.influence))
    influence = result.influence[0]
    if influence.index_root != ZERO_WORD:
        raise ReportRefused("a worker names no index root", root=influence.index_root.hex())
    code_hash = sha256(result.query_codes[0])
    if code_hash != influence.query_code_hash:
        raise ReportRefused("scores of another code", code=code_hash.hex(), stated=influence.query_code_hash)
    _check_clusters(influence, manifest)
    _check_units(gradient, influence.lane())


def _check_clusters(influence: Influence, manifest: Manifest) -> None:
    count = len(manifest.rows)
    for row in influence.rows:
        if row.member >= count or manifest.rows[row.member].cluster != row.canonical:
            raise ReportRefused("a scored row is not of its cluster", row=row.member, cluster=row.canonical)


def _check_units(stated: LaneUnits, expected: LaneUnits) -> None:
    if (sorted(stated.units), stated.unattributed) != (sorted(expected.units), expected.unattributed):
        raise ReportRefused(
            "the gradient lane is not what its scores make", units=stated.units, expected=expected.units
        )
