"""Triton kernels for one query a sequence over its pages of keys and values, in fixed cuts of positions.

The cuts and the order in which they are joined follow from a sequence's own length, so its bits do not depend
on its company. Positions beyond the length are never loaded: nothing that lies there can leak in.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def attend_cut(
    queries,  # (n, KV_HEADS * GROUP, DIM)
    keys,  # (slots, KV_HEADS, DIM) of this layer
    values,
    pages,  # (n, most pages)
    pages_stride,
    positions,  # (n,)
    mixed,  # (n, KV_HEADS * GROUP, cuts, DIM) fp32, written: not yet divided by the weights' sum
    sums,  # (n, KV_HEADS * GROUP, cuts, 2) fp32, written: greatest score, sum of weights
    cuts,
    scale,
    KV_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    CUT: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCK_GROUP: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    FACTOR: tl.constexpr,
):
    """Program (row, head of keys, cut). Products take factors of dtype FACTOR."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    cut = tl.program_id(2)
    length = tl.load(positions + row) + 1
    if cut * CUT < length:
        member = tl.arange(0, BLOCK_GROUP)
        d = tl.arange(0, BLOCK_DIM)
        query = (row * KV_HEADS + head) * GROUP + member
        held = (member < GROUP)[:, None] & (d < DIM)[None, :]
        q = tl.load(queries + query[:, None] * DIM + d[None, :], mask=held, other=0.0).to(FACTOR)
        most = tl.full((BLOCK_GROUP,), -1e30, dtype=tl.float32)
        weight = tl.zeros((BLOCK_GROUP,), dtype=tl.float32)
        total = tl.zeros((BLOCK_GROUP, BLOCK_DIM), dtype=tl.float32)
        for start in range(cut * CUT, tl.minimum(cut * CUT + CUT, length), BLOCK):
            places = start + tl.arange(0, BLOCK)
            filled = places < length
            page = tl.load(pages + row * pages_stride + places // PAGE, mask=filled, other=0)
            line = ((page * PAGE + places % PAGE) * KV_HEADS + head) * DIM
            there = filled[:, None] & (d < DIM)[None, :]
            k = tl.load(keys + line[:, None] + d[None, :], mask=there, other=0.0).to(FACTOR)
            v = tl.load(values + line[:, None] + d[None, :], mask=there, other=0.0).to(FACTOR)
            scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
            scores = tl.where(filled[None, :], scores, float("-inf"))
            higher = tl.maximum(most, tl.max(scores, axis=1))
            shrunk = tl.exp(most - higher)
            weights = tl.exp(scores - higher[:, None])
            weight = weight * shrunk + tl.sum(weights, axis=1)
            total = total * shrunk[:, None] + tl.dot(weights.to(FACTOR), v, input_precision="ieee")
            most = higher
        place = query * cuts + cut
        tl.store(mixed + place[:, None] * DIM + d[None, :], total, mask=held)
        tl.store(sums + place * 2, most, mask=member < GROUP)
        tl.store(sums + place * 2 + 1, weight, mask=member < GROUP)


@triton.jit
def join_cuts(
    mixed,
    sums,
    positions,
    out,  # (n, heads, DIM), written
    cuts,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    CUT: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
):
    """Program (row, head): the cuts of a sequence joined in their order."""
    row = tl.program_id(0).to(tl.int64)
    query = row * HEADS + tl.program_id(1)
    d = tl.arange(0, BLOCK_DIM)
    inside = d < DIM
    length = tl.load(positions + row) + 1
    most = tl.load(sums + query * cuts * 2)
    weight = tl.load(sums + query * cuts * 2 + 1)
    total = tl.load(mixed + query * cuts * DIM + d, mask=inside, other=0.0)
    for cut in range(1, (length + CUT - 1) // CUT):
        place = query * cuts + cut
        other = tl.load(sums + place * 2)
        higher = tl.maximum(most, other)
        ours, theirs = tl.exp(most - higher), tl.exp(other - higher)
        weight = weight * ours + tl.load(sums + place * 2 + 1) * theirs
        total = total * ours + tl.load(mixed + place * DIM + d, mask=inside, other=0.0) * theirs
        most = higher
    tl.store(out + query * DIM + d, (total / weight).to(out.dtype.element_ty), mask=inside)
