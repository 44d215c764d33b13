"""Chooses what computes: the base held for a device, and the runner over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from inference_worker.adapters.packed_file import NewPages, plain_pages
from inference_worker.adapters.quantised import PoolDtype
from inference_worker.engine.base_dtype import BaseDtype, BaseKernel, kernel_of
from inference_worker.engine.device.adapter_slots import AdapterSlots
from inference_worker.engine.device.base_kernels import COMPUTE, device_kernel
from inference_worker.engine.device.blocks import Blocks
from inference_worker.engine.device.pinned import pinned_pages
from inference_worker.engine.device.place import DeviceName, describe, open_device
from inference_worker.engine.device.runner import DeviceLimits, DeviceRunner
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.pages import pages_for
from inference_worker.engine.runner import Runner
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.weights import BaseWeights, read_base


@dataclass(frozen=True)
class Compute:
    """`facts` are what of the device enters the profile id."""

    kernel: BaseKernel
    weights: BaseWeights
    new_runner: Callable[[SchedulerLimits], Runner[Any]]
    facts: Mapping[str, str] = field(default_factory=dict)


def open_compute(base: Path, device: DeviceName, base_dtype: BaseDtype, pool: PoolDtype) -> Compute:
    """Load the base; raises DeviceAbsent and BaseDtypeUnsupported before anything is read."""
    place = open_device(device)
    if place.type == "cpu":
        kernel = kernel_of(base_dtype)
        weights = read_base(base, kernel)
        return Compute(kernel, weights, lambda limits: ModelRunner(weights), facts=describe(place))
    kernel = device_kernel(base_dtype)
    weights = read_base(base, kernel, place)

    def new_runner(limits: SchedulerLimits) -> Runner[Any]:
        runner = device_runner(weights, place, COMPUTE[base_dtype], pool, limits)
        runner.capture()
        return runner

    return Compute(kernel, weights, new_runner, {**describe(place), **_KERNELS})


def pages_beside(device: torch.device) -> NewPages:
    """The memory for adapters that wait in the host's to be brought to the device."""
    return plain_pages if device.type == "cpu" else pinned_pages


_KERNELS = {"lora": "triton-segments", "attention": "triton-cuts", "blocks": str(Blocks())}


def device_runner(
    weights: BaseWeights, place: torch.device, dtype: torch.dtype, pool: PoolDtype, limits: SchedulerLimits
) -> DeviceRunner:
    """The runner of these limits over Triton's kernels, nothing captured yet."""
    # Triton is there only where a GPU is, or a test.
    from inference_worker.engine.device.triton_ops import TritonOps

    shape = weights.shape
    # A kept piece is copied before others make room for it.
    pages = limits.total_pages + pages_for(limits.prefill_tokens)
    longest = min(shape.positions, limits.sequence_positions, limits.total_positions)
    return DeviceRunner(
        weights,
        TritonOps(shape, place, dtype, pool, limits.running),
        AdapterSlots(shape, place, pool, limits.lane_bytes),
        place,
        dtype,
        DeviceLimits(limits.running, pages, pages_for(longest)),
    )
