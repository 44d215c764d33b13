"""Counters and timings of one worker process, in Prometheus' text form.

It holds numbers only: no prompt, no id of a payer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Named counters with labels; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, Labels], float] = {}

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Raise a counter; a negative amount is our own bug, since counters never fall."""
        assert amount >= 0, (name, amount)
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + amount

    @contextmanager
    def timed(self, name: str, **labels: str) -> Iterator[None]:
        """Count a block's runs in `<name>_total` and their seconds in `<name>_seconds_total`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.add(f"{name}_total", 1.0, **labels)
            self.add(f"{name}_seconds_total", time.monotonic() - began, **labels)

    def value(self, name: str, **labels: str) -> float:
        """One counter, 0 when it was never raised."""
        with self._lock:
            return self._values.get((name, tuple(sorted(labels.items()))), 0.0)

    def render(self, gauges: Mapping[str, float] | None = None) -> str:
        """All counters and the present `gauges`, sorted, one a line."""
        present = {(name, ()): float(value) for name, value in (gauges or {}).items()}
        with self._lock:
            values = sorted({**self._values, **present}.items())
        return "".join(f"{name}{_braces(labels)} {value:g}\n" for (name, labels), value in values)


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for _, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for (name, _), value in zip(labels, escaped, strict=True)) + "}"
