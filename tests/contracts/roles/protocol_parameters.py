"""The parameters: only a passed vote, through the timelock."""

from node.chain.keccak import keccak
from tests.contracts.roles.rules import Rules, only

REFUSED = "AccessManagedUnauthorized"
KEY = keccak(b"maxBatch")

RULES: Rules = {
    "setSplit": only("OpenTimelock", REFUSED, lambda s: [(1_000_000, 0, 0, 0, 0, 0)]),
    "setValue": only("OpenTimelock", REFUSED, lambda s: [KEY, 1]),
    "setValues": only("OpenTimelock", REFUSED, lambda s: [[KEY], [1]]),
    "setAuthority": only("OpenAccessManager", REFUSED, lambda s: [s.at("OpenAccessManager")]),
}
