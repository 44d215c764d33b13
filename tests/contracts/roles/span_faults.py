"""Span faults: everyone proves; a receipt that no statement holds proves nothing."""

from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone

PROOF = (0, 1, [])
LEAF = ((WORD, "0x" + "00" * 20, 0, True), PROOF)
OUTPUT, IDS = (WORD, 1), [WORD] * 4
CHUNK, ROW_CHUNK = (IDS, PROOF), (0, 0, 1, IDS, PROOF)
UNSTATED = "ReportJudgeNotStated"


def stated(scene: Scene) -> tuple[object, ...]:
    receipt = solidity_receipt(receipt_of(scene.world, "node", 5))
    return (0, receipt, PROOF, WORD, WORD, WORD, WORD, WORD)


RULES: Rules = {
    "seal": anyone(lambda s: [WORD]),
    "proveFalseToken": anyone(lambda s: [stated(s), [1], 1, 0, OUTPUT, CHUNK, ROW_CHUNK], meets=UNSTATED),
    "provePastRow": anyone(lambda s: [stated(s), [1], 1, ROW_CHUNK], meets=UNSTATED),
    "proveMalformed": anyone(lambda s: [stated(s), [1], 0], meets=UNSTATED),
    "proveFalseCredit": anyone(lambda s: [stated(s), [1], 1, LEAF, LEAF], meets=UNSTATED),
    "proveFalseCount": anyone(lambda s: [stated(s), OUTPUT], meets=UNSTATED),
    "proveOmission": anyone(
        lambda s: [stated(s), [1], (0, 3, 0, 0), LEAF, OUTPUT, [CHUNK], [ROW_CHUNK]], meets=UNSTATED
    ),
}
