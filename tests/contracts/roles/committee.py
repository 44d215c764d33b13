"""Disputes: everyone opens one with a bond, the drawn jurors vote, the parties appeal, anyone settles."""

from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.roles.rules import CID, WORD, Rules, Scene, anyone


def receipt(scene: Scene) -> object:
    return solidity_receipt(receipt_of(scene.world, "node", 5))


UNKNOWN = "CommitteeWrongStatus"
# No dispute is open in the scene; parties and jurors are tested in tests/contracts/disputes.
RULES: Rules = {
    "open": anyone(
        lambda s: [s["final"].epoch, s.at("node"), receipt(s), (0, 1, []), CID],
        meets="CommitteeNotChallengeable",
    ),
    "draw": anyone(lambda s: [WORD], meets=UNKNOWN),
    "commitVote": anyone(lambda s: [WORD, WORD], meets=UNKNOWN),
    "revealVote": anyone(lambda s: [WORD, 1, WORD], meets=UNKNOWN),
    "appeal": anyone(lambda s: [WORD], meets=UNKNOWN),
    "answerAppeal": anyone(lambda s: [WORD], meets=UNKNOWN),
    "settle": anyone(lambda s: [WORD], meets=UNKNOWN),
    "claimFee": anyone(lambda s: [WORD, 0, s.at("payer")], meets="CommitteeNothingEarned"),
}
