"""How far gradient payouts are believed: kappa, in ppm, from how well they agree with retraining.

What a contributor is paid is its true effect seen through noise. The best linear estimate of the effect is
kappa · pay + (1 - kappa) · prior with kappa = rho², the squared correlation of pay and effect (credibility
theory; here the prior is the version's coverage shares). rho is measured on few retrainings, so it is drawn
towards what the method reached elsewhere, each side weighted by one over its squared half-width. Integers
throughout: whoever has the measurement has kappa.
"""

from dataclasses import dataclass
from math import isqrt

from protocol.errors import AttributionError
from protocol.types import TOTAL_PPM

# Leave-one-contributor-out correlation of the default recipe's codes on the set that the method was tuned on
# (ADR 31), and how far Datanets may differ from it.
DEFAULT_RHO_PPM = 510_000
DEFAULT_HALF_WIDTH_PPM = 300_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, all in ppm."""

    ppm: int
    low_ppm: int
    high_ppm: int

    def __post_init__(self) -> None:
        if not self.low_ppm <= self.high_ppm:
            raise AttributionError(f"interval {self.low_ppm} to {self.high_ppm} ends before it begins")


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """kappa and what it was made of: the correlation believed, and the half-width given to the measured one
    (0 where nothing was measured).
    """

    kappa_ppm: int
    rho_ppm: int
    half_width_ppm: int


def shrinkage(measured: Estimate | None, retrainings: int) -> Shrinkage:
    """Of a correlation measured over `retrainings` left-out contributors; None gives the default.

    An interval that resampled few retrainings is too narrow, so its half-width counts as at least
    1/√retrainings. A correlation believed to be negative pays nothing.
    """
    if measured is None:
        return Shrinkage(DEFAULT_RHO_PPM**2 // TOTAL_PPM, DEFAULT_RHO_PPM, 0)
    if retrainings < 2 or not -TOTAL_PPM <= measured.ppm <= TOTAL_PPM:
        raise AttributionError(
            f"correlation {measured.ppm} ppm over {retrainings} retrainings, of at least 2"
        )
    least = isqrt(TOTAL_PPM**2 // retrainings)
    half_width = max(least, (measured.high_ppm - measured.low_ppm + 1) // 2)
    own, default = DEFAULT_HALF_WIDTH_PPM**2, half_width**2
    rho = (DEFAULT_RHO_PPM * default + measured.ppm * own) // (default + own)
    return Shrinkage(max(0, rho) ** 2 // TOTAL_PPM, rho, half_width)
