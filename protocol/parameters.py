"""What governance may set, one immutable snapshot per version; receipts name the version in force."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from types import MappingProxyType

from protocol.attribution import Lane, effective_weights
from protocol.errors import EncodingError, SharesDoNotSum
from protocol.types import MAX_UINT64, TOTAL_PPM, Address

BURN_ACCOUNT = Address("0x000000000000000000000000000000000000dead")
"""What is credited here is burnt when claimed."""

MAX_ROYALTIES_PPM = 500_000
"""Parents take at most half of the model owner's part."""

DEFAULT_WEIGHTS: Mapping[Lane, int] = MappingProxyType(
    {Lane.GRADIENT: 800_000, Lane.SPAN: 200_000, Lane.RETRIEVAL: 300_000}
)


@dataclass(frozen=True, slots=True)
class Split:
    """Ppm of a price by role, in the order in which it is rounded."""

    burn: int
    treasury: int
    model_owner: int
    operator: int
    stakers: int
    data: int

    def __post_init__(self) -> None:
        parts = self.parts
        if min(parts) < 0 or sum(parts) != TOTAL_PPM:
            raise SharesDoNotSum(f"split {parts}", TOTAL_PPM, sum(parts))

    @property
    def parts(self) -> tuple[int, ...]:
        """The six parts in order."""
        return astuple(self)


@dataclass(frozen=True, slots=True)
class Parameters:
    """One version of the rules' numbers.

    In `lane_weights` gradient and span make TOTAL_PPM; retrieval is taken out of gradient's weight for
    answers that used it.
    """

    version: int
    split: Split
    labour_ppm: int = 100_000
    lane_weights: Mapping[Lane, int] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    span_weight_cap: int = 200_000

    def __post_init__(self) -> None:
        if not 0 <= self.version <= MAX_UINT64 or not 0 <= self.labour_ppm <= TOTAL_PPM:
            raise EncodingError(f"version {self.version} with labour share {self.labour_ppm}")
        effective_weights(self.lane_weights, with_retrieval=True)
        if self.lane_weights[Lane.SPAN] > self.span_weight_cap:
            raise EncodingError(
                f"span weight {self.lane_weights[Lane.SPAN]} above its cap {self.span_weight_cap}"
            )


DEFAULTS = Parameters(version=1, split=Split(50_000, 50_000, 200_000, 100_000, 100_000, 500_000))
