"""The step loop: schedule, run, sample, tell. One thread owns the model; everybody else talks to it by
messages.

A failure belongs to one row wherever it can: logits that are not finite end that row and quarantine its
adapter.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
import torch

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.refusals import AdapterRefused, BrokeWhileServing
from inference_worker.engine.kv_cache import KvCache
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.sampler import finite_rows, sample
from inference_worker.engine.scheduler import EngineBusy, PrefillPiece, Scheduler, SchedulerLimits
from inference_worker.engine.sequence import (
    Admission,
    Emit,
    Event,
    Failed,
    Finished,
    FinishReason,
    SamplingParams,
    TokenProduced,
)
from inference_worker.engine.text_stream import Decode, TextStream
from inference_worker.metrics import Metrics

log = structlog.get_logger()


@dataclass(frozen=True)
class GenerationJob:
    """One request. `on_closed` is called exactly once, from the engine's thread, after the last event."""

    prompt_ids: tuple[int, ...]
    params: SamplingParams
    adapter: PackedAdapter | None
    tenant: str
    emit: Emit
    on_closed: Callable[[], None]


@dataclass
class _Live:
    job: GenerationJob
    stream: TextStream
    cache: KvCache | None = None
    output: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class EngineLoad:
    """How busy the engine is: sequences running and waiting, positions reserved, and whether it takes no
    more."""

    running: int
    waiting: int
    reserved_positions: int
    closing: bool


class Engine:
    """Continuous batching over one base. `submit` and `cancel` may be called from any thread."""

    def __init__(
        self,
        runner: ModelRunner,
        decode: Decode,
        end_tokens: frozenset[int],
        limits: SchedulerLimits,
        on_broken: Callable[[str, AdapterRefused], None],
        metrics: Metrics,
    ) -> None:
        self._runner, self._decode, self._end_tokens = runner, decode, end_tokens
        self._on_broken, self._metrics = on_broken, metrics
        self._scheduler = Scheduler(limits)
        self._live: dict[int, _Live] = {}
        self._wake = threading.Condition()
        self._cancelled: deque[int] = deque()
        self._submitted: deque[tuple[int, GenerationJob]] = deque()
        self._next, self._closing, self._abort = 0, False, False
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        """Start the step loop."""
        self._thread.start()

    def submit(self, job: GenerationJob) -> int:
        """Queue a request and return its sequence number; raises RequestTooLong or EngineBusy."""
        with self._wake:
            if self._closing:
                raise EngineBusy(len(self._live))
            if self._scheduler.waiting_count + len(self._submitted) >= self._scheduler.limits.waiting:
                raise EngineBusy(self._scheduler.waiting_count + len(self._submitted))
            self._scheduler.check(_admission(self._next, job))
            sequence, self._next = self._next, self._next + 1
            self._submitted.append((sequence, job))
            self._wake.notify()
        return sequence

    def cancel(self, sequence: int) -> None:
        """End a request without a further event; unknown or finished ones are ignored."""
        with self._wake:
            self._cancelled.append(sequence)
            self._wake.notify()

    def close(self, drain_seconds: float) -> bool:
        """Refuse new requests, let the running ones end, then stop; True if all ended in time."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(drain_seconds)
        drained = not self._thread.is_alive()
        with self._wake:
            self._abort = True
            self._wake.notify()
        self._thread.join()
        return drained

    def load(self) -> EngineLoad:
        """A snapshot for health and metrics."""
        with self._wake:
            s = self._scheduler
            waiting = s.waiting_count + len(self._submitted)
            return EngineLoad(s.running_count, waiting, s.reserved_positions, self._closing)

    def wait(self) -> None:
        """Return when the step loop has ended, whatever ended it."""
        self._thread.join()

    def _loop(self) -> None:
        try:
            self._steps()
        finally:
            # Also when the loop itself broke: nobody may wait for an answer that cannot come.
            with self._wake:
                self._closing = True
                waiting = [job for _, job in self._submitted]
                self._submitted.clear()
            stopping = Failed("worker_stopping", "the worker is shutting down")
            for job in [*(live.job for live in self._live.values()), *waiting]:
                job.emit(stopping)
                job.on_closed()
            self._live.clear()

    def _steps(self) -> None:
        while self._take_messages():
            with self._wake:
                plan = self._scheduler.plan()
            for piece in plan.prefill:
                self._guard([piece.sequence], partial(self._prefill, piece))
            decoding = [s for s in plan.decode if s in self._live]
            if decoding:
                self._guard(decoding, partial(self._decode_step, decoding))

    def _guard(self, sequences: Sequence[int], run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # the loop outlives any step; the requests of the step are told
            log.exception("engine_step_failed", sequences=len(sequences))
            for sequence in sequences:
                if sequence in self._live:
                    self._end(sequence, Failed("internal_error", f"{type(error).__name__}: {error}"))

    def _take_messages(self) -> bool:
        with self._wake:
            while not (self._submitted or self._cancelled or self._live or self._closing):
                self._runner.idle()
                self._wake.wait()
            while self._submitted:
                sequence, job = self._submitted.popleft()
                self._live[sequence] = _Live(job, TextStream(self._decode, job.params.stop))
                self._scheduler.submit(_admission(sequence, job))
            cancelled = [s for s in self._cancelled if s in self._live]
            self._cancelled.clear()
            running = not self._abort and not (self._closing and not self._live)
        for sequence in cancelled:
            self._end(sequence, None)
        return running

    def _prefill(self, piece: PrefillPiece) -> None:
        live = self._live[piece.sequence]
        if live.cache is None:
            live.cache = self._runner.new_cache(_admission(piece.sequence, live.job).reserved)
        tokens = live.job.prompt_ids[piece.start : piece.stop]
        logits = self._runner.prefill(tokens, live.cache, live.job.adapter)
        self._metrics.count("prompt_tokens_total", len(tokens))
        if piece.last:
            self._take_token(piece.sequence, logits, finite_rows(logits.unsqueeze(0))[0])

    def _decode_step(self, sequences: Sequence[int]) -> None:
        logits = self._runner.decode([self._row(self._live[s]) for s in sequences])
        self._metrics.count("steps_total")
        for sequence, row, finite in zip(sequences, logits, finite_rows(logits), strict=True):
            self._take_token(sequence, row, finite)

    def _row(self, live: _Live) -> DecodeRow:
        assert live.cache is not None
        return DecodeRow(live.output[-1], live.cache, live.job.adapter)

    def _take_token(self, sequence: int, logits: torch.Tensor, finite: bool) -> None:
        live = self._live[sequence]
        if not finite:
            self._fail_broken(sequence, live.job.adapter)
            return
        params, index = live.job.params, len(live.output)
        token = sample(logits, params, index)
        live.output.append(token)
        self._metrics.count("output_tokens_total")
        reason = self._finish_reason(token, len(live.output), params)
        text = (
            live.stream.flush() if token in self._end_tokens else live.stream.push(token, reason is not None)
        )
        if live.stream.stopped:
            reason = "stop"
        live.job.emit(TokenProduced(index, token, text))
        if reason is not None:
            self._end(sequence, Finished(tuple(live.output), live.stream.text, reason))

    def _finish_reason(self, token: int, produced: int, params: SamplingParams) -> FinishReason | None:
        if token in self._end_tokens:
            return "stop"
        return "length" if produced >= params.max_tokens else None

    def _fail_broken(self, sequence: int, adapter: PackedAdapter | None) -> None:
        if adapter is None:
            self._end(sequence, Failed("base_not_finite", "the base produced logits that are not finite"))
            return
        refusal = BrokeWhileServing(adapter.cid)
        self._on_broken(adapter.cid, refusal)
        self._end(sequence, Failed(refusal.code, str(refusal)))

    def _end(self, sequence: int, event: Event | None) -> None:
        live = self._live.pop(sequence)
        with self._wake:
            self._scheduler.remove(sequence)
        if event is not None:
            live.job.emit(event)
        live.job.on_closed()
        self._metrics.count("sequences_total", outcome=_outcome(event))


def _outcome(event: Event | None) -> str:
    if isinstance(event, Finished):
        return event.finish_reason
    return event.code if isinstance(event, Failed) else "cancelled"


def _admission(sequence: int, job: GenerationJob) -> Admission:
    prompt = len(job.prompt_ids)
    return Admission(sequence, job.tenant, prompt, prompt + job.params.max_tokens)
