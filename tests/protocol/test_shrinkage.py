from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import AttributionError
from protocol.shrinkage import (
    DEFAULT_HALF_WIDTH_PPM,
    DEFAULT_RHO_PPM,
    Estimate,
    shrinkage,
)

PPM = 1_000_000
correlations = st.integers(-PPM, PPM)
retrainings = st.integers(2, 500)


def around(rho: int, half_width: int) -> Estimate:
    return Estimate(rho, rho - half_width, rho + half_width)


def test_without_a_measurement_kappa_is_the_square_of_the_network_s_correlation() -> None:
    """SPEC 5.220"""
    found = shrinkage(None, 0)
    assert found.rho_ppm == DEFAULT_RHO_PPM
    assert found.kappa_ppm == int(Fraction(DEFAULT_RHO_PPM, PPM) ** 2 * PPM)


@given(correlations, st.integers(0, PPM), retrainings)
def test_kappa_lies_between_nothing_and_all(rho: int, half_width: int, count: int) -> None:
    """SPEC 5.220"""
    assert 0 <= shrinkage(around(rho, half_width), count).kappa_ppm <= PPM


@given(correlations, correlations, st.integers(0, PPM), retrainings)
def test_a_better_correlation_never_lowers_kappa(one: int, other: int, half_width: int, count: int) -> None:
    """SPEC 5.220"""
    low, high = sorted((one, other))
    assert (
        shrinkage(around(low, half_width), count).kappa_ppm
        <= shrinkage(around(high, half_width), count).kappa_ppm
    )


@given(correlations, st.integers(0, PPM), st.integers(0, PPM), retrainings)
def test_the_surer_the_measurement_the_nearer_it_is_believed(
    rho: int, one: int, other: int, count: int
) -> None:
    """SPEC 5.221"""
    sure, unsure = (shrinkage(around(rho, width), count).rho_ppm for width in sorted((one, other)))
    assert abs(sure - rho) <= abs(unsure - rho)
    assert min(rho, DEFAULT_RHO_PPM) <= unsure <= max(rho, DEFAULT_RHO_PPM)


@given(correlations, st.integers(0, PPM), retrainings)
def test_the_correlation_believed_is_the_mean_weighted_by_precision(
    rho: int, half_width: int, count: int
) -> None:
    """SPEC 5.221: against exact fractions."""
    found = shrinkage(around(rho, half_width), count)
    # Few retrainings say no more than 1/sqrt(count), whatever their interval claims.
    assert found.half_width_ppm >= half_width
    assert (found.half_width_ppm + 1) ** 2 * count > PPM**2
    own, default = Fraction(1, found.half_width_ppm**2), Fraction(1, DEFAULT_HALF_WIDTH_PPM**2)
    exact = (own * rho + default * DEFAULT_RHO_PPM) / (own + default)
    assert found.rho_ppm <= exact < found.rho_ppm + 1


def test_an_attribution_that_is_surely_wrong_pays_nothing() -> None:
    """SPEC 5.220"""
    assert shrinkage(around(-PPM, 1_000), 10_000).kappa_ppm == 0


@pytest.mark.parametrize(("rho", "count"), [(PPM + 1, 9), (500_000, 1), (0, 0)])
def test_what_no_measurement_gives_is_refused(rho: int, count: int) -> None:
    """SPEC 5.221"""
    with pytest.raises(AttributionError):
        shrinkage(around(rho, 0), count)


def test_an_interval_that_ends_before_it_begins_is_refused() -> None:
    """SPEC 5.221"""
    with pytest.raises(AttributionError):
        Estimate(0, 2, 1)
