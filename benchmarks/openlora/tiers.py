"""The figures of the adapters' tiers, measured by `benchmarks.adapter_tiers`, held against what is wanted.

That module measures in a process of its own; here its document becomes lines of the table.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import ROOT

MODULE = "benchmarks.adapter_tiers"
_HIT_POINTS, _MEMORY_PERCENT = 2.0, 5.0
# What is timed, which of its figures counts, and the most milliseconds it may take.
_TIMES = (("memory -> slot", "median", 2.0), ("disk -> slot, cold", "p99", 25.0))


@dataclass(frozen=True)
class Bound:
    """A figure and the most it may be; `met` is None where it was not measured."""

    title: str
    unit: str
    most: float
    value: float | None

    @property
    def met(self) -> bool | None:
        """Whether the figure stays within its bound."""
        return None if self.value is None else self.value <= self.most


def measure(base: Path, output: Path) -> dict[str, Any] | None:
    """Run the module, unless its document is there already; None where this tree has no such module."""
    if importlib.util.find_spec(MODULE) is None:
        return None
    if not output.is_file():
        output.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", MODULE, "--base", str(base), "--output", str(output)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    document: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return document


def bounds_of(document: Mapping[str, Any]) -> list[Bound]:
    """Each tier's figure with its bound."""
    times = {t["what"]: t for t in document["times"]}
    replay = document["replay"]
    apart = abs(replay["hit_percent"] - replay["simulated_percent"])
    grown, accounted = replay["resident_growth_bytes"], replay["accounted_bytes"]
    requests = f"{replay['registered']:,} registered, {replay['slots']} slots"
    return [
        *(
            Bound(f"{what}, {figure}", "ms", most, times[what][figure] if what in times else None)
            for what, figure, most in _TIMES
        ),
        Bound(f"hit rate from simulation, {requests}", "points", _HIT_POINTS, apart),
        Bound("memory from the account", "%", _MEMORY_PERCENT, 100 * abs(grown / accounted - 1)),
    ]


def lines_of(bounds: list[Bound]) -> list[str]:
    """For the table."""
    verdicts = {True: "meets the goal", False: "falls short", None: "not measured"}
    return [
        f"{b.title:<55}{f'<= {b.most:g} {b.unit}':>14}"
        f"{'-' if b.value is None else f'{b.value:.2f}':>9}  {verdicts[b.met]}"
        for b in bounds
    ]
