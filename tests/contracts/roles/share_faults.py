"""Share faults: everyone proves; a receipt that no statement holds proves nothing."""

from tests.contracts.roles.rules import WORD, Rules, anyone
from tests.contracts.roles.span_faults import LEAF, PROOF, UNSTATED, stated

ENTRY = (1, 0, "0x" + "00" * 20, 1, PROOF)
LISTS: tuple[list[int], ...] = ([], [], [])

RULES: Rules = {
    "seal": anyone(lambda s: [WORD]),
    "proveForeignRow": anyone(lambda s: [stated(s), ENTRY], meets=UNSTATED),
    "proveWrongRow": anyone(lambda s: [stated(s), ENTRY, *LEAF], meets=UNSTATED),
    "proveWrongVersion": anyone(lambda s: [stated(s)], meets=UNSTATED),
    "proveWrongShares": anyone(lambda s: [stated(s), LISTS, ENTRY], meets=UNSTATED),
}
