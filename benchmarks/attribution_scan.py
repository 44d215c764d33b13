"""An index of rows on disk by size: bytes, time to write and to open, and what one answer's scan takes beside
a plain pass over the same bytes.

Run: `python -m benchmarks.attribution_scan [--ten-million]`.

Codes are random bits: the scan does the same for any. They are written and opened as the worker does it, and
scanned where they are mapped, from the operating system's cache. The plain pass is numpy's sum of the same
memory as 64-bit words, cut among as many threads. Both take turns, so that a ratio compares the same moments
of a machine. Writes `benchmarks/results/attribution_scan.json` and its text.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import record
from inference_worker.attribution.build import segments_of
from inference_worker.attribution.codes import Codes, QueryCode
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.influence import best_of_clusters, threshold_of
from inference_worker.attribution.method import CODE_LIMIT, SCALE_LIMIT, SKETCH_WIDTH, WEIGHT_LIMIT
from inference_worker.attribution.scan import Ints
from inference_worker.attribution.segment import (
    Segment,
    open_segment,
    scan_index,
    write_codes,
    write_columns,
)
from protocol.index_listing import Columns
from protocol.index_pages import CodeShape
from protocol.influence import ScoredRow

SHAPE = CodeShape(3, SKETCH_WIDTH)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
# Sizes above it are scanned this often.
MANY, FEW_TURNS = 1_000_000, 5


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of several runs."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Measured:
    """One size and number of threads. `bytes` on disk, of which `scanned` are read for an answer; seconds to
    write and to open (which hashes every byte); milliseconds elapsed (the least too) and of the CPU for the
    scan, for the plain pass, and for what follows the scan: threshold and clusters. Ratios turn by turn.
    """

    rows: int
    threads: int
    bytes: int
    scanned: int
    write_seconds: float
    open_seconds: float
    scan_ms: Spread
    scan_least_ms: float
    plain_ms: Spread
    scan_cpu_ms: Spread
    plain_cpu_ms: Spread
    select_cpu_ms: Spread
    ratio: Spread
    cpu_ratio: Spread


@dataclass(frozen=True)
class Index:
    """An opened index of random codes, and what it took."""

    segments: tuple[Segment, ...]
    bytes: int
    write_seconds: float
    open_seconds: float


def measure(rows: int, threads: Sequence[int], turns: int, folder: Path, seed: int = 5) -> list[Measured]:
    """Write an index, open it, scan it by turns with a plain pass, after one of each that does not count."""
    draw = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        index = random_index(Path(place), rows, draw)
        codes = draw.integers(-CODE_LIMIT, CODE_LIMIT + 1, (SHAPE.checkpoints, SKETCH_WIDTH)).astype(np.int8)
        query = QueryCode(codes, (WEIGHT_LIMIT, WEIGHT_LIMIT // 2, WEIGHT_LIMIT // 3))
        return [timed(index, query, rows, count, turns) for count in threads]


def random_index(folder: Path, rows: int, draw: np.random.Generator) -> Index:
    """Write and open an index of random codes."""
    files, named, began = IndexFiles(folder), [], time.perf_counter()
    for low, high in segments_of(rows):
        columns = write_columns(
            files, np.arange(low, high, dtype=np.uint32), np.ones(high - low, dtype=np.uint8)
        )
        for number in range(SHAPE.checkpoints):
            columns |= write_codes(files, number, random_codes(draw, high - low))
        named.append(Columns(high - low, columns))
    written = time.perf_counter()
    again = IndexFiles(folder)
    segments = tuple(open_segment(again, SHAPE, one) for one in named)
    opened = time.perf_counter()
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Index(segments, size, round(written - began, 2), round(opened - written, 3))


def random_codes(draw: np.random.Generator, rows: int) -> Codes:
    """Random signs and magnitudes."""
    bits = draw.integers(0, 2**64, (rows, SKETCH_WIDTH // 64), dtype=np.uint64).view(np.uint8)
    return Codes(bits, draw.integers(0, SCALE_LIMIT + 1, rows, dtype=np.uint16))


def timed(index: Index, query: QueryCode, rows: int, threads: int, turns: int) -> Measured:
    """Scan and plain pass by turns, and the selection after each scan."""
    parts = [
        part
        for array in scanned_arrays(index.segments)
        for part in np.array_split(array, threads)
        if len(part)
    ]
    clusters = np.arange(rows, dtype=np.uint32)
    scores = scan_index(query, index.segments, threads)
    with ThreadPoolExecutor(threads) as pool:

        def plain() -> int:
            return sum((map if threads == 1 else pool.map)(total, parts))

        def scan() -> None:
            scores[:] = scan_index(query, index.segments, threads)

        def select() -> None:
            keep_best(scores, clusters)

        found = [(clock(scan), clock(plain), clock(select)) for _ in range(turns + 1)][1:]
    return Measured(
        rows,
        threads,
        index.bytes,
        sum(part.nbytes for part in parts),
        index.write_seconds,
        index.open_seconds,
        scan_ms=spread([one[0][0] for one in found]),
        scan_least_ms=round(min(one[0][0] for one in found), 3),
        plain_ms=spread([one[1][0] for one in found]),
        scan_cpu_ms=spread([one[0][1] for one in found]),
        plain_cpu_ms=spread([one[1][1] for one in found]),
        select_cpu_ms=spread([one[2][1] for one in found]),
        ratio=spread([one[0][0] / one[1][0] for one in found]),
        cpu_ratio=spread([one[0][1] / one[1][1] for one in found]),
    )


def keep_best(scores: Ints, clusters: npt.NDArray[np.uint32]) -> tuple[ScoredRow, ...]:
    """What follows an answer's scan, with every row its own cluster."""
    above = np.flatnonzero(scores > threshold_of(scores, scores[:0], 0))
    return best_of_clusters(clusters[above], 1 + above, scores[above], clusters)


def scanned_arrays(segments: Sequence[Segment]) -> Iterator[npt.NDArray[np.uint64]]:
    """Everything that a scan reads, as words."""
    for segment in segments:
        for column in segment.columns:
            for array in (column.signs, column.magnitude):
                yield array.reshape(-1).view(np.uint64)


def total(words: npt.NDArray[np.uint64]) -> int:
    """Sum modulo 2^64: every word read once."""
    return int(np.add.reduce(words))


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds elapsed, and of this process's CPU time."""
    elapsed, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - elapsed) * 1e3, (time.process_time() - cpu) * 1e3


def spread(values: Sequence[float]) -> Spread:
    """Quartiles, three digits after the point."""
    low, middle, high = statistics.quantiles(values, n=4)
    return Spread(round(low, 3), round(middle, 3), round(high, 3))


def render(machine: record.Machine, commit: str, turns: int, measured: Sequence[Measured]) -> str:
    """The tables, quartiles in brackets."""
    lines = [
        f"{machine.cpu}, {machine.cores} cores, load {machine.load}; commit {commit}; numpy {np.__version__}",
        f"{SHAPE.checkpoints} checkpoints of {SKETCH_WIDTH} bits; median of {turns} turns [quartiles], ms",
        "",
        "| rows | threads | scan | least | plain | ratio | scan, CPU | plain, CPU | ratio, CPU | select |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        cells = (
            one.plain_ms, one.ratio, one.scan_cpu_ms, one.plain_cpu_ms, one.cpu_ratio, one.select_cpu_ms
        )  # fmt: skip
        shown = " | ".join(map(str, cells))
        first = f"| {one.rows:,} | {one.threads} | {one.scan_ms} | {one.scan_least_ms:.2f}"
        lines.append(f"{first} | {shown} |")
    lines += ["", "| rows | MB on disk | bytes a row | seconds to write | to open |", "|---|---|---|---|---|"]
    for one in {one.rows: one for one in measured}.values():
        took = f"{one.write_seconds:.2f} | {one.open_seconds:.2f}"
        lines.append(f"| {one.rows:,} | {one.bytes / 1e6:,.1f} | {one.bytes / one.rows:.1f} | {took} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure every size, print the tables and leave the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--ten-million", action="store_true", help="10 M rows too: 4 GB of disk")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument(
        "--folder", type=Path, default=record.ROOT / ".cache", help="where indexes are written"
    )
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    machine, commit, measured = record.machine(), record.commit(), list[Measured]()
    for rows in [*chosen.rows, *([TEN_MILLION] if chosen.ten_million else [])]:
        turns = chosen.turns if rows <= MANY else FEW_TURNS
        measured += measure(rows, chosen.threads, turns, chosen.folder)
        print(f"{rows:,} rows: CPU ratios {[one.cpu_ratio.median for one in measured[-2:]]}", file=sys.stderr)
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
