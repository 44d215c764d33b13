"""Triton kernels that apply to each row its own adapter: down to the rank, and up again.

Neither uses atomics or matrix units. A row's sums are cut and ordered by the sizes of its matrices alone, so
its bits depend neither on its neighbours nor on how many there are. All sums are fp32; the scale of an int8
pool multiplies the sums of the rank. Keeping off `tl.dot` also keeps off the wide mixed-dtype products that
some GPUs get wrong.
"""

from __future__ import annotations

import triton
import triton.language as tl

from inference_worker.engine.device.device_adapter import FIELDS, Field

_FIELDS = tl.constexpr(FIELDS)
_FIRST = tl.constexpr(int(Field.FIRST))
_COUNT = tl.constexpr(int(Field.COUNT))
_RANK = tl.constexpr(int(Field.RANK))
_MATRICES = tl.constexpr(int(Field.MATRICES))
_MATRICES_LAYER = tl.constexpr(int(Field.MATRICES_LAYER))
_DOWN = tl.constexpr(int(Field.DOWN))
_UP = tl.constexpr(int(Field.UP_0))
_GAINS = tl.constexpr(int(Field.GAINS))
_GAINS_LAYER = tl.constexpr(int(Field.GAINS_LAYER))
_SCALES = tl.constexpr(int(Field.SCALES))
_SCALES_LAYER = tl.constexpr(int(Field.SCALES_LAYER))


@triton.jit
def _matrix(entry, layer, field, POOL: tl.constexpr):
    """Address of a matrix of this layer. Every blob and every offset in it lies on a multiple of 16."""
    base = tl.multiple_of(tl.load(entry + _MATRICES).to(tl.pointer_type(POOL)), 16)
    offset = tl.load(entry + _MATRICES_LAYER) * layer + tl.load(entry + field)
    return base + tl.multiple_of(offset, 16)


@triton.jit(do_not_specialize=["layer"])
def shrink(
    table,  # (n, FIELDS) of this group
    order,  # (n,)
    rows,  # (n, inputs), each row contiguous
    rows_stride,
    partial,  # (n, splits, most inner) fp32, written
    layer,
    inputs,
    splits,
    MEMBERS: tl.constexpr,
    MOST_INNER: tl.constexpr,
    POOL: tl.constexpr,
    PIECE: tl.constexpr,
    BLOCK_INNER: tl.constexpr,
):
    """One piece of the inputs of a segment's rows, times `down`: program (segment, piece)."""
    entry = table + tl.program_id(0) * _FIELDS
    split = tl.program_id(1)
    inner = tl.load(entry + _RANK) * MEMBERS
    first = tl.load(entry + _FIRST)
    places = split * PIECE + tl.arange(0, PIECE)
    inside = places < inputs
    down = _matrix(entry, layer, _DOWN, POOL)
    for index in range(tl.load(entry + _COUNT)):
        row = tl.load(order + first + index)
        x = tl.load(rows + row * rows_stride + places, mask=inside, other=0.0).to(tl.float32)
        for start in range(0, inner, BLOCK_INNER):
            ranks = start + tl.arange(0, BLOCK_INNER)
            held = (ranks < inner)[:, None] & inside[None, :]
            w = tl.load(down + ranks[:, None] * inputs + places[None, :], mask=held, other=0)
            total = tl.sum(w.to(tl.float32) * x[None, :], axis=1)
            tl.store(partial + (row * splits + split) * MOST_INNER + ranks, total, mask=ranks < inner)


@triton.jit
def _sum_of_pieces(first, splits, held, STRIDE: tl.constexpr, BLOCK_SPLITS: tl.constexpr):
    """The sum over the pieces of the inputs for each number at `first`, always in the same order."""
    pieces = tl.arange(0, BLOCK_SPLITS)
    mask = (pieces < splits)[:, None] & held[None, :]
    return tl.sum(tl.load(first[None, :] + pieces[:, None] * STRIDE, mask=mask, other=0.0), axis=0)


@triton.jit(do_not_specialize=["layer"])
def expand(
    table,  # (n, FIELDS) of this group
    order,  # (n,)
    partial,  # (n, splits, most inner) fp32
    products,  # (n, out_0 + out_1 + out_2), each row contiguous, changed in place
    products_stride,
    layer,
    splits,
    out_0,
    out_1,
    out_2,
    MOST_INNER: tl.constexpr,
    POOL: tl.constexpr,
    HAS_SCALES: tl.constexpr,
    BLOCK_SPLITS: tl.constexpr,
    BLOCK_RANK: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
):
    """A block of one member's outputs of a segment's rows: program (segment, member, block)."""
    entry = table + tl.program_id(0) * _FIELDS
    member = tl.program_id(1)
    out = tl.where(member == 0, out_0, tl.where(member == 1, out_1, out_2))
    before = tl.where(member == 0, 0, tl.where(member == 1, out_0, out_0 + out_1))
    columns = tl.program_id(2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    inside = columns < out
    rank = tl.load(entry + _RANK)
    count = tl.load(entry + _COUNT)
    if (tl.program_id(2) * BLOCK_OUT < out) & (rank > 0):
        first = tl.load(entry + _FIRST)
        up = _matrix(entry, layer, _UP + member, POOL)
        gains = tl.load(entry + _GAINS)
        for index in range(count):
            row = tl.load(order + first + index)
            total = tl.zeros((BLOCK_OUT,), dtype=tl.float32)
            for start in range(0, rank, BLOCK_RANK):
                ranks = start + tl.arange(0, BLOCK_RANK)
                held = ranks < rank
                mine = member * rank + ranks
                pieces = partial + row * splits * MOST_INNER + mine
                inner = _sum_of_pieces(pieces, splits, held, MOST_INNER, BLOCK_SPLITS)
                if HAS_SCALES:
                    scales = tl.load(entry + _SCALES).to(tl.pointer_type(tl.float32))
                    scales += tl.load(entry + _SCALES_LAYER) * layer
                    inner *= tl.load(scales + mine, mask=held, other=0.0)
                w = tl.load(
                    up + ranks[:, None] * out + columns[None, :],
                    mask=held[:, None] & inside[None, :],
                    other=0,
                )
                total += tl.sum(inner[:, None] * w.to(tl.float32), axis=0)
            place = products + row * products_stride + before + columns
            value = tl.load(place, mask=inside, other=0.0).to(tl.float32) + total
            if gains != 0:
                gain = gains.to(tl.pointer_type(tl.float32)) + tl.load(entry + _GAINS_LAYER) * layer
                value *= tl.load(gain + before + columns, mask=inside, other=0.0)
            tl.store(place, value.to(products.dtype.element_ty), mask=inside)
