"""The one table: every measurement with its spread, every goal with its interval; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.openlora.goals import Outcome
from benchmarks.openlora.intervals import Spread

_UNITS = {
    "tokens_per_cpu_second": "tok/CPU-s",
    "tokens_per_second": "tok/s",
    "gap_p50_ms": "ms between tokens, p50",
    "gap_p99_ms": "ms between tokens, p99",
    "gap_cpu_p50_ms": "CPU ms of a step, p50",
    "gap_cpu_p99_ms": "CPU ms of a step, p99",
}


@dataclass(frozen=True)
class Row:
    """One figure of one engine in one case over all rounds."""

    suite: str
    case: str
    engine: str
    figure: str
    spread: Spread


def render(
    heading: Sequence[str],
    rows: Sequence[Row],
    outcomes: Sequence[Outcome],
    not_run: Mapping[str, str],
    remarks: Sequence[str],
) -> str:
    """Text that ends with a newline."""
    lines = [*heading, ""]
    lines += _measurements(rows)
    lines += _goals(outcomes)
    lines += [f"not run: {name}: {reason}" for name, reason in sorted(not_run.items())]
    lines += remarks
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _measurements(rows: Sequence[Row]) -> list[str]:
    head = f"{'case':<34}{'engine':<24}{'n':>3}{'min':>9}{'median':>9}{'max':>9}  unit"
    lines = [head, "-" * len(head)]
    for row in rows:
        s, unit = row.spread, _UNITS.get(row.figure, row.figure)
        lines.append(
            f"{row.case:<34}{row.engine:<24}{s.n:>3}{s.low:>9.1f}{s.median:>9.1f}{s.high:>9.1f}  {unit}"
        )
    return [*lines, ""]


def _goals(outcomes: Sequence[Outcome]) -> list[str]:
    head = f"{'goal (paired ratios)':<46}{'wanted':>9}{'median':>9}  {'95 % interval':<18}verdict"
    lines = [head, "-" * len(head)]
    for outcome in outcomes:
        goal = outcome.goal
        wanted = f"{'>=' if goal.at_least else '<='} {goal.value:g}"
        if outcome.interval is None or outcome.verdict is None:
            lines.append(f"{goal.title:<46}{wanted:>9}{'-':>9}  {'':<18}not measured")
            continue
        i = outcome.interval
        between = f"{i.low:.3f} .. {i.high:.3f}"
        lines.append(f"{goal.title:<46}{wanted:>9}{i.median:>9.3f}  {between:<18}{outcome.verdict.value}")
    return [*lines, ""]
