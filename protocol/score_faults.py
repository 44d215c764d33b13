"""F9 and F10 as the contract judges them: evidence in, fault or not out. Solidity twin:
contracts/settlement/ScoreFaults.sol. Evidence that does not hold proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.hashing import Keccak, sha256
from protocol.index_pages import verify_row
from protocol.influence import Influence
from protocol.influence_list import (
    index_digest,
    influence_flaw,
    is_omission,
    read_influence,
    units_at,
    units_follow,
)
from protocol.lane_lists import lane_hash
from protocol.merkle import Proof
from protocol.query_code import ROW_BYTES, decode_code, is_code, may_earn, row_of, score_of
from protocol.report_evidence import ChainFacts, PlacedRow, Stated, is_row, is_stated


@dataclass(frozen=True, slots=True)
class Scored:
    """A row of the index of one section, with its place under the index root, and the section's code."""

    influence: tuple[int, ...]
    section: int
    record: bytes
    proof: Proof
    code: bytes

    @property
    def row(self) -> int:
        """The number that the record gives its row."""
        return row_of(self.record)

    @property
    def score(self) -> int | None:
        """The record's score under the code; None where the code is malformed or of another shape."""
        return score_of(decode_code(self.code), self.record) if is_code(self.code) else None


def wrong_score(facts: ChainFacts, stated: Stated, scored: Scored, place: int, keccak: Keccak) -> bool:
    """F9: at the listed leaf is another row, or its score is another, it may not earn, or the code does not
    fit the index; or there is no such leaf.
    """
    one = _opened(facts, stated, scored, keccak)
    if one is None or not 0 <= place < len(one.rows):
        return False
    listed = one.rows[place]
    if listed.leaf >= scored.proof.count:
        return True
    if scored.proof.index != listed.leaf:
        return False
    return not may_earn(scored.record) or (scored.row, scored.score) != (listed.member, listed.score)


def omitted_row(facts: ChainFacts, stated: Stated, scored: Scored, row: PlacedRow, keccak: Keccak) -> bool:
    """F9: a row that may earn belongs in the list, and its cluster is missing or listed with less."""
    one = _opened(facts, stated, scored, keccak)
    if one is None or not is_row(facts, row, scored.row, keccak):
        return False
    score = scored.score
    return may_earn(scored.record) and score is not None and is_omission(one, row.row.cluster, score)


def wrong_cluster(
    facts: ChainFacts,
    stated: Stated,
    influence: Sequence[int],
    section: int,
    place: int,
    row: PlacedRow,
    keccak: Keccak,
) -> bool:
    """F9: the listed member is outside the version, or of another cluster."""
    one = _section(facts, stated, influence, section, keccak)
    if one is None or not 0 <= place < len(one.rows):
        return False
    listed = one.rows[place]
    if listed.member >= facts.row_count:
        return True
    return is_row(facts, row, listed.member, keccak) and row.row.cluster != listed.canonical


def wrong_index(facts: ChainFacts, stated: Stated, influence: Sequence[int], keccak: Keccak) -> bool:
    """F9: the scores are of another index than the model registered."""
    if _section(facts, stated, influence, 0, keccak) is None:
        return False
    roots = [section.index_root for section in read_influence(influence)]
    return index_digest(roots) != facts.index_digest


def wrong_units(
    facts: ChainFacts, stated: Stated, influence: Sequence[int], gradient: Sequence[int], keccak: Keccak
) -> bool:
    """F10: the influence list is malformed, or the gradient list cannot follow from it."""
    if not is_stated(facts, stated, keccak) or lane_hash(influence, keccak) != stated.influence_hash:
        return False
    if lane_hash(gradient, keccak) != stated.gradient_hash:
        return False
    return not units_follow(influence, gradient)


def withheld_row(
    facts: ChainFacts,
    stated: Stated,
    influence: Sequence[int],
    gradient: Sequence[int],
    place: int,
    row: PlacedRow,
    keccak: Keccak,
) -> bool:
    """F10: the row at `place` of the only section should have units and has none, though its consent was
    never withdrawn.
    """
    one = _section(facts, stated, influence, 0, keccak)
    if one is None or lane_hash(gradient, keccak) != stated.gradient_hash:
        return False
    if len(read_influence(influence)) > 1 or not 0 <= place < len(one.rows):
        return False
    canonical = one.rows[place].canonical
    if not units_at(one, place) or any(word >> 64 == canonical for word in gradient[1:]):
        return False
    if not is_row(facts, row, canonical, keccak):
        return False
    return row.row.granted and not facts.consent_changes.get(row.row.digest, 0)


def _opened(facts: ChainFacts, stated: Stated, scored: Scored, keccak: Keccak) -> Influence | None:
    one = _section(facts, stated, scored.influence, scored.section, keccak)
    if one is None or sha256(scored.code) != one.query_code_hash or len(scored.record) < ROW_BYTES:
        return None
    return one if verify_row(scored.record, scored.proof, one.index_root, keccak) else None


def _section(
    facts: ChainFacts, stated: Stated, influence: Sequence[int], number: int, keccak: Keccak
) -> Influence | None:
    if not is_stated(facts, stated, keccak) or lane_hash(influence, keccak) != stated.influence_hash:
        return None
    if influence_flaw(influence):
        return None
    sections = read_influence(influence)
    return sections[number] if 0 <= number < len(sections) else None
