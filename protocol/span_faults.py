"""F1 and F2 as the contract judges them: evidence in, fault or not out. Solidity twin:
contracts/settlement/SpanFaults.sol. Evidence that does not hold proves nothing.
"""

from collections.abc import Sequence

from protocol.hashing import Keccak, tag, words
from protocol.lane_lists import is_omission, lane_hash, span_flaw, spans_flaw
from protocol.merkle import verify
from protocol.report_evidence import (
    ChainFacts,
    Output,
    OutputChunk,
    PlacedRow,
    RowChunk,
    Stated,
    is_row,
    is_stated,
    was_revoked,
)
from protocol.spans import Match
from protocol.tokens import CHUNK_IDS, output_chunk_leaf, row_chunk_leaf
from protocol.types import MAX_UINT32


def false_token(
    facts: ChainFacts,
    stated: Stated,
    spans: Sequence[int],
    place: int,
    offset: int,
    output: Output,
    chunk: OutputChunk,
    row_chunk: RowChunk,
    keccak: Keccak,
) -> bool:
    """F1: token `offset` of the match at `place` differs between output and row."""
    if not _is_open(facts, stated, spans, place, keccak) or not _is_output(stated, output, keccak):
        return False
    word = spans[place]
    start, length, row_start = word >> 96 & MAX_UINT32, word >> 64 & MAX_UINT32, word & MAX_UINT32
    at, row_at = start + offset, row_start + offset
    if offset < 0 or offset >= length or at >= output.count or row_at >= row_chunk.length:
        return False
    if chunk.proof.index != at // CHUNK_IDS or not _is_output_chunk(chunk, output, keccak):
        return False
    if (row_chunk.row, row_chunk.place) != (word >> 32 & MAX_UINT32, row_at // CHUNK_IDS):
        return False
    return _is_row_chunk(facts, row_chunk, keccak) and _id_at(chunk.ids, at) != _id_at(row_chunk.ids, row_at)


def past_row(
    facts: ChainFacts, stated: Stated, spans: Sequence[int], place: int, row_chunk: RowChunk, keccak: Keccak
) -> bool:
    """F1: the match runs past the row's tokens."""
    if not _is_open(facts, stated, spans, place, keccak) or not _is_row_chunk(facts, row_chunk, keccak):
        return False
    word = spans[place]
    end = (word & MAX_UINT32) + (word >> 64 & MAX_UINT32)
    return row_chunk.row == word >> 32 & MAX_UINT32 and end > row_chunk.length


def malformed(facts: ChainFacts, stated: Stated, spans: Sequence[int], place: int, keccak: Keccak) -> bool:
    """F1: the list cannot be a cover, as a whole (`place` 0) or because of the match at `place`."""
    if not is_stated(facts, stated, keccak) or lane_hash(spans, keccak) != stated.span_hash:
        return False
    count = stated.receipt.output_tokens
    if place == 0:
        return bool(spans_flaw(spans, count))
    if not 0 < place < len(spans):
        return False
    return bool(span_flaw(spans, place, count, facts.least_span, facts.row_count))


def false_credit(
    facts: ChainFacts,
    stated: Stated,
    spans: Sequence[int],
    place: int,
    row: PlacedRow,
    canonical: PlacedRow,
    keccak: Keccak,
) -> bool:
    """F1: the cluster is not that of the row, or the credit bit not what the canonical row allows."""
    if not _is_open(facts, stated, spans, place, keccak):
        return False
    word = spans[place]
    if not is_row(facts, row, word >> 32 & MAX_UINT32, keccak):
        return False
    if row.row.cluster != word >> 128 & MAX_UINT32:
        return True
    if not is_row(facts, canonical, row.row.cluster, keccak):
        return False
    granted, digest = canonical.row.granted, canonical.row.digest
    if word >> 160 & 1:
        return not granted or was_revoked(facts, stated, digest)
    return granted and not facts.consent_changes.get(digest, 0)


def false_count(facts: ChainFacts, stated: Stated, output: Output, keccak: Keccak) -> bool:
    """F1: the receipt's token count is not the one that its output root binds."""
    if not is_stated(facts, stated, keccak) or not _is_output(stated, output, keccak):
        return False
    return output.count != stated.receipt.output_tokens


def omission(
    facts: ChainFacts,
    stated: Stated,
    spans: Sequence[int],
    found: Match,
    row: PlacedRow,
    output: Output,
    chunks: Sequence[OutputChunk],
    row_chunks: Sequence[RowChunk],
    keccak: Keccak,
) -> bool:
    """F2: `found` is a match that counts, its row was never withdrawn, and it should be listed."""
    if not is_stated(facts, stated, keccak) or lane_hash(spans, keccak) != stated.span_hash:
        return False
    if not _is_output(stated, output, keccak) or not is_row(facts, row, found.row, keccak):
        return False
    if not row.row.granted or facts.consent_changes.get(row.row.digest, 0):
        return False
    if found.length < facts.least_span or not is_omission(spans, found):
        return False
    if not _are_output_chunks(found, output, chunks, keccak):
        return False
    return _are_row_chunks(facts, found, row_chunks, keccak) and _is_match(found, chunks, row_chunks)


def _is_open(facts: ChainFacts, stated: Stated, spans: Sequence[int], place: int, keccak: Keccak) -> bool:
    known = is_stated(facts, stated, keccak) and lane_hash(spans, keccak) == stated.span_hash
    return known and 0 < place < len(spans)


def _is_output(stated: Stated, output: Output, keccak: Keccak) -> bool:
    digest = keccak(words(tag("output", keccak), output.chunks_root, output.count))
    return digest == stated.receipt.output_root


def _is_output_chunk(chunk: OutputChunk, output: Output, keccak: Keccak) -> bool:
    return verify(output_chunk_leaf(b"".join(chunk.ids), keccak), chunk.proof, output.chunks_root, keccak)


def _is_row_chunk(facts: ChainFacts, chunk: RowChunk, keccak: Keccak) -> bool:
    leaf = row_chunk_leaf(chunk.row, chunk.place, chunk.length, b"".join(chunk.ids), keccak)
    return verify(leaf, chunk.proof, facts.chunks_root, keccak)


def _are_output_chunks(found: Match, output: Output, chunks: Sequence[OutputChunk], keccak: Keccak) -> bool:
    places = list(range(found.start // CHUNK_IDS, (found.end - 1) // CHUNK_IDS + 1))
    if found.end > output.count or [chunk.proof.index for chunk in chunks] != places:
        return False
    return all(_is_output_chunk(chunk, output, keccak) for chunk in chunks)


def _are_row_chunks(facts: ChainFacts, found: Match, chunks: Sequence[RowChunk], keccak: Keccak) -> bool:
    end = found.row_start + found.length
    places = list(range(found.row_start // CHUNK_IDS, (end - 1) // CHUNK_IDS + 1))
    if [chunk.place for chunk in chunks] != places:
        return False
    return all(
        chunk.row == found.row and end <= chunk.length and _is_row_chunk(facts, chunk, keccak)
        for chunk in chunks
    )


def _is_match(found: Match, chunks: Sequence[OutputChunk], row_chunks: Sequence[RowChunk]) -> bool:
    first, row_first = found.start // CHUNK_IDS, found.row_start // CHUNK_IDS
    for offset in range(found.length):
        at, row_at = found.start + offset, found.row_start + offset
        row_ids = row_chunks[row_at // CHUNK_IDS - row_first].ids
        if _id_at(chunks[at // CHUNK_IDS - first].ids, at) != _id_at(row_ids, row_at):
            return False
    return True


def _id_at(ids: Sequence[bytes], place: int) -> int:
    at = 4 * (place % CHUNK_IDS)
    return int.from_bytes(b"".join(ids)[at : at + 4], "big")
