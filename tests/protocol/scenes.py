"""Made-up answers with all that proofs about them need: rows, output, an honest report, and its statement."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from eth_hash.auto import keccak

from protocol.attribution import (
    AttributionReport,
    Lane,
    LaneUnits,
    attribution_root,
    lists_of,
    merge,
    report_root,
)
from protocol.attribution import entries_root as root_of_entries
from protocol.cid import cid_of_raw
from protocol.hashing import sha256, to_hex
from protocol.influence import Influence
from protocol.influence_list import index_digest, influence_words
from protocol.lane_lists import LaneLists, list_shares, lists_flaw
from protocol.manifest import GRANTED, REVOKED, Manifest, ManifestRow, rows_root
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.receipt import Receipt, output_root, receipts_sum_root
from protocol.report_evidence import ChainFacts, FaultProof, Opened, opened
from protocol.report_watch import Known, proofs
from protocol.spans import Match, SpanFinds, cover, least_tokens
from protocol.tokens import row_chunks_root
from protocol.types import ZERO_ADDRESS, Address
from tests.protocol.indexes import ScoredIndex, scored_index
from tests.protocol.records import account, receipt, word

REGISTERED_SPAN = 3
NOTICE = 100
GATED = 2
KEY = (1 << 64) | 1


def naive_matches(rows: Sequence[Sequence[int]], output: Sequence[int], least: int) -> list[Match]:
    """Maximal matches from the table of how far output and row agree from each pair of places on."""
    found = []
    for row, source in enumerate(rows):
        agree = [[0] * (len(source) + 1) for _ in range(len(output) + 1)]
        for start, at in product(reversed(range(len(output))), reversed(range(len(source)))):
            if output[start] == source[at]:
                agree[start][at] = agree[start + 1][at + 1] + 1
        for start, at in product(range(len(output)), range(len(source))):
            goes_on = start and at and agree[start - 1][at - 1]
            if agree[start][at] >= least and not goes_on:
                found.append(Match(start, agree[start][at], row, at))
    return found


@dataclass(frozen=True)
class Scene:
    """One honest answer; `changed` and `spoiled` make others of it."""

    manifest: Manifest
    rows: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    report: AttributionReport
    receipt: Receipt
    others: tuple[Receipt, ...]
    facts: ChainFacts
    scored: ScoredIndex

    def opened(self, entries: Any = None, lists: LaneLists | None = None, **changes: Any) -> Opened:
        """The receipt with its report in a statement of its own node; changes are bound by the roots."""
        entries = self.report.stated if entries is None else tuple(entries)
        lists = lists or self.report.lists
        root = report_root(root_of_entries(entries, keccak), lists, keccak)
        one = replace(self.receipt, attribution_root=root, **changes)
        place = len(self.others) // 2
        receipts = (*self.others[:place], one, *self.others[place:])
        return opened(5, receipts, place, entries, lists, keccak)

    def relisted(self, lists: LaneLists, **changes: Any) -> Opened:
        """A consistent lie: other lists, and the shares that follow from them where any do."""
        count = changes.get("output_tokens", self.receipt.output_tokens)
        if lists_flaw(lists, count):
            return self.opened(lists=lists, **changes)
        shares = list_shares(lists, DEFAULT_WEIGHTS, count)
        owners = {row.index: row.owner for row in self.manifest.rows}
        entries = [
            replace(
                self.report.stated[-1],
                lane=lane,
                row=row,
                owner=owners.get(row, ZERO_ADDRESS) if lane else ZERO_ADDRESS,
                ppm=ppm,
            )
            for lane, row, ppm in shares
        ]
        return self.opened(entries, lists, **changes)

    def rescored(self, influence: Influence, **changes: Any) -> Opened:
        """A consistent lie about scores: the units and shares that follow from them."""
        lane = lists_of([influence.lane()], self.manifest)
        words = influence_words([influence])
        lists = replace(self.report.lists, gradient=lane.gradient, influence=words)
        return self.relisted(lists, **changes)

    def facts_of(self, one: Opened, **changes: Any) -> ChainFacts:
        """What the chain knows when this receipt stands in the statement."""
        place = len(self.others) // 2
        receipts = (*self.others[:place], one.receipt, *self.others[place:])
        root = receipts_sum_root(receipts, keccak).digest
        version = one.receipt.parameters_version
        facts = replace(self.facts, receipts_root=root, weights=DEFAULT_WEIGHTS if version == 1 else None)
        if one.receipt.model_id != 1:
            facts = replace(facts, model_known=False, model_key=0, least_span=2, chunks_root=bytes(32))
            facts = replace(facts, index_digest=bytes(32))
        if one.receipt.datanet_version_key != KEY:
            facts = replace(facts, rows_root=bytes(32), row_count=0, chunks_root=bytes(32))
        return replace(facts, **changes)

    def found(self, one: Opened, **changes: Any) -> list[FaultProof]:
        """Every proof that a watcher who knows everything finds."""
        return list(proofs(self.facts_of(one, **changes), one, self.known, keccak))

    @property
    def known(self) -> Known:
        """All that there is to know."""
        index, code = self.scored, self.scored.code
        return Known(self.manifest, self.rows, self.output, {index.root: index.leaves}, {sha256(code): code})


def scene(seed: int, node: Address | None = None, **changes: Any) -> Scene:
    """A random honest answer: rows that repeat each other, an output of their pieces."""
    drawn = random.Random(seed)
    manifest = _manifest(drawn)
    rows = tuple(
        () if index == GATED else tuple(drawn.randrange(6) for _ in range(drawn.randrange(1, 70)))
        for index in range(len(manifest.rows))
    )
    output = _output(drawn, rows)
    finds = SpanFinds(cover(naive_matches(rows, output, REGISTERED_SPAN)), len(output), True)
    scored = _scored(drawn, manifest)
    lanes: list[LaneUnits | SpanFinds] = [scored.influence.lane(), finds]
    if drawn.random() < 0.3:
        lanes.append(_units(drawn, Lane.RETRIEVAL, len(rows)))
    report = merge(lanes, DEFAULT_WEIGHTS, manifest, word("method"), (), [scored.influence])
    fields: dict[str, Any] = {
        "model_id": 1,
        "datanet_version_key": KEY,
        "output_root": output_root(output, keccak),
        "output_tokens": len(output),
        "attribution_root": attribution_root(report, keccak),
        "method_id": report.method_id,
        "parameters_version": 1,
        **changes,
    }
    own = receipt(seq=3, price=1000)
    own = replace(own, **fields, node=node or own.node)
    others = tuple(
        replace(receipt(seq=seq, price=10 * seq, channel="other"), node=own.node) for seq in range(1, 6)
    )
    chunks_root, _ = row_chunks_root(rows, keccak)
    facts = ChainFacts(
        receipts_root=bytes(32),
        model_known=True,
        model_key=KEY,
        least_span=least_tokens(REGISTERED_SPAN),
        rows_root=rows_root(manifest, keccak),
        row_count=len(rows),
        chunks_root=chunks_root,
        index_digest=scored.root,
        weights=DEFAULT_WEIGHTS,
        notice=NOTICE,
    )
    return Scene(manifest, rows, output, report, own, others, facts, scored)


def _manifest(drawn: random.Random) -> Manifest:
    count = drawn.randrange(8, 14)
    digests = sorted(to_hex(sha256(drawn.randbytes(8))) for _ in range(count))
    clusters = list(range(count))
    for place in range(1, count):
        if drawn.random() < 0.3:
            clusters[place] = clusters[drawn.randrange(place)]
    rows = tuple(
        ManifestRow(
            index=place,
            digest=digests[place],
            owner=account(1 + place % 5),
            cluster=clusters[place],
            licence="CC0-1.0",
            consent=REVOKED if place == 1 else GRANTED,
            gated=place == GATED,
            cid=cid_of_raw(b"row").text,
        )
        for place in range(count)
    )
    return Manifest(1, 1, 0, rows, ())


def _output(drawn: random.Random, rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    output: list[int] = []
    while len(output) < 45:
        source = drawn.choice(rows)
        if source and drawn.random() < 0.7:
            at = drawn.randrange(len(source))
            output += source[at : at + drawn.randrange(3, 12)]
        else:
            output += [drawn.randrange(6) for _ in range(3)]
    return tuple(output)


def ensemble_scene(seed: int, node: Address | None = None) -> tuple[Scene, ScoredIndex]:
    """An answer whose model registered two indexes, and the second of them."""
    made = scene(seed, node)
    second = _scored(random.Random(seed + 1), made.manifest)
    digest = index_digest([made.scored.root, second.root])
    return replace(made, facts=replace(made.facts, index_digest=digest)), second


def _scored(drawn: random.Random, manifest: Manifest) -> ScoredIndex:
    """At least three rows that may earn are listed."""
    clusters = [row.cluster for row in manifest.rows]
    while True:
        found = scored_index(drawn, range(len(clusters)), clusters)
        if len(lists_of([found.influence.lane()], manifest).gradient) > 3:
            return found


def _units(drawn: random.Random, lane: Lane, rows: int) -> LaneUnits:
    named = drawn.sample(range(rows), drawn.randrange(2, rows))
    units = tuple((row, drawn.randrange(1, 10**6)) for row in named)
    return LaneUnits(lane, units, drawn.randrange(10**6), True)
