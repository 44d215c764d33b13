from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.pricing import Rates, price
from protocol.types import MAX_WEI

rates = st.builds(Rates, *[st.integers(0, 10**30)] * 3)
counts = st.integers(0, 2**32 - 1)


@given(counts, counts, rates)
def test_a_price_rounds_each_rate_up(prompt, output, rate):
    """SPEC 0.25"""
    exact = (
        ceil(Fraction(prompt * rate.in_rate, 1000))
        + ceil(Fraction(output * rate.out_rate, 1000))
        + rate.fixed
    )
    if exact <= MAX_WEI:
        assert price(prompt, output, rate) == exact
    else:
        with pytest.raises(EncodingError):
            price(prompt, output, rate)


@given(counts, st.integers(0, 10**6), st.builds(Rates, *[st.integers(0, 10**20)] * 3))
def test_more_tokens_never_cost_less(prompt, output, rate):
    """SPEC 0.25"""
    assert price(prompt, output + 1, rate) >= price(prompt, output, rate) >= rate.fixed


@pytest.mark.parametrize("bad", [(-1, 0), (0, -1), (2**32, 0), (0, 2**32)])
def test_token_counts_are_uint32(bad):
    """SPEC 0.25"""
    with pytest.raises(EncodingError):
        price(*bad, Rates(1, 1, 1))


@pytest.mark.parametrize("bad", [(-1, 0, 0), (0, 2**128, 0), (0, 0, -5)])
def test_rates_are_uint128(bad):
    """SPEC 0.25"""
    with pytest.raises(EncodingError):
        Rates(*bad)
