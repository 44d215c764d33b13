import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_worker.attribution.covariance import LossCodes, decode_losses
from inference_worker.attribution.loss_scan import (
    ROWS_PER_THREAD,
    combine,
    loss_scores,
    loss_weight,
    scan_losses,
    spread_of,
)
from inference_worker.attribution.method import (
    CODE_LIMIT,
    LOSS_LIMIT,
    LOSS_WEIGHT_LIMIT,
    SCALE_LIMIT,
    SKETCH_WIDTH,
    WEIGHT_LIMIT,
)
from inference_worker.training.recipe import MAX_CHECKPOINTS
from tests.inference_worker.attribution.simulated_losses import simulated

K = 16
SCORES = arrays(np.int64, st.integers(1, 60), elements=st.integers(-(10**14), 10**14))


def random_codes(rows: int, adapters: int = K, seed: int = 0) -> LossCodes:
    drawn = np.random.default_rng(seed)
    nibbles = drawn.integers(8 - LOSS_LIMIT, 8 + LOSS_LIMIT + 1, (rows, adapters), dtype=np.uint8)
    packed = nibbles[:, 0::2] << 4 | nibbles[:, 1::2]
    return LossCodes(packed, drawn.integers(0, SCALE_LIMIT + 1, rows, dtype=np.uint16))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 40),
    seed=st.integers(0, 1000),
    code=arrays(np.int8, (K,), elements=st.integers(-127, 127)),
)
def test_the_scan_of_losses_equals_a_plain_loop(rows: int, seed: int, code: np.ndarray) -> None:
    """SPEC 5.144"""
    codes = random_codes(rows, seed=seed)
    expected = []
    for row in range(rows):
        nibbles = [half for byte in codes.packed[row].tolist() for half in (byte >> 4, byte & 15)]
        total = sum((nibble - 8) * int(c) for nibble, c in zip(nibbles, code, strict=True))
        expected.append(int(codes.magnitude[row]) * total)
    assert scan_losses(code, codes).tolist() == expected
    assert (decode_losses(codes) @ code.astype(np.int64)).tolist() == expected


@pytest.mark.parametrize("adapters", [16, 48, 96])
def test_threads_change_no_product(adapters: int) -> None:
    """SPEC 5.144"""
    codes = random_codes(3 * ROWS_PER_THREAD + 11, adapters)
    code = np.random.default_rng(1).integers(-127, 128, adapters).astype(np.int8)
    alone = scan_losses(code, codes)
    assert all(np.array_equal(alone, scan_losses(code, codes, threads)) for threads in (2, 3, 7))
    assert np.array_equal(alone, decode_losses(codes) @ code.astype(np.int64))


def test_the_largest_combined_score_fits_64_bits() -> None:
    """SPEC 5.145"""
    gradient = MAX_CHECKPOINTS * SKETCH_WIDTH * CODE_LIMIT * SCALE_LIMIT * WEIGHT_LIMIT
    losses = 96 * LOSS_LIMIT * CODE_LIMIT * SCALE_LIMIT * LOSS_WEIGHT_LIMIT
    assert gradient + losses < 2**62


@given(SCORES)
def test_the_spread_is_the_median_distance_from_the_median(scores: np.ndarray) -> None:
    """SPEC 5.145"""
    ordered = sorted(scores.tolist())
    middle = ordered[(len(ordered) - 1) // 2]
    distances = sorted(abs(score - middle) for score in ordered)
    assert spread_of(scores) == distances[(len(ordered) - 1) // 2]


@given(gradient=SCORES, factor=st.integers(1, 1000))
def test_both_parts_weigh_alike_whatever_their_units(gradient: np.ndarray, factor: int) -> None:
    """SPEC 5.145: the weighted losses spread as the gradient does, to within one unit of weight; where a part
    does not spread, the gradient alone counts."""
    losses = np.roll(gradient, 1) // 10**6 * factor
    weight, spread = loss_weight(gradient, losses), spread_of(losses)
    if spread and weight < LOSS_WEIGHT_LIMIT:
        assert 0 <= spread_of(gradient) - weight * spread < spread
    assert np.array_equal(combine(gradient, np.full_like(gradient, 7)), gradient)


def test_rows_that_lower_an_answers_loss_score_high() -> None:
    """SPEC 5.144: in a world whose truth is known, scores follow it, and sums over owners follow it closer
    than single rows do."""
    own, asked, effect = simulated(rows=120, adapters=48, answers=40, noise=0.3)
    scores = loss_scores(own, asked)
    by_row = [np.corrcoef(score, true)[0, 1] for score, true in zip(scores, effect, strict=True)]
    sums = scores.reshape(40, 12, 10).sum(axis=2), effect.reshape(40, 12, 10).sum(axis=2)
    by_owner = [np.corrcoef(score, true)[0, 1] for score, true in zip(*sums, strict=True)]
    assert np.mean(by_row) > 0.4 and np.mean(by_owner) > np.mean(by_row)
