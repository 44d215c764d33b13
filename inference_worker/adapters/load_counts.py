"""What loads are counted as: lookups by tier, bytes and time, failures, files that had to go."""

from __future__ import annotations

import time
from dataclasses import dataclass

from inference_worker.adapters.packed_file import payload_bytes
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.usage import UsageBook
from inference_worker.metrics import Metrics


class Stopwatch:
    """Seconds on the wall, and of the processor in this thread, since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def seconds(self) -> tuple[float, float]:
        """Both so far; to be asked by the thread that made it."""
        return time.perf_counter() - self._wall, time.thread_time() - self._cpu


@dataclass(frozen=True)
class LoadCounts:
    """Counts for the operator (`metrics`) and on the adapter's own account (`usage`)."""

    metrics: Metrics
    usage: UsageBook

    def lookup(self, tier: str, hit: bool) -> None:
        """An adapter was looked for in a tier."""
        self.metrics.count("adapter_lookups_total", tier=tier, outcome="hit" if hit else "miss")

    def load(self, tier: str, packed: PackedAdapter, seconds: float, cpu_seconds: float) -> None:
        """An adapter came from a tier; from disk, that is a hit there."""
        if tier == "disk":
            self.lookup(tier, True)
        self.usage.load(packed.cid, payload_bytes(packed), seconds, cpu_seconds)
        self.metrics.count("adapter_load_microseconds_total", round(seconds * 1e6), tier=tier)

    def failure(self, code: str) -> None:
        """A load ended in an error."""
        self.metrics.count("adapter_load_failures_total", code=code)

    def dropped_file(self, reason: str) -> None:
        """A packed file was removed, or not written."""
        self.metrics.count("adapter_files_dropped_total", reason=reason)
