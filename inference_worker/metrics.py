"""What the worker counts, in the Prometheus text format. One object per worker, no global registry.

Labels come from closed sets (route patterns, statuses, reasons, codes), never from what a client sent.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

PREFIX = "openledger_worker_"
HELP = {
    "prompt_tokens_total": "Prompt tokens run.",
    "output_tokens_total": "Tokens produced.",
    "steps_total": "Decode steps run; output tokens by steps is the mean batch.",
    "sequences_total": "Sequences ended, by outcome.",
    "requests_total": "HTTP requests answered, by route and status.",
    "adapter_lookups_total": "Adapters looked for in a tier, by outcome.",
    "adapter_load_microseconds_total": "Time that loads from a tier took.",
    "adapter_load_failures_total": "Loads that ended in an error, by its code.",
    "adapter_evictions_total": "Adapters removed from a tier to make room, or by hand.",
    "adapter_files_dropped_total": "Packed files removed or not written, by reason.",
    "preemptions_total": "Sequences that gave their pages back and were run again.",
    "backend_restarts_total": "Times that the engine's own process ended and was started again.",
    "prefix_lookups_total": "Prompts looked up among the kept ones, by outcome.",
    "prefix_positions_total": "Prompt tokens not run because their keys and values were kept.",
    "prefix_evictions_total": "Kept pieces given up for room.",
    "adapter_bytes": "Bytes of resident adapters.",
    "adapter_budget_bytes": "Bytes that resident adapters may take.",
    "adapter_disk_bytes": "Bytes of packed adapters on disk.",
    "adapter_disk_quota_bytes": "Bytes that packed adapters may take on disk.",
    "adapter_fetch_bytes": "Bytes of bundles on their way from the node.",
    "adapter_fetch_budget_bytes": "Bytes that bundles on their way from the node may take.",
    "adapters_resident": "Adapters in memory.",
    "adapters_on_disk": "Adapters on disk.",
    "adapters_loading": "Adapters on their way to memory.",
    "adapters_registered": "Adapters that were registered or asked for.",
    "adapters_quarantined": "Adapters that are not served for good.",
    "running": "Sequences in the batch.",
    "waiting": "Sequences in line.",
    "attributions": "Answers whose sources are being computed, those in line included.",
    "held_positions": "Positions of the pages that sequences in the batch hold.",
    "start_time_seconds": "Unix time since which these counters count.",
    "kept_positions": "Positions of prompts kept for reuse.",
}


class Metrics:
    """Counters that any thread may raise; `started` is the unix time since which they count."""

    def __init__(self) -> None:
        self.started = int(time.time())
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Raise a counter of HELP by a non-negative amount."""
        assert name in HELP and amount >= 0, (name, amount)
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def value(self, name: str, **labels: str) -> int:
        """A counter's present value."""
        with self._lock:
            return self._counts[name, tuple(sorted(labels.items()))]

    def render(self, gauges: Mapping[str, int]) -> str:
        """All counters and the given gauges, sorted by name."""
        with self._lock:
            series = [(name, labels, value, "counter") for (name, labels), value in self._counts.items()]
        series += [(name, (), value, "gauge") for name, value in gauges.items()]
        lines: list[str] = []
        last = ""
        for name, labels, value, kind in sorted(series):
            if name != last:
                lines += [f"# HELP {PREFIX}{name} {HELP[name]}", f"# TYPE {PREFIX}{name} {kind}"]
                last = name
            inside = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"{PREFIX}{name}{{{inside}}} {value}" if inside else f"{PREFIX}{name} {value}")
        return "\n".join(lines) + "\n"
