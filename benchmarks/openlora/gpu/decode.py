"""Steps of a full batch through the engine's runner: what a step takes, and of what its bytes would allow."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.openlora.gpu.plan import Case, Plan
from benchmarks.openlora.gpu.roofline import step_bytes, timed
from benchmarks.openlora.window import quantile
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.engine.device.adapter_slots import AdapterSlots
from inference_worker.engine.device.ops import Ops, TorchOps
from inference_worker.engine.device.paged_kv import PagedCache
from inference_worker.engine.device.runner import DeviceLimits, DeviceRunner
from inference_worker.engine.pages import pages_for
from inference_worker.engine.runner import DecodeRow
from inference_worker.engine.weights import BaseWeights

_TOKEN = 7


@dataclass(frozen=True)
class Bench:
    """One base on one device and the runner over it, captured where that is possible."""

    weights: BaseWeights
    device: torch.device
    dtype: torch.dtype
    plan: Plan
    runner: DeviceRunner
    bandwidth: float


def make_bench(
    weights: BaseWeights, device: torch.device, dtype: torch.dtype, plan: Plan, slot_bytes: int, speed: float
) -> Bench:
    """A bench whose device has room for the plan's slots of so many bytes each."""
    shape = weights.shape
    longest = pages_for(plan.longest)
    ops: Ops = TorchOps(shape, device, dtype)
    if device.type == "cuda":
        from inference_worker.engine.device.triton_ops import TritonOps

        ops = TritonOps(shape, device, dtype, "bfloat16", plan.rows)
    slots = AdapterSlots(shape, device, "bfloat16", plan.slots * slot_bytes)
    limits = DeviceLimits(plan.rows, (plan.rows + 4) * longest, longest)
    runner = DeviceRunner(weights, ops, slots, device, dtype, limits)
    if device.type == "cuda":
        runner.capture()
    return Bench(weights, device, dtype, plan, runner, speed)


def measure(bench: Bench, case: Case, adapters: Sequence[PackedAdapter]) -> dict[str, float]:
    """Figures of a case. Rows begin with `context` positions that nobody computed: their values change no
    time."""
    plan, walls, distinct = bench.plan, list[float](), list[int]()
    rows = [_new_row(bench, _chosen(adapters, number)) for number in case.adapters]
    further = itertools.cycle(case.further or (0,))
    unseen = _unseen(case, adapters)
    for step in range(plan.warm + plan.steps):
        began = time.perf_counter()
        for _ in range(case.loads):
            bench.runner.prefetch(next(unseen))
        if case.churn and step % case.churn == case.churn - 1:
            place = step % len(rows)
            rows[place].cache.release()
            rows[place] = _new_row(bench, adapters[next(further)])
        _step(bench, rows)
        if step >= plan.warm:
            walls.append(time.perf_counter() - began)
            distinct.append(len({row.adapter.cid for row in rows if row.adapter is not None}))
    device = _device_seconds(bench, rows)
    for row in rows:
        row.cache.release()
    return _figures(bench, walls, device, statistics.mean(distinct), adapters)


def _step(bench: Bench, rows: list[DecodeRow[PagedCache]]) -> None:
    # As the engine takes them: one read for the whole batch.
    tokens = bench.runner.decode(rows).argmax(dim=1).tolist()
    rows[:] = [DecodeRow(token, row.cache, row.adapter) for token, row in zip(tokens, rows, strict=True)]


def _device_seconds(bench: Bench, rows: Sequence[DecodeRow[PagedCache]]) -> float:
    """Of one step where the host is ahead: nothing is read between steps, so the device never waits."""

    def several() -> None:
        for _ in range(bench.plan.warm):
            bench.runner.decode(rows)

    return timed(bench.device, several) / bench.plan.warm


def _figures(
    bench: Bench,
    walls: Sequence[float],
    device: float,
    distinct: float,
    adapters: Sequence[PackedAdapter],
) -> dict[str, float]:
    plan, each = bench.plan, bench.runner.lane_bytes(adapters[0])
    context = plan.context + plan.warm + plan.steps // 2
    moved = step_bytes(bench.weights.shape, bench.dtype.itemsize, plan.rows, context, round(distinct * each))
    wall = statistics.median(walls)
    return {
        "tokens_per_second": plan.rows / wall,
        "gap_p50_ms": 1e3 * wall,
        "gap_p99_ms": 1e3 * quantile(list(walls), 0.99),
        "device_ms": 1e3 * device,
        "distinct": distinct,
        "bytes": float(moved.total),
        "of_roofline": moved.total / bench.bandwidth / wall,
    }


def cold_loads(bench: Bench, adapters: Sequence[PackedAdapter]) -> dict[str, float]:
    """Milliseconds from asking for an adapter in the host's memory until the device has it."""
    taken = []
    for adapter in adapters:
        began = time.perf_counter()
        while not bench.runner.prefetch(adapter):
            pass
        taken.append(1e3 * (time.perf_counter() - began))
    return {"load_p50_ms": quantile(taken, 0.5), "load_p99_ms": quantile(taken, 0.99)}


def _new_row(bench: Bench, adapter: PackedAdapter | None) -> DecodeRow[PagedCache]:
    cache = bench.runner.new_cache(bench.plan.longest)
    cache.reserve(bench.plan.context)
    cache.advance(bench.plan.context)
    return DecodeRow(_TOKEN, cache, adapter)


def _chosen(adapters: Sequence[PackedAdapter], number: int | None) -> PackedAdapter | None:
    return None if number is None else adapters[number]


def _unseen(case: Case, adapters: Sequence[PackedAdapter]) -> Iterator[PackedAdapter]:
    """Adapters that no row has, the last first; each comes again only after all others."""
    used = {*case.adapters, *case.further}
    return itertools.cycle([a for n, a in reversed(list(enumerate(adapters))) if n not in used])
