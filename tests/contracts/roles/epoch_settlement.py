"""Settlement: nodes state and commit, anyone makes final, judges void, holders delay."""

from protocol.epoch import Commitment
from scripts.deployment_plan import HOLDERS, JUDGES, OPEN
from tests.contracts.epochs import Ledger, receipt_of, solidity_receipt
from tests.contracts.roles.rules import CID, WORD, Rules, Scene, anyone, only


def prepare(scene: Scene) -> None:
    """An epoch that is final, one committed and ripe, one stated, one with money of `other_node` unstated."""
    world = scene.world
    for node in ("node", "other_node"):
        world.stake(node, 100_000 * OPEN)
    ledger = Ledger(world)
    scene["ledger"], scene["final"] = ledger, ledger.settle("node", {"contributor": OPEN, "stranger": OPEN})
    first = _state(ledger)
    ledger.commit(first, "node")
    scene["committed"], scene["stated"] = first.epoch, _state(ledger)
    scene["unstated"] = ledger.earn("other_node", OPEN)
    world.pass_to(ledger.end_of(scene["unstated"]) + world.settings.challenge_window)


def _state(ledger: Ledger) -> Commitment:
    epoch = ledger.earn("node", OPEN)
    ledger.world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": OPEN})
    ledger.publish(statement, "node")
    return ledger.build(epoch, [statement])


def statement(scene: Scene) -> list[object]:
    return [scene["unstated"], WORD, 1, OPEN, WORD, CID]


def commitment(scene: Scene) -> list[object]:
    made: Commitment = scene["stated"]
    before: Commitment = scene["ledger"].commitments[-1]
    roots = (before.cum_root.digest, made.entry_root.digest, made.cum_root.digest)
    return [(made.epoch, *roots, made.total, CID)]


def receipt(scene: Scene) -> list[object]:
    made = receipt_of(scene.world, "node", 5)
    return [
        solidity_receipt(made),
        scene.world.signers["node"].sign_receipt(made, scene.world.receipts_domain),
    ]


# Whoever has the bond staked may commit; curators have a stake, too.
STAKED = ("curator", "other_staker")
NOT_JUDGE, NOT_HOLDER = "EpochSettlementNotJudge", "EpochSettlementNotHolder"
RULES: Rules = {
    "fund": only(
        ("PaymentChannels", "InferenceGateway"), "EpochSettlementNotChannels", lambda s: [s.at("node"), 1]
    ),
    "publishStatement": only(
        "other_node", "EpochSettlementNodeNotRegistered|EpochSettlementNothingFunded", statement
    ),
    "rollover": anyone(lambda s: [s["unstated"]], meets="EpochSettlementStillOpen"),
    "sweep": anyone(lambda s: [s["unstated"], s.at("other_node")], meets="EpochSettlementNotAbandoned"),
    "commit": only(("node", "other_node", "hot_signer", *STAKED), "NodeStakingLockExceedsStake", commitment),
    "finalize": anyone(lambda s: [s["committed"]], paused="EpochSettlementPaused"),
    "voidStatement": only(JUDGES, NOT_JUDGE, lambda s: [s["committed"], s.at("node")]),
    "voidCommitment": only(JUDGES, NOT_JUDGE, lambda s: [s["committed"]]),
    "hold": only(HOLDERS, NOT_HOLDER, lambda s: [s["stated"].epoch]),
    "release": only(HOLDERS, NOT_HOLDER, lambda s: [s["stated"].epoch], meets="EpochSettlementNotHeld"),
    "submitReceipt": anyone(receipt),
}
