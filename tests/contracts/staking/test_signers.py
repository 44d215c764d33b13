"""A node's signers and its encryption key."""

import pytest

from node.chain.signer import authorization_digest
from tests.contracts.world import World, reverts


def authorize(
    world: World, node: str, signer: str, deadline: int, proof_by: str, named: str | None = None
) -> None:
    digest = authorization_digest(
        world.plain(named or node), world.plain(signer), deadline, world.staking_domain
    )
    proof = world.signers[proof_by].sign_digest(digest)
    world.send(world.staking.functions.authorizeSigner(world.address(signer), deadline, proof), node)


def is_signer(world: World, node: str, signer: str, ever: bool = False) -> bool:
    view = world.staking.functions.wasSigner if ever else world.staking.functions.isSigner
    return bool(view(world.address(node), world.address(signer)).call())


def test_a_signer_consents_for_one_node(world: World) -> None:
    """SPEC 8.28: a signer is authorised with its own signature over (node, signer, deadline)."""
    end = world.now + 100
    with reverts("NodeStakingBadSignerProof"):
        authorize(world, "node", "hot_signer", end, proof_by="node")
    with reverts("NodeStakingBadSignerProof"):
        authorize(world, "node", "hot_signer", end, proof_by="hot_signer", named="other_node")
    authorize(world, "node", "hot_signer", end, proof_by="hot_signer")
    assert is_signer(world, "node", "hot_signer")
    assert world.staking.functions.nodeOf(world.address("hot_signer")).call() == world.address("node")


@pytest.mark.parametrize(("left", "accepted"), [(2, True), (1, False)])
def test_the_consent_expires(world: World, left: int, accepted: bool) -> None:
    """SPEC 8.28: the consent is valid while now < deadline."""
    deadline = world.now + left  # the next block is one second later
    if accepted:
        authorize(world, "node", "hot_signer", deadline, proof_by="hot_signer")
        return
    with reverts("NodeStakingProofExpired", deadline):
        authorize(world, "node", "hot_signer", deadline, proof_by="hot_signer")


def test_a_signer_stays_with_its_node(world: World) -> None:
    """SPEC 8.28: a signer serves one node for ever, revoked or not."""
    end = world.now + 1_000
    authorize(world, "node", "hot_signer", end, proof_by="hot_signer")
    world.send(world.staking.functions.revokeSigner(world.address("hot_signer")), "node")
    assert not is_signer(world, "node", "hot_signer")
    assert is_signer(world, "node", "hot_signer", ever=True)
    assert world.staking.functions.nodeOf(world.address("hot_signer")).call() == world.address("hot_signer")
    with reverts("NodeStakingSignerTaken", world.address("hot_signer"), world.address("node")):
        authorize(world, "other_node", "hot_signer", end, proof_by="hot_signer")
    authorize(world, "node", "hot_signer", end, proof_by="hot_signer")
    assert is_signer(world, "node", "hot_signer")


def test_only_the_node_revokes(world: World) -> None:
    authorize(world, "node", "hot_signer", world.now + 100, proof_by="hot_signer")
    with reverts("NodeStakingUnknownSigner", world.address("hot_signer")):
        world.send(world.staking.functions.revokeSigner(world.address("hot_signer")), "other_node")
    assert is_signer(world, "node", "hot_signer")


def test_a_node_signs_for_itself_and_nobody_else_does(world: World) -> None:
    assert is_signer(world, "node", "node")
    assert not is_signer(world, "node", "stranger")
    assert not is_signer(world, "node", "stranger", ever=True)


def test_a_node_publishes_its_own_encryption_key(world: World) -> None:
    """SPEC 1.28: a grantee's encryption key is its own to set."""
    key = b"\x09" * 32
    world.send(world.staking.functions.setEncryptionKey(key), "node")
    assert world.staking.functions.encryptionKey(world.address("node")).call() == key
    assert world.staking.functions.encryptionKey(world.address("stranger")).call() == bytes(32)
