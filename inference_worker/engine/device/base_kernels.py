"""How a base is held on a device: ordinary matrices for the device's own matrix product.

Unlike the CPU's kernels these take and give rows in the weights' own dtype: the step casts where it norms.
"""

from __future__ import annotations

import torch

from inference_worker.engine.base_dtype import (
    BaseDtype,
    BaseDtypeUnsupported,
    BaseKernel,
    bf16_ends,
    bf16_widened,
    fp32_kernel,
)
from inference_worker.engine.linear import plain_linear

COMPUTE = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device_kernel(dtype: BaseDtype) -> BaseKernel:
    """The kernel for a dtype on a device; raises BaseDtypeUnsupported."""
    if dtype == "float32":
        return fp32_kernel("blas", plain_linear)
    if dtype != "bfloat16":
        raise BaseDtypeUnsupported(dtype)
    return BaseKernel(
        "blas-bf16",
        lambda weight: plain_linear(weight.bfloat16()),
        bf16_widened,
        lambda embedding, head: bf16_ends(embedding, head, lambda weight: plain_linear(weight.bfloat16())),
    )
