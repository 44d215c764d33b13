"""Decides what each step runs: iteration-level continuous batching, prompts in pieces, tenants by what they
had.

Pure and torch-free. A sequence takes pages as it grows. When none is left, the one that started last gives
all of its own back and waits at the front of its tenant's line; what it does again later gives the same bits,
so nobody can tell. The one that started first is never preempted while others run, so something always ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from inference_worker.engine.fairness import INPUT_COST, OUTPUT_COST, FairShares, load_cost
from inference_worker.engine.pages import PAGE_POSITIONS, PagePool, pages_for
from inference_worker.engine.pieces import next_cut
from inference_worker.engine.sequence import Admission, Failed
from inference_worker.engine.waiting_line import Waiting, WaitingLines
from inference_worker.errors import WorkerError


class EngineBusy(WorkerError):
    """The waiting line is full; worth a retry later."""

    code = "worker_busy"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} requests are waiting already")
        self.waiting = waiting


class EngineStopping(WorkerError):
    """Nothing is taken any more; another worker may stand here soon."""

    code = "worker_stopping"

    def __init__(self) -> None:
        super().__init__("the worker is shutting down")

    @classmethod
    def failure(cls) -> Failed:
        """The same, for a request that was taken before."""
        return Failed(cls.code, str(cls()))


class RequestTooLong(WorkerError):
    """Prompt plus allowed output exceed what one sequence may ever hold."""

    code = "request_too_long"

    def __init__(self, reserved: int, cap: int) -> None:
        super().__init__(f"prompt and output may reach {reserved} tokens, the cap is {cap}")
        self.reserved, self.cap = reserved, cap


@dataclass(frozen=True)
class SchedulerLimits:
    """Bounds of the batch: sequences at once, requests in line, positions in all, positions of one; the
    prompt tokens run per step, also the longest piece of a prompt, and the shortest piece; the bytes of
    adapters beside the batch; and how many requests may start before one that heads its line."""

    running: int = 32
    waiting: int = 256
    total_positions: int = 65_536
    sequence_positions: int = 8_192
    prefill_tokens: int = 256
    first_piece: int = 64
    lane_bytes: int = 1024 * 1024 * 1024
    passes: int = 128

    @property
    def total_pages(self) -> int:
        """Whole pages of key-value memory."""
        return self.total_positions // PAGE_POSITIONS


@dataclass(frozen=True)
class PrefillPiece:
    """Run prompt tokens start..stop of a sequence; `last` when the prompt is complete after it."""

    sequence: int
    start: int
    stop: int
    last: bool


@dataclass(frozen=True)
class StepPlan:
    """One step: sequences that lost their pages, pieces of prompts, then one token for each decoding
    sequence."""

    prefill: tuple[PrefillPiece, ...]
    decode: tuple[int, ...]
    preempted: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to run."""
        return not self.prefill and not self.decode


@dataclass
class _Running:
    """`length` positions are filled once the planned steps have run; `charged` is the greatest length whose
    output token was charged, and a resumed sequence stays below it until it has done again what it did."""

    admission: Admission
    charged: int
    resumed: bool
    length: int = 0

    @property
    def prefilled(self) -> bool:
        return self.length >= self.admission.prompt_tokens


class Scheduler:
    """The waiting lines and the running set. Not thread-safe: the engine holds a lock.

    A step is: `admit` until it returns None, `skip` what of the admitted prompts is known already, `plan`.
    """

    def __init__(self, limits: SchedulerLimits, pool: PagePool, weights: Mapping[str, int]) -> None:
        self.limits, self._pool = limits, pool
        self._shares = FairShares(weights)
        self._lines = WaitingLines(limits.passes)
        self._running: OrderedDict[int, _Running] = OrderedDict()

    @property
    def waiting_count(self) -> int:
        """Requests not in the batch."""
        return len(self._lines)

    @property
    def running_count(self) -> int:
        """Sequences in the batch."""
        return len(self._running)

    @property
    def held_positions(self) -> int:
        """Positions of the pages that the running sequences hold."""
        return self._pool.held * PAGE_POSITIONS

    def check(self, admission: Admission) -> None:
        """Raise RequestTooLong or EngineBusy for what may not be submitted."""
        cap = min(self.limits.sequence_positions, self._pool.total * PAGE_POSITIONS)
        if admission.reserved > cap:
            raise RequestTooLong(admission.reserved, cap)
        if self.waiting_count >= self.limits.waiting:
            raise EngineBusy(self.waiting_count)

    def submit(self, admission: Admission) -> None:
        """Join the tenant's line; what `check` refuses must not come here."""
        self._shares.join(admission.tenant)
        self._lines.append(Waiting(admission))

    def remove(self, sequence: int) -> None:
        """Forget a sequence, waiting or running: it finished, failed or was cancelled."""
        running = self._running.pop(sequence, None)
        waiting = None if running else self._lines.remove(sequence)
        self._pool.release(sequence)
        for known in (running, waiting):
            if known is not None:
                self._shares.leave(known.admission.tenant)

    def admit(self) -> Admission | None:
        """Start one waiting request; None if none may start now."""
        if len(self._running) >= self.limits.running:
            return None
        for head in self._lines.heads(self._shares.level):
            if self._fits(head):
                return self._start(head)
            if self._lines.aged(head):
                return None
        return None

    def skip(self, sequence: int, positions: int) -> None:
        """Count the first positions of a prompt as run, for their keys and values are known."""
        running = self._running[sequence]
        running.length = positions
        if not running.resumed:
            self._shares.charge(running.admission.tenant, -INPUT_COST * positions)

    def plan(self) -> StepPlan:
        """What to run next, counted as run."""
        preempted: list[int] = []
        decode = []
        for sequence, running in list(self._running.items()):
            if sequence in self._running and running.prefilled and self._grow(sequence, preempted):
                decode.append(sequence)
        # A sequence preempted for a later one would have been preempted before it was asked.
        return StepPlan(self._pieces(), tuple(decode), tuple(preempted))

    def _fits(self, waiting: Waiting) -> bool:
        needed = pages_for(_length_at_start(waiting) + 1)
        # One page in hand for each that runs: who starts now is not to be preempted at once.
        if needed + len(self._running) > self._pool.obtainable and self._running:
            return False
        more = waiting.admission.adapter_bytes
        beside = sum(r.admission.adapter_bytes for r in self._running.values())
        return more == 0 or beside == 0 or beside + more <= self.limits.lane_bytes

    def _start(self, waiting: Waiting) -> Admission:
        admission = waiting.admission
        held = self._pool.hold(admission.sequence, pages_for(_length_at_start(waiting) + 1))
        assert held, f"sequence {admission.sequence} does not fit"
        self._lines.start(waiting)
        resumed = waiting.charged is not None
        if not resumed:
            self._charge_input(admission)
        charged = max(waiting.charged or 0, admission.prompt_tokens - 1)
        self._running[admission.sequence] = _Running(admission, charged, resumed)
        return admission

    def _grow(self, sequence: int, preempted: list[int]) -> bool:
        running = self._running[sequence]
        while not self._pool.hold(sequence, pages_for(running.length + 1)):
            last = next(reversed(self._running))
            self._preempt(last)
            preempted.append(last)
            if last == sequence:
                return False
        running.length += 1
        self._charge_output(running)
        return True

    def _preempt(self, sequence: int) -> None:
        running = self._running.pop(sequence)
        self._pool.release(sequence)
        self._lines.put_back(Waiting(running.admission, running.charged))

    def _charge_input(self, admission: Admission) -> None:
        known = {r.admission.adapter for r in self._running.values()}
        loaded = 0 if admission.adapter in known else load_cost(admission.adapter_bytes)
        self._shares.charge(admission.tenant, INPUT_COST * admission.prompt_tokens + loaded)

    def _charge_output(self, running: _Running) -> None:
        if running.length > running.charged:
            self._shares.charge(running.admission.tenant, OUTPUT_COST)
            running.charged = running.length

    def _pieces(self) -> tuple[PrefillPiece, ...]:
        budget, pieces = self.limits.prefill_tokens, []
        for sequence, running in self._running.items():
            while not running.prefilled:
                piece = self._next_piece(sequence, running)
                if piece.stop - piece.start > budget:
                    break
                budget -= piece.stop - piece.start
                running.length = piece.stop
                pieces.append(piece)
                if piece.last:
                    self._charge_output(running)
        return tuple(pieces)

    def _next_piece(self, sequence: int, running: _Running) -> PrefillPiece:
        total = running.admission.prompt_tokens
        cut = next_cut(running.length, self.limits.first_piece, self.limits.prefill_tokens)
        stop = min(cut, total)
        return PrefillPiece(sequence, running.length, stop, stop == total)


def _length_at_start(waiting: Waiting) -> int:
    return max(waiting.admission.prompt_tokens, waiting.charged or 0)
