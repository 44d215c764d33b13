"""Draws `results/attribution_scan.json` and `results/attribution-spans.json`, each figure against the size:
`python -m benchmarks.attribution_plots FOLDER`.

Runs in an environment of its own, which holds the plotting library and nothing of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

RESULTS = Path(__file__).resolve().parent / "results"
OURS, PLAIN, THIRD = "#0b6e4f", "#6c584c", "#c1121f"


def line(axes: Any, points: list[tuple[float, float]], label: str, colour: str, **style: object) -> None:
    """One curve through points by ascending x."""
    numbers, values = zip(*sorted(points), strict=True)
    axes.plot(numbers, values, marker="o", label=label, color=colour, **style)


def finish(figure: Any, axes: Any, x: str, y: str, path: Path, log: bool = True) -> None:
    """Scales, labels, file."""
    axes.set_xscale("log")
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def scan(document: dict[str, Any], folder: Path) -> None:
    """CPU time of the scan, of a plain pass and of what follows; bytes on disk."""
    alone = [one for one in document["measured"] if one["threads"] == 1]
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for field, label, colour in (
        ("scan_cpu_ms", "scan of all rows", OURS),
        ("plain_cpu_ms", "plain pass over the same bytes", PLAIN),
        ("select_cpu_ms", "threshold and clusters", THIRD),
    ):
        line(axes, [(one["rows"], one[field]["median"]) for one in alone], label, colour)
    finish(figure, axes, "rows", "ms of CPU time for one answer", folder / "attribution-scan.png")
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    line(axes, [(one["rows"], one["bytes"] / 1e6) for one in alone], "index on disk", OURS)
    limit = [(one["rows"], one["rows"] * 402 / 1e6) for one in alone]
    line(axes, limit, "402 bytes a row", PLAIN, linestyle="--")
    finish(figure, axes, "rows", "MB", folder / "attribution-disk.png")


def spans(document: dict[str, Any], folder: Path) -> None:
    """Lookup of an answer, and bytes a token, by tokens."""
    sizes = document["sizes"]
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for field, label, colour in (("p50_ms", "median", OURS), ("p95_ms", "95 of 100", THIRD)):
        line(axes, [(one["tokens"], one[field]) for one in sizes], label, colour)
    y = f"ms for an answer of {document['answer_tokens']} tokens"
    finish(figure, axes, "tokens indexed", y, folder / "attribution-spans.png", log=False)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    line(axes, [(one["tokens"], one["bytes_a_token"]) for one in sizes], "suffix index on disk", OURS)
    line(axes, [(one["tokens"], 7) for one in sizes], "7 bytes a token", PLAIN, linestyle="--")
    finish(figure, axes, "tokens indexed", "bytes a token", folder / "attribution-span-bytes.png", log=False)


def main() -> None:
    """Draw all plots into the folder given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    scan(json.loads((RESULTS / "attribution_scan.json").read_text()), folder)
    spans(json.loads((RESULTS / "attribution-spans.json").read_text()), folder)


if __name__ == "__main__":
    main()
