"""Proofs at the depth of a busy network: receipts, rows and token chunks in trees of 2^17 leaves.

Only the corner that a proof needs is a real tree; above it every sibling is made up, which costs the contract
the same.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from node.chain.keccak import keccak
from protocol.attribution import entries_root, merge, report_root
from protocol.hashing import from_hex, tag, words
from protocol.index_pages import CodeShape, head_payload, row_payload
from protocol.influence_list import influence_words
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import GRANTED
from protocol.manifest import row_payload as version_payload
from protocol.merkle import Proof, prove
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.receipt import output_root, receipt_leaf
from protocol.report_evidence import (
    FaultProof,
    Opened,
    PlacedRow,
    RowChunk,
    RowRecord,
    Stated,
    output_chunk,
    output_of,
    placed_entry,
)
from protocol.score_faults import Scored
from protocol.spans import Match, SpanFinds
from protocol.sumtree import SumLeaf, SumProof, climb, record_digest
from protocol.tokens import chunk_words, row_chunk_leaf, token_chunks
from protocol.types import MAX_UINT64
from tests.contracts.datanets import create, publish, registry
from tests.contracts.epochs import Ledger
from tests.contracts.models.test_model_registry import TOKENIZER, register_base, register_model
from tests.contracts.reports import call_of, fund_epoch, state
from tests.contracts.seals import prove_sealed
from tests.contracts.world import World, rewound
from tests.protocol.indexes import ScoredIndex, kept_rows, scored_index, scores_of
from tests.protocol.records import manifest, receipt, word
from tests.protocol.scenes import KEY

DEPTH = 17
SHAPE = CodeShape(3, 1024, 48)
CORNER = 64
ROWS, SPANS, SPAN = 20, 20, 12
TAIL, TAIL_FROM = 14, 25


def deep_proofs(
    world: World, ledger: Ledger, spans: int = SPANS, with_retrieval: bool = False
) -> dict[str, int]:
    """Gas of each proof by its key in the snapshot; the chain is left as it was."""
    costs = {}
    with rewound(world):
        stage = _Stage(world, ledger, spans, with_retrieval)
        for proof in stage.proofs():
            with rewound(world):
                stage.state(proof.arguments[0])
                gas = prove_sealed(world, call_of(world, proof)).gas
                costs[f"{proof.judge}.{proof.function} (depth {DEPTH})"] = gas
    return costs


class _Stage:
    """A report with full lists, and the deep trees that its rows, chunks and receipt stand in."""

    def __init__(self, world: World, ledger: Ledger, spans: int, with_retrieval: bool) -> None:
        self.world, self.ledger = world, ledger
        self.manifest = manifest([1 + row % 5 for row in range(ROWS + 5)])
        self.rows = [tuple(range(100 * row, 100 * row + 64)) for row in range(len(self.manifest.rows))]
        matches = tuple(Match(at * SPAN, SPAN, at % ROWS, at // ROWS * SPAN) for at in range(spans))
        covered = [self.rows[one.row][one.row_start : one.row_start + SPAN] for one in matches]
        tail = self.rows[0][TAIL_FROM : TAIL_FROM + TAIL]
        self.output = tuple(token for part in (*covered, tail) for token in part)
        self.scored = _scored(len(self.manifest.rows))
        lanes: list[LaneUnits | SpanFinds] = [
            self.scored.influence.lane(),
            SpanFinds(matches, len(self.output), True),
        ]
        if with_retrieval:
            lanes.append(_units(Lane.RETRIEVAL))
        self.report = merge(lanes, DEFAULT_WEIGHTS, self.manifest, bytes(32), (), [self.scored.influence])
        self.receipt = replace(
            receipt(price=10**15),
            node=world.plain("node"),
            model_id=1,
            datanet_version_key=KEY,
            output_root=output_root(self.output, keccak),
            output_tokens=len(self.output),
            parameters_version=1,
        )
        self._register()
        self.epoch = fund_epoch(ledger)

    def proofs(self) -> Iterator[FaultProof]:
        """One winning proof of each kind."""
        yield from self._span_proofs()
        yield from self._share_proofs()
        yield from self._score_proofs()

    def _span_proofs(self) -> Iterator[FaultProof]:
        spans, output = self.report.lists.span, output_of(self.output, keccak)
        of_row, row = self._row_chunk(0, 0), self._row(0)

        def lie(function: str, place: int, change: int, *rest: Any) -> FaultProof:
            words_ = (*spans[:place], spans[place] ^ change, *spans[place + 1 :])
            stated = self._opened(lists=replace(self.report.lists, span=words_))
            return FaultProof("SpanFaults", function, (stated, words_, place, *rest))

        yield lie("proveFalseToken", 1, 1, 0, output, output_chunk(self.output, 0, keccak), of_row)
        yield lie("provePastRow", 1, 63, of_row)
        yield lie("proveMalformed", len(spans) - 1, 1 << 161)
        yield lie("proveFalseCredit", 1, 1 << 160, row, row)
        yield FaultProof("SpanFaults", "proveFalseCount", (self._opened(output_tokens=9), output))
        start = len(self.output) - TAIL
        found = Match(start, TAIL, 0, TAIL_FROM)
        places = range(start // 32, (found.end - 1) // 32 + 1)
        chunks = [output_chunk(self.output, place, keccak) for place in places]
        rows = [self._row_chunk(0, 0), self._row_chunk(0, 1)]
        evidence = (self._opened(), spans, found, row, output, chunks, rows)
        yield FaultProof("SpanFaults", "proveOmission", evidence)

    def _share_proofs(self) -> Iterator[FaultProof]:
        stated = self.report.stated
        row, stranger = self._row(0), self.manifest.rows[1].owner
        spoiled = (*stated[:-2], replace(stated[-2], ppm=1), stated[-1])
        entry = placed_entry(spoiled, len(stated) - 2, keccak)
        evidence = (self._opened(spoiled), self.report.lists, entry)
        yield FaultProof("ShareFaults", "proveWrongShares", evidence)
        foreign = (replace(stated[0], row=2**17), *stated[1:])
        evidence = (self._opened(foreign), placed_entry(foreign, 0, keccak))
        yield FaultProof("ShareFaults", "proveForeignRow", evidence)
        stolen = (replace(stated[0], owner=stranger), *stated[1:])
        entry = placed_entry(stolen, 0, keccak)
        evidence = (self._opened(stolen), entry, row.row, row.proof)
        yield FaultProof("ShareFaults", "proveWrongRow", evidence)
        yield FaultProof("ShareFaults", "proveWrongVersion", (self._opened(model_id=9),))

    def _score_proofs(self) -> Iterator[FaultProof]:
        lists, told = self.report.lists, self.scored.influence
        first = told.rows[0]
        row = self._row(first.member)

        def lie(function: str, words_: tuple[int, ...], *rest: Any) -> FaultProof:
            stated = self._opened(lists=replace(lists, influence=words_))
            return FaultProof("ScoreFaults", function, (stated, words_, *rest))

        def other(**changes: Any) -> tuple[int, ...]:
            return influence_words([replace(told, rows=(replace(first, **changes), *told.rows[1:]))])

        for function, words_, rest in (
            ("proveWrongScore", other(score=first.score + 1), (0,)),
            ("proveOmittedRow", influence_words([replace(told, rows=told.rows[1:])]), (row.row, row.proof)),
        ):
            stated = self._opened(lists=replace(lists, influence=words_))
            yield FaultProof("ScoreFaults", function, (stated, self._shown(words_, first.leaf), *rest))
        foreign = self._row(first.member + 1)
        words_ = other(member=first.member + 1)
        yield lie("proveWrongCluster", words_, 0, 0, foreign.row, foreign.proof)
        yield lie("proveWrongIndex", (lists.influence[0] ^ 1, *lists.influence[1:]))
        head, one, *more = lists.gradient
        wrong = (head, one + 1, *more)
        stated = self._opened(lists=replace(lists, gradient=wrong))
        yield FaultProof("ScoreFaults", "proveWrongUnits", (stated, lists.influence, wrong))
        withheld = (head + (one & MAX_UINT64), *more)
        stated = self._opened(lists=replace(lists, gradient=withheld))
        place = next(at for at, listed in enumerate(told.rows) if listed.canonical == one >> 64)
        row = self._row(one >> 64)
        evidence = (stated, lists.influence, withheld, place, row.row, row.proof)
        yield FaultProof("ScoreFaults", "proveWithheldRow", evidence)

    def _shown(self, words_: tuple[int, ...], leaf: int) -> Scored:
        record = self.scored.leaves.records[leaf - 1]
        return Scored(words_, 0, record, _deep(_payloads(self.scored), leaf), self.scored.code)

    def state(self, stated: Stated) -> None:
        """Publishes the statement that holds the proof's receipt."""
        climbed = climb(receipt_leaf(stated.receipt, keccak), stated.place, keccak)
        assert climbed is not None
        state(self.ledger, self.epoch, record_digest(climbed[0], stated.place.count, climbed[1], keccak))

    def _opened(self, entries: Any = None, lists: Any = None, **changes: Any) -> Stated:
        entries, lists = entries or self.report.stated, lists or self.report.lists
        root = report_root(entries_root(entries, keccak), lists, keccak)
        one = replace(self.receipt, attribution_root=root, **changes)
        return Opened(self.epoch, one, _deep_sum(receipt_leaf(one, keccak)), entries, lists).stated(keccak)

    def _register(self) -> None:
        datanet = create(self.world, "curator")
        leaves = [version_payload(row, keccak) for row in self.manifest.rows]
        roots = {"root": bytes([1]) * 32, "rows_root": _deep_root(leaves[0], _deep(leaves, 0))}
        publish(self.world, datanet, "curator", rows=2**DEPTH, **roots)
        chunks = _deep_root(self._chunk_leaves()[0], _deep(self._chunk_leaves(), 0))
        call = registry(self.world).functions.registerTokenChunks(datanet, 1, TOKENIZER, chunks, 2**DEPTH)
        self.world.send(call, "curator")
        terms = {"datanetVersionKey": KEY, "minSpanTokens": SPAN, "indexDigest": self.scored.root}
        register_model(self.world, register_base(self.world), **terms)

    def _row(self, index: int) -> PlacedRow:
        row = self.manifest.rows[index]
        leaves = [version_payload(one, keccak) for one in self.manifest.rows]
        record = RowRecord(from_hex(row.digest, 32), row.owner, row.cluster, row.consent == GRANTED)
        return PlacedRow(record, _deep(leaves, index))

    def _row_chunk(self, row: int, place: int) -> RowChunk:
        ids = self.rows[row]
        proof = _deep(self._chunk_leaves(), 2 * row + place)
        return RowChunk(row, place, len(ids), chunk_words(token_chunks(ids)[place]), proof)

    def _chunk_leaves(self) -> list[bytes]:
        return [
            row_chunk_leaf(row, place, len(ids), chunk, keccak)
            for row, ids in enumerate(self.rows)
            for place, chunk in enumerate(token_chunks(ids))
        ]


def _scored(rows: int) -> ScoredIndex:
    """Three checkpoints, 48 losses, and a full list."""
    found = scored_index(random.Random(1), range(rows), range(rows), SHAPE)
    threshold = min(scores_of(found.leaves, found.code)) - 1
    payloads = _payloads(found)
    influence = replace(
        found.influence,
        index_root=_deep_root(payloads[1], _deep(payloads, 1)),
        measured=replace(found.influence.measured, threshold=threshold),
        rows=kept_rows(found.leaves, found.code, range(rows), threshold),
    )
    assert len(influence.rows) == ROWS
    return replace(found, influence=influence)


def _payloads(found: ScoredIndex) -> list[bytes]:
    records = (row_payload(record, keccak) for record in found.leaves.records)
    return [head_payload(found.leaves.listing_digest, keccak), *records]


def _units(lane: Lane) -> LaneUnits:
    return LaneUnits(lane, tuple((row, 10**9 + row) for row in range(ROWS)), 10**9, True)


def _deep(payloads: list[bytes], index: int) -> Proof:
    """The proof of a leaf in the left corner of a tree of 2^DEPTH leaves."""
    corner = [*payloads, *[word("pad")] * (CORNER - len(payloads))]
    path = prove(corner, index, keccak).path
    return Proof(index, 2**DEPTH, (*path, *(word("sibling", level) for level in range(DEPTH - len(path)))))


def _deep_root(payload: bytes, proof: Proof) -> bytes:
    digest = keccak(words(tag("leaf", keccak), payload))
    for level, sibling in enumerate(proof.path):
        pair = (sibling, digest) if proof.index >> level & 1 else (digest, sibling)
        digest = keccak(words(tag("node", keccak), *pair))
    return keccak(words(tag("root", keccak), digest, proof.count))


def _deep_sum(leaf: SumLeaf) -> SumProof:
    assert leaf.amount
    path = tuple((word("receipt", level), 10**18 + level) for level in range(DEPTH))
    return SumProof(2**DEPTH // 3, 2**DEPTH, path)
