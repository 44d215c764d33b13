"""A node's signers and its encryption key."""

import pytest

from node.chain.signer import authorization_digest
from tests.contracts.staking.bench import REVOKE_DELAY, Bench
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


@pytest.mark.parametrize("delay", [0, REVOKE_DELAY])
def test_a_revoked_signer_signs_until_the_delay_is_over(bench: Bench, delay: int) -> None:
    """SPEC 8.66: a signer is its node's while now < revocation + signerRevokeDelay, the delay in force when
    it was revoked."""
    authorize(bench, "node", "hot_signer", bench.now + 1_000, proof_by="hot_signer")
    bench.set_parameter("signerRevokeDelay", delay)
    mined = bench.do("node", "revokeSigner", "hot_signer")
    (event,) = bench.events(mined, bench.staking, "SignerRevoked")
    assert event["until"] == mined.time + delay
    bench.set_parameter("signerRevokeDelay", 7 * delay)
    if delay:
        bench.pass_to(mined.time + delay - 1)
        assert is_signer(bench, "node", "hot_signer")
        assert bench.read("nodeOf", "hot_signer") == bench.address("node")
        bench.pass_to(mined.time + delay)
    assert not is_signer(bench, "node", "hot_signer")
    assert bench.read("nodeOf", "hot_signer") == bench.address("hot_signer")
    with reverts("NodeStakingUnknownSigner", bench.address("hot_signer")):
        bench.do("node", "revokeSigner", "hot_signer")


def test_a_signer_stays_with_its_node(bench: Bench) -> None:
    """SPEC 8.28: a signer serves one node for ever, revoked or not."""
    end = bench.now + 1_000
    authorize(bench, "node", "hot_signer", end, proof_by="hot_signer")
    revoked = bench.do("node", "revokeSigner", "hot_signer")
    bench.pass_to(revoked.time + REVOKE_DELAY)
    assert is_signer(bench, "node", "hot_signer", ever=True)
    with reverts("NodeStakingSignerTaken", bench.address("hot_signer"), bench.address("node")):
        authorize(bench, "other_node", "hot_signer", end, proof_by="hot_signer")
    authorize(bench, "node", "hot_signer", end, proof_by="hot_signer")
    assert is_signer(bench, "node", "hot_signer")


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
