"""Counters, gauges and histograms with the Prometheus text format.

Written here, because the node needs thirty names, one registry per daemon (tests start several in a process)
and no background collectors; a client library's global registry would be the larger part of it.
"""

import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
MAX_SERIES = 1000


def _labels(names: dict[str, str]) -> Labels:
    return tuple(sorted(names.items()))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _series(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    shown = int(value) if float(value).is_integer() else value
    return f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}"


@dataclass
class Metric:
    """One named counter or gauge (`kind`). A label set beyond MAX_SERIES is dropped, so memory is bounded."""

    name: str
    help: str
    kind: str
    values: dict[Labels, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, amount: float = 1, **labels: str) -> None:
        """Adds `amount`; a counter refuses a negative one."""
        if self.kind == "counter" and amount < 0:
            raise ValueError(f"counter {self.name} cannot fall by {-amount}")
        key = _labels(labels)
        with self.lock:
            if key in self.values or len(self.values) < MAX_SERIES:
                self.values[key] = self.values.get(key, 0) + amount

    def set(self, value: float, **labels: str) -> None:
        """Sets a gauge."""
        if self.kind != "gauge":
            raise ValueError(f"{self.kind} {self.name} cannot be set")
        key = _labels(labels)
        with self.lock:
            if key in self.values or len(self.values) < MAX_SERIES:
                self.values[key] = value

    def value(self, **labels: str) -> float:
        """The present value, 0 where nothing was recorded."""
        return self.values.get(_labels(labels), 0)

    def lines(self) -> list[str]:
        """The samples in the text format."""
        with self.lock:
            return [_series(self.name, labels, value) for labels, value in sorted(self.values.items())]


@dataclass
class Histogram:
    """Durations or sizes by cumulative bucket."""

    name: str
    help: str
    buckets: Sequence[float]
    counts: dict[Labels, list[int]] = field(default_factory=dict)
    sums: dict[Labels, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    kind = "histogram"

    def observe(self, value: float, **labels: str) -> None:
        """Records one observation."""
        key = _labels(labels)
        with self.lock:
            if key not in self.counts and len(self.counts) >= MAX_SERIES:
                return
            counts = self.counts.setdefault(key, [0] * (len(self.buckets) + 1))
            counts[bisect_left(self.buckets, value)] += 1
            self.sums[key] = self.sums.get(key, 0) + value

    def lines(self) -> list[str]:
        """The samples in the text format."""
        out: list[str] = []
        with self.lock:
            for labels, counts in sorted(self.counts.items()):
                total = 0
                for bound, count in zip([*map(str, self.buckets), "+Inf"], counts, strict=True):
                    total += count
                    out.append(_series(f"{self.name}_bucket", (*labels, ("le", bound)), total))
                out.append(_series(f"{self.name}_sum", labels, self.sums[labels]))
                out.append(_series(f"{self.name}_count", labels, total))
        return out


class Registry:
    """The metrics of one daemon. Asking twice for a name gives the same metric."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric | Histogram] = {}
        self._lock = threading.Lock()

    def counter(self, name: str, help: str) -> Metric:
        """A number that only grows; by custom its name ends in `_total`."""
        return self._metric(name, help, "counter")

    def gauge(self, name: str, help: str) -> Metric:
        """A number that goes up and down."""
        return self._metric(name, help, "gauge")

    def histogram(self, name: str, help: str, buckets: Sequence[float] = DEFAULT_BUCKETS) -> Histogram:
        """Observations by bucket."""
        with self._lock:
            found = self._metrics.setdefault(name, Histogram(name, help, tuple(buckets)))
        if not isinstance(found, Histogram):
            raise ValueError(f"{name} is already a {found.kind}")
        return found

    def _metric(self, name: str, help: str, kind: str) -> Metric:
        with self._lock:
            found = self._metrics.setdefault(name, Metric(name, help, kind))
        if not isinstance(found, Metric) or found.kind != kind:
            raise ValueError(f"{name} is already a {found.kind}")
        return found

    def render(self) -> str:
        """The Prometheus text exposition format, version 0.0.4."""
        out: list[str] = []
        for name, metric in sorted(self._metrics.items()):
            out += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}", *metric.lines()]
        return "\n".join(out) + "\n"
