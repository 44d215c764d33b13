"""What is measured, and the form of one result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.openlora.traffic import zipf_draws


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: rows of a batch, positions that each has at first, counted steps and those before."""

    rows: int = 64
    context: int = 512
    steps: int = 64
    warm: int = 8
    # Adapters that differ in their bytes; more ids than that repeat them.
    blobs: int = 64
    # Slots of the device, in adapters.
    slots: int = 128
    arrivals: int = 16
    arrival_prompt: int = 512

    @property
    def longest(self) -> int:
        """Positions that a sequence may reach."""
        return max(self.context, self.arrival_prompt) + 2 * (self.warm + self.steps)


@dataclass(frozen=True)
class Case:
    """`adapters` has one entry for each row: an adapter's number, or None for the base. Every `churn` steps
    one row ends and the next of `further` takes its place; every step `loads` adapters that none has are
    brought."""

    name: str
    adapters: tuple[int | None, ...]
    churn: int = 0
    further: tuple[int, ...] = ()
    loads: int = 0


@dataclass(frozen=True)
class Result:
    """One line of the table: figures by name, or why there are none."""

    base: str
    rank: int
    engine: str
    case: str
    figures: dict[str, float]
    remark: str = ""


BASE, ONE, STORM = "base only", "1 adapter", "all distinct, a load a step"
CHURN_STEPS = 4


def cases(plan: Plan) -> list[Case]:
    """The base alone; one adapter; one for each row, without and with loads; and drawn from a thousand."""
    rows, many = plan.rows, 1000
    distinct = tuple(range(rows))
    drawn = zipf_draws(many, rows + plan.steps + plan.warm, 1.0, seed=5)
    return [
        Case(BASE, (None,) * rows),
        Case(ONE, (0,) * rows),
        Case(f"{rows} adapters, all distinct", distinct),
        Case(f"{many} adapters, zipf 1.0", tuple(drawn[:rows]), CHURN_STEPS, tuple(drawn[rows:])),
        Case(STORM, distinct, loads=1),
    ]


def shares(results: Sequence[Result]) -> list[Result]:
    """With each case's rate as a share of the base's own, and that share of what the bytes allow."""
    found = []
    for result in results:
        bases = [
            r for r in results if (r.base, r.rank, r.engine, r.case) == (*_key(result), BASE) and r.figures
        ]
        if not bases or "tokens_per_second" not in result.figures:
            found.append(result)
            continue
        base, figures = bases[0].figures, dict(result.figures)
        figures["of_base"] = figures["tokens_per_second"] / base["tokens_per_second"]
        if "bytes" in figures:
            figures["of_allowed"] = figures["of_base"] / (base["bytes"] / figures["bytes"])
        found.append(Result(result.base, result.rank, result.engine, result.case, figures, result.remark))
    return found


def _key(result: Result) -> tuple[str, int, str]:
    return result.base, result.rank, result.engine
