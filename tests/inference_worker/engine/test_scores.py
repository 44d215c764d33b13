"""Logprobs equal a naive reference, whatever penalties and temperature the request has."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.chooser import Chooser
from inference_worker.engine.scores import score
from tests.inference_worker.engine.requests import sampled

ROWS = st.lists(st.sampled_from([-3.0, 0.0, 1.0, 1.5, 9.25, -40.0]), min_size=3, max_size=20)


def naive(row):
    total = math.log(math.fsum(math.exp(x) for x in row))
    return [x - total for x in row]


@given(ROWS, st.integers(0, 5), st.data())
def test_scores_equal_the_naive_reference(row, count, data):
    """SPEC 4.141"""
    token = data.draw(st.integers(0, len(row) - 1))
    scores, expected = score(torch.tensor(row), token, count), naive(row)
    assert scores.logprob == pytest.approx(expected[token], abs=1e-6)
    ranked = sorted(range(len(row)), key=lambda place: (-row[place], place))[:count]
    assert [place for place, _ in scores.top] == ranked
    assert [logprob for _, logprob in scores.top] == pytest.approx([expected[i] for i in ranked], abs=1e-6)
    for logprob in [scores.logprob, *(logprob for _, logprob in scores.top)]:
        assert logprob <= 0.0 and math.copysign(1, logprob) == (-1 if logprob else 1)
        assert round(logprob, 6) == logprob


def test_scores_are_of_the_raw_distribution():
    """SPEC 4.141"""
    row = torch.tensor([1.0, 4.0, 2.0])
    options = {"temperature": 0.0, "logit_bias": ((1, -100.0),), "repetition_penalty": 3.0, "logprobs": 3}
    choice = Chooser(sampled(1, **options), [1, 2]).choose(row, 0)
    assert choice.token == 0
    assert choice.scores == score(row, 0, 3)


def test_no_scores_unless_asked_for():
    """SPEC 4.141"""
    assert Chooser(sampled(1), [1]).choose(torch.zeros(3), 0).scores is None
    assert Chooser(sampled(1, logprobs=0), [1]).choose(torch.zeros(3), 0).scores.top == ()
