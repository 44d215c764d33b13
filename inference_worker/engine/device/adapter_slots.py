"""Adapters on the device: least recently used under a byte budget, held by the sequences that run with them.

An adapter comes by one copy for each of its tensors, on a stream of its own beside the steps. Whoever uses it
first makes the step's stream wait for the copy; nobody else waits, and the CPU never does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.quantised import PoolDtype
from inference_worker.adapters.residency import Residency, ResidencyFull
from inference_worker.adapters.shape import BaseShape
from inference_worker.engine.device.device_adapter import (
    AdapterTensors,
    DeviceAdapter,
    device_bytes,
    placed,
    tensors_of,
)
from inference_worker.engine.device.place import side_stream

# More at once would come no sooner, and evict each other where many wait.
MOST_COPIES = 4


@dataclass
class _Slot:
    """`source` must outlive its copy, which is done when `copied` is."""

    adapter: DeviceAdapter
    source: AdapterTensors | None
    copied: torch.cuda.Event | None

    @property
    def settled(self) -> bool:
        """Whether the copy is done."""
        if self.copied is not None and self.copied.query():  # type: ignore[no-untyped-call]
            self.copied = self.source = None
        return self.copied is None

    def settle(self) -> None:
        """Wait for the copy."""
        if self.copied is not None:
            self.copied.synchronize()


class AdapterSlots:
    """The device tier. Used by the engine's thread alone."""

    def __init__(self, shape: BaseShape, device: torch.device, pool: PoolDtype, budget_bytes: int) -> None:
        self.pool, self.residency = pool, Residency(budget_bytes)
        self._shape, self._device = shape, device
        self._slots: dict[str, _Slot] = {}
        self._stream = side_stream(device)

    def bytes_of(self, packed: PackedAdapter) -> int:
        """What the adapter takes here."""
        return device_bytes(packed.layout, self._shape, self.pool)

    def prefetch(self, packed: PackedAdapter) -> bool:
        """Begin to bring an adapter if there is room for it; False while its copy is under way, or behind
        others."""
        if packed.cid not in self._slots and self._under_way() >= MOST_COPIES:
            return False
        try:
            return self._bring(packed).settled
        except ResidencyFull:
            # Its turn to run comes when others have ended, and their room with it.
            return True

    def hold(self, packed: PackedAdapter) -> tuple[DeviceAdapter, Callable[[], None]]:
        """The adapter, for steps on the current stream from now on, and how to let it go again.

        Raises ResidencyFull where the adapters of running sequences leave no room.
        """
        slot = self._bring(packed)
        if slot.copied is not None and not slot.settled:
            torch.cuda.current_stream(self._device).wait_event(slot.copied)
        self.residency.lease(packed.cid)
        return slot.adapter, partial(self.residency.release, packed.cid)

    def _under_way(self) -> int:
        return sum(not slot.settled for slot in self._slots.values())

    def _bring(self, packed: PackedAdapter) -> _Slot:
        if packed.cid not in self._slots:
            for victim in self.residency.admit(packed.cid, self.bytes_of(packed)):
                self._slots.pop(victim).settle()
            try:
                self._slots[packed.cid] = self._copy(packed)
            except Exception:
                self.residency.drop(packed.cid)
                raise
        return self._slots[packed.cid]

    def _copy(self, packed: PackedAdapter) -> _Slot:
        source = tensors_of(packed, self._shape, self.pool)
        if self._stream is not None and source.scales is not None:
            # Made just now, in ordinary memory, a copy from which would wait for the steps before.
            source = replace(source, scales=source.scales.pin_memory())
        copies = [None if t is None else torch.empty_like(t, device=self._device) for t in source]
        with self._beside():
            for target, tensor in zip(copies, source, strict=True):
                if target is not None and tensor is not None:
                    target.copy_(tensor, non_blocking=True)
        matrices, gains, scales = copies
        assert matrices is not None
        adapter = placed(packed.cid, packed.layout, AdapterTensors(matrices, gains, scales), self._shape)
        if self._stream is None:
            return _Slot(adapter, None, None)
        for target in copies:
            if target is not None:
                target.record_stream(self._stream)
        return _Slot(adapter, source, self._stream.record_event())

    def _beside(self) -> AbstractContextManager[object]:
        if self._stream is None:
            return nullcontext()
        # The memory may be that of an adapter which an earlier step still reads.
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        return torch.cuda.stream(self._stream)
