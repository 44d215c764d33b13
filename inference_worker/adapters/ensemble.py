"""Several adapters with weights as one adapter: matrices one below the other, each weight folded into `up`.

The sum of low-rank products is one of the summed rank, so the engine needs to know nothing of it. Weights are
whole millionths that sum to one, so that what an answer earns can be split by them without a remainder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from inference_worker.adapters.packing import (
    Layout,
    PackedAdapter,
    bucket_of,
    matrices_by_group,
    slices_of,
)
from inference_worker.adapters.quantised import floats_of
from inference_worker.adapters.shape import BaseShape
from inference_worker.errors import WorkerError
from protocol.canonical import canonical_json

TOTAL_PPM = 1_000_000
MAX_MEMBERS = 8
# The sum of the members' ranks, each padded to its bucket.
MAX_RANK = 128


class EnsembleInvalid(WorkerError):
    """The request's list of adapters and weights is not one that can be served."""

    code = "ensemble_invalid"

    def __init__(self, what: str, actual: object, allowed: str) -> None:
        super().__init__(f"ensemble: {what} is {actual}, allowed: {allowed}")
        self.what, self.actual, self.allowed = what, actual, allowed


class EnsembleNotLinear(WorkerError):
    """A member is a DoRA adapter: its gain multiplies the base too, so a weighted sum has no one meaning."""

    code = "ensemble_not_linear"

    def __init__(self, cid: str) -> None:
        super().__init__(f"adapter {cid} uses DoRA, which is not linear; ask for it alone")
        self.cid = cid


@dataclass(frozen=True)
class Member:
    """One adapter of an ensemble and its weight in millionths."""

    cid: str
    ppm: int


def canonical_members(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members by content id, checked; raises EnsembleInvalid. Needs no adapter in memory."""
    if not 2 <= len(members) <= MAX_MEMBERS:
        raise EnsembleInvalid("number of adapters", len(members), f"2 to {MAX_MEMBERS}")
    ordered = tuple(sorted(members, key=lambda member: member.cid))
    for member, following in pairwise(ordered):
        if member.cid == following.cid:
            raise EnsembleInvalid("an adapter named twice", member.cid, "each adapter once")
    for member in ordered:
        if member.ppm < 1:
            raise EnsembleInvalid(f"weight of {member.cid}", member.ppm, "1 millionth or more")
    total = sum(member.ppm for member in ordered)
    if total != TOTAL_PPM:
        raise EnsembleInvalid("sum of weights", total, f"{TOTAL_PPM} millionths")
    return ordered


def ensemble_id(members: Sequence[Member]) -> str:
    """The name of what these adapters and weights compute, whatever their order; no blob has this id."""
    listed = [[member.cid, member.ppm] for member in canonical_members(members)]
    return "ensemble-" + hashlib.sha256(canonical_json({"v": 1, "members": listed})).hexdigest()


def combine(members: Sequence[tuple[PackedAdapter, int]], shape: BaseShape) -> PackedAdapter:
    """One fp32 adapter equal to the weighted sum; the members, (adapter, ppm), are only read.

    The same members in any order give the same bits. Raises EnsembleInvalid and EnsembleNotLinear.
    """
    by_cid = {adapter.cid: adapter for adapter, _ in members}
    ordered = canonical_members([Member(adapter.cid, ppm) for adapter, ppm in members])
    layout = _layout_of([by_cid[member.cid].layout for member in ordered])
    blob, first = torch.zeros(slices_of(layout, shape)[1]), 0
    for member in ordered:
        if by_cid[member.cid].layout.dora:
            raise EnsembleNotLinear(member.cid)
        first = _add_member(blob, layout, by_cid[member.cid], member.ppm / TOTAL_PPM, first, shape)
    return PackedAdapter(ensemble_id(ordered), layout, blob)


def _layout_of(layouts: Sequence[Layout]) -> Layout:
    rank = sum(layout.rank for layout in layouts)
    if rank > MAX_RANK:
        raise EnsembleInvalid("sum of padded ranks", rank, f"at most {MAX_RANK}")
    return Layout(bucket_of(rank), tuple(sorted({g for layout in layouts for g in layout.groups})))


def _add_member(
    blob: torch.Tensor, layout: Layout, adapter: PackedAdapter, weight: float, first: int, shape: BaseShape
) -> int:
    """Place one member from rank `first` on; returns where the next one begins."""
    following = first + adapter.layout.rank
    targets = matrices_by_group(blob, layout, shape)
    for group, source in matrices_by_group(floats_of(adapter, shape), adapter.layout, shape).items():
        targets[group].down[:, :, first:following].copy_(source.down)
        for target, up in zip(targets[group].ups, source.ups, strict=True):
            target[:, first:following].copy_(up * weight)
    return following
