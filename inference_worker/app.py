"""The composition root: builds every part of a worker from its configuration, serves, and takes it down in
order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch
from aiohttp import web

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.bundle import BundleSource
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.fetch_room import FetchRoom
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packer import PackingRules
from inference_worker.adapters.packing_process import PackerApart, PackingProcess
from inference_worker.adapters.shape import BaseShape
from inference_worker.adapters.spelled_ensembles import SpelledEnsembles
from inference_worker.attribution.process import AttributionProcess, AttributionSettings
from inference_worker.base.load import identify
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.config import WorkerConfig
from inference_worker.engine.backend import Backend
from inference_worker.engine.base_dtype import BaseDtypeUnsupported, kernel_of
from inference_worker.engine.compute import open_compute, pages_beside
from inference_worker.engine.device.place import DeviceAbsent, open_device
from inference_worker.engine.engine import Engine
from inference_worker.engine.grammar import GrammarCompiler
from inference_worker.engine.profile import profile_id
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.sampling_rules import SamplingRules
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.step_costs import StepCosts, processor_microseconds
from inference_worker.engine.text_stream import Decode
from inference_worker.engine.weights import WEIGHTS_FILE, read_shape
from inference_worker.errors import BackendUnavailable
from inference_worker.lifetime import die_with
from inference_worker.log import log_to_stderr
from inference_worker.metrics import Metrics
from inference_worker.routes.fences import Fences
from inference_worker.routes.services import Services
from inference_worker.routes.turns import Turns
from inference_worker.server import create_app
from inference_worker.training.jobs import JobRunner
from inference_worker.vllm.build import vllm_engine
from protocol.wire import BaseInfo

log = structlog.get_logger()

QUICK_THREADS, ATTRIBUTING_THREADS = 4, 1
# Reading takes the disk's time, fetching the network's: a fetch in each of its threads leaves reads free.
READING_THREADS, FETCHING_THREADS = 2, 8
# Each takes seconds, and whoever waits longer than a node is patient asks again anyway.
ATTRIBUTIONS_WAITING = 64
# What is still open after the drain is cut, so that whoever asked us to stop need not kill us.
CUT_SECONDS = 2.0


@dataclass(frozen=True)
class Apart:
    """What is done in processes of their own, so that the step loop keeps the interpreter's lock."""

    packing: PackingProcess
    attributing: AttributionProcess


def run(config: WorkerConfig) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code: 2 if what was asked for is not here."""
    log_to_stderr()
    if config.parent is not None:
        die_with(config.parent)
    # Packing before there is any other thread, for it is a fork.
    apart = Apart(PackingProcess(), AttributionProcess(attribution_settings(config)))
    try:
        return 0 if asyncio.run(serve(config, apart)) else 1
    except (BackendUnavailable, DeviceAbsent, BaseDtypeUnsupported) as error:
        log.error("worker_cannot_start", reason=str(error))
        return 2
    finally:
        apart.packing.close()
        apart.attributing.close()


async def serve(config: WorkerConfig, apart: Apart) -> bool:
    """Build, listen, say so on stdout, and drain when asked to stop; False if the engine ended by itself."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(services_of(config, apart))
        await stack.enter_async_context(listening(config, services))
        ready = {"event": "ready", "socket": str(config.socket), "profile_id": services.profile_id}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        asked = asyncio.create_task(stopping.wait())
        broken = asyncio.create_task(asyncio.to_thread(services.engine.wait))
        # A worker without its engine is worth nothing; whoever started it starts a new one.
        await asyncio.wait({asked, broken}, return_when=asyncio.FIRST_COMPLETED)
        log.info("worker_draining", asked=asked.done())
        drained = await asyncio.to_thread(services.engine.close, config.drain_seconds)
        log.info("worker_stopped", drained=drained)
        return asked.done()


@asynccontextmanager
async def services_of(config: WorkerConfig, apart: Apart) -> AsyncIterator[Services]:
    """Everything behind the routes; closed again on the way out."""
    with ExitStack() as stack:
        sizes = (QUICK_THREADS, READING_THREADS, FETCHING_THREADS, ATTRIBUTING_THREADS)
        services = build(config, apart, *(stack.enter_context(ThreadPoolExecutor(size)) for size in sizes))
        stack.callback(services.loader.close)
        # Before the threads that wait for it, or each of their loads would be packed first.
        stack.callback(apart.packing.close)
        stack.callback(apart.attributing.close)
        services.engine.start()
        stack.callback(services.engine.close, 0)
        services.jobs.start()
        stack.callback(services.jobs.close)
        yield services


def build(
    config: WorkerConfig,
    apart: Apart,
    quick: Executor,
    reading: Executor,
    fetching: Executor,
    attributing: Executor,
) -> Services:
    """Load the base and wire the parts together; nothing runs yet."""
    torch.set_num_threads(config.threads)
    token = config.token_file.read_text(encoding="utf-8").strip()
    blobs = NodeBlobs(str(config.node_socket), token)
    # vLLM's process looks for devices itself. Ours is looked for before anything is read.
    device = open_device("cpu" if config.engine == "vllm" else config.device)
    identity = identify(config.base)
    shape = read_shape(config.base)
    prompts = PromptEncoder(identity.tokenizer, shape.vocab)
    metrics = Metrics()
    # vLLM computes no DoRA; ingestion refuses it where the rows of the base are not at hand.
    by_vllm = config.engine == "vllm"
    rows = None if by_vllm else BaseRows(config.base / WEIGHTS_FILE, kernel_of(config.base_dtype).widened)
    ensembles, room = SpelledEnsembles(blobs.get), FetchRoom(config.fetch_bytes)
    rules = PackingRules(shape, identity.fingerprint, Caps(), rows, config.adapter_dtype)
    made_for = packed_for(identity.fingerprint, config)
    pages = pages_beside(device)
    disk = DiskTier(config.data / "adapters", config.adapter_disk_bytes, made_for, metrics, new_pages=pages)
    source = BundleSource(ensembles.fetch, PackerApart(rules, apart.packing, disk), room)
    loader = AdapterLoader(source, disk, config.adapter_bytes, reading, fetching, metrics, room=room)
    end_tokens = frozenset({int(identity.tokenizer.eos_token_id)})
    make = vllm_engine if by_vllm else torch_engine
    profile, engine = make(config, shape, prompts.decoder(), end_tokens, loader, metrics)
    return Services(
        token=token,
        base=BaseInfo(identity.fingerprint, identity.tokenizer_digest, identity.name),
        profile_id=profile,
        prompts=prompts,
        sampling=SamplingRules(GrammarCompiler(identity.tokenizer, shape.vocab), shape.vocab),
        loader=loader,
        ensembles=ensembles,
        engine=engine,
        attributor=apart.attributing,
        jobs=JobRunner(config.data, config.base, str(config.node_socket), config.token_file),
        quick=quick,
        attributing=Turns(attributing, ATTRIBUTIONS_WAITING),
        fences=Fences(),
        metrics=metrics,
    )


def torch_engine(
    config: WorkerConfig,
    shape: BaseShape,
    decode: Decode,
    end_tokens: frozenset[int],
    loader: AdapterLoader,
    metrics: Metrics,
) -> tuple[str, Backend]:
    """Our own engine and its profile id."""
    compute = open_compute(config.base, config.device, config.base_dtype, config.adapter_dtype)
    kernel = compute.kernel.name
    log.info("base_loaded", kernel=kernel, bytes=compute.weights.nbytes, **compute.facts)
    limits = limits_of(config, shape.positions)
    runner, tenants = compute.new_runner(limits), dict(config.tenant_weights)
    pieces = (limits.first_piece, limits.prefill_tokens)
    profile = profile_id(kernel, *pieces, config.adapter_dtype, config.base_dtype, compute.facts)
    costs = StepCosts(loader.usage.steps, processor_microseconds(config.threads))
    broken = loader.quarantine
    return profile, Engine(runner, decode, end_tokens, limits, broken, metrics, tenants, costs)


def attribution_settings(config: WorkerConfig) -> AttributionSettings:
    """What the process that attributes is told; it has the base as an ordinary module, for gradients."""
    return AttributionSettings(
        config.base, config.node_socket, config.token_file, config.data, config.threads
    )


def packed_for(fingerprint: str, config: WorkerConfig) -> str:
    """What packed files are good for: this base as it is held, for DoRA gains follow it, and this pool."""
    made_for = f"{fingerprint} {config.base_dtype} {config.adapter_dtype}"
    # Nothing packed for our own engine passes vLLM's stricter ingestion by lying there already.
    return made_for if config.engine == "torch" else f"{made_for} {config.engine}"


def limits_of(config: WorkerConfig, positions: int) -> SchedulerLimits:
    """The scheduler's bounds; no sequence may outgrow the base's own positions."""
    return SchedulerLimits(
        running=config.running,
        waiting=config.waiting,
        total_positions=config.total_positions,
        lane_bytes=config.lane_bytes,
        sequence_positions=positions,
    )


@asynccontextmanager
async def listening(config: WorkerConfig, services: Services) -> AsyncIterator[None]:
    """Serve on the Unix socket, which only this user may open."""
    # A client that goes away must cancel its handler, or its sequence would run on to the end.
    runner = web.AppRunner(
        create_app(services), handler_cancellation=True, access_log=None, shutdown_timeout=CUT_SECONDS
    )
    await runner.setup()
    clear_socket(config.socket)
    previous = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(config.socket)).start()
    finally:
        os.umask(previous)
    try:
        yield
    finally:
        await runner.cleanup()
        clear_socket(config.socket)


def clear_socket(path: Path) -> None:
    """Remove the socket that a killed worker left behind; anything else at this path is left, and binding
    fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_socket():
        path.unlink()
