"""Runs a base with any mix of adapters on one device; to the engine it is what the CPU's runner is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.engine.device.adapter_slots import AdapterSlots
from inference_worker.engine.device.decoder import Decoder
from inference_worker.engine.device.device_adapter import DeviceAdapter
from inference_worker.engine.device.graphs import CapturedStep, bucket_of, buckets_up_to
from inference_worker.engine.device.ops import Ops
from inference_worker.engine.device.paged_kv import PagedCache, PagedKv
from inference_worker.engine.device.place import to_device
from inference_worker.engine.device.step_buffers import StepBuffers, StepRow
from inference_worker.engine.pages import pages_for
from inference_worker.engine.runner import DecodeRow
from inference_worker.engine.weights import BaseWeights

_FIRST_PAGES, _PAGES_FACTOR = pages_for(1024), 8


@dataclass(frozen=True)
class DeviceLimits:
    """The most rows of a step, and pages of keys and values: in all, and of one sequence."""

    rows: int
    pages: int
    sequence_pages: int


class DeviceRunner:
    """See the engine's Runner. One thread at a time."""

    def __init__(
        self,
        weights: BaseWeights,
        ops: Ops,
        slots: AdapterSlots,
        device: torch.device,
        dtype: torch.dtype,
        limits: DeviceLimits,
    ) -> None:
        self.shape, self.slots, self._device = weights.shape, slots, device
        self._kv = PagedKv(weights.shape, limits.pages, device, dtype)
        self._decoder = Decoder(weights, self._kv, ops)
        self._buffers = StepBuffers(limits.rows, limits.sequence_pages, device)
        # A matrix product may give a row other bits at another number of rows. fp32 is the verifiable form.
        fixed = dtype == torch.float32
        self.row_buckets = (limits.rows,) if fixed else buckets_up_to(limits.rows, 1, 2)
        self._page_buckets = buckets_up_to(limits.sequence_pages, _FIRST_PAGES, _PAGES_FACTOR)
        self._captured: dict[tuple[int, int], CapturedStep] = {}

    @torch.inference_mode()
    def capture(self) -> None:
        """Capture a step of every size, so that none is captured while somebody waits."""
        first: CapturedStep | None = None
        # The largest first: the others find room in its memory.
        for rows in reversed(self.row_buckets):
            for pages in reversed(self._page_buckets):
                inputs = self._buffers.inputs(rows, pages)
                captured = CapturedStep(self._decoder.step, inputs, first)
                self._captured[rows, pages], first = captured, first or captured

    @property
    def free_pages(self) -> int:
        """Pages that neither a sequence nor a kept piece has."""
        return self._kv.free

    def new_cache(self, capacity: int) -> PagedCache:
        """An empty cache for a sequence of at most `capacity` positions."""
        return PagedCache(self._kv, capacity)

    def lane_bytes(self, adapter: PackedAdapter) -> int:
        """What the adapter takes on the device."""
        return self.slots.bytes_of(adapter)

    def prefetch(self, adapter: PackedAdapter) -> bool:
        """Begin to bring an adapter; False while it is under way."""
        return self.slots.prefetch(adapter)

    def idle(self) -> None:
        """Nothing is held for a batch alone."""

    @torch.inference_mode()
    def prefill(
        self, tokens: Sequence[int], cache: PagedCache, adapter: PackedAdapter | None, adapted_from: int = 0
    ) -> torch.Tensor:
        """Append a piece of one prompt to its cache; returns the logits after its last token, (vocab,). The
        tokens before the index `adapted_from` of the piece are the base's."""
        cache.reserve(cache.length + len(tokens))
        ids = to_device(torch.tensor(list(tokens)), self._device)
        logits = self._decoder.prefill(ids, cache, self._held(cache, adapter), adapted_from)
        cache.advance(len(tokens))
        return logits

    @torch.inference_mode()
    def decode(self, rows: Sequence[DecodeRow[PagedCache]]) -> torch.Tensor:
        """One token further for each row; returns (rows, vocab) logits, which the next call overwrites."""
        for row in rows:
            row.cache.reserve(row.cache.length + 1)
        segments = self._buffers.fill(
            [StepRow(row.token, row.cache, self._held(row.cache, row.adapter)) for row in rows]
        )
        size = (
            bucket_of(len(rows), self.row_buckets),
            bucket_of(max(len(row.cache.pages) for row in rows), self._page_buckets),
        )
        step = self._captured.get(size, self._decoder.step)
        logits = step(self._buffers.inputs(*size, segments))
        for row in rows:
            row.cache.advance(1)
        return logits[: len(rows)]

    def _held(self, cache: PagedCache, adapter: PackedAdapter | None) -> DeviceAdapter | None:
        if adapter is None:
            return None
        if cache.adapter is None:
            cache.adapter, let_go = self.slots.hold(adapter)
            cache.on_release(let_go)
        return cache.adapter
