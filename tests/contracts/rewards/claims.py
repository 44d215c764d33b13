"""Claims as calls of the distributor."""

from typing import Any

from node.chain.keccak import keccak
from protocol.epoch import Commitment, claim_proof
from tests.contracts.epochs import Ledger
from tests.contracts.world import Mined, World


def claim_of(ledger: Ledger, commitment: Commitment, account: str) -> tuple[str, int, Any]:
    """One account's claim under a commitment: account, cumulative amount, proof."""
    earner = ledger.earner(account)
    proof = claim_proof(commitment, earner, keccak)
    cumulative = dict(commitment.cumulative)[earner]
    return World.checksum(earner), cumulative, (proof.index, proof.count, list(proof.path))


def claim_many(
    ledger: Ledger, commitment: Commitment, accounts: list[str], sender: str = "stranger"
) -> Mined:
    """Sends the batch; what the call would return is what is then claimed."""
    claims = [claim_of(ledger, commitment, account) for account in accounts]
    call = ledger.world.distributor.functions.claimMany(claims)
    promised, before = (
        ledger.world.call(call, sender),
        ledger.world.distributor.functions.totalClaimed().call(),
    )
    mined = ledger.world.send(call, sender)
    assert ledger.world.distributor.functions.totalClaimed().call() == before + promised
    return mined


def claim_to_stake(ledger: Ledger, commitment: Commitment, account: str, node: str, **changed: Any) -> Mined:
    world = ledger.world
    _, cumulative, proof = claim_of(ledger, commitment, account)
    sender = changed.get("sender", account)
    call = world.distributor.functions.claimToStake(world.address(node), cumulative, proof)
    return world.send(call, sender)


def set_minimum(world: World, account: str, minimum: int) -> Mined:
    return world.send(world.distributor.functions.setRelayMinimum(minimum), account)
