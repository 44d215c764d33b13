"""Rewards: everyone may take what is proven to its owner."""

from node.chain.keccak import keccak
from protocol.epoch import claim_proof
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only


def claim(scene: Scene, name: str = "contributor") -> tuple[object, ...]:
    """An account's part of the final epoch, with its proof."""
    earner = scene.world.plain(name)
    proof = claim_proof(scene["final"], earner, keccak)
    cumulative = dict(scene["final"].cumulative)[earner]
    return scene.at(name), cumulative, (proof.index, proof.count, list(proof.path))


RULES: Rules = {
    "claim": anyone(lambda s: [*claim(s)]),
    "claimMany": anyone(lambda s: [[claim(s), claim(s, "stranger")]]),
    "claimToStake": anyone(lambda s: [s.at("node"), *claim(s, "stranger")[1:]]),
    # The contributor is no node whose stakers could have earned.
    "claimForStakers": anyone(lambda s: [*claim(s)], meets="RewardDistributorUnknownNode"),
    "setRelayMinimum": anyone(lambda s: [1]),
    "acceptRoot": only("EpochSettlement", "RewardDistributorNotSettlement", lambda s: [WORD]),
    "payUnstated": only("EpochSettlement", "RewardDistributorNotSettlement", lambda s: [s.at("stranger"), 1]),
}
