"""Stake: everyone's own; slashes by judges, locks by who collects or asks for a bond."""

from scripts.deployment_plan import LOCKERS, OPEN, SLASHERS
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only
from tests.contracts.staking.test_stake import unbond


def prepare(scene: Scene) -> None:
    world = scene.world
    world.fund("stranger", 1_000 * OPEN, world.staking)
    world.stake("node", 100_000 * OPEN)
    scene["ticket"], ready_at = unbond(world, "node", 10)
    world.authorize("node", "hot_signer")
    world.fund("deployer", 0, world.staking)
    world.send(world.staking.functions.addRewards(world.address("node"), OPEN), "deployer")
    world.pass_to(ready_at)


NOT_SLASHER, NOT_LOCKER = "NodeStakingNotSlasher", "NodeStakingNotLocker"
RULES: Rules = {
    "stake": anyone(lambda s: [s.at("node"), OPEN]),
    "stakeAtLeast": anyone(lambda s: [s.at("node"), OPEN, 0]),
    "stakeWithPermit": anyone(lambda s: [s.at("node"), OPEN, 2**60, 27, WORD, WORD]),
    "unbond": only("node", "NodeStakingNotEnoughShares", lambda s: [s.at("node"), 1]),
    "withdraw": only("node", "NodeStakingNotTicketOwner", lambda s: [s["ticket"]]),
    "authorizeSigner": anyone(lambda s: [s.at("payer"), 2**60, bytes(65)], meets="NodeStakingBadSignerProof"),
    "revokeSigner": only("node", "NodeStakingUnknownSigner", lambda s: [s.at("hot_signer")]),
    "setEncryptionKey": anyone(lambda s: [WORD]),
    "addRewards": anyone(lambda s: [s.at("node"), 1]),
    "claimRewards": only("node", "NodeStakingNoRewards", lambda s: [s.at("node")]),
    "lock": only(LOCKERS, NOT_LOCKER, lambda s: [s.at("node"), 1]),
    "lockForFees": only(LOCKERS, NOT_LOCKER, lambda s: [s.at("node"), 1]),
    "slash": only(SLASHERS, NOT_SLASHER, lambda s: [s.at("node"), 1, s.at("stranger")]),
    "collectBounty": anyone(lambda s: [s.at("node")], meets="NodeStakingNoBounty"),
    "burnSlashed": anyone(lambda s: [], meets="NodeStakingNothingToBurn"),
    # Its caller has the money already; here it has none.
    "stakeFor": only(
        "RewardDistributor",
        "NodeStakingNotDistributor",
        lambda s: [s.at("node"), s.at("stranger"), OPEN],
        meets="ERC20InsufficientAllowance",
    ),
}
