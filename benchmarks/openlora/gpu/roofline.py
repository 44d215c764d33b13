"""What a step must move at least, and how fast this device's memory moves it; the first part is pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from inference_worker.adapters.shape import GROUPS, BaseShape

_COPY_BYTES = 4 << 30
_TRIES = 10


@dataclass(frozen=True)
class StepBytes:
    """Bytes that one decode step reads, by what they are."""

    base: int
    cache: int
    adapters: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.base + self.cache + self.adapters


def step_bytes(shape: BaseShape, item: int, rows: int, context: int, adapters: int) -> StepBytes:
    """For `rows` rows of `context` positions each; `item` bytes a number of base and cache; `adapters` bytes
    of all distinct adapters of the step."""
    linear = sum(shape.dims(m)[0] * shape.dims(m)[1] for modules in GROUPS for m in modules)
    base = (shape.layers * linear + shape.vocab * shape.hidden) * item
    cache = rows * context * shape.layers * 2 * shape.kv_heads * shape.head_dim * item
    return StepBytes(base, cache, adapters)


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a copy within the device reads and writes, the best of some."""
    size = _COPY_BYTES if device.type == "cuda" else 1 << 20
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = min(timed(device, lambda: target.copy_(source)) for _ in range(_TRIES))
    return 2 * size / best


def timed(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the device's own clock for what `work` queues; of the wall clock on a CPU."""
    if device.type != "cuda":
        began = time.perf_counter()
        work()
        return time.perf_counter() - began
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    stop.record()
    stop.synchronize()
    return float(start.elapsed_time(stop)) / 1e3
