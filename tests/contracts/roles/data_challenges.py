"""Questions for data: everyone asks with a bond, arguments prove an answer, anyone ends a question."""

from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone

PROOF = (0, 1, [])
UNKNOWN = "DataChallengesNotOpen"


def receipt(scene: Scene) -> object:
    return solidity_receipt(receipt_of(scene.world, "node", 5))


# No question is open in the scene; who asks and answers is tested in tests/contracts/disputes.
RULES: Rules = {
    "challenge": anyone(
        lambda s: [s["final"].epoch, s.at("node"), 1, 0], meets="DataChallengesNotChallengeable"
    ),
    "answerLine": anyone(
        lambda s: [WORD, (s.at("payer"), WORD, 1), PROOF, receipt(s), PROOF, bytes(65)], meets=UNKNOWN
    ),
    "answerReceipt": anyone(lambda s: [WORD, receipt(s), PROOF, bytes(65)], meets=UNKNOWN),
    "answerEntry": anyone(lambda s: [WORD, s.at("payer"), s.at("node"), 1, PROOF], meets=UNKNOWN),
    "answerCumulative": anyone(lambda s: [WORD, s.at("payer"), 1, PROOF], meets=UNKNOWN),
    "answerPastEnd": anyone(lambda s: [WORD, WORD, 1, PROOF], meets=UNKNOWN),
    "conclude": anyone(lambda s: [WORD], meets=UNKNOWN),
}
