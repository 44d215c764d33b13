"""Variants of the product's method on `sent`, the one set that constants may be chosen on.

`python -m benchmarks.attribution.tune` prints the table and writes
`benchmarks/results/attribution_tuning.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.attribution.folders import Folders, open_set
from benchmarks.attribution.metrics import interval, lds, leave_one_out
from benchmarks.attribution.ours import Setting, as_scores, attribute
from benchmarks.attribution.plan import PROFILES
from benchmarks.record import RESULTS

TUNING_SET = "sent"


def variants(adapters: int) -> Iterator[tuple[str, Setting]]:
    """The product's setting, then one thing changed at a time."""
    chosen = Setting(adapters=adapters)
    yield "as the product has it", chosen
    for points in (1, 2):
        yield f"{points} of 3 checkpoints", replace(chosen, points=points)
    for width in (512, 1280, 2048):
        yield f"width {width}", replace(chosen, width=width)
    for damping in (1, 3, 10, 30, 100):
        yield f"damping {damping}", replace(chosen, damping=damping)
        yield f"damping {damping}, no losses", replace(chosen, damping=damping, adapters=0)
    for part in (250_000, 500_000, 750_000, 1_500_000, 2_000_000, 3_000_000):
        yield f"losses weigh {part / 1e6:g}", replace(chosen, covariance_ppm=part)
    for count in (16, 32, 64, 96):
        if count <= adapters:
            yield f"{count} adapters", replace(chosen, adapters=count)


def main() -> None:
    """Measure and print."""
    opened = open_set(Folders(TUNING_SET), PROFILES["reduced"][TUNING_SET])
    lines = ["| variant | bytes a row | LDS | 95 % | leave one out |", "|---|---|---|---|---|"]
    for title, setting in variants(opened.losses.rows.shape[1]):
        scores = as_scores(
            attribute(opened.task, opened.made, opened.losses, setting, opened.seeds.sketch).scores
        )
        mean = interval(lds(scores, opened.seen.truth), opened.seeds.bootstrap)
        left = leave_one_out(scores, opened.seen.truth).mean()
        lines.append(
            f"| {title} | {setting.bytes_per_row():.0f} | {mean.mean:.3f} | {mean.low:.3f} to {mean.high:.3f}"
            f" | {left:.3f} |"
        )
        print(lines[-1], flush=True)
    RESULTS.joinpath("attribution_tuning.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
