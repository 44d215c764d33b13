"""The kernels as a compiler for GPUs sees them, on any machine."""

import os
import subprocess
import sys
from collections import defaultdict

from tests.inference_worker.engine.device.on_device import needs_triton

CAPABILITY = "90"
# What streams matrices, or keys and values, must do so 16 bytes at a time.
STREAMING = ("shrink", "expand", "attend_cut", "add_and_norm", "gate")


@needs_triton
def test_every_kernel_compiles_and_reads_16_bytes_at_a_time(tmp_path):
    """SPEC 4.188"""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.inference_worker.engine.device.compile_kernels", CAPABILITY],
        env={**environment, "TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wide = defaultdict(list)
    for line in done.stdout.splitlines():
        name, loads = line.split()
        wide[name].append(int(loads))
    assert set(wide) == {*STREAMING, "join_cuts", "rotate_and_store"}
    assert all(min(wide[name]) > 0 for name in STREAMING), dict(wide)
