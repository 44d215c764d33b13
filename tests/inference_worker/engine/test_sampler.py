"""Sampling: greedy takes the largest, the nucleus is the nucleus, and a draw depends on seed and place
alone."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.engine.sampler import _kept, _nucleus, finite_rows, sample, uniform
from protocol.sampling import Sampling

LOGITS = torch.log(torch.tensor([0.1, 0.5, 0.15, 0.25]))


def params(**changes):
    return Sampling(**{"temperature": 1.0, **changes})


@given(st.integers(0, 2**53), st.integers(0, 2**20))
def test_draws_are_in_the_unit_interval_and_repeat(seed, index):
    """SPEC 4.20"""
    assert 0.0 <= uniform(seed, index) < 1.0
    assert uniform(seed, index) == uniform(seed, index)


def test_draws_are_spread_evenly():
    """SPEC 4.20"""
    bins = Counter(int(uniform(7, i) * 10) for i in range(5000))
    assert all(abs(bins[b] - 500) < 110 for b in range(10))


@pytest.mark.parametrize("temperature", [0.0, 1e-30])
def test_no_temperature_takes_the_largest(temperature):
    """SPEC 4.20"""
    assert {sample(LOGITS, params(temperature=temperature, seed=s), s) for s in range(50)} == {1}


@pytest.mark.parametrize(
    ("top_p", "kept"), [(1.0, {0, 1, 2, 3}), (0.9, {1, 2, 3}), (0.7, {1, 3}), (0.4, {1}), (0.0, {1})]
)
def test_nucleus_is_the_smallest_set_that_reaches_top_p(top_p, kept):
    """SPEC 4.20"""
    assert {sample(LOGITS, params(top_p=top_p, seed=3), i) for i in range(400)} == kept


def naive_kept(logits, top_k, top_p, min_p):
    """The set that may be drawn, as the definitions read, in Python's own floats."""
    weights = [math.exp(x) for x in logits]
    ranked = sorted(range(len(logits)), key=lambda token: (-weights[token], token))[: top_k or len(logits)]
    total, kept = math.fsum(weights[token] for token in ranked), []
    for token in ranked:
        before = math.fsum(weights[t] for t in kept) / total
        if kept and (before >= top_p or weights[token] < min_p * weights[ranked[0]]):
            break
        kept.append(token)
    return set(kept)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=8),
    st.integers(0, 9),
    st.sampled_from([0.13, 0.37, 0.61, 0.89, 1.0]),
    st.sampled_from([0.0, 0.03, 0.21, 0.7]),
)
def test_what_may_be_drawn_equals_the_naive_reference(logits, top_k, top_p, min_p):
    """SPEC 4.20"""
    row = torch.tensor(logits, dtype=torch.float64)
    ranked, tokens = torch.softmax(row, 0).sort(descending=True, stable=True)
    kept = _kept(ranked, ranked.cumsum(0), params(top_k=top_k, top_p=top_p, min_p=min_p))
    assert set(tokens[:kept].tolist()) == naive_kept(logits, top_k, top_p, min_p)
    drawn = {sample(row, params(top_k=top_k, top_p=top_p, min_p=min_p, seed=4), i) for i in range(20)}
    assert drawn <= set(tokens[:kept].tolist())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([-40.0, -2.0, 0.0, 0.5, 3.0, float("-inf")]), min_size=2, max_size=12),
    st.integers(0, 13),
    st.sampled_from([0.0, 0.2, 0.7, 0.999, 1.0]),
    st.sampled_from([0.0, 0.05, 0.9]),
    st.floats(0, 1, exclude_max=True) | st.just(1 - 2.0**-53),
)
def test_ranking_only_the_likeliest_draws_the_same_token(logits, top_k, top_p, min_p, draw):
    """SPEC 4.20: whatever the number of tokens that are ranked first, ties and forbidden ones included."""
    row = torch.tensor([1.0, *logits])
    chosen = params(top_k=top_k, top_p=top_p, min_p=min_p)
    tokens = {_nucleus(row, chosen, draw, head) for head in range(1, len(row) + 1)}
    assert len(tokens) == 1
    assert row[tokens.pop()] > float("-inf")


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
def test_a_forbidden_token_is_never_drawn(temperature):
    """SPEC 4.143"""
    row = torch.tensor([9.0, float("-inf"), -50.0, float("-inf")])
    assert {sample(row, params(temperature=temperature, seed=s), s) for s in range(300)} <= {0, 2}


def test_frequencies_follow_the_probabilities():
    """SPEC 4.20"""
    counts = Counter(sample(LOGITS, params(seed=11), i) for i in range(4000))
    for token, expected in enumerate([0.1, 0.5, 0.15, 0.25]):
        assert abs(counts[token] / 4000 - expected) < 0.03


def test_rows_that_are_not_finite_are_found():
    """SPEC 4.17: also where both infinities meet in a row, and where finite numbers have an infinite sum."""
    rows = torch.zeros(6, 5)
    rows[1, 2], rows[2, 0], rows[3, 4] = float("nan"), float("inf"), float("-inf")
    rows[4, 0], rows[4, 1] = float("inf"), float("-inf")
    rows[5] = torch.finfo(torch.float32).max
    assert finite_rows(rows) == [True, False, False, False, False, True]


def test_of_equal_logits_the_first_token_is_taken():
    """SPEC 4.20"""
    logits = torch.zeros(300)
    logits[[40, 7, 290]] = 2.5
    assert sample(logits, params(temperature=0.0), 0) == 7
