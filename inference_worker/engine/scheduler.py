"""Decides what each step runs: iteration-level continuous batching, prompts in pieces, tenants in turn.

Pure and torch-free. Within a tenant first come, first served; between tenants round robin, so that one with
many requests waits behind its own. A sequence is admitted only when all the positions it may ever fill are
free, so a running one is never preempted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from inference_worker.engine.sequence import Admission
from inference_worker.errors import WorkerError


class EngineBusy(WorkerError):
    """The waiting line is full; worth a retry later."""

    code = "worker_busy"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} requests are waiting already")
        self.waiting = waiting


class RequestTooLong(WorkerError):
    """Prompt plus allowed output exceed what one sequence may ever hold."""

    code = "request_too_long"

    def __init__(self, reserved: int, cap: int) -> None:
        super().__init__(f"prompt and output may reach {reserved} tokens, the cap is {cap}")
        self.reserved, self.cap = reserved, cap


@dataclass(frozen=True)
class SchedulerLimits:
    """Bounds of the batch: sequences at once, requests in line, positions in all, positions of one, and the
    prompt tokens run per step (also the piece in which prompts are cut, counted from their start)."""

    running: int = 32
    waiting: int = 256
    total_positions: int = 65_536
    sequence_positions: int = 8_192
    prefill_tokens: int = 256


@dataclass(frozen=True)
class PrefillPiece:
    """Run prompt tokens start..stop of a sequence; `last` when the prompt is complete after it."""

    sequence: int
    start: int
    stop: int
    last: bool


@dataclass(frozen=True)
class StepPlan:
    """One step: pieces of prompts, then one token for each decoding sequence."""

    prefill: tuple[PrefillPiece, ...]
    decode: tuple[int, ...]

    @property
    def empty(self) -> bool:
        """Nothing to run."""
        return not self.prefill and not self.decode


@dataclass
class _Running:
    admission: Admission
    prefilled: int = 0


class Scheduler:
    """The waiting lines and the running set. Not thread-safe: the engine's thread owns it."""

    def __init__(self, limits: SchedulerLimits) -> None:
        self.limits = limits
        self._waiting: OrderedDict[str, deque[Admission]] = OrderedDict()
        self._running: OrderedDict[int, _Running] = OrderedDict()

    @property
    def waiting_count(self) -> int:
        """Requests not yet admitted."""
        return sum(len(line) for line in self._waiting.values())

    @property
    def running_count(self) -> int:
        """Sequences in the batch."""
        return len(self._running)

    @property
    def reserved_positions(self) -> int:
        """Positions promised to running sequences."""
        return sum(r.admission.reserved for r in self._running.values())

    def check(self, admission: Admission) -> None:
        """Raise RequestTooLong or EngineBusy if `submit` would."""
        cap = min(self.limits.sequence_positions, self.limits.total_positions)
        if admission.reserved > cap:
            raise RequestTooLong(admission.reserved, cap)
        if self.waiting_count >= self.limits.waiting:
            raise EngineBusy(self.waiting_count)

    def submit(self, admission: Admission) -> None:
        """Join the tenant's line; raises RequestTooLong or EngineBusy."""
        self.check(admission)
        self._waiting.setdefault(admission.tenant, deque()).append(admission)

    def remove(self, sequence: int) -> None:
        """Forget a sequence, waiting or running: it finished, failed or was cancelled."""
        if self._running.pop(sequence, None) is not None:
            return
        for tenant, line in self._waiting.items():
            kept = deque(a for a in line if a.sequence != sequence)
            if len(kept) != len(line):
                self._replace_line(tenant, kept)
                return

    def plan(self) -> StepPlan:
        """Admit what fits and say what to run next; counts the prompt pieces as run."""
        self._admit()
        decode = tuple(s for s, r in self._running.items() if r.prefilled == r.admission.prompt_tokens)
        return StepPlan(self._pieces(), decode)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.limits.running:
            tenant, line = next(iter(self._waiting.items()))
            if self.reserved_positions + line[0].reserved > self.limits.total_positions:
                # Others may not slip past the head of the lines for ever: it waits for the batch to drain.
                return
            admission = line.popleft()
            self._running[admission.sequence] = _Running(admission)
            self._replace_line(tenant, line)
            if tenant in self._waiting:
                self._waiting.move_to_end(tenant)

    def _replace_line(self, tenant: str, line: deque[Admission]) -> None:
        if line:
            self._waiting[tenant] = line
        else:
            del self._waiting[tenant]

    def _pieces(self) -> tuple[PrefillPiece, ...]:
        budget, pieces = self.limits.prefill_tokens, []
        for sequence, running in self._running.items():
            start, total = running.prefilled, running.admission.prompt_tokens
            # Cut points depend on the prompt alone, so its bits do not depend on what else is prefilled.
            stop = min(total, start + self.limits.prefill_tokens)
            if start == total or stop - start > budget:
                continue
            budget -= stop - start
            running.prefilled = stop
            pieces.append(PrefillPiece(sequence, start, stop, stop == total))
        return tuple(pieces)
