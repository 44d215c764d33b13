"""Proofs at the depth of a busy network: receipts, rows and token chunks in trees of 2^17 leaves.

Only the corner that a proof needs is a real tree; above it every sibling is made up, which costs the contract
the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from node.chain.keccak import keccak
from protocol.attribution import entries_root, merge, report_root
from protocol.hashing import from_hex, tag, words
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import GRANTED, row_payload
from protocol.merkle import Proof, prove
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.receipt import output_root, receipt_leaf
from protocol.report_evidence import (
    Opened,
    PlacedRow,
    RowChunk,
    RowRecord,
    Stated,
    output_chunk,
    output_of,
    placed_entry,
)
from protocol.report_watch import FaultProof
from protocol.spans import Match, SpanFinds
from protocol.sumtree import SumLeaf, SumProof, climb, record_digest
from protocol.tokens import chunk_words, row_chunk_leaf, token_chunks
from tests.contracts.datanets import create, publish, registry
from tests.contracts.epochs import Ledger
from tests.contracts.models.test_model_registry import TOKENIZER, register_base, register_model
from tests.contracts.reports import call_of, fund_epoch, state
from tests.contracts.seals import prove_sealed
from tests.contracts.world import World, rewound
from tests.protocol.records import manifest, receipt, word
from tests.protocol.scenes import KEY

DEPTH = 17
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
        lanes: list[LaneUnits | SpanFinds] = [
            _units(Lane.GRADIENT),
            SpanFinds(matches, len(self.output), True),
        ]
        if with_retrieval:
            lanes.append(_units(Lane.RETRIEVAL))
        self.report = merge(lanes, DEFAULT_WEIGHTS, self.manifest, bytes(32))
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
        leaves = [row_payload(row, keccak) for row in self.manifest.rows]
        roots = {"root": bytes([1]) * 32, "rows_root": _deep_root(leaves[0], _deep(leaves, 0))}
        publish(self.world, datanet, "curator", rows=2**DEPTH, **roots)
        chunks = _deep_root(self._chunk_leaves()[0], _deep(self._chunk_leaves(), 0))
        call = registry(self.world).functions.registerTokenChunks(datanet, 1, TOKENIZER, chunks, 2**DEPTH)
        self.world.send(call, "curator")
        register_model(self.world, register_base(self.world), datanetVersionKey=KEY, minSpanTokens=SPAN)

    def _row(self, index: int) -> PlacedRow:
        row = self.manifest.rows[index]
        leaves = [row_payload(one, keccak) for one in self.manifest.rows]
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
