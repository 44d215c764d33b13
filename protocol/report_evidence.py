"""What a proof about an attribution report is made of, and what the chain knows beside it.

The fields of each record stand in the order of its Solidity struct, so `abi` turns any of them into call
arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from protocol.attribution import Entry, entries_root, entry_leaf, entry_leaves, report_root
from protocol.errors import AttributionError
from protocol.hashing import Keccak, address_word, from_hex, tag, words
from protocol.lane_lists import LaneLists, lane_hash
from protocol.lanes import Lane
from protocol.manifest import GRANTED, Manifest, row_payload
from protocol.merkle import Proof, prove, root, verify
from protocol.receipt import Receipt, receipt_leaf
from protocol.sumtree import SumProof, climb, prove_sum, record_digest
from protocol.tokens import chunk_words, output_chunk_leaf, row_chunk_leaf, token_chunks
from protocol.types import Address


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the contracts will look up about one receipt. Times in seconds; `weights` is None where there is
    no such version of the parameters; revocations by row digest.
    """

    receipts_root: bytes
    model_known: bool
    model_key: int
    least_span: int
    rows_root: bytes
    row_count: int
    chunks_root: bytes
    index_digest: bytes
    weights: Mapping[Lane, int] | None
    notice: int
    revoked_at: Mapping[bytes, int] = field(default_factory=dict)
    consent_changes: Mapping[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A stated receipt with its report as the node published it; nothing says that it is right."""

    epoch: int
    receipt: Receipt
    place: SumProof
    entries: tuple[Entry, ...]
    lists: LaneLists

    def stated(self, keccak: Keccak) -> "Stated":
        """The evidence that every proof about this receipt starts with."""
        hashes = (lane_hash(part, keccak) for part in self.lists.bound)
        return Stated(self.epoch, self.receipt, self.place, entries_root(self.entries, keccak), *hashes)


@dataclass(frozen=True, slots=True)
class Stated:
    """A receipt in its node's statement, and what its attribution root is made of."""

    epoch: int
    receipt: Receipt
    place: SumProof
    entries_root: bytes
    gradient_hash: bytes
    span_hash: bytes
    retrieval_hash: bytes
    influence_hash: bytes

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Of the lists, in the order of the report root."""
        return self.gradient_hash, self.span_hash, self.retrieval_hash, self.influence_hash


@dataclass(frozen=True, slots=True)
class PlacedEntry:
    """A leaf of the entries' tree."""

    lane: int
    row: int
    owner: Address
    ppm: int
    place: SumProof


@dataclass(frozen=True, slots=True)
class RowRecord:
    """A row as the version's rowsRoot holds it."""

    digest: bytes
    owner: Address
    cluster: int
    granted: bool


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row with its place in the version."""

    row: RowRecord
    proof: Proof


@dataclass(frozen=True, slots=True)
class Output:
    """What an output root binds: the root over its chunks and the count of its tokens."""

    chunks_root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """32 token ids of the output in four words."""

    ids: tuple[bytes, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class RowChunk:
    """32 token ids of a row of `length` tokens in four words."""

    row: int
    place: int
    length: int
    ids: tuple[bytes, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class FaultProof:
    """A call that a judge will accept; `arguments` become its parameters through `abi`."""

    judge: str
    function: str
    arguments: tuple[Any, ...]


def abi(record: Any) -> Any:
    """Structs as tuples, arrays as lists: what a contract call takes."""
    if is_dataclass(record):
        return tuple(abi(getattr(record, one.name)) for one in fields(record))
    if isinstance(record, tuple | list):
        return [abi(one) for one in record]
    return record


def opened(
    epoch: int,
    receipts: Sequence[Receipt],
    index: int,
    entries: Sequence[Entry],
    lists: LaneLists,
    keccak: Keccak,
) -> Opened:
    """The receipt at `index` of a statement, with its published report; AttributionError where the report is
    not the one that the receipt binds.
    """
    if report_root(entries_root(entries, keccak), lists, keccak) != receipts[index].attribution_root:
        raise AttributionError(f"the report is not that of receipt {index}")
    place = prove_sum([receipt_leaf(one, keccak) for one in receipts], index, keccak)
    return Opened(epoch, receipts[index], place, tuple(entries), lists)


def placed_entry(entries: Sequence[Entry], index: int, keccak: Keccak) -> PlacedEntry:
    """The leaf at `index` with its proof."""
    one = entries[index]
    place = prove_sum(entry_leaves(entries, keccak), index, keccak)
    return PlacedEntry(one.lane, one.row, one.owner, one.ppm, place)


def placed_row(manifest: Manifest, index: int, keccak: Keccak) -> PlacedRow:
    """A row of the version with its proof."""
    row = manifest.rows[index]
    proof = prove([row_payload(one, keccak) for one in manifest.rows], index, keccak)
    return PlacedRow(
        RowRecord(from_hex(row.digest, 32), row.owner, row.cluster, row.consent == GRANTED), proof
    )


def output_of(ids: Sequence[int], keccak: Keccak) -> Output:
    """What the output root of these ids binds."""
    return Output(root([output_chunk_leaf(chunk, keccak) for chunk in token_chunks(ids)], keccak), len(ids))


def output_chunk(ids: Sequence[int], place: int, keccak: Keccak) -> OutputChunk:
    """The chunk at `place` of the output."""
    chunks = token_chunks(ids)
    leaves = [output_chunk_leaf(chunk, keccak) for chunk in chunks]
    return OutputChunk(chunk_words(chunks[place]), prove(leaves, place, keccak))


def row_chunk(rows: Sequence[Sequence[int]], row: int, place: int, keccak: Keccak) -> RowChunk:
    """The chunk at `place` of a row, among those of all the version's rows."""
    leaves = [
        row_chunk_leaf(index, at, len(ids), chunk, keccak)
        for index, ids in enumerate(rows)
        for at, chunk in enumerate(token_chunks(ids))
    ]
    before = sum(len(token_chunks(ids)) for ids in rows[:row])
    chunk = token_chunks(rows[row])[place]
    return RowChunk(row, place, len(rows[row]), chunk_words(chunk), prove(leaves, before + place, keccak))


def is_stated(facts: ChainFacts, stated: Stated, keccak: Keccak) -> bool:
    """Whether the receipt is in the statement, and the hashes are those of its report."""
    climbed = climb(receipt_leaf(stated.receipt, keccak), stated.place, keccak)
    if climbed is None:
        return False
    at = record_digest(climbed[0], stated.place.count, climbed[1], keccak)
    report = keccak(words(tag("report", keccak), stated.entries_root, *stated.hashes))
    return at == facts.receipts_root and report == stated.receipt.attribution_root


def is_entry(stated: Stated, entry: PlacedEntry, keccak: Keccak) -> bool:
    """Whether the entry is a leaf of the report's tree."""
    leaf = entry_leaf(entry.lane, entry.row, entry.owner, entry.ppm, keccak)
    climbed = climb(leaf, entry.place, keccak)
    if climbed is None:
        return False
    return record_digest(climbed[0], entry.place.count, climbed[1], keccak) == stated.entries_root


def is_row(facts: ChainFacts, placed: PlacedRow, index: int, keccak: Keccak) -> bool:
    """Whether the version's row at `index` is this one."""
    row = placed.row
    payload = keccak(
        words(tag("row", keccak), row.digest, address_word(row.owner), row.cluster, int(row.granted))
    )
    return placed.proof.index == index and verify(payload, placed.proof, facts.rows_root, keccak)


def was_revoked(facts: ChainFacts, stated: Stated, digest: bytes) -> bool:
    """Whether the row has been under revocation, without a break, since long enough before the request."""
    since = facts.revoked_at.get(digest, 0)
    return since != 0 and since + facts.notice <= stated.receipt.requested_at
