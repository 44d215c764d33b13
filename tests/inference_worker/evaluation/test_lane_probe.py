import numpy as np
import pytest

from inference_worker.attribution.influence import Ledger
from inference_worker.evaluation.lane_probe import Scored, decoy_share, lane_parts

LEDGER = Ledger(base=-9_000_000, adapter=-1_000_000, tokens=4)


def scored(values: list[int], informative: list[int] | None = None) -> Scored:
    flags = informative if informative is not None else [1] * len(values)
    return Scored(np.asarray(values, np.int64), np.asarray(flags, bool))


def drawn(count: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(-1_000, 1_000, count).tolist()


def test_parts_are_of_one_whole_and_go_to_rows_above_the_threshold() -> None:
    """SPEC 5.227"""
    parts = lane_parts(scored([*drawn(50, 0), 90_000, 30_000]), scored(drawn(96, 1)), LEDGER)
    assert sum(parts[:50]) == 0 and parts[50] > parts[51] > 0
    assert sum(parts) <= LEDGER.gain / (LEDGER.gain + LEDGER.floor)


def test_decoys_like_any_row_take_little_and_decoys_like_the_best_row_take_much() -> None:
    """SPEC 5.227"""
    rows = scored([*drawn(200, 0), 90_000])
    like_any = decoy_share(rows, scored(drawn(96, 1)), LEDGER)
    # One fold's decoys are then as loud as the row that is owed everything, and the other fold's say nothing.
    loud = [90_000 if place % 2 else value for place, value in enumerate(drawn(96, 1))]
    assert like_any < 0.01 < 0.3 < decoy_share(rows, scored(loud), LEDGER)


def test_decoys_that_may_not_earn_take_nothing() -> None:
    """SPEC 5.227"""
    rows = scored([*drawn(200, 0), 90_000])
    loud = [90_000 if place % 2 else value for place, value in enumerate(drawn(96, 1))]
    assert decoy_share(rows, scored(loud, [0] * 96), LEDGER) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_decoys_to_judge_by_each_other_measure_nothing(count: int) -> None:
    """SPEC 5.227"""
    assert decoy_share(scored(drawn(20, 0)), scored([90_000] * count), LEDGER) == 0.0


def test_an_answer_that_the_adapter_made_no_likelier_pays_nobody() -> None:
    """SPEC 5.227"""
    worse = Ledger(base=-1, adapter=-2, tokens=4)
    assert sum(lane_parts(scored([*drawn(50, 0), 90_000]), scored(drawn(96, 1)), worse)) == 0
