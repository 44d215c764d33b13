"""The identity of a numerical environment: two workers with the same profile id compute the same bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import llguidance
import torch

from inference_worker.adapters.quantised import PoolDtype
from inference_worker.engine.base_dtype import BaseDtype
from inference_worker.engine.kv_lanes import LANE_POSITIONS
from protocol.canonical import canonical_json

CPU: Mapping[str, str] = {"device": "cpu"}


def profile_id(
    kernel: str,
    first_piece: int,
    prefill_tokens: int,
    adapter_dtype: PoolDtype = "float32",
    base_dtype: BaseDtype = "float32",
    device: Mapping[str, str] = CPU,
) -> str:
    """0x sha256 over everything that can change a logit, or the token drawn from it; call after the thread
    count is set. `device` says what computes, and takes the place of what is said of the CPU's kernels.
    """
    described = {
        "torch": torch.__version__,
        "dtype": base_dtype,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "linear": kernel,
        "lora": "row-bmm",
        "adapter_dtype": adapter_dtype,
        "dora": "output-gain",
        "attention": f"sdpa-lanes-{LANE_POSITIONS}",
        "first_piece": first_piece,
        "prefill_tokens": prefill_tokens,
        "sampler": "counter-1",
        "grammar": f"llguidance-{llguidance.__version__}",
        **device,
    }
    return "0x" + hashlib.sha256(canonical_json(described)).hexdigest()
