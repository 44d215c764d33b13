"""The one rounding rule: cumulative, in the order given, so that integer parts always sum to their whole.

Part i of `total` for weights w is floor(C_i * total / W) - floor(C_(i-1) * total / W), with C_i = w_1 + … +
w_i and W their sum. Each part is within one unit of its exact value, and a prefix of parts within one unit
of its own.
"""

from collections.abc import Sequence

from protocol.errors import EncodingError, SharesDoNotSum
from protocol.types import TOTAL_PPM


def scores_to_shares(units: Sequence[int], total: int) -> tuple[int, ...]:
    """Parts of `total` by non-negative integer weights; they sum to `total` exactly.

    Where all weights are zero the last place takes everything: callers put the residual (the unattributed
    part, the owner) last, so that what nobody earned never goes to whoever happens to come first.
    """
    if not units:
        if total == 0:
            return ()
        raise SharesDoNotSum("no parts at all", total, 0)
    if total < 0 or min(units) < 0:
        raise EncodingError(f"weights and total must not be negative: {min(units)}, {total}")
    weight = sum(units)
    if weight == 0:
        return (*(0 for _ in units[1:]), total)
    shares = []
    running = given = 0
    for unit in units:
        running += unit
        upto = running * total // weight
        shares.append(upto - given)
        given = upto
    return tuple(shares)


def split_by_ppm(total: int, parts: Sequence[int]) -> tuple[int, ...]:
    """`total` by parts that must make a whole (TOTAL_PPM)."""
    if sum(parts) != TOTAL_PPM:
        raise SharesDoNotSum("ppm parts", TOTAL_PPM, sum(parts))
    return scores_to_shares(parts, total)
