"""What a worker is told on its command line; read once, passed down as plain values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MIB = 1024 * 1024


@dataclass(frozen=True)
class WorkerConfig:
    """Paths and limits of one worker; sizes in bytes, positions in LLM tokens."""

    socket: Path
    node_socket: Path
    token_file: Path
    data: Path
    base: Path
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    base_dtype: Literal["float32", "bfloat16", "int8", "int4"] = "float32"
    adapter_bytes: int = 1024 * MIB
    adapter_dtype: Literal["float32", "bfloat16", "int8"] = "float32"
    lane_bytes: int = 1024 * MIB
    adapter_disk_bytes: int = 8192 * MIB
    fetch_bytes: int = 512 * MIB
    running: int = 32
    waiting: int = 256
    total_positions: int = 32_768
    drain_seconds: float = 6.0
    parent: int | None = None
    tenant_weights: tuple[tuple[str, int], ...] = ()
    engine: Literal["torch", "vllm"] = "torch"
    vllm_python: Path | None = None
    vllm_slots: int = 8
    vllm_adapters: int = 64
    vllm_rank: int = 16
    vllm_flags: tuple[str, ...] = ()


def default_threads(cores: int | None) -> int:
    """Half of the cores: neighbours that fight over a core slow small products down many times over."""
    return max(1, (cores or 1) // 2)


def parse_arguments(arguments: Sequence[str]) -> WorkerConfig:
    """The configuration of a command line; exits with a usage message as argparse does."""
    parser = argparse.ArgumentParser(prog="inference_worker", description="Serves one base and its adapters.")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--node-socket", type=Path, required=True, help="the node's private Unix socket")
    parser.add_argument("--token-file", type=Path, required=True, help="file with the shared bearer token")
    parser.add_argument("--data", type=Path, required=True, help="folder for job state and caches")
    parser.add_argument("--base", type=Path, required=True, help="folder of the converted base model")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default=WorkerConfig.device,
        help="what computes the answers; training and attribution stay on the CPU",
    )
    parser.add_argument("--threads", type=int, default=default_threads(os.cpu_count()))
    parser.add_argument(
        "--base-dtype",
        choices=("float32", "bfloat16", "int8", "int4"),
        default=WorkerConfig.base_dtype,
        help="how the base is held; only float32 is verifiable on another machine",
    )
    parser.add_argument("--adapter-bytes", type=int, default=WorkerConfig.adapter_bytes)
    parser.add_argument(
        "--adapter-dtype", choices=("float32", "bfloat16", "int8"), default=WorkerConfig.adapter_dtype
    )
    parser.add_argument(
        "--lane-bytes",
        type=int,
        default=WorkerConfig.lane_bytes,
        help="room for the adapters of running sequences beside the batch: on a GPU, of its memory",
    )
    parser.add_argument("--adapter-disk-bytes", type=int, default=WorkerConfig.adapter_disk_bytes)
    parser.add_argument(
        "--fetch-bytes",
        type=int,
        default=WorkerConfig.fetch_bytes,
        help="what bundles on their way from the node may take together; a larger bundle is refused",
    )
    parser.add_argument("--running", type=int, default=WorkerConfig.running)
    parser.add_argument("--waiting", type=int, default=WorkerConfig.waiting)
    parser.add_argument("--total-positions", type=int, default=WorkerConfig.total_positions)
    parser.add_argument("--drain-seconds", type=float, default=WorkerConfig.drain_seconds)
    parser.add_argument("--parent", type=int, help="process id to end with")
    parser.add_argument(
        "--tenant-weight", dest="tenant_weights", type=tenant_weight, action="append", metavar="TENANT=N",
        default=[], help="a tenant's share of the engine, 1 unless given",
    )  # fmt: skip
    _add_vllm(parser)
    options = vars(parser.parse_args(arguments))
    lists = {name: tuple(options[name]) for name in ("tenant_weights", "vllm_flags")}
    config = WorkerConfig(**{**options, **lists})
    wrong = unsuited(config)
    if wrong is not None:
        parser.error(wrong)
    return config


def _add_vllm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=("torch", "vllm"), default=WorkerConfig.engine)
    parser.add_argument(
        "--vllm-python", type=Path, help="interpreter of the environment that vLLM is installed in"
    )
    parser.add_argument(
        "--vllm-slots", type=int, default=WorkerConfig.vllm_slots,
        help="adapters in one step of vLLM, the base alone counting as one",
    )  # fmt: skip
    parser.add_argument("--vllm-adapters", type=int, default=WorkerConfig.vllm_adapters)
    parser.add_argument(
        "--vllm-rank", type=int, choices=(8, 16, 32, 64, 128), default=WorkerConfig.vllm_rank,
        help="the largest rank that vLLM makes room for",
    )  # fmt: skip
    parser.add_argument(
        "--vllm-flag", dest="vllm_flags", action="append", metavar="FLAG", default=[],
        help="handed to vLLM as it is, e.g. --vllm-flag=--tensor-parallel-size=4",
    )  # fmt: skip


def unsuited(config: WorkerConfig) -> str | None:
    """Why the chosen engine cannot do what else was asked of it; None if it can."""
    if config.engine != "vllm":
        return None
    if config.vllm_python is None:
        return "--engine vllm needs --vllm-python, the interpreter that has vLLM"
    if config.base_dtype not in ("float32", "bfloat16") or config.adapter_dtype != "float32":
        return "--engine vllm takes --base-dtype float32 or bfloat16, and --adapter-dtype float32"
    if config.tenant_weights:
        return "--tenant-weight has no meaning with --engine vllm, which serves in the order of arrival"
    if not 2 <= config.vllm_slots <= config.vllm_adapters:
        return "--vllm-slots is 2 at least, for the base alone takes one, and --vllm-adapters at most"
    return None


def tenant_weight(text: str) -> tuple[str, int]:
    """A tenant and its weight from `TENANT=N`; raises ValueError, which argparse reports."""
    tenant, _, weight = text.rpartition("=")
    if not tenant or int(weight) < 1:
        raise ValueError(f"{text!r} is not TENANT=N with N of at least 1")
    return tenant, int(weight)
