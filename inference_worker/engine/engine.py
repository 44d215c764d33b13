"""The step loop: schedule, run, sample, tell. One thread owns the model; everybody else talks to it by
messages.

A failure belongs to one row wherever it can: logits that are not finite end that row and quarantine its
adapter. A sequence that lost its pages is run again from its prompt; its known tokens are fed in place of
sampled ones, until it is where it was.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
import torch

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.refusals import AdapterRefused, BrokeWhileServing
from inference_worker.engine.backend import EngineLoad
from inference_worker.engine.chooser import Chooser
from inference_worker.engine.constraint import ConstraintBroken
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.live import Live
from inference_worker.engine.pages import PAGE_POSITIONS
from inference_worker.engine.pieces import cuts_within
from inference_worker.engine.prefix_cache import PrefixCache, PromptPieces, name_pieces
from inference_worker.engine.runner import DecodeRow, Runner
from inference_worker.engine.sampler import finite_rows, likeliest_rows
from inference_worker.engine.scheduler import (
    EngineBusy,
    EngineStopping,
    PrefillPiece,
    Scheduler,
    SchedulerLimits,
)
from inference_worker.engine.sequence import (
    Admission,
    Event,
    Failed,
    Finished,
)
from inference_worker.engine.step_costs import StepCosts, not_booked
from inference_worker.engine.text_stream import Decode, TextStream
from inference_worker.metrics import Metrics

log = structlog.get_logger()


class Engine:
    """Continuous batching over one base. `submit` and `cancel` may be called from any thread."""

    def __init__(
        self,
        runner: Runner[Any],
        decode: Decode,
        end_tokens: frozenset[int],
        limits: SchedulerLimits,
        on_broken: Callable[[str, AdapterRefused], None],
        metrics: Metrics,
        tenant_weights: Mapping[str, int] | None = None,
        costs: StepCosts | None = None,
    ) -> None:
        self._runner, self._decode, self._end_tokens = runner, decode, end_tokens
        self._on_broken, self._metrics, self._costs = on_broken, metrics, costs or not_booked()
        self._prefixes: PrefixCache[Any] = PrefixCache(limits.total_pages, metrics)
        self._scheduler = Scheduler(limits, self._prefixes.pool, tenant_weights or {})
        self._live: dict[int, Live] = {}
        self._wake = threading.Condition()
        self._cancelled: deque[int] = deque()
        self._submitted: deque[tuple[int, GenerationJob]] = deque()
        self._arriving: deque[tuple[int, GenerationJob]] = deque()
        self._next, self._closing, self._abort = 0, False, False
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        """Start the step loop."""
        self._thread.start()

    def submit(self, job: GenerationJob) -> int:
        """Queue a request and return its sequence number; raises RequestTooLong,
        EngineBusy, EngineStopping."""
        with self._wake:
            if self._closing:
                raise EngineStopping
            if self._waiting() >= self._scheduler.limits.waiting:
                raise EngineBusy(self._waiting())
            self._scheduler.check(self._admission(self._next, job))
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
            waiting = self._waiting()
            kept = self._prefixes.pool.kept * PAGE_POSITIONS
            return EngineLoad(s.running_count, waiting, s.held_positions, kept, self._closing)

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
            stopping = EngineStopping.failure()
            for job in [*(live.job for live in self._live.values()), *waiting]:
                job.emit(stopping)
                job.on_closed()
            self._live.clear()

    def _steps(self) -> None:
        while self._take_messages():
            self._admit()
            with self._wake:
                plan = self._scheduler.plan()
            for sequence in plan.preempted:
                self._live[sequence].release()
                self._metrics.count("preemptions_total")
            for piece in plan.prefill:
                self._guard([piece.sequence], partial(self._prefill, piece))
            decoding = [s for s in plan.decode if s in self._live]
            if decoding:
                self._guard(decoding, partial(self._decode_step, decoding))

    def _admit(self) -> None:
        while True:
            with self._wake:
                admission = self._scheduler.admit()
            if admission is None:
                return
            self._guard([admission.sequence], partial(self._begin, admission))

    def _begin(self, admission: Admission) -> None:
        """Give an admitted sequence its memory and what is known of its prompt's keys and values."""
        live = self._live[admission.sequence]
        live.cache = self._runner.new_cache(admission.reserved)
        # The last prompt token is always run: its logits choose the first token of the answer.
        for piece in self._prefixes.longest(live.pieces, admission.prompt_tokens):
            live.cache.copy_in(piece)
        with self._wake:
            self._scheduler.skip(admission.sequence, live.cache.length)

    def _guard(self, sequences: Sequence[int], run: Callable[[], None]) -> None:
        try:
            with self._costs.shared(sequences):
                run()
        except Exception as error:  # the loop outlives any step; the requests of the step are told
            log.exception("engine_step_failed", sequences=len(sequences))
            for sequence in sequences:
                if sequence in self._live:
                    self._end(sequence, Failed("internal_error", f"{type(error).__name__}: {error}"))

    def _pieces_of(self, job: GenerationJob) -> PromptPieces:
        limits = self._scheduler.limits
        cuts = cuts_within(len(job.prompt_ids), limits.first_piece, limits.prefill_tokens)
        adapter = job.activation.adapter
        return name_pieces(
            adapter.cid if adapter else None, job.tenant, job.prompt_ids, cuts, job.activation.start
        )

    def _take_messages(self) -> bool:
        with self._wake:
            while not (self._submitted or self._cancelled or self._live or self._closing):
                self._runner.idle()
                self._wake.wait()
            while self._submitted:
                sequence, job = self._submitted.popleft()
                stream = TextStream(self._decode, job.params.sampling.stop)
                chooser = Chooser(job.params, job.prompt_ids)
                self._live[sequence] = Live(job, stream, self._pieces_of(job), chooser)
                self._arriving.append((sequence, job))
                self._costs.begin(sequence, job.adapter.cid if job.adapter else None)
            cancelled = [s for s in self._cancelled if s in self._live]
            self._cancelled.clear()
            running = not self._abort and not (self._closing and not self._live)
        for sequence in cancelled:
            self._end(sequence, None)
        self._line_up()
        return running

    def _line_up(self) -> None:
        """Let those wait for their turn whose adapter is near; all, while nobody runs."""
        near, far = list[tuple[int, GenerationJob]](), deque[tuple[int, GenerationJob]]()
        for sequence, job in self._arriving:
            if sequence in self._live:
                adapter = job.activation.adapter
                waits = adapter is not None and not self._runner.prefetch(adapter)
                (far if waits and self._scheduler.running_count else near).append((sequence, job))
        with self._wake:
            self._arriving = far
            for sequence, job in near:
                self._scheduler.submit(self._admission(sequence, job))

    def _prefill(self, piece: PrefillPiece) -> None:
        live = self._live.get(piece.sequence)
        if live is None:
            # An earlier piece of the same step failed.
            return
        assert live.cache is not None and live.cache.length == piece.start, piece
        tokens = live.job.prompt_ids[piece.start : piece.stop]
        logits = self._runner.prefill(
            tokens, live.cache, *live.job.activation.within(piece.start, piece.stop)
        )
        self._metrics.count("prompt_tokens_total", len(tokens))
        if self._prefixes.wants(live.pieces, piece.stop):
            kept = live.cache.copy_out(piece.start, piece.stop)
            self._prefixes.keep(live.pieces, piece.start, piece.stop, kept)
        if piece.last:
            self._take_token(piece.sequence, logits, finite_rows(logits.unsqueeze(0))[0], None)

    def _decode_step(self, sequences: Sequence[int]) -> None:
        logits = self._runner.decode([self._row(self._live[s]) for s in sequences])
        self._metrics.count("steps_total")
        likeliest = likeliest_rows(logits)
        for sequence, row, finite, first in zip(
            sequences, logits, finite_rows(logits), likeliest, strict=True
        ):
            self._take_token(sequence, row, finite, first)

    def _row(self, live: Live) -> DecodeRow[Any]:
        assert live.cache is not None
        return DecodeRow(live.output[live.place], live.cache, live.job.activation.adapter)

    def _take_token(self, sequence: int, logits: torch.Tensor, finite: bool, likeliest: int | None) -> None:
        live = self._live[sequence]
        if not finite:
            self._fail_broken(sequence, live.job.activation.adapter)
            return
        if live.place < len(live.output):
            return
        try:
            finished = live.take(logits, likeliest, self._end_tokens)
        except ConstraintBroken as broken:
            self._end(sequence, Failed(broken.code, str(broken)))
            return
        self._metrics.count("output_tokens_total")
        if finished is not None:
            self._end(sequence, finished)

    def _waiting(self) -> int:
        return self._scheduler.waiting_count + len(self._submitted) + len(self._arriving)

    def _admission(self, sequence: int, job: GenerationJob) -> Admission:
        prompt, adapter = len(job.prompt_ids), job.activation.adapter
        reserved = prompt + job.params.max_tokens
        if adapter is None:
            return Admission(sequence, job.tenant, prompt, reserved)
        nbytes = self._runner.lane_bytes(adapter)
        return Admission(sequence, job.tenant, prompt, reserved, adapter.cid, nbytes)

    def _fail_broken(self, sequence: int, adapter: PackedAdapter | None) -> None:
        if adapter is None:
            self._end(sequence, Failed("base_not_finite", "the base produced logits that are not finite"))
            return
        refusal = BrokeWhileServing(adapter.cid)
        self._on_broken(adapter.cid, refusal)
        self._end(sequence, Failed(refusal.code, str(refusal)))

    def _end(self, sequence: int, event: Event | None) -> None:
        live = self._live.pop(sequence)
        live.release()
        with self._wake:
            self._scheduler.remove(sequence)
        if event is not None:
            live.job.emit(event)
        live.job.on_closed()
        self._costs.end(sequence)
        self._metrics.count("sequences_total", outcome=_outcome(event))


def _outcome(event: Event | None) -> str:
    if isinstance(event, Finished):
        return event.finish_reason
    return event.code if isinstance(event, Failed) else "cancelled"
