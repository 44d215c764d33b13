"""Runners on a device over a tiny base, and the marks of tests that need more than every machine has."""

from importlib.util import find_spec

import pytest
import torch

from inference_worker.engine.device.adapter_slots import AdapterSlots
from inference_worker.engine.device.base_kernels import device_kernel
from inference_worker.engine.device.ops import TorchOps
from inference_worker.engine.device.runner import DeviceLimits, DeviceRunner
from inference_worker.engine.weights import read_base
from tests.inference_worker.adapters.peft_folders import shape

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
CPU = torch.device("cpu")
LIMITS = DeviceLimits(rows=8, pages=200, sequence_pages=32)
PLENTY = 1 << 30


def needs_gpu(test):
    return pytest.mark.gpu(
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")(test),
    )


def torch_runner(weights, pool="float32", limits=LIMITS, budget=PLENTY, dtype=torch.float32):
    """The device's runner over the reference, on the CPU."""
    slots = AdapterSlots(shape(), CPU, pool, budget)
    return DeviceRunner(weights, TorchOps(shape(), CPU, dtype), slots, CPU, dtype, limits)


def triton_runner(base_folder, device, base_dtype="float32", pool="float32", limits=LIMITS, blocks=None):
    """The same over Triton's kernels, with the base held as the device holds it."""
    from inference_worker.engine.device.triton_ops import TritonOps

    weights = read_base(base_folder, device_kernel(base_dtype), device)
    dtype = getattr(torch, base_dtype)
    ops = TritonOps(shape(), device, dtype, pool, limits.rows, blocks)
    slots = AdapterSlots(shape(), device, pool, PLENTY)
    return DeviceRunner(weights, ops, slots, device, dtype, limits)
