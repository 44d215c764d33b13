"""From lane units to one report: integer shares by row that, with the unattributed part, make exactly one
whole.

A lane is one way of finding sources. Each yields non-negative integer units by row and units of its own for
what it could not explain. Units merge by cluster, so near-duplicates earn once and for their first
contributor; each lane's weight is split by `scores_to_shares` with its unattributed part last. Floats end
before this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocol.errors import AttributionError, SharesDoNotSum
from protocol.hashing import ZERO_WORD, Keccak, address_word, tag, words
from protocol.manifest import GRANTED, Manifest
from protocol.shares import scores_to_shares as scores_to_shares
from protocol.sumtree import SumLeaf, sum_root
from protocol.types import TOTAL_PPM, ZERO_ADDRESS, Address

MAX_ROWS_PER_LANE = 20
MAX_UNITS = 2**53 - 1


class Lane(IntEnum):
    """How a source was found; the number is what the attribution root binds."""

    UNATTRIBUTED = 0
    GRADIENT = 1
    SPAN = 2
    RETRIEVAL = 3


@dataclass(frozen=True, slots=True)
class LaneUnits:
    """What one lane found: (row, units) pairs, its unattributed units, and whether it could run at all."""

    lane: Lane
    units: tuple[tuple[int, int], ...]
    unattributed: int
    ran: bool

    def __post_init__(self) -> None:
        rows = [row for row, _ in self.units]
        if self.lane is Lane.UNATTRIBUTED or len(set(rows)) != len(rows):
            raise AttributionError(f"lane {self.lane.name} names rows {rows}: one real lane, each row once")
        for units in (self.unattributed, *(units for _, units in self.units)):
            if not 0 <= units <= MAX_UNITS:
                raise AttributionError(f"{units} units in lane {self.lane.name}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A canonical row's part of one answer."""

    lane: Lane
    row: int
    owner: Address
    ppm: int


@dataclass(frozen=True, slots=True)
class AttributionReport:
    """Entries by (lane, row) ascending; with the unattributed part they sum to TOTAL_PPM."""

    entries: tuple[Entry, ...]
    unattributed_ppm: int
    method_id: bytes

    def __post_init__(self) -> None:
        order = [(entry.lane, entry.row) for entry in self.entries]
        if order != sorted(set(order)):
            raise AttributionError(f"entries out of order or repeated: {order}")
        if self.unattributed_ppm < 0 or any(entry.ppm <= 0 for entry in self.entries):
            raise AttributionError("an entry has a positive share, the unattributed part at least zero")
        total = self.unattributed_ppm + sum(entry.ppm for entry in self.entries)
        if total != TOTAL_PPM:
            raise SharesDoNotSum("attribution report", TOTAL_PPM, total)


def merge(
    lanes: Sequence[LaneUnits], weights: Mapping[Lane, int], manifest: Manifest, method_id: bytes
) -> AttributionReport:
    """One report from the lanes that a model uses; a lane that did not run leaves its weight unattributed."""
    by_lane = {found.lane: found for found in lanes}
    if len(by_lane) != len(lanes):
        raise AttributionError(f"a lane appears twice: {[found.lane.name for found in lanes]}")
    entries: list[Entry] = []
    unattributed = 0
    for lane, weight in effective_weights(weights, Lane.RETRIEVAL in by_lane):
        found = by_lane.get(lane)
        if found is None or not found.ran:
            unattributed += weight
            continue
        shares, rest = _lane_shares(found, weight, manifest)
        entries += [Entry(lane, row, manifest.rows[row].owner, ppm) for row, ppm in shares if ppm]
        unattributed += rest
    return AttributionReport(tuple(entries), unattributed, method_id)


def effective_weights(weights: Mapping[Lane, int], with_retrieval: bool) -> tuple[tuple[Lane, int], ...]:
    """The weights that apply to one answer: retrieval, where used, is taken out of the gradient's weight."""
    retrieval = weights.get(Lane.RETRIEVAL, 0) if with_retrieval else 0
    gradient = weights[Lane.GRADIENT] - retrieval
    total = weights[Lane.GRADIENT] + weights[Lane.SPAN]
    if total != TOTAL_PPM or min(gradient, retrieval, weights[Lane.SPAN]) < 0:
        raise SharesDoNotSum("gradient and span weights, retrieval within gradient,", TOTAL_PPM, total)
    return (Lane.GRADIENT, gradient), (Lane.SPAN, weights[Lane.SPAN]), (Lane.RETRIEVAL, retrieval)


def attribution_root(report: AttributionReport, keccak: Keccak) -> bytes:
    """Sum tree over the entries in order and the unattributed part last; its total is TOTAL_PPM."""
    return sum_root(attribution_leaves(report, keccak), keccak).digest


def attribution_leaves(report: AttributionReport, keccak: Keccak) -> tuple[SumLeaf, ...]:
    """The leaves of `attribution_root`: key H(TAG_ENTRY, lane, row, owner), amount ppm."""
    entry_tag = tag("entry", keccak)
    rest = Entry(Lane.UNATTRIBUTED, 0, ZERO_ADDRESS, report.unattributed_ppm)
    return tuple(
        SumLeaf(keccak(words(entry_tag, entry.lane, entry.row, address_word(entry.owner))), entry.ppm)
        for entry in (*report.entries, rest)
    )


def unattributed_report(method_id: bytes = ZERO_WORD) -> AttributionReport:
    """The report of an answer for which no source is known."""
    return AttributionReport((), TOTAL_PPM, method_id)


def _lane_shares(found: LaneUnits, weight: int, manifest: Manifest) -> tuple[list[tuple[int, int]], int]:
    clusters, unattributed = _merge_clusters(found, manifest)
    kept = sorted(clusters, key=lambda row: (-clusters[row], row))[:MAX_ROWS_PER_LANE]
    # What falls below the twentieth row is left unattributed, not handed to the twenty above it.
    unattributed += sum(clusters.values()) - sum(clusters[row] for row in kept)
    rows = sorted(kept)
    *shares, rest = scores_to_shares([*(clusters[row] for row in rows), unattributed], weight)
    return list(zip(rows, shares, strict=True)), rest


def _merge_clusters(found: LaneUnits, manifest: Manifest) -> tuple[dict[int, int], int]:
    clusters: dict[int, int] = {}
    unattributed = found.unattributed
    for row, units in found.units:
        if not 0 <= row < len(manifest.rows):
            raise AttributionError(f"lane {found.lane.name} names row {row} of {len(manifest.rows)}")
        canonical = manifest.rows[row].cluster
        if manifest.rows[canonical].consent != GRANTED:
            unattributed += units
            continue
        before = clusters.get(canonical, 0)
        # Spans of a cluster cover different tokens and add up; scores of copies measure the same thing twice.
        clusters[canonical] = before + units if found.lane is Lane.SPAN else max(before, units)
    return clusters, unattributed
