"""LedgerFaults: anyone proves a fault; of an epoch that nobody stated there is none."""

from tests.contracts.roles.rules import WORD, Rules, anyone

PROOF = (0, 0, [])
LEAF = (WORD, WORD, 1, PROOF)
PAIR = (LEAF, LEAF)
FAR = 2**40
NOTHING = "LedgerFaultsNothingRecorded"

RULES: Rules = {
    "seal": anyone(lambda s: [WORD]),
    "proveTotal": anyone(lambda s: [FAR, s.at("node"), 0, LEAF], meets=NOTHING),
    "proveOrder": anyone(lambda s: [FAR, s.at("node"), 0, LEAF, LEAF], meets=NOTHING),
    "proveRow": anyone(lambda s: [FAR, s.at("node"), 0, LEAF], meets=NOTHING),
    "proveEntryLow": anyone(lambda s: [FAR, s.at("payer"), s.at("node"), PAIR, LEAF, LEAF], meets=NOTHING),
    "proveEntryHigh": anyone(lambda s: [FAR, LEAF, LEAF, LEAF], meets=NOTHING),
    "proveCumulativeLow": anyone(lambda s: [FAR, WORD, LEAF, LEAF, LEAF], meets=NOTHING),
    "proveCumulativeHigh": anyone(lambda s: [FAR, WORD, LEAF, LEAF, LEAF], meets=NOTHING),
}
