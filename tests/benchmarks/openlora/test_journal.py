"""What survives an interruption, and what is compared."""

from pathlib import Path

import pytest

from benchmarks.openlora.case import Case, Sample, spread
from benchmarks.openlora.goals import RATE, Figure, Goal, outcome_of
from benchmarks.openlora.intervals import Verdict
from benchmarks.openlora.journal import Entry, Journal


def entry(number: int, engine: str, rate: float) -> Entry:
    return Entry("mixed", number, engine, "batch 32", Sample({RATE: rate}, (1, 2)))


def test_a_journal_read_again_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = Journal(path)
    first.add_start("mixed", "ours", {"torch": "2"})
    first.add_failure("mixed", "peer", "no wheel")
    first.finish_round("mixed", [entry(1, "ours", 3.0)])
    first.finish_round("mixed", [entry(2, "ours", 4.0)])
    second = Journal(path)
    assert second.rounds("mixed") == 2
    assert second.rounds("storm") == 0
    assert (second.facts, second.not_run) == (first.facts, first.not_run)
    assert second.measured() == {Figure("ours", "batch 32"): {1: 3.0, 2: 4.0}}
    assert second.last() == {("ours", "batch 32"): (1, 2)}


def test_an_engine_that_starts_after_all_is_no_longer_missing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.jsonl")
    journal.add_failure("mixed", "peer", "no wheel")
    journal.add_failure("storm", "peer", "no wheel")
    journal.add_start("mixed", "peer", {})
    assert set(journal.not_run) == {("peer", "storm")}
    assert Journal(tmp_path / "run.jsonl").not_run == journal.not_run


@pytest.mark.parametrize(("shared", "verdict"), [(4, Verdict.UNDECIDED), (5, Verdict.BEATS)])
def test_a_goal_is_judged_on_enough_rounds_that_have_both_sides(shared: int, verdict: Verdict) -> None:
    ours, peer = Figure("ours", "batch 32"), Figure("peer", "batch 32")
    both = {n: 10.0 * n for n in range(1, shared + 1)}
    measured = {ours: {n: 2 * rate for n, rate in both.items()} | {90: 1.0}, peer: both | {91: 1.0}}
    outcome = outcome_of(Goal("twice", ours, peer, 2.0), measured, seed=1)
    assert outcome.rounds == shared
    assert outcome.interval is not None
    assert (outcome.interval.low, outcome.interval.high) == (2.0, 2.0)
    assert outcome.verdict is verdict


@pytest.mark.parametrize("present", ["ours", "peer"])
def test_a_goal_without_one_side_is_not_judged(present: str) -> None:
    goal = Goal("twice", Figure("ours", "batch 32"), Figure("peer", "batch 32"), 2.0)
    outcome = outcome_of(goal, {Figure(present, "batch 32"): {1: 1.0}}, seed=1)
    assert (outcome.rounds, outcome.interval, outcome.verdict) == (0, None, None)


def test_cases_and_samples_cross_the_pipe_unchanged() -> None:
    case = Case("batch 8", (None, *spread(7, 3)), 6, 10.0, 100)
    assert Case.from_json(case.to_json()) == case
    assert (case.rows, case.distinct) == (8, 3)
    sample = Sample({RATE: 1.5}, (4, 5))
    assert Sample.from_json(sample.to_json()) == sample
