"""Which device a worker computes on, and how it is described."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch

DeviceName = Literal["cpu", "cuda"]


class DeviceAbsent(Exception):
    """The device that was asked for is not here."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"device {name} cannot be used: {reason}; start the worker with --device cpu")
        self.name, self.reason = name, reason


def open_device(name: DeviceName) -> torch.device:
    """The device of this name; raises DeviceAbsent."""
    if name == "cuda":
        if not torch.cuda.is_available():
            build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
            raise DeviceAbsent(name, f"torch {torch.__version__}, built with {build}, finds no GPU")
        if triton_version() is None:
            raise DeviceAbsent(name, "triton is not installed")
        # fp32 means fp32: TF32 would keep 10 bits of each factor.
        torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device(name)


def describe(device: torch.device) -> dict[str, str]:
    """What of the device and its libraries can change a bit of a result."""
    if device.type == "cpu":
        return {"device": "cpu"}
    return {
        "device": torch.cuda.get_device_name(device),
        "capability": ".".join(str(part) for part in torch.cuda.get_device_capability(device)),
        "cuda": str(torch.version.cuda),
        "triton": str(triton_version()),
    }


def triton_version() -> str | None:
    """The installed Triton's version; None where there is none."""
    try:
        return version("triton")
    except PackageNotFoundError:
        return None


def to_device(host: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on the device, without waiting for what the device does now."""
    return host if device.type == "cpu" else host.pin_memory().to(device, non_blocking=True)


def side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream beside the one that steps run on; None where there are no streams."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
