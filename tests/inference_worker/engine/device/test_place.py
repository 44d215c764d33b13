"""Which device is opened, and what is said where it is not there."""

import subprocess
import sys

import pytest
import torch

from inference_worker.engine.base_dtype import BaseDtypeUnsupported
from inference_worker.engine.device.base_kernels import device_kernel
from inference_worker.engine.device.place import DeviceAbsent, describe, open_device
from inference_worker.engine.profile import profile_id
from tests.inference_worker.engine.device.on_device import needs_gpu

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@without_gpu
def test_a_device_that_is_not_here_is_refused_in_words():
    """SPEC 4.185"""
    with pytest.raises(DeviceAbsent, match=r"device cuda cannot be used: .* --device cpu"):
        open_device("cuda")


@without_gpu
def test_a_worker_asked_for_an_absent_device_ends_at_once(tmp_path, base_folder):
    """SPEC 4.185"""
    (tmp_path / "token").write_text("secret")
    paths = {"socket": "w.sock", "node-socket": "n.sock", "token-file": "token", "data": "data"}
    options = [word for name, file in paths.items() for word in (f"--{name}", str(tmp_path / file))]
    done = subprocess.run(
        [sys.executable, "-m", "inference_worker", *options, "--base", str(base_folder), "--device", "cuda"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "device cuda cannot be used" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_a_base_in_fewer_bits_is_refused_on_a_device(dtype):
    """SPEC 4.185"""
    with pytest.raises(BaseDtypeUnsupported):
        device_kernel(dtype)


def test_the_profile_names_the_device_and_its_libraries():
    """SPEC 4.185"""
    gpu = {"device": "NVIDIA A", "cuda": "13.0", "triton": "3.7.1"}
    described = [describe(open_device("cpu")), gpu, {**gpu, "device": "NVIDIA B"}, {**gpu, "triton": "3.8"}]
    ids = {profile_id("blas", 64, 256, device=facts) for facts in described}
    assert len(ids) == len(described)


@needs_gpu
def test_a_gpu_is_described_with_all_that_can_change_a_bit():
    """SPEC 4.185"""
    assert set(describe(open_device("cuda"))) == {"device", "capability", "cuda", "triton"}
