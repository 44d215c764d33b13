"""Triton kernels for what stands between two matrix products: one launch each, sums in fp32."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def add_and_norm(
    hidden, delta, gain, out, width, eps, HAS_DELTA: tl.constexpr, BLOCK: tl.constexpr
):  # all (n, width), contiguous; gain (width,)
    """Program (row): hidden += delta; out = hidden / rms(hidden) * gain."""
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    start = tl.program_id(0).to(tl.int64) * width
    value = tl.load(hidden + start + columns, mask=inside, other=0.0)
    if HAS_DELTA:
        value += tl.load(delta + start + columns, mask=inside, other=0.0).to(tl.float32)
        tl.store(hidden + start + columns, value, mask=inside)
    scale = 1.0 / tl.sqrt(tl.sum(value * value, axis=0) / width + eps)
    normed = value * scale * tl.load(gain + columns, mask=inside, other=0.0)
    tl.store(out + start + columns, normed.to(out.dtype.element_ty), mask=inside)


@triton.jit
def rotate_and_store(
    fused,  # (n, (HEADS + 2 * KV_HEADS) * 2 * HALF), contiguous
    cos,  # (positions, 2 * HALF) fp32; both halves alike
    sin,
    positions,  # (n,)
    slots,  # (n,)
    queries,  # (n, HEADS, 2 * HALF), written
    keys,  # (slots, KV_HEADS, 2 * HALF) of this layer, written
    values,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HALF: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Program (row, head of queries, keys and values together)."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    d = tl.arange(0, BLOCK)
    inside = d < HALF
    given = fused + (row * (HEADS + 2 * KV_HEADS) + head) * (2 * HALF)
    first = tl.load(given + d, mask=inside, other=0.0)
    second = tl.load(given + HALF + d, mask=inside, other=0.0)
    slot = tl.load(slots + row) * KV_HEADS
    if head < HEADS + KV_HEADS:
        turn = tl.load(positions + row) * (2 * HALF) + d
        c = tl.load(cos + turn, mask=inside, other=0.0)
        s = tl.load(sin + turn, mask=inside, other=0.0)
        x, y = first.to(tl.float32), second.to(tl.float32)
        first = (x * c - y * s).to(first.dtype)
        second = (y * c + x * s).to(second.dtype)
        if head < HEADS:
            target = queries + (row * HEADS + head) * (2 * HALF)
        else:
            target = keys + (slot + head - HEADS) * (2 * HALF)
    else:
        target = values + (slot + head - HEADS - KV_HEADS) * (2 * HALF)
    tl.store(target + d, first, mask=inside)
    tl.store(target + HALF + d, second, mask=inside)


@triton.jit
def gate(both, out, width, BLOCK: tl.constexpr):  # both (n, 2 * width), out (n, width), contiguous
    """Program (row, block): silu(left) * right."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < width
    left = tl.load(both + row * 2 * width + columns, mask=inside, other=0.0).to(tl.float32)
    right = tl.load(both + row * 2 * width + width + columns, mask=inside, other=0.0).to(tl.float32)
    value = left / (1.0 + tl.exp(-left)) * right
    tl.store(out + row * width + columns, value.to(out.dtype.element_ty), mask=inside)
