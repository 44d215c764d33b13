"""From a published report and what a watcher has of its indexes to every proof of F9 and F10 that would win.

A section whose index or code the watcher lacks is judged only by its words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protocol.hashing import Keccak
from protocol.index_pages import index_root
from protocol.influence import Influence
from protocol.influence_list import influence_flaw, is_omission, read_influence
from protocol.manifest import Manifest
from protocol.query_code import decode_code, is_code, may_earn, row_of, score_of
from protocol.report_evidence import ChainFacts, FaultProof, Opened, PlacedRow, Stated, placed_row
from protocol.score_faults import (
    Scored,
    omitted_row,
    withheld_row,
    wrong_cluster,
    wrong_index,
    wrong_score,
    wrong_units,
)

JUDGE = "ScoreFaults"


@dataclass(frozen=True, slots=True)
class IndexLeaves:
    """What stands under an index root: the digest of its listing, then the records of decoys and rows."""

    listing_digest: bytes
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KnownScores:
    """The version's manifest, indexes by their root, and codes of queries by their sha256."""

    manifest: Manifest
    indexes: Mapping[bytes, IndexLeaves]
    codes: Mapping[bytes, bytes]


def score_proofs(
    facts: ChainFacts, opened: Opened, stated: Stated, known: KnownScores, keccak: Keccak
) -> Iterator[FaultProof]:
    """Every fault of the gradient lane that is found, the cheapest to prove first."""
    influence, gradient = opened.lists.influence, opened.lists.gradient
    if wrong_units(facts, stated, influence, gradient, keccak):
        yield FaultProof(JUDGE, "proveWrongUnits", (stated, influence, gradient))
    if influence_flaw(influence):
        return
    if wrong_index(facts, stated, influence, keccak):
        yield FaultProof(JUDGE, "proveWrongIndex", (stated, influence))
    for number, section in enumerate(read_influence(influence)):
        yield from _row_proofs(facts, opened, stated, number, section, known.manifest, keccak)
        index, code = known.indexes.get(section.index_root), known.codes.get(section.query_code_hash)
        if index is not None and index.records and code is not None:
            scored = _Scorer(influence, number, index, code, keccak)
            yield from _wrong_scores(facts, stated, section, scored, keccak)
            if is_code(code):
                yield from _omissions(facts, stated, scored, known.manifest, keccak)


@dataclass(frozen=True, slots=True)
class _Scorer:
    """One section with its index and code."""

    influence: tuple[int, ...]
    number: int
    index: IndexLeaves
    code: bytes
    keccak: Keccak

    def at(self, leaf: int) -> Scored:
        """The evidence about the record at a leaf."""
        place = leaf - 1
        _, (proof,) = index_root(self.index.listing_digest, self.index.records, [place], self.keccak)
        return Scored(self.influence, self.number, self.index.records[place], proof, self.code)

    def omitted(self, manifest: Manifest) -> Iterator[int]:
        """Leaves of rows that should be listed and are not."""
        section = read_influence(self.influence)[self.number]
        code = decode_code(self.code)
        for leaf, record in enumerate(self.index.records, start=1):
            row, score = row_of(record), score_of(code, record)
            if score is None or not may_earn(record) or row >= len(manifest.rows):
                continue
            if is_omission(section, manifest.rows[row].cluster, score):
                yield leaf


def _row_proofs(
    facts: ChainFacts,
    opened: Opened,
    stated: Stated,
    number: int,
    section: Influence,
    manifest: Manifest,
    keccak: Keccak,
) -> Iterator[FaultProof]:
    influence, gradient = opened.lists.influence, opened.lists.gradient
    for place, listed in enumerate(section.rows):
        row = _placed(manifest, listed.member, keccak)
        if wrong_cluster(facts, stated, influence, number, place, row, keccak):
            yield FaultProof(
                JUDGE, "proveWrongCluster", (stated, influence, number, place, row.row, row.proof)
            )
        row = _placed(manifest, listed.canonical, keccak)
        if withheld_row(facts, stated, influence, gradient, place, row, keccak):
            yield FaultProof(
                JUDGE, "proveWithheldRow", (stated, influence, gradient, place, row.row, row.proof)
            )


def _wrong_scores(
    facts: ChainFacts, stated: Stated, section: Influence, scored: _Scorer, keccak: Keccak
) -> Iterator[FaultProof]:
    last = len(scored.index.records)
    for place, listed in enumerate(section.rows):
        shown = scored.at(min(listed.leaf, last))
        if wrong_score(facts, stated, shown, place, keccak):
            yield FaultProof(JUDGE, "proveWrongScore", (stated, shown, place))


def _omissions(
    facts: ChainFacts, stated: Stated, scored: _Scorer, manifest: Manifest, keccak: Keccak
) -> Iterator[FaultProof]:
    for leaf in scored.omitted(manifest):
        shown = scored.at(leaf)
        row = _placed(manifest, shown.row, keccak)
        if omitted_row(facts, stated, shown, row, keccak):
            yield FaultProof(JUDGE, "proveOmittedRow", (stated, shown, row.row, row.proof))


def _placed(manifest: Manifest, row: int, keccak: Keccak) -> PlacedRow:
    """The row's record; of one outside the version, which no record shows, the first row's."""
    return placed_row(manifest, row if row < len(manifest.rows) else 0, keccak)
