"""All figures of one set: each method's row, and ours against the methods that a goal names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.attribution.folders import Opened
from benchmarks.attribution.metrics import (
    Floats,
    Interval,
    auc,
    interval,
    lds,
    leave_one_out,
    paired,
    paired_wide,
    recall,
)
from benchmarks.attribution.tail_patch import tail_patch
from benchmarks.attribution.task import Cost, Scores, read_scores

OURS = "ours"


@dataclass(frozen=True)
class Row:
    """One method on one set. `tail` is nats per answer token."""

    name: str
    lds: Interval
    leave_one_out: Interval
    auc: float
    recall: float
    tail: Interval
    cost: Cost


@dataclass(frozen=True)
class Pair:
    """Ours less another method's, in LDS: over queries, over queries and subsets, and by leave one out."""

    other: str
    lds: Interval
    lds_wide: Interval
    leave_one_out: Interval

    @property
    def is_won(self) -> bool:
        """Whether the interval over queries lies above 0."""
        return self.lds.low > 0


def rows_of(opened: Opened) -> list[Row]:
    """A row for every score file, best LDS first."""
    rows = [_row(opened, name, *found) for name, found in read_scores(opened.task.folder).items()]
    return sorted(rows, key=lambda row: -row.lds.mean)


def pairs_of(opened: Opened) -> list[Pair]:
    """Ours against every other method, best of them first."""
    found = read_scores(opened.task.folder)
    truth, seed = opened.seen.truth, opened.seeds.bootstrap
    ours = found[OURS][0]
    pairs = [
        Pair(
            name,
            paired(lds(ours, truth), lds(scores, truth), seed),
            paired_wide(ours, scores, truth, seed),
            paired(leave_one_out(ours, truth), leave_one_out(scores, truth), seed),
        )
        for name, (scores, _) in found.items()
        if name != OURS
    ]
    return sorted(pairs, key=lambda pair: pair.lds.mean)


def to_json(
    rows: list[Row], pairs: list[Pair], opened: Opened, titles: Mapping[str, str]
) -> dict[str, object]:
    """The set's part of the result file."""
    truth = opened.seen.truth
    return {
        "subsets": len(truth.losses),
        "orders": opened.seen.orders,
        "reliability": opened.seen.reliability,
        "adapters": len(opened.trained),
        "retrain_cpu_seconds": sorted(opened.trained.values())[len(opened.trained) // 2],
        "rows": {
            row.name: {"title": titles.get(row.name, row.name), **dataclasses.asdict(row)} for row in rows
        },
        "pairs": [dataclasses.asdict(pair) for pair in pairs],
    }


def _row(opened: Opened, name: str, scores: Scores, cost: Cost) -> Row:
    truth, seed = opened.seen.truth, opened.seeds.bootstrap

    def mean(values: Floats) -> Interval:
        return interval(values, seed)

    return Row(
        name,
        mean(lds(scores, truth)),
        mean(leave_one_out(scores, truth)),
        float(auc(scores, truth).mean()),
        float(recall(scores, truth).mean()),
        mean(tail_patch(opened.task, opened.made, scores, opened.folders.patches)),
        cost,
    )
