"""How fast all rows are scored, beside a plain pass over the same bytes.

Run: `python -m benchmarks.attribution_scan`.

Rows are random bits: the scan does the same for any. The plain pass is numpy's sum of the same memory as
64-bit words, cut among as many threads. Both take turns, so that a ratio compares the same moments of a
machine. Writes `benchmarks/results/attribution_scan.json` and its text.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from benchmarks import record
from inference_worker.attribution.method import CODE_LIMIT, SCALE_LIMIT, SKETCH_WIDTH, WEIGHT_LIMIT
from inference_worker.attribution.scan import Column, scan_columns
from inference_worker.attribution.tiles import TILE_ROWS, tiles_of, words_of

CHECKPOINTS = 3


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of several runs."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Measured:
    """One size and number of threads: milliseconds elapsed and of the CPU; ratios turn by turn."""

    rows: int
    threads: int
    bytes: int
    scan_ms: Spread
    plain_ms: Spread
    scan_cpu_ms: Spread
    plain_cpu_ms: Spread
    ratio: Spread
    cpu_ratio: Spread


def measure(rows: int, threads: int, turns: int, seed: int = 5) -> Measured:
    """Scan and plain pass by turns, after one of each that does not count."""
    draw = np.random.default_rng(seed)
    columns = [random_column(draw, rows) for _ in range(CHECKPOINTS)]
    codes = draw.integers(-CODE_LIMIT, CODE_LIMIT + 1, (CHECKPOINTS, SKETCH_WIDTH)).astype(np.int8)
    weights = [WEIGHT_LIMIT, WEIGHT_LIMIT // 2, WEIGHT_LIMIT // 3]
    parts = [
        part
        for column in columns
        for array in (column.signs, column.magnitude)
        for part in np.array_split(array.reshape(-1).view(np.uint64), threads)
    ]
    with ThreadPoolExecutor(threads) as pool:

        def plain() -> int:
            return sum((map if threads == 1 else pool.map)(total, parts))

        def scan() -> int:
            return int(scan_columns(codes, weights, columns, rows, threads)[-1])

        timed = [(clock(scan), clock(plain)) for _ in range(turns + 1)][1:]
    return summary(rows, threads, sum(part.nbytes for part in parts), timed)


def total(words: npt.NDArray[np.uint64]) -> int:
    """Sum modulo 2^64: every word read once."""
    return int(np.add.reduce(words))


def random_column(draw: np.random.Generator, rows: int) -> Column:
    """Random signs and magnitudes."""
    shape = (tiles_of(rows), words_of(SKETCH_WIDTH), TILE_ROWS)
    magnitude = draw.integers(0, SCALE_LIMIT + 1, (shape[0], TILE_ROWS), dtype=np.uint16)
    return Column(draw.integers(0, 2**64, shape, dtype=np.uint64), magnitude)


def clock(work: Callable[[], int]) -> tuple[float, float]:
    """Milliseconds elapsed, and of this process's CPU time."""
    elapsed, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - elapsed) * 1e3, (time.process_time() - cpu) * 1e3


def summary(
    rows: int, threads: int, size: int, timed: Sequence[tuple[tuple[float, float], tuple[float, float]]]
) -> Measured:
    """Spreads over the turns."""
    return Measured(
        rows,
        threads,
        size,
        spread([scan[0] for scan, _ in timed]),
        spread([plain[0] for _, plain in timed]),
        spread([scan[1] for scan, _ in timed]),
        spread([plain[1] for _, plain in timed]),
        spread([scan[0] / plain[0] for scan, plain in timed]),
        spread([scan[1] / plain[1] for scan, plain in timed]),
    )


def spread(values: Sequence[float]) -> Spread:
    """Quartiles, three digits after the point."""
    low, middle, high = statistics.quantiles(values, n=4)
    return Spread(round(low, 3), round(middle, 3), round(high, 3))


def render(machine: record.Machine, commit: str, turns: int, measured: Sequence[Measured]) -> str:
    """The table, quartiles in brackets."""
    lines = [
        f"{machine.cpu}, {machine.cores} cores, load {machine.load}; commit {commit}; numpy {np.__version__}",
        f"{CHECKPOINTS} checkpoints of {SKETCH_WIDTH} bits; median of {turns} turns [quartiles], ms",
        "",
        "| rows | threads | MB | scan | plain pass | ratio | scan, CPU | plain, CPU | ratio, CPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        cells = (one.scan_ms, one.plain_ms, one.ratio, one.scan_cpu_ms, one.plain_cpu_ms, one.cpu_ratio)
        shown = " | ".join(f"{s.median:.2f} [{s.low:.2f}, {s.high:.2f}]" for s in cells)
        lines.append(f"| {one.rows:,} | {one.threads} | {one.bytes / 1e6:.1f} | {shown} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure every size, print the table and leave the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--turns", type=int, default=15)
    chosen = parser.parse_args()
    machine, commit = record.machine(), record.commit()
    measured = []
    for rows in chosen.rows:
        for threads in chosen.threads:
            measured.append(measure(rows, threads, chosen.turns))
            print(
                f"{rows:,} rows, {threads} threads: ratio {measured[-1].ratio}", file=sys.stderr, flush=True
            )
    text = render(machine, commit, chosen.turns, measured)
    document = {
        "machine": asdict(machine),
        "commit": commit,
        "turns": chosen.turns,
        "measured": [asdict(one) for one in measured],
    }
    record.write("attribution_scan", document, text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
