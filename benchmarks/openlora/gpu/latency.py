"""Requests through the whole engine: time to first token, and what arrivals cost those that run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from benchmarks.openlora.gpu.decode import Bench
from benchmarks.openlora.window import quantile
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.engine.engine import Engine
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.pages import PAGE_POSITIONS, pages_for
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Event, Failed, SamplingParams, TokenProduced
from inference_worker.metrics import Metrics
from protocol.sampling import Sampling

_WAIT_SECONDS = 120.0
_STREAM_PROMPT = 16


class _Stream:
    """When each token of a request came."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failed: Failed | None = None
        self.first, self.gone = threading.Event(), threading.Event()

    def emit(self, event: Event) -> None:
        """Called by the engine."""
        if isinstance(event, TokenProduced):
            self.times.append(time.perf_counter())
        elif isinstance(event, Failed):
            self.failed = event
        self.first.set()

    def gaps(self, since: float, until: float) -> list[float]:
        """Milliseconds between tokens of a span of time."""
        inside = [t for t in self.times if since <= t <= until]
        return [1e3 * (b - a) for a, b in pairwise(inside)]


def measure(bench: Bench, adapters: Sequence[PackedAdapter]) -> dict[str, float]:
    """While all rows but one decode, requests arrive one by one, each with an adapter that is only in the
    host's memory."""
    plan, limits = bench.plan, _limits(bench)
    engine = Engine(bench.runner, lambda ids: "", frozenset(), limits, lambda cid, why: None, Metrics())
    engine.start()
    try:
        tokens = plan.longest - _STREAM_PROMPT
        running = [_submit(engine, adapters[n], _STREAM_PROMPT, tokens) for n in range(plan.rows - 1)]
        for stream, _ in running:
            _await(stream.first, stream)
        calm = time.perf_counter()
        _await_tokens(running[-1][0], plan.steps // 2)
        busy, firsts = time.perf_counter(), list[float]()
        for number in range(plan.arrivals):
            began = time.perf_counter()
            stream, _ = _submit(engine, adapters[-1 - number], plan.arrival_prompt, 1)
            _await(stream.gone, stream)
            firsts.append(1e3 * (stream.times[0] - began))
        end = time.perf_counter()
        for _, sequence in running:
            engine.cancel(sequence)
    finally:
        engine.close(0)
    before = [gap for stream, _ in running for gap in stream.gaps(calm, busy)]
    during = [gap for stream, _ in running for gap in stream.gaps(busy, end)]
    figures = {"ttft_p50_ms": quantile(firsts, 0.5), "ttft_p99_ms": quantile(firsts, 0.99)}
    return figures | _gaps("calm", before) | _gaps("busy", during)


def _gaps(name: str, gaps: list[float]) -> dict[str, float]:
    """Nothing where the streams had ended before."""
    shares = (("p50", 0.5), ("p99", 0.99))
    return {f"{name}_gap_{which}_ms": quantile(gaps, share) for which, share in shares if gaps}


def _limits(bench: Bench) -> SchedulerLimits:
    limits = SchedulerLimits(running=bench.plan.rows, lane_bytes=bench.runner.slots.residency.budget)
    # A kept piece is copied before others make room for it.
    pages = bench.runner.free_pages - pages_for(limits.prefill_tokens)
    return replace(limits, total_positions=pages * PAGE_POSITIONS)


def _submit(engine: Engine, adapter: PackedAdapter, prompt: int, tokens: int) -> tuple[_Stream, int]:
    stream = _Stream()
    ids = tuple(range(1, prompt + 1))
    job = GenerationJob(
        ids, SamplingParams(tokens, Sampling(temperature=0.0)), adapter, "bench", stream.emit, stream.gone.set
    )
    return stream, engine.submit(job)


def _await(event: threading.Event, stream: _Stream) -> None:
    if not event.wait(_WAIT_SECONDS) or stream.failed is not None:
        raise RuntimeError(f"a request did not end well: {stream.failed or 'no answer in time'}")


def _await_tokens(stream: _Stream, count: int) -> None:
    wanted, deadline = len(stream.times) + count, time.monotonic() + _WAIT_SECONDS
    while len(stream.times) < wanted and not stream.gone.is_set():
        if time.monotonic() > deadline or stream.failed is not None:
            raise RuntimeError(f"a stream stopped: {stream.failed or 'no token in time'}")
        time.sleep(0.001)
