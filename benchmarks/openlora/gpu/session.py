"""One base and rank, case after case, within a limit of time; what was not measured is named with why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from benchmarks.openlora.gpu import decode, peft_peer
from benchmarks.openlora.gpu.bases import SHAPES, random_adapters, random_weights
from benchmarks.openlora.gpu.plan import Plan, Result, cases
from inference_worker.adapters.packed_file import NewPages, plain_pages
from inference_worker.adapters.packing import PackedAdapter

OURS, PEFT = "ours", "PEFT"
_IDS = 1000


class Clock:
    """Says how far a run is, and whether a further case may begin."""

    def __init__(self, seconds: float) -> None:
        self.began, self._seconds = time.monotonic(), seconds

    def say(self, line: str) -> None:
        """Print a line with the time since the start."""
        print(f"[{time.monotonic() - self.began:6.1f} s] {line}", flush=True)

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() - self.began > self._seconds


def measure_ours(
    base: str, rank: int, device: torch.device, plan: Plan, speed: float, clock: Clock
) -> list[Result]:
    """Our engine's results for one base and rank; `speed` in bytes a second."""
    shape, dtype = SHAPES[base], torch.bfloat16
    weights = random_weights(shape, device, dtype)
    adapters = random_adapters(shape, rank, _IDS, plan.blobs, device, _pages_for(device))
    bench = decode.make_bench(weights, device, dtype, plan, adapters[0].nbytes, speed)
    clock.say(f"{base}, rank {rank}: {weights.nbytes / 1e9:.1f} GB of weights, steps ready")

    def run(case: str, measure: Callable[[], dict[str, float]]) -> Result:
        return _tried(Result(base, rank, OURS, case, {}), measure, clock)

    results = [run(case.name, partial(decode.measure, bench, case, adapters)) for case in cases(plan)]
    results.append(run("cold loads", lambda: decode.cold_loads(bench, _absent(bench, adapters))))
    results.append(run("arrivals through the engine", lambda: _latency(bench, adapters)))
    return results


def _absent(bench: decode.Bench, adapters: Sequence[PackedAdapter]) -> Sequence[PackedAdapter]:
    """Twice as many as there are slots, none of which is in one."""
    return [a for a in adapters if a.cid not in bench.runner.slots.residency][: 2 * bench.plan.slots]


def _latency(bench: decode.Bench, adapters: Sequence[PackedAdapter]) -> dict[str, float]:
    # The whole engine needs more packages than its runner.
    from benchmarks.openlora.gpu import latency

    return latency.measure(bench, adapters)


def measure_peft(base: str, rank: int, device: torch.device, plan: Plan, clock: Clock) -> list[Result]:
    """PEFT's results for one base and rank."""
    blank, found = Result(base, rank, PEFT, "all", {}), list[Result]()

    def measure() -> dict[str, float]:
        by_case = peft_peer.measure(SHAPES[base], device, torch.bfloat16, rank, plan, clock.say)
        found.extend(Result(base, rank, PEFT, case, figures) for case, figures in by_case.items())
        return {}

    tried = _tried(blank, measure, clock)
    return found if found else [tried]


def _tried(blank: Result, measure: Callable[[], dict[str, float]], clock: Clock) -> Result:
    name = f"{blank.base}, rank {blank.rank}, {blank.engine}, {blank.case}"
    if clock.is_over:
        return _not_run(blank, "the time was used up")
    try:
        figures = measure()
    except ImportError as error:
        return _not_run(blank, str(error))
    except torch.OutOfMemoryError as error:
        return _not_run(blank, f"out of memory: {error}")
    rate = figures.get("tokens_per_second")
    clock.say(name + (f": {rate:,.0f} tokens/s" if rate else ": done"))
    return Result(blank.base, blank.rank, blank.engine, blank.case, figures)


def _not_run(blank: Result, reason: str) -> Result:
    return Result(blank.base, blank.rank, blank.engine, blank.case, {}, f"not run: {reason}")


def _pages_for(device: torch.device) -> NewPages:
    if device.type != "cuda":
        return plain_pages
    from inference_worker.engine.device.pinned import pinned_pages

    return pinned_pages
