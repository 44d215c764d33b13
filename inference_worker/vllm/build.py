"""Puts a vLLM engine together from a worker's configuration; nothing runs yet."""

from __future__ import annotations

import secrets

from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.shape import BaseShape
from inference_worker.config import WorkerConfig
from inference_worker.engine.text_stream import Decode
from inference_worker.metrics import Metrics
from inference_worker.vllm.answerer import Answerer
from inference_worker.vllm.client import VllmClient
from inference_worker.vllm.engine import VllmEngine
from inference_worker.vllm.process import Launch, VllmProcess
from inference_worker.vllm.profile import installed, profile_id
from inference_worker.vllm.registry import Registry


def vllm_engine(
    config: WorkerConfig,
    shape: BaseShape,
    decode: Decode,
    end_tokens: frozenset[int],
    loader: AdapterLoader,
    metrics: Metrics,
) -> tuple[str, VllmEngine]:
    """The engine and its profile id; raises BackendUnavailable where there is no vLLM."""
    launch = launch_of(config, shape)
    key = secrets.token_urlsafe(32)
    client = VllmClient(launch.socket, key)
    registry = Registry(config.data / "vllm", shape, launch.held, client)
    answerer = Answerer(client, registry, decode, end_tokens, metrics)
    at_once = config.running + config.waiting
    profile = profile_id(installed(launch.python), launch.dtype, launch.threads, launch.rank, launch.flags)
    process, broken = VllmProcess(launch, key), loader.quarantine
    engine = VllmEngine(process, client, registry, answerer, at_once, broken, metrics)
    return profile, engine


def launch_of(config: WorkerConfig, shape: BaseShape) -> Launch:
    """How this configuration starts vLLM."""
    assert config.vllm_python is not None
    return Launch(
        # Not resolved: an environment's interpreter is a link, and is known by where the link lies.
        python=config.vllm_python.absolute(),
        base=config.base.absolute(),
        socket=config.socket.absolute().with_suffix(".vllm"),
        log=config.data / "vllm.log",
        dtype=config.base_dtype,
        positions=min(shape.positions, config.total_positions),
        running=config.running,
        threads=config.threads,
        slots=config.vllm_slots,
        held=config.vllm_adapters,
        rank=config.vllm_rank,
        flags=config.vllm_flags,
    )
