"""From lane units to one report: integer shares by row that, with the unattributed part, make exactly one
whole.

A lane is one way of finding sources. Each yields non-negative integer units by row and units of its own for
what it could not explain. Units merge by cluster, so near-duplicates earn once and for their first
contributor; each lane's weight is split by `scores_to_shares` with its unattributed part last. Floats end
before this module.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from protocol.errors import AttributionError, SharesDoNotSum
from protocol.hashing import ZERO_WORD, Keccak, address_word, tag, words
from protocol.influence import Influence
from protocol.influence_list import influence_words
from protocol.lane_lists import (
    DID_NOT_RUN,
    NO_LISTS,
    LaneLists,
    ListedSpan,
    lane_hash,
    list_shares,
    span_words,
    units_words,
)
from protocol.lane_lists import effective_weights as effective_weights
from protocol.lanes import MAX_ROWS_PER_LANE as MAX_ROWS_PER_LANE
from protocol.lanes import MAX_UNITS as MAX_UNITS
from protocol.lanes import Lane as Lane
from protocol.lanes import LaneUnits as LaneUnits
from protocol.manifest import GRANTED, Manifest
from protocol.spans import SpanFinds
from protocol.sumtree import SumLeaf, sum_root
from protocol.types import TOTAL_PPM, ZERO_ADDRESS, Address


@dataclass(frozen=True, slots=True)
class Entry:
    """A canonical row's part of one answer."""

    lane: Lane
    row: int
    owner: Address
    ppm: int


@dataclass(frozen=True, slots=True)
class AttributionReport:
    """Entries by (lane, row) ascending; with the unattributed part they sum to TOTAL_PPM. `lists` is what
    they were computed from.
    """

    entries: tuple[Entry, ...]
    unattributed_ppm: int
    method_id: bytes
    lists: LaneLists = NO_LISTS

    def __post_init__(self) -> None:
        order = [(entry.lane, entry.row) for entry in self.entries]
        if order != sorted(set(order)):
            raise AttributionError(f"entries out of order or repeated: {order}")
        if self.unattributed_ppm < 0 or any(entry.ppm <= 0 for entry in self.entries):
            raise AttributionError("an entry has a positive share, the unattributed part at least zero")
        total = self.unattributed_ppm + sum(entry.ppm for entry in self.entries)
        if total != TOTAL_PPM:
            raise SharesDoNotSum("attribution report", TOTAL_PPM, total)

    @property
    def stated(self) -> tuple[Entry, ...]:
        """The entries and the unattributed part: what the leaves of the entries' tree say, in order."""
        return (*self.entries, Entry(Lane.UNATTRIBUTED, 0, ZERO_ADDRESS, self.unattributed_ppm))


@dataclass(frozen=True, slots=True)
class PublishedReport:
    """A report as a node states it to everyone, right or wrong: the leaves of its entries' tree, the
    unattributed part last, and its lists.
    """

    entries: tuple[Entry, ...]
    lists: LaneLists


def published(report: AttributionReport) -> PublishedReport:
    """What a node states of a report of its own."""
    return PublishedReport(report.stated, report.lists)


def merge(
    lanes: Sequence[LaneUnits | SpanFinds],
    weights: Mapping[Lane, int],
    manifest: Manifest,
    method_id: bytes,
    revoked: Collection[int] = (),
    influence: Sequence[Influence] = (),
) -> AttributionReport:
    """One report from the lanes that a model uses; a lane that did not run leaves its weight unattributed.

    `revoked` are canonical rows whose consent was withdrawn after the version was published; `influence` is
    what the gradient lane's units follow from, through each of the model's indexes.
    """
    spans = [found for found in lanes if isinstance(found, SpanFinds)]
    lists = replace(lists_of(lanes, manifest, revoked), influence=influence_words(influence))
    *shares, (_, _, rest) = list_shares(lists, weights, spans[0].count if spans else 0)
    entries = tuple(Entry(lane, row, manifest.rows[row].owner, ppm) for lane, row, ppm in shares)
    return AttributionReport(entries, rest, method_id, lists)


def lists_of(
    lanes: Sequence[LaneUnits | SpanFinds], manifest: Manifest, revoked: Collection[int] = ()
) -> LaneLists:
    """What the report binds of each lane, by canonical row; a lane that is not among `lanes` is unused."""
    by_lane = {found.lane: found for found in lanes}
    if len(by_lane) != len(lanes):
        raise AttributionError(f"a lane appears twice: {[found.lane.name for found in lanes]}")
    parts = {
        lane: _span_list(found, manifest, revoked)
        if isinstance(found, SpanFinds)
        else _units_list(found, manifest, revoked)
        for lane, found in by_lane.items()
    }
    return LaneLists(*(parts.get(lane, ()) for lane in (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL)))


def attribution_root(report: AttributionReport, keccak: Keccak) -> bytes:
    """What a receipt binds: the entries' root, and the hash of each list they were computed from."""
    return report_root(entries_root(report.stated, keccak), report.lists, keccak)


def report_root(entries: bytes, lists: LaneLists, keccak: Keccak) -> bytes:
    """keccak256(abi.encode(TAG_REPORT, entriesRoot, hashes of the lists: gradient, span, retrieval,
    influence)).
    """
    hashes = (lane_hash(part, keccak) for part in lists.bound)
    return keccak(words(tag("report", keccak), entries, *hashes))


def entries_root(stated: Sequence[Entry], keccak: Keccak) -> bytes:
    """Sum tree over the entries in order, the unattributed part last; an honest one's total is TOTAL_PPM."""
    return sum_root(entry_leaves(stated, keccak), keccak).digest


def entry_leaves(stated: Sequence[Entry], keccak: Keccak) -> tuple[SumLeaf, ...]:
    """The leaves of `entries_root`: key H(TAG_ENTRY, lane, row, owner), amount ppm."""
    return tuple(entry_leaf(entry.lane, entry.row, entry.owner, entry.ppm, keccak) for entry in stated)


def entry_leaf(lane: int, row: int, owner: Address, ppm: int, keccak: Keccak) -> SumLeaf:
    """One leaf of `entries_root`, whatever it says."""
    return SumLeaf(keccak(words(tag("entry", keccak), lane, row, address_word(owner))), ppm)


def unattributed_report(method_id: bytes = ZERO_WORD) -> AttributionReport:
    """The report of an answer for which no source is known."""
    return AttributionReport((), TOTAL_PPM, method_id)


def _units_list(found: LaneUnits, manifest: Manifest, revoked: Collection[int]) -> tuple[int, ...]:
    if found.lane is Lane.SPAN:
        raise AttributionError("the span lane is given by its matches")
    if not found.ran:
        return DID_NOT_RUN
    clusters: dict[int, int] = {}
    unattributed = found.unattributed
    for row, units in found.units:
        canonical = _canonical(row, manifest, found.lane)
        if _may_earn(canonical, manifest, revoked):
            # Scores of copies measure the same thing twice.
            clusters[canonical] = max(clusters.get(canonical, 0), units)
        else:
            unattributed += units
    kept = sorted(clusters, key=lambda row: (-clusters[row], row))[:MAX_ROWS_PER_LANE]
    # What falls below the twentieth row is left unattributed, not handed to the twenty above it.
    unattributed += sum(clusters.values()) - sum(clusters[row] for row in kept)
    return units_words([(row, clusters[row]) for row in sorted(kept) if clusters[row]], unattributed)


def _span_list(found: SpanFinds, manifest: Manifest, revoked: Collection[int]) -> tuple[int, ...]:
    if not found.ran:
        return DID_NOT_RUN
    listed = []
    for match in found.matches:
        canonical = _canonical(match.row, manifest, Lane.SPAN)
        listed.append(ListedSpan(match, canonical, _may_earn(canonical, manifest, revoked)))
    return span_words(listed)


def _canonical(row: int, manifest: Manifest, lane: Lane) -> int:
    if not 0 <= row < len(manifest.rows):
        raise AttributionError(f"lane {lane.name} names row {row} of {len(manifest.rows)}")
    return manifest.rows[row].cluster


def _may_earn(canonical: int, manifest: Manifest, revoked: Collection[int]) -> bool:
    return manifest.rows[canonical].consent == GRANTED and canonical not in revoked
