"""From the journal to the document and the table that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmarks.openlora.goals import RATE, Outcome, outcome_of
from benchmarks.openlora.intervals import spread_of
from benchmarks.openlora.journal import Journal
from benchmarks.openlora.suites import Suite
from benchmarks.openlora.table import Row, render
from benchmarks.record import Machine, machine

SEED = 2026
# What a reader looks for in each suite; the document holds all figures.
_SHOWN = {
    "mixed": (RATE,),
    "registered": (RATE, "gap_cpu_p50_ms"),
    "storm": ("gap_p50_ms", "gap_p99_ms", "gap_cpu_p99_ms"),
}


def rows_of(suites: Sequence[Suite], journal: Journal) -> list[Row]:
    """All rows, in the order of suites, cases and engines."""
    measured = journal.measured()
    return [
        Row(suite.name, case.name, engine.name, figure.name, spread_of(list(values.values())))
        for suite in suites
        for case in suite.cases
        for engine in suite.engines
        for figure, values in measured.items()
        if (figure.engine, figure.case) == (engine.name, case.name)
    ]


def outcomes_of(suites: Sequence[Suite], journal: Journal) -> list[Outcome]:
    """Every goal of every suite."""
    measured = journal.measured()
    return [outcome_of(goal, measured, SEED) for suite in suites for goal in suite.goals]


def agreement(journal: Journal, case: str, ours: str, other: str) -> str:
    """In how many rows two engines produced the same token at the same place."""
    last = journal.last()
    if (ours, case) not in last or (other, case) not in last:
        return ""
    same = sum(a == b for a, b in zip(last[ours, case], last[other, case], strict=True))
    return f"{case}: {same} of {len(last[ours, case])} rows agree with {other} in their last token"


def document(
    suites: Sequence[Suite], journal: Journal, begun: Machine, commit: str, extra: Mapping[str, object]
) -> dict[str, object]:
    """What `results/openlora.json` holds."""
    return {
        "name": "openlora",
        "commit": commit,
        "machine": {**asdict(begun), "load_at_end": machine().load},
        "engines": journal.facts,
        "not_run": _reasons(journal),
        "rows": [
            {
                "suite": row.suite,
                "case": row.case,
                "engine": row.engine,
                "figure": row.figure,
                "rounds": row.spread.n,
                "min": row.spread.low,
                "median": row.spread.median,
                "max": row.spread.high,
            }
            for row in rows_of(suites, journal)
        ],
        "goals": [_goal(outcome) for outcome in outcomes_of(suites, journal)],
        **extra,
    }


def _reasons(journal: Journal) -> dict[str, str]:
    return {f"{engine} in {suite}": reason for (engine, suite), reason in journal.not_run.items()}


def _goal(outcome: Outcome) -> dict[str, object]:
    goal = outcome.goal
    return {
        "title": goal.title,
        "over": asdict(goal.over),
        "under": asdict(goal.under),
        "wanted": goal.value,
        "at_least": goal.at_least,
        "rounds": outcome.rounds,
        "ratio": asdict(outcome.interval) if outcome.interval else None,
        "verdict": outcome.verdict.value if outcome.verdict else "not measured",
    }


def table(
    suites: Sequence[Suite], journal: Journal, begun: Machine, commit: str, remarks: Sequence[str]
) -> str:
    """What is printed."""
    shown = [row for row in rows_of(suites, journal) if row.figure in _SHOWN[row.suite]]
    heading = [
        f"machine: {begun.cpu}, {begun.cores} cores, {begun.memory_bytes / 2**30:.0f} GiB, "
        f"load {begun.load} at the start and {machine().load} at the end; commit {commit}",
        "one thread each; rank 8 on all seven linears, float32 unless said otherwise; decode steps only",
        *(f"{name}: " + ", ".join(f"{k} {v}" for k, v in f.items()) for name, f in journal.facts.items()),
    ]
    return render(heading, shown, outcomes_of(suites, journal), _reasons(journal), remarks)
