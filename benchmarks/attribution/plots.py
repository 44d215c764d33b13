"""Draws `results/attribution.json`: `python -m benchmarks.attribution.plots FOLDER [FILE]`.

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

RESULT = Path(__file__).resolve().parent.parent / "results" / "attribution.json"
_OURS, _OTHER = "#0b6e4f", "#8d99ae"
_LABEL = "LDS: rank correlation with retraining"


def bars(document: dict[str, Any], folder: Path) -> None:
    """One panel for each set: every method's LDS with its interval."""
    sets = document["sets"]
    height = 1 + 0.24 * max(len(found["rows"]) for found in sets.values())
    figure, panels = pyplot.subplots(1, len(sets), figsize=(5.4 * len(sets), height), squeeze=False)
    for panel, (name, found) in zip(panels[0], sets.items(), strict=True):
        rows = sorted(found["rows"].values(), key=lambda row: row["lds"]["mean"])
        means = [row["lds"]["mean"] for row in rows]
        below = [row["lds"]["mean"] - row["lds"]["low"] for row in rows]
        above = [row["lds"]["high"] - row["lds"]["mean"] for row in rows]
        colours = [_OURS if row["name"].startswith("ours") else _OTHER for row in rows]
        panel.barh([row["title"] for row in rows], means, xerr=[below, above], color=colours, capsize=2)
        panel.set_title(name)
        panel.set_xlabel(_LABEL)
        panel.tick_params(axis="y", labelsize="x-small")
        panel.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    _save(figure, folder / "attribution-lds.png")


def by_bytes(document: dict[str, Any], folder: Path) -> None:
    """LDS against what is kept of a row, where something is."""
    sets = document["sets"]
    figure, panels = pyplot.subplots(1, len(sets), figsize=(5.2 * len(sets), 4.2), squeeze=False)
    for panel, (name, found) in zip(panels[0], sets.items(), strict=True):
        for row in found["rows"].values():
            size = row["cost"]["bytes_per_row"]
            if size > 0:
                colour = _OURS if row["name"].startswith("ours") else _OTHER
                panel.plot(size, row["lds"]["mean"], "o", color=colour)
                panel.annotate(row["name"], (size, row["lds"]["mean"]), fontsize="xx-small", rotation=20)
        panel.axvline(512, color="black", linewidth=0.6, linestyle=":")
        panel.set_xscale("log")
        panel.set_title(name)
        panel.set_xlabel("bytes kept of a row (dotted: 512)")
        panel.set_ylabel(_LABEL)
        panel.grid(alpha=0.3)
    figure.tight_layout()
    _save(figure, folder / "attribution-bytes.png")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Draw all plots into the folder given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    document = json.loads((Path(sys.argv[2]) if len(sys.argv) > 2 else RESULT).read_text(encoding="utf-8"))
    bars(document, folder)
    by_bytes(document, folder)


if __name__ == "__main__":
    main()
