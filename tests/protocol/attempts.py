"""True evidence of every kind about a report, wrong or not, and what the twins say to each."""

from collections.abc import Iterator

from eth_hash.auto import keccak

from protocol.index_pages import index_root
from protocol.lane_lists import read_span
from protocol.report_evidence import (
    ChainFacts,
    FaultProof,
    Opened,
    PlacedRow,
    output_chunk,
    output_of,
    placed_entry,
    placed_row,
    row_chunk,
)
from protocol.report_watch import Known, true_matches
from protocol.score_faults import (
    Scored,
    omitted_row,
    withheld_row,
    wrong_cluster,
    wrong_index,
    wrong_score,
    wrong_units,
)
from protocol.share_faults import foreign_row, wrong_row, wrong_shares, wrong_version
from protocol.span_faults import false_count, false_credit, false_token, malformed, omission, past_row
from tests.protocol.scenes import Scene

REFUSALS = {"ReportJudgeNoFault", "ReportJudgeNotProven"}
TWINS = {
    "proveWrongVersion": wrong_version,
    "proveWrongShares": wrong_shares,
    "proveForeignRow": foreign_row,
    "proveMalformed": malformed,
    "proveFalseCredit": false_credit,
    "provePastRow": past_row,
    "proveFalseToken": false_token,
    "proveFalseCount": false_count,
    "proveOmission": omission,
    "proveWrongScore": wrong_score,
    "proveWrongIndex": wrong_index,
    "proveWrongUnits": wrong_units,
}
# Their contracts take a row's record and its proof one after the other.
ROW_TWINS = {
    "proveWrongRow": wrong_row,
    "proveOmittedRow": omitted_row,
    "proveWrongCluster": wrong_cluster,
    "proveWithheldRow": withheld_row,
}


def verdict(facts: ChainFacts, proof: FaultProof) -> bool:
    """What the twin of the proof's judge says."""
    if proof.function in ROW_TWINS:
        *evidence, row, place = proof.arguments
        twin = ROW_TWINS[proof.function]
        return twin(facts, *evidence, PlacedRow(row, place), keccak)  # type: ignore[operator,no-any-return]
    return TWINS[proof.function](facts, *proof.arguments, keccak)  # type: ignore[operator,no-any-return]


def attempts(made: Scene, one: Opened) -> Iterator[FaultProof]:
    """Every proof that could be shown with true evidence about this report."""
    stated = one.stated(keccak)
    yield FaultProof("ShareFaults", "proveWrongVersion", (stated,))
    for index, entry in enumerate(one.entries):
        placed = placed_entry(one.entries, index, keccak)
        yield FaultProof("ShareFaults", "proveWrongShares", (stated, one.lists, placed))
        yield FaultProof("ShareFaults", "proveForeignRow", (stated, placed))
        if entry.row < len(made.rows):
            row = placed_row(made.manifest, entry.row, keccak)
            yield FaultProof("ShareFaults", "proveWrongRow", (stated, placed, row.row, row.proof))
    yield from _score_attempts(made, one)
    yield from _span_attempts(made, one)


def _score_attempts(made: Scene, one: Opened) -> Iterator[FaultProof]:
    stated, lists, scored = one.stated(keccak), one.lists, made.scored
    influence, gradient, leaves = lists.influence, lists.gradient, scored.leaves
    yield FaultProof("ScoreFaults", "proveWrongIndex", (stated, influence))
    yield FaultProof("ScoreFaults", "proveWrongUnits", (stated, influence, gradient))
    _, paths = index_root(leaves.listing_digest, leaves.records, range(len(leaves.records)), keccak)
    shown = [
        Scored(influence, 0, record, path, scored.code)
        for record, path in zip(leaves.records, paths, strict=True)
    ]
    for place, listed in enumerate(scored.influence.rows):
        yield FaultProof("ScoreFaults", "proveWrongScore", (stated, shown[listed.leaf - 1], place))
        row = placed_row(made.manifest, listed.member, keccak)
        evidence = (stated, influence, 0, place, row.row, row.proof)
        yield FaultProof("ScoreFaults", "proveWrongCluster", evidence)
        row = placed_row(made.manifest, listed.canonical, keccak)
        evidence = (stated, influence, gradient, place, row.row, row.proof)
        yield FaultProof("ScoreFaults", "proveWithheldRow", evidence)
    for one_shown in shown:
        row = placed_row(made.manifest, one_shown.row, keccak)
        yield FaultProof("ScoreFaults", "proveOmittedRow", (stated, one_shown, row.row, row.proof))


def _span_attempts(made: Scene, one: Opened) -> Iterator[FaultProof]:
    stated, spans, output = one.stated(keccak), one.lists.span, output_of(made.output, keccak)
    yield FaultProof("SpanFaults", "proveFalseCount", (stated, output))
    yield FaultProof("SpanFaults", "proveMalformed", (stated, spans, 0))
    for place, word in enumerate(spans[1:], start=1):
        span = read_span(word)
        assert span is not None
        match = span.match
        yield FaultProof("SpanFaults", "proveMalformed", (stated, spans, place))
        row = placed_row(made.manifest, match.row, keccak)
        canonical = placed_row(made.manifest, row.row.cluster, keccak)
        yield FaultProof("SpanFaults", "proveFalseCredit", (stated, spans, place, row, canonical))
        chunk = row_chunk(made.rows, match.row, match.row_start // 32, keccak)
        yield FaultProof("SpanFaults", "provePastRow", (stated, spans, place, chunk))
        of_output = output_chunk(made.output, match.start // 32, keccak)
        evidence = (stated, spans, place, 0, output, of_output, chunk)
        yield FaultProof("SpanFaults", "proveFalseToken", evidence)
    known = Known(made.manifest, made.rows, made.output)
    for match in list(true_matches(known, made.output, 3))[:12]:
        chunks = [output_chunk(made.output, at, keccak) for at in _chunks(match.start, match.length)]
        rows = [row_chunk(made.rows, match.row, at, keccak) for at in _chunks(match.row_start, match.length)]
        row = placed_row(made.manifest, match.row, keccak)
        yield FaultProof("SpanFaults", "proveOmission", (stated, spans, match, row, output, chunks, rows))


def _chunks(start: int, length: int) -> range:
    return range(start // 32, (start + length - 1) // 32 + 1)
