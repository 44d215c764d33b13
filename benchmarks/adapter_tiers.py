"""How fast an adapter changes tiers, and what thousands of registered ones cost: times, hit rate, memory.

`python -m benchmarks.adapter_tiers --base DIR [--folder DIR] [--output FILE]`. Every function below measures
one thing and may be called by itself. Adapters are random and of full size for the base; files are real.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packed_file import in_own_memory
from inference_worker.adapters.packer import Loaded
from inference_worker.adapters.packing import Layout, PackedAdapter, slices_of
from inference_worker.adapters.shape import BaseShape
from inference_worker.blobs.abort import Abort
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.lora_batch import LoraBatcher
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.weights import read_shape, read_weights
from inference_worker.metrics import Metrics

LAYOUT = Layout(8, (0, 1, 2, 3))
BASE = "0x" + "be" * 32
PLENTY = 1 << 50


@dataclass(frozen=True)
class Times:
    """Milliseconds of one kind of work, how often it was done, and the CPU's part of the median one."""

    what: str
    samples: int
    median: float
    p99: float
    low: float
    high: float
    cpu: float


@dataclass(frozen=True)
class Replay:
    """Zipf requests against slots: shares of hits in percent, and memory against the account in bytes."""

    registered: int
    slots: int
    requests: int
    hit_percent: float
    simulated_percent: float
    accounted_bytes: int
    resident_growth_bytes: int


class Inline(Executor):
    """Loads in the caller's thread, so that one load is timed at a time."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Run it now."""
        done: Future[Any] = Future()
        done.set_result(call(*args, **named))
        return done


class RandomSource:
    """An adapter of full size for any content id, always the same one."""

    def __init__(self, shape: BaseShape) -> None:
        self._floats = slices_of(LAYOUT, shape)[1]

    def load(self, cid: str, abort: Abort) -> Loaded:
        """Random weights by the id."""
        generator = torch.Generator().manual_seed(int.from_bytes(cid[-6:].encode(), "big"))
        floats = torch.rand(self._floats, generator=generator).mul_(1e-3)
        return Loaded(in_own_memory(PackedAdapter(cid, LAYOUT, floats)))


def names(count: int) -> list[str]:
    """Content ids of nothing in particular."""
    return [cid_of(number.to_bytes(8, "big")) for number in range(count)]


def timed(what: str, runs: Sequence[Callable[[], object]], before: Callable[[int], None]) -> Times:
    """Wall time of each run, and CPU time; `before(i)` goes untimed before run i."""
    taken, worked = [], []
    for number, run in enumerate(runs):
        before(number)
        started, working = time.perf_counter(), time.thread_time()
        run()
        taken.append((time.perf_counter() - started) * 1e3)
        worked.append((time.thread_time() - working) * 1e3)
    return times_of(what, taken, worked)


def times_of(what: str, taken: Sequence[float], worked: Sequence[float]) -> Times:
    """The summary of wall and CPU milliseconds; p99 is the smallest value that 99 % do not exceed."""
    p99 = sorted(taken)[-(-99 * len(taken) // 100) - 1]
    middle = statistics.median(taken)
    return Times(what, len(taken), middle, p99, min(taken), max(taken), statistics.median(worked))


def memory_to_slot(shape: BaseShape, count: int = 100) -> Times:
    """An adapter in memory joins a batch: planned, and copied to its lane."""
    source, batcher = RandomSource(shape), LoraBatcher(shape)
    packed = [source.load(cid, Abort()).packed for cid in names(4)]
    batcher.plan([packed[-1]])
    runs = [lambda adapter=packed[i % 4]: batcher.plan([adapter]) for i in range(count)]
    return timed("memory -> slot", runs, lambda number: None)


def disk_to_slot(shape: BaseShape, folder: Path, count: int = 100) -> list[Times]:
    """An adapter on disk joins a batch: not in the page cache and never read by this process (so hashed),
    not in the page cache, and in it."""
    source, cids = RandomSource(shape), names(count)
    writer = DiskTier(folder, PLENTY, BASE, Metrics())
    for cid in cids:
        writer.write(source.load(cid, Abort()).packed)
    reader, batcher = DiskTier(folder, PLENTY, BASE, Metrics()), LoraBatcher(shape)

    def load(cid: str) -> None:
        batcher.plan([reader.read(cid)])

    def cool(number: int) -> None:
        path = next(folder.glob(f"{cids[number]}.*"))
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)

    runs = [lambda cid=cid: load(cid) for cid in cids]
    return [
        timed("disk -> slot, cold, hashed", runs, cool),
        timed("disk -> slot, cold", runs, cool),
        timed("disk -> slot, warm", runs, lambda number: None),
    ]


def step_times(
    base: Path, folder: Path, counts: Sequence[int] = (10, 10_000), repeats: int = 15
) -> list[Times]:
    """CPU time of a decode step of 8 adapters with few and many registered, in turn (p99 and all)."""
    runner = ModelRunner(read_weights(base, choose_linear()[1]))
    steps: dict[int, Callable[[], object]] = {}
    for count in counts:
        loader = new_loader(runner.shape, folder / str(count), PLENTY, 0)
        packed = [loader.acquire(cid) for cid in names(8)]
        for cid in names(count):
            loader.register(cid)
        caches = [runner.new_cache(4 * repeats + 32) for _ in packed]
        rows = [DecodeRow(1000, cache, adapter) for cache, adapter in zip(caches, packed, strict=True)]
        for row in rows:
            runner.prefill(range(1000, 1016), row.cache, row.adapter)
        steps[count] = lambda rows=rows: runner.decode(rows)
    taken: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(repeats + 1):
        for count, step in steps.items():
            step()
            started = time.process_time()
            step()
            taken[count].append((time.process_time() - started) * 1e3)
    return [times_of(f"step, {count} registered", kept[1:], kept[1:]) for count, kept in taken.items()]


def new_loader(shape: BaseShape, folder: Path, budget: int, quota: int) -> AdapterLoader:
    """A loader over random adapters with no threads of its own."""
    metrics = Metrics()
    disk = DiskTier(folder, quota, BASE, metrics)
    return AdapterLoader(RandomSource(shape), disk, budget, Inline(), Inline(), metrics)


def replay(
    shape: BaseShape, folder: Path, registered: int = 10_000, slots: int = 64, requests: int = 2_000
) -> Replay:
    """Zipf 1.0 requests through memory and disk, beside a plain list of the same length."""
    cids, draws = names(registered), zipf(registered, requests)
    nbytes = slices_of(LAYOUT, shape)[1] * 4
    loader = new_loader(shape, folder, slots * nbytes, 4 * slots * nbytes)
    for cid in cids:
        loader.register(cid)
    # One load goes before: what loading takes besides the adapters is not what the account is about.
    loader.release(loader.acquire(cids[-1]).cid)
    loader.evict(cids[-1], "host")
    held: list[int] = []
    before, simulated, hits = resident_bytes(), 0, 0
    for number in draws:
        hits += cids[number] in loader.host
        loader.release(loader.acquire(cids[number]).cid)
        if number in held:
            held.remove(number)
            simulated += 1
        held = [*held, number][-slots:]
    used, grown = loader.host.residency.used, resident_bytes() - before
    return Replay(registered, slots, requests, 100 * hits / requests, 100 * simulated / requests, used, grown)


def zipf(count: int, draws: int, seed: int = 7) -> list[int]:
    """Draws from 0..count-1 with weights 1, 1/2, 1/3, …"""
    sums = list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))
    generator = random.Random(seed)
    return [bisect.bisect(sums, generator.random() * sums[-1]) for _ in range(draws)]


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def report(times: Sequence[Times], replayed: Replay) -> str:
    """The figures as text."""
    lines = [f"{'milliseconds':<32}{'n':>6}{'median':>10}{'p99':>10}{'low':>10}{'high':>10}{'CPU':>10}"]
    for t in times:
        figures = (t.median, t.p99, t.low, t.high, t.cpu)
        lines.append(f"{t.what:<32}{t.samples:>6}" + "".join(f"{value:>10.2f}" for value in figures))
    r = replayed
    lines.append(
        f"{r.requests} Zipf 1.0 requests, {r.registered} registered, {r.slots} slots: "
        f"{r.hit_percent:.1f} % hits, simulated {r.simulated_percent:.1f} %"
    )
    share = 100 * (r.resident_growth_bytes / r.accounted_bytes - 1)
    lines.append(
        f"accounted {r.accounted_bytes} bytes, process grew by {r.resident_growth_bytes} ({share:+.1f} %)"
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure everything, print, and write to --output if given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(".cache/base/smollm2-135m-instruct-fp32"))
    parser.add_argument("--folder", type=Path, help="where the files lie; the disk that is measured")
    parser.add_argument("--count", type=int, default=100, help="adapters loaded one by one")
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--output", type=Path, help="JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shape = read_shape(options.base)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        replayed = replay(shape, folder / "replay", requests=options.requests)
        times = [memory_to_slot(shape, options.count), *disk_to_slot(shape, folder / "disk", options.count)]
        times += step_times(options.base, folder / "steps")
    print(report(times, replayed), end="")
    if options.output:
        document = {"times": [asdict(t) for t in times], "replay": asdict(replayed)}
        options.output.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
