"""Several adapters with weights as one adapter: matrices one below the other, each weight folded into `up`.

The sum of low-rank products is one of the summed rank, so the engine needs to know nothing of it. What the
members are, and what they are called together, is `protocol.ensemble`'s; here they are only added up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from inference_worker.adapters.packing import (
    Layout,
    PackedAdapter,
    bucket_of,
    matrices_by_group,
    slices_of,
)
from inference_worker.adapters.quantised import floats_of
from inference_worker.adapters.refusals import NotLinear, OverCap
from inference_worker.adapters.shape import BaseShape
from protocol.ensemble import MAX_RANK
from protocol.types import TOTAL_PPM


def combine(cid: str, members: Sequence[tuple[PackedAdapter, int]], shape: BaseShape) -> PackedAdapter:
    """One fp32 adapter, named `cid`, equal to the weighted sum of the members, (adapter, ppm), which are only
    read.

    The same members in any order give the same bits. Raises OverCap and NotLinear.
    """
    # A floating-point sum depends on its order.
    ordered = sorted(members, key=lambda member: member[0].cid)
    layout = layout_of_sum([adapter for adapter, _ in ordered])
    blob, first = torch.zeros(slices_of(layout, shape)[1]), 0
    for adapter, ppm in ordered:
        first = _add_member(blob, layout, adapter, ppm / TOTAL_PPM, first, shape)
    return PackedAdapter(cid, layout, blob)


def layout_of_sum(adapters: Sequence[PackedAdapter]) -> Layout:
    """The smallest rank bucket and the groups that hold all members; raises OverCap and NotLinear."""
    for adapter in adapters:
        if adapter.layout.dora:
            raise NotLinear(adapter.cid, "uses DoRA, whose gain multiplies the base too")
        if adapter.invocation:
            raise NotLinear(adapter.cid, "is an aLoRA adapter, which applies from its own tokens on")
    rank = sum(adapter.layout.rank for adapter in adapters)
    if rank > MAX_RANK:
        raise OverCap("sum of padded ranks", rank, MAX_RANK)
    return Layout(bucket_of(rank), tuple(sorted({g for adapter in adapters for g in adapter.layout.groups})))


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
