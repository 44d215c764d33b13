"""Applies many adapters to one batch: each row gets the product with its own adapter's matrices, nothing
else.

Rows are ordered so that every run of rows meets a contiguous run of matrices; rows of the base come last
and are outside of every run, so no index can ever point at a stranger's adapter. Each row is its own
matrix-vector product
(`bmm` with one row), so its bits do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from inference_worker.adapters.packing import Layout, PackedAdapter, slices_of
from inference_worker.adapters.quantised import floats_of, write_floats
from inference_worker.adapters.shape import BaseShape
from inference_worker.engine.lanes import assign_lanes, shared_ids

# Measured break-even at SmolLM2 width: below it the calls cost more than the copies they save.
SHARE_FROM_ROWS = 8


@dataclass(frozen=True)
class GroupMatrices:
    """Matrices of one layer and module group for a run of n rows: down (n, inputs, members*rank), ups (n,
    rank, out), gain (n, sum of outs) or None."""

    down: torch.Tensor
    ups: tuple[torch.Tensor, ...]
    outs: tuple[int, ...]
    rank: int
    gain: torch.Tensor | None


@dataclass(frozen=True)
class Run:
    """Rows start..stop of the ordered batch and their matrices by layer and group (None: not adapted)."""

    start: int
    stop: int
    matrices: tuple[tuple[GroupMatrices | None, ...], ...]


@dataclass(frozen=True)
class LoraPlan:
    """How one step applies its adapters; `order[i]` is the caller's row at position i of the ordered
    batch."""

    order: tuple[int, ...]
    runs: tuple[Run, ...]

    def add(self, layer: int, group: int, rows: torch.Tensor, products: torch.Tensor) -> None:
        """Turn each row's base product into its adapter's, in place; both are (rows, width)."""
        for run in self.runs:
            matrices = run.matrices[layer][group]
            if matrices is not None:
                _add_run(rows[run.start : run.stop], products[run.start : run.stop], matrices)


def _add_run(rows: torch.Tensor, products: torch.Tensor, matrices: GroupMatrices) -> None:
    inner = torch.bmm(rows.unsqueeze(1), matrices.down)
    column = 0
    for member, (up, out) in enumerate(zip(matrices.ups, matrices.outs, strict=True)):
        part = inner[..., member * matrices.rank : (member + 1) * matrices.rank]
        products[:, column : column + out] += torch.bmm(part, up).squeeze(1)
        column += out
    if matrices.gain is not None:
        products *= matrices.gain


def adapt_sequence(
    adapter: PackedAdapter, shape: BaseShape
) -> Callable[[int, int, torch.Tensor, torch.Tensor], None]:
    """The same adapter for every row of a prefill: ordinary matrix products, for its rows are one
    sequence. Takes (layer, group, rows, products) as `LoraPlan.add` does."""
    matrices = matrices_over(floats_of(adapter, shape).unsqueeze(0), adapter.layout, shape)

    def adapt(layer: int, group: int, rows: torch.Tensor, products: torch.Tensor) -> None:
        found = matrices[layer][group]
        if found is None:
            return
        inner, column = rows @ found.down[0], 0
        for member, (up, out) in enumerate(zip(found.ups, found.outs, strict=True)):
            part = inner[:, member * found.rank : (member + 1) * found.rank]
            products[:, column : column + out] += part @ up[0]
            column += out
        if found.gain is not None:
            products *= found.gain

    return adapt


def matrices_over(
    blobs: torch.Tensor, layout: Layout, shape: BaseShape
) -> tuple[tuple[GroupMatrices | None, ...], ...]:
    """Views into (n, floats) blobs of one layout; no copy."""
    layers, _ = slices_of(layout, shape)
    n = blobs.shape[0]
    result = []
    for groups in layers:
        row: list[GroupMatrices | None] = []
        for slot in groups:
            if slot is None:
                row.append(None)
                continue
            inner = len(slot.outs) * layout.rank
            down = blobs[:, slot.down : slot.down + inner * slot.inputs].view(n, inner, slot.inputs)
            ups = tuple(
                blobs[:, up : up + layout.rank * out].view(n, layout.rank, out)
                for up, out in zip(slot.ups, slot.outs, strict=True)
            )
            gain = None if slot.gain is None else blobs[:, slot.gain : slot.gain + sum(slot.outs)]
            row.append(GroupMatrices(down.transpose(1, 2), ups, slot.outs, layout.rank, gain))
        result.append(tuple(row))
    return tuple(result)


class _Arena:
    """Lanes of one layout: a (lanes, floats) tensor that grows by doubling, and what each lane holds."""

    def __init__(self, layout: Layout, shape: BaseShape) -> None:
        self._shape, self._floats = shape, slices_of(layout, shape)[1]
        self._blobs = torch.empty(0, self._floats)
        self._held: list[str | None] = []

    def place(self, adapters: Sequence[PackedAdapter]) -> tuple[tuple[int, ...], torch.Tensor]:
        """Row order and blobs for these adapters, after copying in those that no lane holds yet."""
        plan = assign_lanes(self._held, [a.cid for a in adapters])
        self._grow(len(adapters))
        by_cid = {a.cid: a for a in adapters}
        for lane, cid in plan.copies:
            write_floats(by_cid[cid], self._shape, self._blobs[lane])
            self._held[lane] = cid
        return plan.rows, self._blobs[: len(adapters)]

    def _grow(self, lanes: int) -> None:
        if lanes <= len(self._held):
            return
        size = max(lanes, 2 * len(self._held))
        blobs = torch.empty(size, self._floats)
        blobs[: len(self._held)] = self._blobs
        self._held += [None] * (size - len(self._held))
        self._blobs = blobs


class LoraBatcher:
    """Plans the adapters of each step; keeps lanes and the last plan, for most steps repeat the one
    before."""

    def __init__(self, shape: BaseShape, share_from_rows: int = SHARE_FROM_ROWS) -> None:
        self._shape, self._share_from = shape, share_from_rows
        self._arenas: dict[Layout, _Arena] = {}
        self._shared: dict[str, torch.Tensor] = {}
        self._last: tuple[tuple[str | None, ...], LoraPlan] | None = None

    def plan(self, adapters: Sequence[PackedAdapter | None]) -> LoraPlan:
        """The plan for rows with these adapters; None is the base."""
        key = tuple(a.cid if a else None for a in adapters)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        plan = self._build(adapters)
        self._last = (key, plan)
        return plan

    def forget_unused(self) -> None:
        """Drop all lanes; called when the batch is empty, so that memory follows the load."""
        self._arenas.clear()
        self._shared.clear()
        self._last = None

    def _build(self, adapters: Sequence[PackedAdapter | None]) -> LoraPlan:
        order: list[int] = []
        runs: list[Run] = []
        shared = shared_ids([a.cid for a in adapters if a], self._share_from)
        self._shared = {cid: blob for cid, blob in self._shared.items() if cid in shared}
        for cid in sorted(shared):
            rows = [i for i, a in enumerate(adapters) if a and a.cid == cid]
            adapter = adapters[rows[0]]
            assert adapter is not None
            if cid not in self._shared:
                self._shared[cid] = floats_of(adapter, self._shape)
            blobs = self._shared[cid].unsqueeze(0).expand(len(rows), -1)
            runs.append(self._run(len(order), blobs, adapter.layout))
            order += rows
        for layout, rows in self._by_layout(adapters, shared).items():
            arena = self._arenas.setdefault(layout, _Arena(layout, self._shape))
            chosen = [a for i in rows if (a := adapters[i]) is not None]
            lane_rows, blobs = arena.place(chosen)
            runs.append(self._run(len(order), blobs, layout))
            order += [rows[i] for i in lane_rows]
        order += [i for i, a in enumerate(adapters) if a is None]
        return LoraPlan(tuple(order), tuple(runs))

    def _run(self, start: int, blobs: torch.Tensor, layout: Layout) -> Run:
        return Run(start, start + blobs.shape[0], matrices_over(blobs, layout, self._shape))

    def _by_layout(
        self, adapters: Sequence[PackedAdapter | None], shared: frozenset[str]
    ) -> dict[Layout, list[int]]:
        rows: dict[Layout, list[int]] = {}
        for index, adapter in enumerate(adapters):
            if adapter is not None and adapter.cid not in shared:
                rows.setdefault(adapter.layout, []).append(index)
        return rows
