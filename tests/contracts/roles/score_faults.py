"""Score faults: everyone proves; a receipt that no statement holds proves nothing."""

from tests.contracts.roles.rules import WORD, Rules, anyone
from tests.contracts.roles.span_faults import LEAF, PROOF, UNSTATED, stated

SCORED = ([1], 0, b"record", PROOF, b"code")

RULES: Rules = {
    "seal": anyone(lambda s: [WORD]),
    "proveWrongScore": anyone(lambda s: [stated(s), SCORED, 0], meets=UNSTATED),
    "proveOmittedRow": anyone(lambda s: [stated(s), SCORED, *LEAF], meets=UNSTATED),
    "proveWrongCluster": anyone(lambda s: [stated(s), [1], 0, 0, *LEAF], meets=UNSTATED),
    "proveWrongIndex": anyone(lambda s: [stated(s), [1]], meets=UNSTATED),
    "proveWrongUnits": anyone(lambda s: [stated(s), [1], [1]], meets=UNSTATED),
    "proveWithheldRow": anyone(lambda s: [stated(s), [1], [1], 0, *LEAF], meets=UNSTATED),
}
