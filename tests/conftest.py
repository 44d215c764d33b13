"""Settings that hold for every test: deterministic hashing backend, one tensor thread, no hub look-ups."""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if not Path("/dev/nvidia0").exists():
    # Chosen before anything imports Triton: without a GPU its kernels run step by step on the CPU.
    os.environ.setdefault("TRITON_INTERPRET", "1")

# On a busy machine time says nothing about the rules. Nor does size: this hypothesis begins with short
# examples and counts as too large whatever outgrows them, now and then twenty in a row.
settings.register_profile(
    "rules", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("rules")
