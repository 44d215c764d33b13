import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_worker.attribution.covariance import (
    centre,
    clip_limit,
    decode_losses,
    encode_answer,
    encode_losses,
    encode_table,
    subset,
)
from inference_worker.attribution.method import CODE_LIMIT, LOSS_LIMIT, SCALE_LIMIT

K = 16
LOSSES = arrays(np.float64, (7, K), elements=st.floats(0, 20, width=32))


@given(seed=st.integers(0, 2**64 - 1), number=st.integers(0, 95), rows=st.integers(2, 200))
def test_a_subset_is_half_of_the_rows_and_follows_from_the_seed(seed: int, number: int, rows: int) -> None:
    """SPEC 5.140"""
    drawn = subset(seed, number, rows)
    assert len(set(drawn.tolist())) == rows // 2 and drawn.tolist() == sorted(drawn.tolist())
    assert drawn.min() >= 0 and drawn.max() < rows
    assert np.array_equal(drawn, subset(seed, number, rows))


def test_subsets_are_drawn_apart() -> None:
    """SPEC 5.140: over 96 adapters each row, and each pair of rows, is in about as many as chance says."""
    rows, adapters = 60, 96
    members = np.zeros((adapters, rows))
    for number in range(adapters):
        members[number, subset(1234, number, rows)] = 1
    assert abs(members.mean(axis=0) - 0.5).max() < 0.21
    together = (members.T @ members / adapters)[~np.eye(rows, dtype=bool)]
    assert abs(together.mean() - 0.25) < 0.01 and together.max() < 0.5
    assert not np.array_equal(subset(1, 0, rows), subset(2, 0, rows))


@settings(max_examples=60, deadline=None)
@given(LOSSES)
def test_what_all_rows_share_is_gone(losses: np.ndarray) -> None:
    """SPEC 5.141: no row has a mean left, no adapter has one over the rows, and adding to every loss of an
    adapter, or of a row, changes nothing."""
    level = losses.mean(axis=0)
    centred = centre(losses, level)
    size = 1e-9 * (1 + np.abs(losses).max())
    assert np.abs(centred.mean(axis=1)).max() <= size and np.abs(centred.mean(axis=0)).max() <= size
    moved = centre(losses + np.arange(7)[:, None], level)
    assert np.allclose(moved, centred, atol=1e-6)
    better = centre(losses + 3 * (level - level.mean()), level)
    assert np.allclose(better, centred, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(LOSSES)
def test_codes_are_four_bits_near_the_losses_and_no_row_is_paid_for_its_size(losses: np.ndarray) -> None:
    """SPEC 5.142"""
    centred = centre(losses, losses.mean(axis=0))
    limit = clip_limit(centred)
    codes = encode_losses(centred, limit)
    assert codes.packed.shape == (7, K // 2) and codes.adapters == K
    values = decode_losses(codes)
    assert np.abs(values).max() <= LOSS_LIMIT * SCALE_LIMIT
    if limit > 1e-6:
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        clipped = centred * np.minimum(1.0, limit / np.maximum(norms, 1e-30))
        step = np.abs(clipped).max(axis=1, keepdims=True) / (2 * LOSS_LIMIT)
        assert (np.abs(values * limit / (LOSS_LIMIT * SCALE_LIMIT) - clipped) <= step + limit / 60_000).all()


@settings(max_examples=60, deadline=None)
@given(LOSSES)
def test_an_answers_code_is_int8_and_blind_to_how_hard_the_answer_is(losses: np.ndarray) -> None:
    """SPEC 5.143"""
    level, answer = losses[1:].mean(axis=0).astype(np.float32), losses[0]
    code = encode_answer(answer, level)
    assert np.abs(code.astype(int)).max() <= CODE_LIMIT
    assert np.abs(code.astype(int) - encode_answer(answer + 5.0, level).astype(int)).max() <= CODE_LIMIT
    assert not encode_answer(np.full(K, 2.5), level).any()


@settings(max_examples=40, deadline=None)
@given(LOSSES)
def test_a_table_codes_decoys_as_rows_and_by_the_rows_measure(losses: np.ndarray) -> None:
    """SPEC 5.142: decoys move no row's code, and a decoy that is a row has the row's code."""
    table = encode_table(np.concatenate([losses, losses[:2]]), len(losses))
    alone = encode_table(losses, len(losses))
    assert np.array_equal(table.level, losses.mean(axis=0).astype(np.float32))
    assert (
        np.array_equal(decode_losses(table.rows), decode_losses(alone.rows)) and len(alone.decoys.packed) == 0
    )
    assert np.array_equal(decode_losses(table.decoys), decode_losses(table.rows)[:2])
