"""Every number that a vote can set: what it counts, its bounds and what it is for.

The contract ProtocolParameters holds the values under keccak256 of these names; what each deployment starts
with is said by scripts/deployment_plan.py. Nothing here reads a chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from protocol.parameters import MAX_ROYALTIES_PPM
from protocol.types import TOTAL_PPM

DAY = 86_400
OPEN = 10**18
MAX_BOND = 1_000_000 * OPEN
MAX_SLASH_PPM = 500_000


class Kind(IntEnum):
    """What a value counts; numbered as in IProtocolParameters."""

    PPM = 0
    WEI = 1
    SECONDS = 2
    COUNT = 3
    ACCOUNT = 4


@dataclass(frozen=True, slots=True)
class Tunable:
    """One parameter; both bounds are allowed values."""

    name: str
    kind: Kind
    least: int
    greatest: int
    meaning: str


# The greatest of all windows together fit into the least unbonding period, with an epoch of a day. The
# contract checks their sum at every change all the same: a development network begins with a shorter period.
TUNABLES = (
    Tunable("treasury", Kind.ACCOUNT, 1, 2**160 - 1, "earns the treasury's part of each price"),
    Tunable(
        "labourPpm", Kind.PPM, 0, 500_000, "part of the data's share for curators, evaluators and cleaners"
    ),
    Tunable("gradientWeight", Kind.PPM, 0, TOTAL_PPM, "weight of the gradient lane in an attribution"),
    Tunable("spanWeight", Kind.PPM, 0, 200_000, "weight of the span lane in an attribution"),
    Tunable(
        "retrievalWeight", Kind.PPM, 0, TOTAL_PPM, "weight of the retrieval lane, taken out of the gradient's"
    ),
    Tunable(
        "maxRoyaltiesPpm", Kind.PPM, 0, MAX_ROYALTIES_PPM, "most of a model owner's part that parents take"
    ),
    Tunable("maxBatch", Kind.COUNT, 1, 1_024, "most requests that a worker answers at once"),
    Tunable("maxOutputTokens", Kind.COUNT, 1, 65_536, "most tokens of one answer"),
    Tunable("maxCallbackGas", Kind.COUNT, 0, 1_500_000, "most gas of the gateway's call back to a contract"),
    Tunable(
        "equivocationSlashPpm", Kind.PPM, 0, MAX_SLASH_PPM, "part of a stake lost for two receipts of one job"
    ),
    Tunable(
        "faultSlashPpm", Kind.PPM, 0, MAX_SLASH_PPM, "part of a stake lost for a fault that a proof shows"
    ),
    Tunable("withholdingSlashPpm", Kind.PPM, 0, MAX_SLASH_PPM, "part of a stake lost for not showing data"),
    Tunable(
        "jurorSlashPpm", Kind.PPM, 0, 100_000, "part of a juror's stake lost for not revealing a verdict"
    ),
    Tunable(
        "stakeToFees", Kind.COUNT, 0, 100, "stake that is locked for each fee collected, as a multiple of it"
    ),
    Tunable("commitBond", Kind.WEI, 0, MAX_BOND, "stake locked behind each epoch's commitment"),
    Tunable("dataBond", Kind.WEI, 0, MAX_BOND, "bond of who challenges a node to show data"),
    Tunable("disputeBond", Kind.WEI, 0, MAX_BOND, "bond of who asks a committee; an appeal doubles it"),
    Tunable("contributionBond", Kind.WEI, 0, MAX_BOND, "bond of a batch of contributions"),
    Tunable("minCuratorStake", Kind.WEI, 0, MAX_BOND, "own stake that a curator must have"),
    Tunable("minJurorStake", Kind.WEI, 0, MAX_BOND, "own stake that a juror must have"),
    Tunable("challengeWindow", Kind.SECONDS, 1, 4 * DAY, "time to challenge a commitment"),
    Tunable("responseWindow", Kind.SECONDS, 1, DAY, "time to answer a challenge to show data"),
    Tunable(
        "committeeWindow", Kind.SECONDS, 2, 3 * DAY, "time of a committee: half to commit, half to reveal"
    ),
    Tunable("appealWindow", Kind.SECONDS, 1, 2 * DAY, "time to appeal against a committee"),
    Tunable(
        "unbondingPeriod", Kind.SECONDS, 14 * DAY, 60 * DAY, "time for which leaving stake stays slashable"
    ),
    Tunable("signerRevokeDelay", Kind.SECONDS, 0, 7 * DAY, "time for which a revoked signer still signs"),
    Tunable("rewardDrip", Kind.SECONDS, 0, 7 * DAY, "time over which a reward flows to the stakers"),
)

BY_NAME: Mapping[str, Tunable] = MappingProxyType({one.name: one for one in TUNABLES})


def unbonding_needed(epoch_length: int, challenge: int, response: int, committee: int, appeal: int) -> int:
    """The least unbonding period under which the last verdict still finds its stake; an appeal sits again."""
    return epoch_length + challenge + response + 2 * committee + appeal
