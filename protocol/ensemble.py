"""A weighted sum of adapters as a record of its own: which adapter bundles, and how much each counts.

Canonical JSON whose CID names the ensemble, so whoever has the name can have the members, and equal members
with equal weights have one name however they were listed. What an ensemble's answer earns is split by the
same weights, in integers, before anything else is computed from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from protocol.canonical import canonical_json, parse_json
from protocol.cid import cid_of_raw, parse_cid
from protocol.errors import EnsembleError
from protocol.fields import Fields
from protocol.hashing import sha256
from protocol.lanes import LaneUnits
from protocol.shares import scores_to_shares
from protocol.types import TOTAL_PPM

FORMAT = 1
MAX_MEMBERS = 8
# The sum of the members' ranks, each padded.
MAX_RANK = 128
MAX_ENSEMBLE_BYTES = 4096
# Enough digits that rounding moves no ppm of a report by more than one; all units stay far below MAX_UNITS.
UNITS_PER_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """An adapter bundle's CID and its weight in millionths."""

    cid: str
    ppm: int


@dataclass(frozen=True, slots=True)
class Ensemble:
    """2 to MAX_MEMBERS different bundles in the order of their CIDs; the weights make TOTAL_PPM."""

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.members) <= MAX_MEMBERS:
            raise EnsembleError("number of members", f"2 to {MAX_MEMBERS}", len(self.members))
        for member in self.members:
            parse_cid(member.cid)
            if member.ppm < 1:
                raise EnsembleError(f"weight of {member.cid}", "at least 1 millionth", member.ppm)
        for before, after in pairwise(self.members):
            if before.cid >= after.cid:
                raise EnsembleError("members", "each once, in the order of their CIDs", after.cid)
        total = sum(member.ppm for member in self.members)
        if total != TOTAL_PPM:
            raise EnsembleError("sum of weights", f"{TOTAL_PPM} millionths", total)

    @property
    def weights(self) -> tuple[int, ...]:
        """In the order of the members."""
        return tuple(member.ppm for member in self.members)


def ensemble_of(members: Sequence[Member]) -> Ensemble:
    """The ensemble of these members, listed in any order."""
    return Ensemble(tuple(sorted(members, key=lambda member: member.cid)))


def encode_ensemble(ensemble: Ensemble) -> bytes:
    """Canonical JSON `{"ensemble":1,"members":[{"cid","ppm"}]}`."""
    return canonical_json({"ensemble": FORMAT, "members": members_json(ensemble)})


def decode_ensemble(data: bytes) -> Ensemble:
    """The inverse of `encode_ensemble`; a ProtocolError for anything it would not have written."""
    fields = Fields(parse_json(data, MAX_ENSEMBLE_BYTES, 4), "ensemble")
    fields.integer("ensemble", FORMAT, FORMAT)
    ensemble = Ensemble(read_members(fields, "members"))
    fields.done()
    if encode_ensemble(ensemble) != data:
        raise EnsembleError("bytes", "canonical JSON", "another spelling of it")
    return ensemble


def is_ensemble(data: bytes) -> bool:
    """Whether these bytes mean to be an ensemble; an adapter bundle's listing begins otherwise."""
    return data.startswith(b'{"ensemble":')


def ensemble_cid(ensemble: Ensemble) -> str:
    """The name of what the ensemble computes."""
    return cid_of_raw(encode_ensemble(ensemble)).text


def members_json(ensemble: Ensemble) -> list[dict[str, object]]:
    """Plain values of the members."""
    return [{"cid": member.cid, "ppm": member.ppm} for member in ensemble.members]


def read_members(fields: Fields, name: str) -> tuple[Member, ...]:
    """The members that a field lists, in its order; their number is bounded, nothing else is checked yet."""
    return tuple(_read_member(member) for member in fields.objects(name, MAX_MEMBERS))


def padded_rank(rank: int) -> int:
    """The rank at which a worker holds an adapter: the next power of two from 8 on."""
    return max(8, 1 << (rank - 1).bit_length())


def weighted_lane(found: Sequence[LaneUnits], weights: Sequence[int]) -> LaneUnits:
    """One lane of an ensemble from that lane of each member, by weights in ppm that make a whole.

    Each member's finds are first scaled to make its weight exactly (rounded cumulatively by row, its
    unattributed part last), then rows add up. The weight of a member whose lane did not run is unattributed.
    """
    lanes = {lane.lane for lane in found}
    if len(lanes) != 1 or len(found) != len(weights) or sum(weights) != TOTAL_PPM:
        raise EnsembleError("lanes", "one of each member, of one kind", sorted(one.name for one in lanes))
    if not any(lane.ran for lane in found):
        return LaneUnits(found[0].lane, (), 0, ran=False)
    rows: dict[int, int] = {}
    unattributed = 0
    for lane, ppm in zip(found, weights, strict=True):
        pairs = sorted(lane.units) if lane.ran else []
        *parts, rest = scores_to_shares(
            [*(units for _, units in pairs), lane.unattributed], ppm * UNITS_PER_PPM
        )
        unattributed += rest
        for (row, _), part in zip(pairs, parts, strict=True):
            rows[row] = rows.get(row, 0) + part
    units = tuple((row, rows[row]) for row in sorted(rows) if rows[row])
    return LaneUnits(found[0].lane, units, unattributed, ran=True)


def ensemble_method(method_id: bytes) -> bytes:
    """The id of attributing by `method_id` for each member and adding up as `weighted_lane` does."""
    return sha256(canonical_json({"rule": "weighted-members-1", "method": method_id.hex()}))


def _read_member(fields: Fields) -> Member:
    member = Member(fields.text("cid", 59), fields.integer("ppm", 1, TOTAL_PPM - 1))
    fields.done()
    return member
