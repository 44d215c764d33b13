"""What one answer costs: two rates per thousand tokens, each rounded up, and a fixed part."""

from dataclasses import dataclass

from protocol.errors import EncodingError
from protocol.types import MAX_UINT32, MAX_WEI

RATE_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """Wei per 1000 prompt tokens, per 1000 output tokens, and per answer; as registered with the model."""

    in_rate: int
    out_rate: int
    fixed: int

    def __post_init__(self) -> None:
        for rate in (self.in_rate, self.out_rate, self.fixed):
            if not 0 <= rate <= MAX_WEI:
                raise EncodingError(f"rate {rate} is not a uint128")


def price(prompt_tokens: int, output_tokens: int, rates: Rates) -> int:
    """Wei of one answer; EncodingError when it would not fit a uint128."""
    if not (0 <= prompt_tokens <= MAX_UINT32 and 0 <= output_tokens <= MAX_UINT32):
        raise EncodingError(f"token counts {prompt_tokens}, {output_tokens} are not uint32")
    amount = (
        _per_thousand(prompt_tokens, rates.in_rate)
        + _per_thousand(output_tokens, rates.out_rate)
        + rates.fixed
    )
    if amount > MAX_WEI:
        raise EncodingError(f"price {amount} does not fit a uint128")
    return amount


def _per_thousand(tokens: int, rate: int) -> int:
    return -(-tokens * rate // RATE_TOKENS)
