"""From a published report and what a watcher knows to every proof that would win.

Nothing is yielded that the twins of the judges do not accept, so no watcher pays for a proof that reverts.
What a watcher does not know (the output, gated rows) it cannot check.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.hashing import Keccak
from protocol.lane_lists import is_omission, read_span
from protocol.manifest import GRANTED, Manifest
from protocol.report_evidence import (
    ChainFacts,
    FaultProof,
    Opened,
    Stated,
    output_chunk,
    output_of,
    placed_entry,
    placed_row,
    row_chunk,
)
from protocol.score_watch import IndexLeaves, KnownScores, score_proofs
from protocol.share_faults import foreign_row, wrong_row, wrong_shares, wrong_version
from protocol.span_faults import false_count, false_credit, false_token, malformed, omission, past_row
from protocol.spans import Match
from protocol.tokens import CHUNK_IDS


@dataclass(frozen=True, slots=True)
class Known:
    """What a watcher has: the version's manifest, its rows' tokens as registered (none for a gated row), the
    output where it is the payer or was given it, the leaves of indexes by root, and queries' codes by hash.
    """

    manifest: Manifest
    rows: Sequence[Sequence[int]]
    output: Sequence[int] | None = None
    indexes: Mapping[bytes, IndexLeaves] = field(default_factory=dict)
    codes: Mapping[bytes, bytes] = field(default_factory=dict)


def proofs(facts: ChainFacts, opened: Opened, known: Known, keccak: Keccak) -> Iterator[FaultProof]:
    """Every fault found, the cheapest to prove first."""
    stated = opened.stated(keccak)
    if wrong_version(facts, stated, keccak):
        yield FaultProof("ShareFaults", "proveWrongVersion", (stated,))
    yield from _share_proofs(facts, opened, stated, keccak)
    yield from _entry_proofs(facts, opened, stated, known, keccak)
    yield from _listed_proofs(facts, opened, stated, known, keccak)
    scores = KnownScores(known.manifest, known.indexes, known.codes)
    yield from score_proofs(facts, opened, stated, scores, keccak)
    if known.output is not None:
        yield from _token_proofs(facts, opened, stated, known, known.output, keccak)
        yield from _omission_proofs(facts, opened, stated, known, known.output, keccak)


def _share_proofs(facts: ChainFacts, opened: Opened, stated: Stated, keccak: Keccak) -> Iterator[FaultProof]:
    for index in range(len(opened.entries)):
        entry = placed_entry(opened.entries, index, keccak)
        if wrong_shares(facts, stated, opened.lists, entry, keccak):
            yield FaultProof("ShareFaults", "proveWrongShares", (stated, opened.lists, entry))


def _entry_proofs(
    facts: ChainFacts, opened: Opened, stated: Stated, known: Known, keccak: Keccak
) -> Iterator[FaultProof]:
    for index in range(len(opened.entries)):
        entry = placed_entry(opened.entries, index, keccak)
        if foreign_row(facts, stated, entry, keccak):
            yield FaultProof("ShareFaults", "proveForeignRow", (stated, entry))
        elif entry.row < len(known.manifest.rows):
            row = placed_row(known.manifest, entry.row, keccak)
            if wrong_row(facts, stated, entry, row, keccak):
                yield FaultProof("ShareFaults", "proveWrongRow", (stated, entry, row.row, row.proof))


def _listed_proofs(
    facts: ChainFacts, opened: Opened, stated: Stated, known: Known, keccak: Keccak
) -> Iterator[FaultProof]:
    spans = opened.lists.span
    for place in range(max(1, len(spans))):
        if malformed(facts, stated, spans, place, keccak):
            yield FaultProof("SpanFaults", "proveMalformed", (stated, spans, place))
    for place, listed in _listed(spans, known):
        row = placed_row(known.manifest, listed.row, keccak)
        canonical = placed_row(known.manifest, row.row.cluster, keccak)
        if false_credit(facts, stated, spans, place, row, canonical, keccak):
            yield FaultProof("SpanFaults", "proveFalseCredit", (stated, spans, place, row, canonical))
        if known.rows[listed.row]:
            chunk = row_chunk(known.rows, listed.row, 0, keccak)
            if past_row(facts, stated, spans, place, chunk, keccak):
                yield FaultProof("SpanFaults", "provePastRow", (stated, spans, place, chunk))


def _token_proofs(
    facts: ChainFacts, opened: Opened, stated: Stated, known: Known, ids: Sequence[int], keccak: Keccak
) -> Iterator[FaultProof]:
    spans, output = opened.lists.span, output_of(ids, keccak)
    if false_count(facts, stated, output, keccak):
        yield FaultProof("SpanFaults", "proveFalseCount", (stated, output))
    for place, listed in _listed(spans, known):
        source = known.rows[listed.row]
        for offset in range(min(listed.length, len(ids) - listed.start, len(source) - listed.row_start)):
            at, row_at = listed.start + offset, listed.row_start + offset
            if ids[at] == source[row_at]:
                continue
            chunk = output_chunk(ids, at // CHUNK_IDS, keccak)
            from_row = row_chunk(known.rows, listed.row, row_at // CHUNK_IDS, keccak)
            if false_token(facts, stated, spans, place, offset, output, chunk, from_row, keccak):
                evidence = (stated, spans, place, offset, output, chunk, from_row)
                yield FaultProof("SpanFaults", "proveFalseToken", evidence)
            break


def _omission_proofs(
    facts: ChainFacts, opened: Opened, stated: Stated, known: Known, ids: Sequence[int], keccak: Keccak
) -> Iterator[FaultProof]:
    spans, output = opened.lists.span, output_of(ids, keccak)
    for whole in true_matches(known, ids, facts.least_span):
        found = shortest_omission(spans, whole, facts.least_span)
        if found is None:
            continue
        row = placed_row(known.manifest, found.row, keccak)
        chunks = [output_chunk(ids, place, keccak) for place in _chunks(found.start, found.length)]
        from_row = [
            row_chunk(known.rows, found.row, place, keccak)
            for place in _chunks(found.row_start, found.length)
        ]
        if omission(facts, stated, spans, found, row, output, chunks, from_row, keccak):
            evidence = (stated, spans, found, row, output, chunks, from_row)
            yield FaultProof("SpanFaults", "proveOmission", evidence)


def true_matches(known: Known, ids: Sequence[int], least: int) -> Iterator[Match]:
    """Every maximal match of at least `least` tokens with a granted row, straight from the definition."""
    for row, source in enumerate(known.rows):
        if known.manifest.rows[row].consent != GRANTED:
            continue
        for start in range(len(ids)):
            for at in range(len(source)):
                if start and at and ids[start - 1] == source[at - 1]:
                    continue
                length = 0
                while (
                    start + length < len(ids)
                    and at + length < len(source)
                    and ids[start + length] == source[at + length]
                ):
                    length += 1
                if length >= least:
                    yield Match(start, length, row, at)


def shortest_omission(spans: Sequence[int], whole: Match, least: int) -> Match | None:
    """The shortest part of a true match that is itself an omission: the fewer tokens, the fewer chunks."""
    for length in range(least, whole.length + 1):
        for cut in range(whole.length - length + 1):
            part = Match(whole.start + cut, length, whole.row, whole.row_start + cut)
            if is_omission(spans, part):
                return part
    return None


def _listed(spans: Sequence[int], known: Known) -> Iterator[tuple[int, Match]]:
    for place, word in enumerate(spans[1:], start=1):
        span = read_span(word)
        if span is not None and span.match.row < len(known.manifest.rows):
            yield place, span.match


def _chunks(start: int, length: int) -> range:
    return range(start // CHUNK_IDS, (start + length - 1) // CHUNK_IDS + 1)
